"""Tests through the commands that a user gives, with Airflow and all."""

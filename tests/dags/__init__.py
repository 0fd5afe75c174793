"""Tests of the DAG files and of runs in real Airflow."""

"""Tests of several parts together: real DuckDB, dbt and Great Expectations, no Airflow."""

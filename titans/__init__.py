"""The command line behind the Makefile, and Airflow as a process. Uses all of include."""

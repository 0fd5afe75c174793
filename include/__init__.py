"""The library, free of Airflow. Data flow one way; pyproject.toml lists the layers and lint-imports holds them."""

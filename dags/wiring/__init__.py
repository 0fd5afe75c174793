"""What the DAG files share: trigger forms, the context of a run, and the tasks of every ingest DAG."""

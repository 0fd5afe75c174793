"""Every test: unit, integration, dags, catalogue, end_to_end; soak on demand. Uses everything."""

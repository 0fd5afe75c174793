"""From a run to landed batches: as-of date, plan, fetch, summary. Uses sources, landing and runs."""

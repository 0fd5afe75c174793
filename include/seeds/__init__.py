"""What users edit: rows of the seed CSVs, their checks, calendars and schedules. Uses dbt_facts."""

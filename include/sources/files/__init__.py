"""A folder of CSV or Parquet files that the user's own vendor exported: found, read once, checked, and delivered."""

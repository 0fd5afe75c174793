"""Immutable Parquet files with their manifests, and what has landed so far. Uses sources."""

"""Generations of the published file, and the link to the current one. Uses gates."""

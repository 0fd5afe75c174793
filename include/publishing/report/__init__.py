"""The report of a generation: HTML pages that are made from the published file alone and open from a disk."""

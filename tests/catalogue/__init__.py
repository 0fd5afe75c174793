"""A catalogue of bad input: one entry for each way in which a delivery can be wrong, with what the pipeline makes of it and where a person sees it."""

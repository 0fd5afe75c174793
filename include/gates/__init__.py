"""Great Expectations over raw units (gate 1) and marts (gate 2); one check a file. Uses raw."""

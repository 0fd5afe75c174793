"""The warehouse's append-only tables: landing files become versions of rows. Uses landing and seeds."""

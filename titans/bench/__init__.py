"""The bench: a made-up world of any size, and what each part of a run costs on it."""

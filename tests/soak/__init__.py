"""Kills and readers: what a crash, or a reader at the wrong moment, may never find.

``make test`` runs a small version (tests/integration/test_crashes.py); ``make soak MINUTES=30`` the long one.
"""

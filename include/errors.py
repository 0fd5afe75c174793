"""Errors that a user is meant to read: what happened, to which thing, and what to do next."""

from __future__ import annotations

from include.runbooks import Runbook


class TitansError(Exception):
    """A failure with a sentence for the user. Commands print it and exit non-zero, without a traceback.

    ``runbook`` names the page about this failure, where it is another than that of the step in which it happens.
    """

    def __init__(self, message: str = "", runbook: Runbook | None = None) -> None:
        super().__init__(message)
        self.runbook = runbook


class NetworkUnavailableError(TitansError):
    """The vendor cannot be reached at all: trying again within the run would only waste the user's time."""

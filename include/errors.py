"""Errors that a user is meant to read: what happened, to which thing, and what to do next."""


class TitansError(Exception):
    """A failure with a sentence for the user. Commands print it and exit non-zero, without a traceback."""


class NetworkUnavailableError(TitansError):
    """The vendor cannot be reached at all: trying again within the run would only waste the user's time."""

"""Errors that a user is meant to read: what happened, to which thing, and what to do next."""

from __future__ import annotations

import errno

from include.runbooks import Runbook

_REFUSALS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOTDIR}


class TitansError(Exception):
    """A failure with a sentence for the user. Commands print it and exit non-zero, without a traceback.

    ``runbook`` names the page about this failure, where it is another than that of the step in which it happens.
    """

    def __init__(self, message: str = "", runbook: Runbook | None = None) -> None:
        super().__init__(message)
        self.runbook = runbook


class NetworkUnavailableError(TitansError):
    """The vendor cannot be reached at all: trying again within the run would only waste the user's time."""


def is_refused(error: OSError) -> bool:
    """Whether the system refused a file for a reason that stays: a full disk, missing rights. Trying again at once is of no use."""
    return error.errno in _REFUSALS


def refusal(error: OSError) -> str:
    """The sentence about a file that could not be read or written."""
    what = (
        f"{error.filename} cannot be read or written"
        if error.filename
        else "A file in the data folder cannot be written"
    )
    return f"{what} ({error.strerror or error}): free space or change who may write there, then try again. What was published is untouched."

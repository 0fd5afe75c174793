"""Errors that a user is meant to read: what happened, to which thing, and what to do next."""

from __future__ import annotations

import errno
import os
from enum import StrEnum

NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}
_REFUSALS = {
    *NO_DESCRIPTOR,
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOTDIR),
    *(errno.EISDIR, errno.EIO, errno.ESTALE, errno.ELOOP),
}


FOLDER = "docs/runbooks"


class Runbook(StrEnum):
    """A page. Errors, run records, incidents and ``make status`` name it."""

    BAD_INPUT = "bad-input"
    EXTRACTION_FAILED = "extraction-failed"
    FX_PAIR_QUARANTINED = "fx-pair-quarantined"
    GATE_1_QUARANTINE = "gate-1-quarantine"
    GATE_2_FAILED = "gate-2-failed"
    HELD_LINK = "held-link"
    KILLED_RUN = "killed-run"
    LATE_DATA = "late-data"
    OUT_OF_MEMORY = "out-of-memory"
    OTHER_SOURCE = "other-source"
    PUBLISH_FAILED = "publish-failed"
    ROWS_LOST = "rows-lost"
    SOURCE_EMPTY = "source-empty"
    TOO_MANY_QUARANTINED = "too-many-quarantined"
    TRANSFORM_FAILED = "transform-failed"
    WAREHOUSE_DAMAGED = "warehouse-damaged"
    WAREHOUSE_LOCKED = "warehouse-locked"

    @property
    def path(self) -> str:
        """Where the page is, from the project's root."""
        return f"{FOLDER}/{self.value}.md"


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
    """Whether the system refused a file for a reason that stays, such as a full disk or missing rights."""
    return error.errno in _REFUSALS


def refused_in(text: str) -> str | None:
    """The system's word in the message of a library, where it refused a file for a reason that stays."""
    return next((os.strerror(number) for number in sorted(_REFUSALS) if os.strerror(number) in text), None)


def refusal(error: OSError) -> str:
    """The sentence about a file that could not be read or written."""
    what = (
        f"{error.filename} cannot be read or written"
        if error.filename
        else "A file in the data folder cannot be written"
    )
    if error.errno in NO_DESCRIPTOR:
        return (
            f"{what} ({error.strerror}): close what holds so many files, or raise the limit (ulimit -n), then try "
            "again. What was published is untouched."
        )
    return (
        f"{what} ({error.strerror or error}): free space or change who may write there, then try again. "
        "What was published is untouched."
    )

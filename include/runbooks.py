"""The states that somebody has to look at, each with the page of ``docs/runbooks`` that says what to do."""

from __future__ import annotations

from enum import StrEnum

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


_OF_STEP = {
    "load": Runbook.BAD_INPUT,
    "as_of": Runbook.BAD_INPUT,
    "check_raw": Runbook.GATE_2_FAILED,
    "transform": Runbook.TRANSFORM_FAILED,
    "check_marts": Runbook.GATE_2_FAILED,
    "publish": Runbook.PUBLISH_FAILED,
}


def runbook_of_step(step: str) -> Runbook:
    """The page for a step whose error names none of its own."""
    return _OF_STEP.get(step, Runbook.EXTRACTION_FAILED)

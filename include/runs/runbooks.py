"""The states that somebody has to look at, each with the page of ``docs/runbooks`` that says what to do."""

from __future__ import annotations

from include.errors import Runbook

_OF_STEP = {
    "load": Runbook.BAD_INPUT,
    "as_of": Runbook.BAD_INPUT,
    "check_raw": Runbook.GATE_2_FAILED,
    "transform": Runbook.TRANSFORM_FAILED,
    "check_marts": Runbook.GATE_2_FAILED,
    "publish": Runbook.PUBLISH_FAILED,
    "source": Runbook.OTHER_SOURCE,
}


def runbook_of_step(step: str) -> Runbook:
    """The page for a step whose error names none of its own."""
    return _OF_STEP.get(step, Runbook.EXTRACTION_FAILED)

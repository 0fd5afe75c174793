"""The trigger forms."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param


def as_of_param() -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="As of",
        description="Day that the run is about; empty: the run's own.",
    )


def ingest_params() -> dict[str, Param]:
    """The trigger form of an ingest DAG. One run with start and end is a backfill."""
    day: dict[str, Any] = {"type": ["null", "string"], "format": "date"}
    return {
        "as_of": as_of_param(),
        "start": Param(
            None,
            **day,
            title="Start",
            description="First day to fetch; empty: a few sessions before the last stored one, or everything.",
        ),
        "end": Param(None, **day, title="End", description="Last day to fetch; empty: the as-of date."),
        "symbols": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Symbols",
            description="One a line; empty: all of the seeds.",
        ),
    }


def known_at_param() -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="Known at",
        description="A point-in-time build: only what could be known by the end of this day (UTC), "
        "into a file of its own; empty: a normal build.",
    )

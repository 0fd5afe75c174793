"""The as-of date of a run of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from include.errors import TitansError
from include.sources.base import Coverage


@dataclass(frozen=True)
class RunFacts:
    """What Airflow knows of a run. Asset-triggered runs have neither logical date nor data interval.

    Attributes:
        requested: the ``as_of`` of the trigger form or of ``make run``.
        run_after: when the run was due; every kind of run has it.
        logical_date: set for scheduled and backfill runs, and for a manual run that was given one.
        data_interval_end: set for scheduled and backfill runs.
        event_as_ofs: as-of dates that the triggering asset events carry.
        is_of_timetable: set for scheduled and backfill runs.
        given: names of the values that the trigger brought.
    """

    run_after: datetime
    requested: str | date | None = None
    logical_date: datetime | None = None
    data_interval_end: datetime | None = None
    event_as_ofs: Sequence[str] = ()
    is_of_timetable: bool = False
    given: Sequence[str] = ()


def resolve_as_of(facts: RunFacts, zone: str = "UTC", now: datetime | None = None) -> date:
    """The as-of date of a run.

    It is the first that is set of: the date requested, the latest of the asset events, the end of the data interval,
    the logical date, and the time the run was due.

    Args:
        zone: the exchange's time zone; moments are read as dates there.

    Raises:
        TitansError: the date that was asked for is malformed or after today.
    """
    now = now or datetime.now(UTC)
    if facts.requested:
        return parse_as_of(facts.requested, now)
    if facts.event_as_ofs:
        return max(date.fromisoformat(value) for value in facts.event_as_ofs)
    moment = facts.data_interval_end or facts.logical_date or facts.run_after
    return min(moment, now).astimezone(ZoneInfo(zone)).date()


def parse_as_of(value: str | date, now: datetime) -> date:
    """A date that a user wrote. A malformed one is refused, and one after today in the exchanges' easternmost zone."""
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError as error:
        raise TitansError(f"AS_OF={value} is not a date: write it as 2025-03-07.") from error
    if day > now.astimezone(ZoneInfo("Asia/Hong_Kong")).date():
        raise TitansError(f"AS_OF={day} is in the future: give a date up to today, {now.date()}.")
    return day


def bound_to_coverage(as_of: date, coverage: Coverage | None, source: str) -> date:
    """``as_of``, not after the last day that a closed source holds.

    Raises:
        TitansError: ``as_of`` lies before the first day of the source.
    """
    if coverage is None:
        return as_of
    if as_of < coverage.first:
        raise TitansError(
            f"AS_OF={as_of} is before the data: source {source} begins on {coverage.first}. "
            "Give that day or a later one."
        )
    return min(as_of, coverage.last)

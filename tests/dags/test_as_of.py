"""From a run, of whatever kind, to the day that it is about."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from include.errors import TitansError
from include.ingest.as_of import RunFacts, resolve_as_of

HK, NY, BERLIN = "Asia/Hong_Kong", "America/New_York", "Europe/Berlin"
NOW = datetime(2025, 3, 7, 12, 0, tzinfo=UTC)
LAST_SUNDAY = datetime(2025, 3, 2, 12, 0, tzinfo=UTC)


def at(text: str, zone: str) -> datetime:
    """A moment as a clock on the wall of ``zone`` shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("slot", "zone", "expected"),
    [
        (at("2025-03-06 17:30", HK), HK, date(2025, 3, 6)),
        (at("2025-03-06 18:00", NY), NY, date(2025, 3, 6)),  # 23:00 UTC
        (at("2025-07-03 18:00", NY), NY, date(2025, 7, 3)),  # 22:00 UTC, summer time
        (at("2024-12-31 18:00", NY), NY, date(2024, 12, 31)),  # 07:00 of the next year in Hong Kong
        (at("2025-03-06 17:30", BERLIN), BERLIN, date(2025, 3, 6)),
    ],
)
def test_scheduled_run_is_about_the_day_of_its_slot_at_the_exchange(slot: datetime, zone: str, expected: date) -> None:
    slot = slot.astimezone(UTC)
    late = datetime(2026, 1, 1, tzinfo=UTC)
    assert resolve_as_of(RunFacts(run_after=slot, logical_date=slot, data_interval_end=slot), zone, late) == expected


def test_scheduled_run_that_starts_late_is_still_about_its_own_day() -> None:
    facts = RunFacts(
        run_after=at("2025-03-03 17:30", HK),
        logical_date=at("2025-03-03 17:30", HK),
        data_interval_end=at("2025-03-03 17:30", HK),
    )
    assert resolve_as_of(facts, HK, NOW) == date(2025, 3, 3)


def test_backfill_run_is_about_its_slot_and_not_about_the_day_that_it_runs_on() -> None:
    slot = at("2024-06-28 18:00", NY)
    assert resolve_as_of(RunFacts(run_after=LAST_SUNDAY, logical_date=slot, data_interval_end=slot), NY, NOW) == date(
        2024, 6, 28
    )


def test_morning_in_hong_kong_is_the_previous_day_in_new_york() -> None:
    morning = at("2025-03-07 08:00", HK)
    facts = RunFacts(run_after=morning)
    assert (resolve_as_of(facts, HK, NOW), resolve_as_of(facts, NY, NOW)) == (date(2025, 3, 7), date(2025, 3, 6))


def test_evening_in_new_york_is_the_next_day_in_hong_kong() -> None:
    evening = at("2025-03-06 20:00", NY)
    facts = RunFacts(run_after=evening)
    assert (resolve_as_of(facts, HK, NOW), resolve_as_of(facts, NY, NOW)) == (date(2025, 3, 7), date(2025, 3, 6))


def test_manual_run_without_a_date_is_about_today() -> None:
    assert resolve_as_of(RunFacts(run_after=NOW), HK, NOW) == date(2025, 3, 7)


def test_manual_run_with_a_logical_date_is_about_that() -> None:
    moment = at("2025-03-04 09:00", HK)
    assert resolve_as_of(RunFacts(run_after=NOW, logical_date=moment, data_interval_end=moment), HK, NOW) == date(
        2025, 3, 4
    )


def test_run_planned_for_the_future_is_about_today() -> None:
    later = datetime(2025, 3, 9, 12, tzinfo=UTC)
    assert resolve_as_of(RunFacts(run_after=later, logical_date=later, data_interval_end=later), "UTC", NOW) == date(
        2025, 3, 7
    )


def test_run_started_by_assets_takes_the_latest_of_their_dates() -> None:
    facts = RunFacts(run_after=NOW, event_as_ofs=["2025-03-05", "2025-03-06", "2024-12-31"])
    assert resolve_as_of(facts, "UTC", NOW) == date(2025, 3, 6)


def test_requested_date_wins_over_everything() -> None:
    facts = RunFacts(
        run_after=NOW, requested="2025-02-28", logical_date=NOW, data_interval_end=NOW, event_as_ofs=["2025-03-06"]
    )
    assert resolve_as_of(facts, HK, NOW) == date(2025, 2, 28)


def test_requested_date_may_be_today_where_today_begins_first() -> None:
    now = at("2025-03-08 00:30", HK)
    assert resolve_as_of(RunFacts(run_after=now, requested="2025-03-08"), NY, now) == date(2025, 3, 8)


@pytest.mark.parametrize("value", ["2025-02-30", "yesterday", "07.03.2025"])
def test_malformed_requested_date_is_refused(value: str) -> None:
    with pytest.raises(TitansError, match=rf"^AS_OF={value} is not a date: write it as 2025-03-07\.$"):
        resolve_as_of(RunFacts(run_after=NOW, requested=value), HK, NOW)


def test_future_requested_date_is_refused() -> None:
    with pytest.raises(
        TitansError, match=r"^AS_OF=2025-03-08 is in the future: give a date up to today, 2025-03-07\.$"
    ):
        resolve_as_of(RunFacts(run_after=NOW, requested="2025-03-08"), HK, NOW)

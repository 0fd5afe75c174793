"""Sessions of the exchanges. Expected closures are the exchanges' own announcements."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from include.seeds.calendars import SessionCalendar, load_calendars
from include.seeds.read import load_reference
from include.seeds.rows import CalendarOverride, Exchange, Reference
from include.settings import load_settings


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference(load_settings().seeds_dir)


@pytest.fixture(scope="module")
def calendars(reference: Reference) -> dict[str, SessionCalendar]:
    return load_calendars(reference, 2025)


@pytest.mark.parametrize(
    ("exchange", "day"),
    [
        ("XHKG", date(2023, 9, 1)),  # Typhoon Saola
        ("XHKG", date(2023, 9, 8)),  # black rainstorm
        ("XHKG", date(2025, 1, 29)),  # Lunar New Year
        ("XNYS", date(2025, 1, 9)),  # day of mourning for President Carter
    ],
)
def test_closures(calendars: dict[str, SessionCalendar], exchange: str, day: date) -> None:
    assert calendars[exchange].between(day, day) == ()


@pytest.mark.parametrize(
    ("exchange", "day"), [("XHKG", date(2024, 12, 31)), ("XHKG", date(2025, 1, 28)), ("XNYS", date(2024, 12, 24))]
)
def test_half_days(calendars: dict[str, SessionCalendar], exchange: str, day: date) -> None:
    (session,) = calendars[exchange].between(day, day)
    assert session.is_half_day


def test_last_closed_session_knows_the_exchanges_own_close(calendars: dict[str, SessionCalendar]) -> None:
    before, after = datetime(2025, 3, 7, 7, 59, tzinfo=UTC), datetime(2025, 3, 7, 8, 0, tzinfo=UTC)
    hong_kong = calendars["XHKG"]
    assert [hong_kong.last_closed(moment).date for moment in (before, after)] == [date(2025, 3, 6), date(2025, 3, 7)]  # type: ignore[union-attr]  # inside the calendar


def test_sessions_back_skip_holidays(calendars: dict[str, SessionCalendar]) -> None:
    # 29 to 31 January 2025 and the weekend have no session in Hong Kong.
    assert calendars["XHKG"].minus(date(2025, 2, 3), 1) == date(2025, 1, 28)
    assert calendars["XHKG"].minus(date(2025, 2, 2), 0) == date(2025, 1, 28)


def test_an_override_can_add_a_session(reference: Reference) -> None:
    saturday = CalendarOverride(exchange="XHKG", date=date(2025, 3, 8), is_session=True, reason="make-up session")
    changed = Reference(**{**reference.__dict__, "calendar_overrides": (*reference.calendar_overrides, saturday)})
    (session,) = load_calendars(changed, 2025)["XHKG"].between(date(2025, 3, 8), date(2025, 3, 8))
    assert session.closes_at == datetime(2025, 3, 8, 8, 0, tzinfo=UTC)


def calendar_of(name: str, last_year: int, reference: Reference) -> SessionCalendar:
    exchange = Exchange(
        exchange=name, market="m", name=name, calendar=name, timezone="Asia/Jerusalem", ingest_cron="0 18 * * *"
    )
    return load_calendars(Reference(**{**reference.__dict__, "exchanges": (exchange,)}), last_year)[name]


@pytest.mark.parametrize(
    ("calendar", "first", "sessions"),
    [
        # Sunday to Thursday, and from 5 January 2026 on Monday to Friday.
        ("XTAE", date(2025, 12, 28), ["Sun", "Mon", "Tue", "Wed", "Thu", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri"]),
        ("XSAU", date(2025, 2, 2), ["Sun", "Mon", "Tue", "Wed", "Thu", "Sun", "Mon", "Tue", "Wed", "Thu"]),
        # Mumbai traded on Saturday, 20 January 2024, and not on the Monday after it.
        ("XBOM", date(2024, 1, 15), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Tue", "Wed", "Thu"]),
    ],
)
def test_weeks_that_are_not_from_monday_to_friday(
    reference: Reference, calendar: str, first: date, sessions: list[str]
) -> None:
    found = calendar_of(calendar, 2026, reference).between(first, date.max)
    assert [session.date.strftime("%a") for session in found[: len(sessions)]] == sessions


@pytest.mark.parametrize(
    ("calendar", "closed", "open_days"),
    [
        # Independence Day; the western Easter Monday is a day like others.
        ("XTAE", [date(2024, 4, 23), date(2024, 10, 3), date(2025, 5, 1)], [date(2024, 4, 1), date(2025, 4, 21)]),
        # The Orthodox Good Friday and Easter Monday of 2024.
        ("ASEX", [date(2024, 5, 3), date(2024, 5, 6)], [date(2024, 5, 2), date(2024, 5, 7)]),
        ("XBSE", [date(2024, 5, 3), date(2024, 5, 6)], [date(2024, 4, 1), date(2024, 5, 7)]),
    ],
)
def test_holidays_that_move_with_another_calendar(
    reference: Reference, calendar: str, closed: list[date], open_days: list[date]
) -> None:
    dates = set(calendar_of(calendar, 2025, reference).dates)
    assert [day for day in closed if day in dates] == []
    assert [day for day in open_days if day not in dates] == []


def test_a_calendar_says_until_when_it_is_known(reference: Reference) -> None:
    """Of some exchanges the library lists past holidays, and has no session after the last year of the list."""
    shanghai = calendar_of("XSHG", 2040, reference)
    assert shanghai.known_until == date(shanghai.dates[-1].year, 12, 31) < date(2040, 1, 1)
    assert f"until {shanghai.known_until} only: update that package" in shanghai.end_of_knowledge
    assert calendar_of("XNYS", 2025, reference).known_until == date.max


def test_a_calendar_that_begins_late_has_no_session_before(reference: Reference) -> None:
    saudi = calendar_of("XSAU", 2040, reference)
    assert (saudi.dates[0], saudi.dates[-1].year) == (date(2021, 1, 3), 2029)
    assert calendar_of("XSAU", 2020, reference).dates == []

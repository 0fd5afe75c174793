"""Sessions of the exchanges: exchange-calendars with the seed ``calendar_overrides`` laid over it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

import exchange_calendars

from include.errors import TitansError
from include.seeds.library_calendars import FIRST_DAY, Session, known_until, library_sessions
from include.seeds.rows import Reference

__all__ = ["FIRST_DAY", "Session", "SessionCalendar", "load_calendars"]


@dataclass(frozen=True)
class SessionCalendar:
    """The sessions of one exchange, in order.

    Attributes:
        known_until: the last day of which the calendar says whether it is a session.
    """

    exchange: str
    timezone: str
    sessions: tuple[Session, ...]
    known_until: date = date.max

    @cached_property
    def dates(self) -> list[date]:
        return [session.date for session in self.sessions]

    @property
    def end_of_knowledge(self) -> str:
        """The sentence about days that the calendar does not reach."""
        return (
            f"The installed exchange-calendars knows the sessions of {self.exchange} until {self.known_until} only: "
            "update that package, or give later sessions in calendar_overrides.csv."
        )

    def between(self, first: date, last: date) -> tuple[Session, ...]:
        """Sessions from ``first`` to ``last``, both included."""
        return self.sessions[bisect_left(self.dates, first) : bisect_right(self.dates, last)]

    def last_on_or_before(self, day: date) -> Session | None:
        index = bisect_right(self.dates, day)
        return self.sessions[index - 1] if index else None

    def first_on_or_after(self, day: date) -> Session | None:
        index = bisect_left(self.dates, day)
        return self.sessions[index] if index < len(self.sessions) else None

    def last_closed(self, moment: datetime) -> Session | None:
        """The last session whose close is at or before ``moment``."""
        index = bisect_right([session.closes_at for session in self.sessions], moment)
        return self.sessions[index - 1] if index else None

    def minus(self, day: date, sessions: int) -> date:
        """The date ``sessions`` sessions before the last one on or before ``day``; the first known one where history is short."""
        index = bisect_right(self.dates, day) - 1
        return self.sessions[max(0, index - sessions)].date


def load_calendars(reference: Reference, last_year: int | None = None) -> dict[str, SessionCalendar]:
    """One calendar an exchange of the seeds, to the end of ``last_year`` (default: this year).

    An override to ``is_session = false`` removes a session. One to ``true`` adds it with the hours of the session before it.

    Raises:
        TitansError: a calendar that the library does not have, or an override of a day without a session before it.
    """
    last_year = last_year or datetime.now(UTC).year
    calendars = {}
    for exchange in reference.exchanges:
        try:
            sessions = {session.date: session for session in library_sessions(exchange.calendar, last_year)}
        except exchange_calendars.errors.InvalidCalendarName as error:
            raise TitansError(
                f"Seed exchanges.csv gives {exchange.exchange} the calendar {exchange.calendar}, which exchange-calendars does not know: "
                "write the market's code there, as in XHKG or XNYS."
            ) from error
        # Of some exchanges the library has no sessions.
        except (ValueError, NotImplementedError) as error:
            raise TitansError(
                f"Seed exchanges.csv gives {exchange.exchange} the calendar {exchange.calendar}, which exchange-calendars cannot make: give the calendar "
                "of an exchange that is open on nearly the same days, and the other days in calendar_overrides.csv."
            ) from error
        for override in (row for row in reference.calendar_overrides if row.exchange == exchange.exchange):
            if not override.is_session:
                sessions.pop(override.date, None)
            elif override.date not in sessions:
                before = max((day for day in sessions if day < override.date), default=None)
                if before is None:
                    raise TitansError(
                        f"Seed calendar_overrides.csv adds a session of {override.exchange} on {override.date}, before its calendar begins "
                        f"({min(sessions, default='never')}): correct the date or remove the row."
                    )
                model = sessions[before]
                shift = override.date - model.date
                sessions[override.date] = Session(override.date, model.opens_at + shift, model.closes_at + shift, False)
        ordered = tuple(sessions[day] for day in sorted(sessions))
        last_added = max(
            (row.date for row in reference.calendar_overrides if row.exchange == exchange.exchange), default=date.min
        )
        calendars[exchange.exchange] = SessionCalendar(
            exchange.exchange, exchange.timezone, ordered, max(known_until(exchange.calendar), last_added)
        )
    return calendars

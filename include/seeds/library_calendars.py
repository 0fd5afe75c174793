"""Sessions as exchange-calendars has them, with what it gets wrong on pandas 3.

pandas 3 adds offsets in compiled code, which does not see that a Python class has its own ``_apply``: Jewish and
Orthodox holidays all fall on the western Easter, and special weeks are forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from typing import Any

import exchange_calendars
import numpy as np
import pandas as pd
from exchange_calendars import ExchangeCalendar
from exchange_calendars.calendar_utils import _default_calendar_factories
from exchange_calendars.pandas_extensions.offsets import OrthodoxEaster
from exchange_calendars.tase_holidays import _HolidayOffset
from pandas.tseries.offsets import CustomBusinessDay

FIRST_DAY = date(1999, 12, 31)


@dataclass(frozen=True)
class Session:
    """One trading day of one exchange; times are UTC."""

    date: date
    opens_at: datetime
    closes_at: datetime
    is_half_day: bool


def _add(offset: Any, moment: Any) -> Any:
    """``moment + offset`` by the offset's own rule, for a time stamp or an array of them."""
    if isinstance(moment, np.ndarray):
        moved = [offset._apply(each) for each in moment.ravel()]
        return np.array(moved, dtype=object).reshape(moment.shape)
    return offset._apply(moment)


for _offset in (_HolidayOffset, OrthodoxEaster):
    _offset.__add__ = _offset.__radd__ = _add


@cache
def library_sessions(calendar: str, last_year: int) -> tuple[Session, ...]:
    """The sessions that exchange-calendars has, from ``FIRST_DAY`` or its own first day on.

    Raises:
        InvalidCalendarName: the library has no such calendar.
    """
    name = exchange_calendars.resolve_alias(calendar)
    factory = _default_calendar_factories.get(name)
    if factory is None:
        raise exchange_calendars.errors.InvalidCalendarName(calendar_name=calendar)
    first, last = pd.Timestamp(FIRST_DAY), pd.Timestamp(date(last_year, 12, 31))
    first, last = max(first, factory.bound_min() or first), min(last, factory.bound_max() or last)
    if first >= last:
        return ()
    library = _with_special_weeks(factory, first, last)(first, last)
    early = set(library.early_closes)
    schedule = library.schedule
    return tuple(
        Session(day.date(), opens.to_pydatetime(), closes.to_pydatetime(), day in early)
        for day, opens, closes in zip(schedule.index, schedule["open"], schedule["close"], strict=True)
    )


def known_until(calendar: str) -> date:
    """The last day of which exchange-calendars knows whether it is a session. Some calendars are lists of past years."""
    bound = _default_calendar_factories[exchange_calendars.resolve_alias(calendar)].bound_max()
    return date.max if bound is None else bound.date()


def _with_special_weeks(
    factory: type[ExchangeCalendar], first: pd.Timestamp, last: pd.Timestamp
) -> type[ExchangeCalendar]:
    """The library's calendar with its own ``special_weekmasks``.

    Tel Aviv traded from Sunday to Thursday until 2026, Mumbai and Moscow trade on some Saturdays.
    """

    class WithSpecialWeeks(factory):  # type: ignore[misc]  # a class that is only known here
        @cached_property
        def day(self) -> CustomBusinessDay:
            days = pd.date_range(first, last)
            is_open = np.array([self.weekmask[day.weekday()] == "1" for day in days])
            for start, end, weekmask in self.special_weekmasks:
                within = (days >= (start or first)) & (days <= (end or last))
                is_open[within] = [weekmask[day.weekday()] == "1" for day in days[within]]
            holidays = pd.DatetimeIndex(self.adhoc_holidays)
            if self.regular_holidays is not None:
                holidays = holidays.append(self.regular_holidays.holidays(first, last))
            return CustomBusinessDay(weekmask="1111111", holidays=days[~is_open].append(holidays).unique().tolist())

    return WithSpecialWeeks if hasattr(factory, "special_weekmasks") else factory

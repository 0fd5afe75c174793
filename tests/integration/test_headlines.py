"""Headlines of any day in history: their values a second way with pandas on the vendor's files, and their sentences against their values."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from include.settings import Settings
from tests.integration.test_event_windows import EVENTS
from tests.integration.test_marts_recomputed import MAG7, TITANS, annual_levels
from tests.integration.test_marts_recomputed import closes as closes
from tests.pipeline import ask

TOLERANCE = 1e-9
TEN_DAYS = pd.Timedelta(days=10)
INDEX_HEADLINES = {
    "^NDX": ["drawdown", "drawdown_state"],
    "HSTECH.HK": ["return_1d", "return_wtd", "highest_since", "drawdown"],
}
EDGES = {
    "the first day of the data": "2020-01-02",
    "the day before the titans' first": "2020-06-17",
    "the titans' first day": "2020-06-18",
    "the first day of Hang Seng Tech": "2020-08-17",
    "a gap of Hang Seng Tech": "2020-08-19",
    "the last session of 2020": "2020-12-31",
    "the first session of 2021": "2021-01-04",
    "New York closed on Monday": "2025-02-17",
    "Hong Kong closed for the new year of the dragon": "2024-02-13",
    "New York's first session of 2023": "2023-01-03",
    "Christmas in Hong Kong": "2024-12-26",
    "half a day, the last of 2024": "2024-12-31",
    "the first session of 2025": "2025-01-02",
    "the first session after the event": "2025-01-27",
    "the end of a long holiday": "2020-10-08",
    "the last day but one": "2025-03-06",
    "the last day": "2025-03-07",
}


class Vendor:
    """What a reader with the vendor's files and a spreadsheet would say of a day."""

    def __init__(self, closes: pd.DataFrame, folder: Path) -> None:
        self.closes = closes
        self.levels = {
            "china_titans": annual_levels(closes[TITANS].dropna()),
            "magnificent_seven": annual_levels(closes[MAG7].dropna()),
        }
        self.members = {"china_titans": TITANS, "magnificent_seven": MAG7}
        self.shares = pd.read_csv(folder / "shares.csv").set_index("symbol")["shares_outstanding"]
        rates = pd.read_csv(folder / "fx_rates.csv", parse_dates=["date"])
        self.usdhkd = rates[rates["quote_currency"] == "HKD"].set_index("date")["rate"]

    def worth(self, basket: str, day: pd.Timestamp) -> float:
        value = float((self.closes.loc[day, self.members[basket]] * self.shares[self.members[basket]]).sum())
        return value / float(self.usdhkd.asof(day)) if basket == "china_titans" else value

    def headlines(self, day: pd.Timestamp) -> dict[str, tuple[float | None, pd.Timestamp]]:
        """Value and day of the value of each headline that can be told on ``day``."""
        found: dict[str, tuple[float | None, pd.Timestamp]] = {}
        for basket in self.levels:
            found.update(self._basket(basket, day))
        found.update(self._pair(day))
        for symbol, measures in INDEX_HEADLINES.items():
            found.update(
                {
                    f"{symbol}_{measure}": told
                    for measure, told in self._index(symbol, day).items()
                    if measure in measures
                }
            )
        return {headline: (value, told) for headline, (value, told) in found.items() if day - told <= TEN_DAYS}

    def _basket(self, basket: str, day: pd.Timestamp) -> dict[str, tuple[float | None, pd.Timestamp]]:
        levels = self.levels[basket]
        if day < levels.index[0]:
            return {}
        told = levels.index[levels.index <= day][-1]
        found: dict[str, tuple[float | None, pd.Timestamp]] = {f"{basket}_forward_pe": (None, told)}
        base = last_before(levels, pd.Timestamp(told.year - 1, 12, 31))
        if base is not None:
            found[f"{basket}_return_ytd"] = (levels[told] / levels[base] - 1, told)
            found[f"{basket}_market_value_change_ytd_usd"] = (self.worth(basket, told) - self.worth(basket, base), told)
        elif told > levels.index[0]:
            found[f"{basket}_return_ytd"] = (levels[told] / levels.iloc[0] - 1, told)
        for event, event_day in EVENTS.items():
            base = last_before(levels, pd.Timestamp(event_day))
            if base is not None and told > base:
                found[f"{basket}_return_since_{event}"] = (levels[told] / levels[base] - 1, told)
        return found

    def _pair(self, day: pd.Timestamp) -> dict[str, tuple[float | None, pd.Timestamp]]:
        one, other = self.levels["china_titans"], self.levels["magnificent_seven"]
        days = one.index.union(other.index)
        days = days[(days >= max(one.index[0], other.index[0])) & (days <= day)]
        if days.empty:
            return {}
        told, pair = days[-1], "china_titans_vs_magnificent_seven"
        found: dict[str, tuple[float | None, pd.Timestamp]] = {f"{pair}_forward_pe_discount": (None, told)}
        year_end = pd.Timestamp(told.year - 1, 12, 31)
        if year_end >= one.index[0]:
            spread = one.asof(told) / one.asof(year_end) - other.asof(told) / other.asof(year_end)
            found[f"{pair}_excess_return_ytd"] = (float(spread), told)
        return found

    def _index(self, symbol: str, day: pd.Timestamp) -> dict[str, tuple[float | None, pd.Timestamp]]:
        series = self.closes[symbol].dropna()[:day]
        if series.empty:
            return {}
        told = series.index[-1]
        drawdown = float(series.iloc[-1] / series.max() - 1)
        recent = series.iloc[-5:]
        peak = recent.idxmax()
        earlier = series[series.index < peak]
        higher = earlier[earlier >= recent.max()]
        found: dict[str, tuple[float | None, pd.Timestamp]] = {
            "drawdown": (drawdown, told),
            "drawdown_state": (drawdown, told),
            "highest_since": (float(higher.index[-1].year) if len(higher) else None, peak),
        }
        if len(series) > 1:
            found["return_1d"] = (float(series.iloc[-1] / series.iloc[-2] - 1), told)
        base = last_before(series, told - pd.Timedelta(days=told.day_of_week + 1))
        if base is not None:
            found["return_wtd"] = (float(series.iloc[-1] / series[base] - 1), told)
        return found


def last_before(series: pd.Series, target: pd.Timestamp) -> pd.Timestamp | None:
    """The last day of ``series`` on or before ``target``, at most 10 days older."""
    days = series.index[series.index <= target]
    return days[-1] if len(days) and target - days[-1] <= TEN_DAYS else None


@pytest.fixture(scope="module")
def vendor(closes: pd.DataFrame, market_data: Path) -> Vendor:
    return Vendor(closes, market_data)


def assert_same(settings: Settings, vendor: Vendor, day: pd.Timestamp) -> None:
    rows = ask(settings, "select headline_id, value, value_date from marts.fct_headlines where as_of = ?", [day.date()])
    actual = {headline: (value, pd.Timestamp(told)) for headline, value, told in rows}
    expected = vendor.headlines(day)
    assert set(actual) == set(expected), day
    for headline, (value, told) in expected.items():
        assert actual[headline][1] == told, (day, headline)
        assert actual[headline][0] == (
            value if value is None else pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE)
        ), (
            day,
            headline,
        )


def test_every_session_of_either_market_has_headlines(built_real_store: Settings, closes: pd.DataFrame) -> None:
    days = {row[0] for row in ask(built_real_store, "select distinct as_of from marts.fct_headlines")}
    assert days == {day.date() for day in closes.index}


@pytest.mark.parametrize("day", EDGES.values(), ids=EDGES.keys())
def test_days_at_the_edges(built_real_store: Settings, vendor: Vendor, day: str) -> None:
    assert_same(built_real_store, vendor, pd.Timestamp(day))


@pytest.mark.parametrize("year", range(2020, 2026))
def test_random_days_of_each_year(built_real_store: Settings, vendor: Vendor, year: int) -> None:
    days = [day for day in vendor.closes.index if day.year == year]
    for day in random.Random(year).sample(days, 8):
        assert_same(built_real_store, vendor, day)


def test_nothing_told_is_older_than_ten_days(built_real_store: Settings) -> None:
    ((youngest, oldest),) = ask(
        built_real_store, "select min(as_of - value_date), max(as_of - value_date) from marts.fct_headlines"
    )
    assert youngest == 0
    assert 4 <= oldest <= 10


def in_words(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


STATES = {
    "at its high": (0, 0),
    "in a pullback": (-0.09, 0),
    "near a correction": (-0.1, -0.09),
    "in a correction": (-0.2, -0.1),
    "in a bear market": (-1, -0.2),
}


def number_told(measure: str, sentence: str) -> float:
    """The number of a sentence with its sign, in the unit of its row."""
    if "hardly moved" in sentence or "were level" in sentence or "closed at a record" in sentence:
        return 0.0
    patterns = {
        "excess_return_ytd": r"((?P<up>led)|trailed) [^.]* by (?P<number>[\d.]+) (?P<unit>percentage points)",
        "market_value_change_ytd_usd": r"((?P<up>gained)|lost) \$(?P<number>[\d,]+) (?P<unit>billion|million)",
        "drawdown": r"stood (less than )?(?P<number>[\d.]+)(?P<unit>%)(?P<up>)? below",
        "forward_pe": r"(?P<up>traded at) (?P<number>[\d.]+) (?P<unit>times)",
        "forward_pe_discount": r"((?P<up>discount)|premium) of (?P<number>[\d.]+)(?P<unit>%)",
        "highest_since": r"(?P<up>highest) since \d+ \w+ (?P<number>\d+)(?P<unit>) on",
    }
    match = re.search(patterns.get(measure, r"((?P<up>gained|rose)|lost|fell) (?P<number>[\d.]+)(?P<unit>%)"), sentence)
    assert match, sentence
    size = {"%": 0.01, "percentage points": 0.01, "billion": 1e9, "million": 1e6}.get(match["unit"], 1.0)
    return float(match["number"].replace(",", "")) * size * (1 if match["up"] else -1)


def assert_sentence_tells(measure: str, value: float | None, told: date, text: str, sentence: str) -> None:
    """Number, sign and day of a sentence are those of its row, to the digits that it prints."""
    assert sentence.endswith(".")
    assert not re.search(r"-0\.0|\$0 |\b0\.0 percentage|nan|NULL", sentence + text), sentence
    if value is None:
        assert "cannot be computed" in sentence or (measure == "highest_since" and "closed at a record" in sentence)
        assert text == ("record" if measure == "highest_since" else "not computable")
        return
    assert in_words(told) in sentence
    if measure == "drawdown_state":
        low, high = next(bounds for words, bounds in STATES.items() if words in sentence)
        assert low - 1e-12 <= value <= high, sentence
        return
    half_a_digit = {
        "market_value_change_ytd_usd": 0.5e6 if " million" in sentence else 0.5e9,
        "forward_pe": 0.05,
        "highest_since": 0,
    }
    margin = 0.001 if "less than" in sentence else half_a_digit.get(measure, 0.0005)
    assert number_told(measure, sentence) == pytest.approx(value, abs=margin + 1e-9 * abs(value)), sentence
    if "_ytd" in measure:
        since_base = re.search(rf" from its base, the close of \d+ \w+ {told.year}, to ", sentence)
        assert since_base or f" in {told.year} " in sentence


@pytest.mark.parametrize("store", ["built_real_store", "built_sample_store"])
def test_every_sentence_tells_its_value(request: pytest.FixtureRequest, store: str) -> None:
    settings: Settings = request.getfixturevalue(store)
    rows: list[tuple[Any, ...]] = ask(
        settings, "select measure, value, value_date, value_text, sentence from marts.fct_headlines"
    )
    assert len(rows) > 10_000
    for row in rows:
        assert_sentence_tells(*row)


def test_a_carried_level_is_not_told_as_a_close(built_real_store: Settings) -> None:
    """On 19 August 2020 the vendor has no row of Hang Seng Tech, though Hong Kong traded."""
    rows = ask(
        built_real_store,
        "select distinct value_date from marts.fct_headlines where as_of = '2020-08-19' and subject = 'HSTECH.HK'",
    )
    assert rows == [(date(2020, 8, 19) - timedelta(days=1),)]

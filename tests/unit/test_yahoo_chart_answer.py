"""A chart answer with one bad bar or event: the others reach yfinance and the store."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from include.sources.yahoo.chart_answer import Event, separate

MONDAY, TUESDAY = 1741012200, 1741098600  # 2025-03-03 and -04, 9:30 in New York


def answer(events: dict[str, Any], closes: list[Any], volumes: list[Any], stamps: list[int] | None = None) -> bytes:
    quote = {"open": closes, "high": closes, "low": closes, "close": closes, "volume": volumes}
    result = {
        "meta": {"exchangeTimezoneName": "America/New_York"},
        "timestamp": stamps or [MONDAY, TUESDAY],
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": closes}]},
        "events": events,
    }
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def test_a_cell_that_is_no_number_becomes_an_empty_one() -> None:
    content, beside = separate(answer({}, [238.03, "n/a"], [1000, 1e30]))

    (result,) = json.loads(content)["chart"]["result"]
    assert result["indicators"]["quote"][0]["close"] == [238.03, None]
    assert result["indicators"]["quote"][0]["volume"] == [1000, None]
    assert beside.contradictory_bars == []
    assert beside.without_volume == {date(2025, 3, 4)}


@pytest.mark.parametrize("stamp", [None, 1e18, True, "soon", {}])
def test_a_bar_without_a_time_costs_itself(stamp: Any) -> None:
    """yfinance gave up on the whole symbol."""
    content, beside = separate(answer({}, [238.03, 235.93], [1, 2], [stamp, TUESDAY]))

    (result,) = json.loads(content)["chart"]["result"]
    assert (result["timestamp"], result["indicators"]["quote"][0]["close"]) == ([TUESDAY], [235.93])
    assert beside.unreadable == [f"a bar (timestamp {json.dumps(stamp)})"]


@pytest.mark.parametrize("adjusted", [None, [], [{}], [{"adjclose": [1.0]}]])
def test_a_list_that_nothing_needs_costs_nothing(adjusted: Any) -> None:
    payload = json.loads(answer({}, [238.03, 235.93], [1, 2]))
    payload["chart"]["result"][0]["indicators"]["adjclose"] = adjusted
    for name in ("open", "high", "low"):
        payload["chart"]["result"][0]["indicators"]["quote"][0].pop(name)

    indicators = json.loads(separate(json.dumps(payload).encode())[0])["chart"]["result"][0]["indicators"]

    assert "adjclose" not in indicators
    assert (indicators["quote"][0]["close"], indicators["quote"][0]["open"]) == ([238.03, 235.93], [None, None])


def test_numbers_may_be_text() -> None:
    events = {
        "dividends": [{"date": str(MONDAY), "amount": "0.25"}],
        "splits": {"1": {"date": TUESDAY, "numerator": "3", "denominator": {"raw": 2}}},
    }
    content, beside = separate(answer(events, ["238.03", "1_0"], [1, 2]))

    assert json.loads(content)["chart"]["result"][0]["indicators"]["quote"][0]["close"] == [238.03, None]
    assert beside.events == [Event(date(2025, 3, 3), "dividend", 0.25), Event(date(2025, 3, 4), "split", 1.5)]


def test_events_are_taken_out_and_bad_ones_left_out() -> None:
    events = {
        "dividends": {
            "1": {"date": MONDAY, "amount": 0.25},
            "2": {"date": TUESDAY, "amount": 0.5, "currency": "HKD"},
            "3": {"date": TUESDAY},
            "4": {"amount": 1.0},
            "5": {"date": "soon", "amount": 1.0},
            "6": None,
            "7": {"date": MONDAY, "amount": -0.5},
            "8": {"date": MONDAY, "amount": 0.5, "currency": 5},
            "9": {"date": MONDAY, "amount": 0},
        },
        "splits": {
            "1": {"date": TUESDAY, "numerator": 3, "denominator": 2},
            "2": {"date": TUESDAY, "numerator": 1, "denominator": 0},
            "5": {"date": TUESDAY, "numerator": -2, "denominator": 1},
            "6": {"date": TUESDAY, "numerator": 1e308, "denominator": 1e-308},
            "3": {"date": 1e30, "numerator": 1, "denominator": 2},
            "4": "4:1",
        },
    }
    content, beside = separate(answer(events, [238.03, 235.93], [1, 1]))

    assert "events" not in json.loads(content)["chart"]["result"][0]
    assert beside.events == [
        Event(date(2025, 3, 3), "dividend", 0.25),
        Event(date(2025, 3, 3), "dividend", -0.5),
        Event(date(2025, 3, 4), "dividend", 0.5, "HKD"),
        Event(date(2025, 3, 4), "split", 1.5),
        Event(date(2025, 3, 4), "split", -2.0),
    ]
    assert len(beside.unreadable) == 9, "each is named, but for the dividend of nothing"
    assert beside.unreadable[0] == f'a dividend ({{"date": {TUESDAY}}})'


def test_bars_of_one_stamp_contradict_each_other_by_price_only() -> None:
    stamps = [MONDAY, MONDAY, TUESDAY, TUESDAY]
    _, beside = separate(answer({}, [238.03, 238.03, 235.93, 236.0], [1, 2, 1, 1], stamps))

    assert [(day, bar["Close"]) for day, bar in beside.contradictory_bars] == [
        (date(2025, 3, 4), 235.93),
        (date(2025, 3, 4), 236.0),
    ]


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b'{"chart": {"result": null}}', b'{"chart": {"result": [{}]}}']
)
def test_an_answer_that_is_no_chart_is_left_to_yfinance(content: bytes) -> None:
    assert separate(content)[0] == content

"""Failed symbols in one sentence a reason."""

from __future__ import annotations

from include.runs.records import symbols_by_reason


def test_reasons_that_differ_in_the_symbol_alone_are_one() -> None:
    found = symbols_by_reason(
        [
            ("0700.HK", "prices.csv has no row for 0700.HK in the window"),
            ("F", "For F: HTTP 500"),
            ("700.HK", "prices.csv has no row for 700.HK in the window"),
            ("AAPL", "given up by an earlier attempt"),
            ("MSFT", "given up by an earlier attempt"),
        ]
    )
    assert found == [
        "0700.HK, 700.HK: prices.csv has no row for each of them in the window",
        "F: For F: HTTP 500",
        "AAPL, MSFT: given up by an earlier attempt",
    ]


def test_of_many_symbols_the_first_are_named() -> None:
    (text,) = symbols_by_reason((f"S{number}", f"no row for S{number}") for number in range(50_000))
    assert text.startswith("S0, S1, ")
    assert text.endswith("S19 and 49,980 more: no row for each of them")
    assert len(text) < 200

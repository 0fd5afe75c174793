"""The figures of the story on real prices. Expected values were computed by hand from the vendor's files, not by this code."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from include.settings import Settings
from tests.conftest import CopyStore
from tests.pipeline import ask, ask_warehouse, build_marts

HUNDREDTH_OF_A_POINT = 0.0001


def basket_return_ytd(settings: Settings, basket: str, day: str) -> float:
    rows = ask(
        settings,
        "select return_ytd from marts.fct_basket_daily where basket_id = ? and date = ? and currency_basis = 'local' and return_type = 'price'",
        [basket, day],
    )
    return float(rows[0][0])


@pytest.mark.parametrize(
    ("basket", "day", "expected"),
    [
        ("china_titans", "2025-03-06", 0.4613),
        ("china_titans", "2025-03-07", 0.4308),
        ("magnificent_seven", "2025-03-06", -0.1065),
        ("magnificent_seven", "2025-03-07", -0.1039),
    ],
)
def test_baskets_year_to_date(built_real_store: Settings, basket: str, day: str, expected: float) -> None:
    assert basket_return_ytd(built_real_store, basket, day) == pytest.approx(expected, abs=HUNDREDTH_OF_A_POINT)


@pytest.mark.parametrize(("day", "expected"), [("2025-03-06", 0.3380), ("2025-03-07", 0.3101)])
def test_titans_since_the_deepseek_moment(built_real_store: Settings, day: str, expected: float) -> None:
    ((value,),) = ask(
        built_real_store,
        "select value from marts.fct_headlines where as_of = ? and headline_id = 'china_titans_return_since_deepseek_moment'",
        [day],
    )
    assert value == pytest.approx(expected, abs=HUNDREDTH_OF_A_POINT)


@pytest.mark.parametrize(
    ("symbol", "column", "day", "expected"),
    [
        ("^NDX", "drawdown", "2025-03-06", -0.0957),
        ("^NDX", "drawdown", "2025-03-07", -0.0890),
        ("HSTECH.HK", "return_wtd", "2025-03-06", 0.0899),
        ("HSTECH.HK", "return_wtd", "2025-03-07", 0.0843),
        ("HSTECH.HK", "drawdown", "2025-03-06", -0.4455),
        ("HSTECH.HK", "drawdown", "2025-03-07", -0.4484),
        ("HSTECH.HK", "return_1d", "2025-03-07", -0.0052),
    ],
)
def test_index_figures(built_real_store: Settings, symbol: str, column: str, day: str, expected: float) -> None:
    ((value,),) = ask(
        built_real_store, f"select {column} from marts.fct_index_daily where symbol = ? and date = ?", [symbol, day]
    )
    assert value == pytest.approx(expected, abs=HUNDREDTH_OF_A_POINT)


def test_records_and_states(built_real_store: Settings) -> None:
    rows = ask(
        built_real_store,
        "select symbol, record_high_date, drawdown_state, highest_since from marts.fct_index_daily where date = '2025-03-06' and symbol in ('^NDX', 'HSTECH.HK') order by symbol",
    )
    assert rows == [
        ("HSTECH.HK", date(2021, 2, 17), "bear", date(2021, 12, 9)),
        ("^NDX", date(2025, 2, 19), "near_correction", date(2025, 3, 5)),
    ]


def test_alibaba_forward_pe_converts_estimates_in_renminbi(built_real_store: Settings) -> None:
    ((pe, weight),) = ask(
        built_real_store,
        "select forward_pe, fy1_weight from marts.fct_security_valuation_daily where symbol = '9988.HK' and date = '2025-03-06'",
    )
    assert pe == pytest.approx(14.4, abs=0.05)
    assert weight == pytest.approx(25 / 365)


def test_partial_estimates_are_said_to_be_partial(built_real_store: Settings) -> None:
    ((value, sentence),) = ask(
        built_real_store,
        "select value, sentence from marts.fct_headlines where as_of = '2025-03-07' and headline_id = 'china_titans_vs_magnificent_seven_forward_pe_discount'",
    )
    assert value is None
    assert "cannot be computed" in sentence
    assert "1 of 7" in sentence
    assert "3 of 7" in sentence


def test_market_value_gained_is_near_the_press_figure(built_real_store: Settings) -> None:
    ((value,),) = ask(
        built_real_store,
        "select change_ytd_usd from marts.fct_basket_market_value_daily where basket_id = 'china_titans' and date = '2025-03-07'",
    )
    # Shares x close / USDHKD of the seven rows, added up by hand: 1,464.6 bn less 1,044.5 bn.
    assert value == pytest.approx(420.1e9, abs=0.2e9)


def test_corrected_closes_stand_beside_the_vendors(built_real_store: Settings) -> None:
    rows = ask(
        built_real_store,
        "select symbol, close, close_vendor, is_corrected, is_suspect from marts.fct_security_daily where date = '2024-12-31' and is_corrected order by symbol",
    )
    assert rows == [
        ("0700.HK", 417.0, 419.8, True, True),
        ("0981.HK", 31.8, 31.7, True, True),
        ("1810.HK", 34.5, 34.65, True, True),
        ("9988.HK", 82.4, 82.85, True, True),
    ]


def test_without_corrections_the_vendors_figures_come_out(
    built_real_store: Settings, copy_store: CopyStore, project_copy: Path
) -> None:
    seed = project_copy / "seeds" / "vendor_corrections.csv"
    seed.write_text(seed.read_text().splitlines()[0] + "\n")
    settings = copy_store(built_real_store, dbt_project_dir=project_copy)
    build_marts(settings, "+fct_basket_daily")
    rows = ask_warehouse(
        settings,
        "select return_ytd from marts.fct_basket_daily where basket_id = 'china_titans' and currency_basis = 'local' "
        "and return_type = 'price' and date in ('2025-03-06', '2025-03-07') order by date",
    )
    assert [value for (value,) in rows] == pytest.approx([0.4585, 0.4281], abs=HUNDREDTH_OF_A_POINT)


def test_closures_of_2023_are_no_sessions_and_the_gap_of_2020_is_one(built_real_store: Settings) -> None:
    closed = ask(
        built_real_store,
        "select count(*) from marts.fct_security_daily where symbol = '0700.HK' and date in ('2023-09-01', '2023-09-08')",
    )
    gap = ask(
        built_real_store,
        "select is_traded, level from marts.fct_index_daily where symbol = 'HSTECH.HK' and date = '2020-08-19'",
    )
    assert closed == [(0,)]
    assert gap == [(False, 7196.01)]


def test_half_days_without_trade_are_marked(built_real_store: Settings) -> None:
    rows = ask(
        built_real_store,
        "select distinct date from marts.fct_security_daily where symbol = '0700.HK' and is_suspect order by 1",
    )
    expected = ["2020-12-24", "2020-12-31", "2021-02-11", "2022-01-31", "2024-12-24", "2024-12-31", "2025-01-28"]
    assert [row[0].isoformat() for row in rows] == expected

"""Landing to raw: versions, unchanged rows, rejected rows, in whatever order files come."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from include import build
from include.errors import TitansError
from include.landing.batches import BatchKey, FetchWindow, land
from include.landing.index import LandingIndex
from include.raw.load import LoadedBatch, load_landing
from include.raw.store import open_warehouse
from include.raw.units import QuarantinedUnit
from include.runs.facts import CheckRawFacts
from include.runs.releases import record_release, releases
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.sources.base import SCHEMAS, Dataset, Extract
from tests.pipeline import new_run
from titans.commands.release import release_units

_runs = count(1)
MONDAY, TUESDAY = date(2025, 3, 3), date(2025, 3, 4)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path))


def price(day: date = MONDAY, close: float | None = 500.0, **values: Any) -> dict[str, Any]:
    return {"symbol": "0700.HK", "date": day, "close": close, "currency": "HKD", "basis_date": day, **values}


def land_rows(settings: Settings, dataset: Dataset, rows: list[dict[str, Any]], fetched_at: datetime) -> None:
    symbols = sorted({str(row.get("symbol") or row.get("currency") or "USDHKD") for row in rows})
    windows = [
        FetchWindow(symbol=symbol, start=MONDAY, end=TUESDAY, rows=len(rows), first=MONDAY, last=TUESDAY)
        for symbol in symbols
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[dataset])
    land(settings.store, BatchKey(dataset, "hk", 1, f"run{next(_runs)}", 1), Extract(table, fetched_at), windows)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2025, 3, day, hour, tzinfo=UTC)


def load(settings: Settings) -> list[LoadedBatch]:
    with open_warehouse(settings.store) as connection:
        reference = load_reference(settings.seeds_dir)
        return load_landing(connection, LandingIndex(settings.store), reference, releases(settings.store))


def accept_all(settings: Settings) -> None:
    """What gate 1 does with good units."""
    with open_warehouse(settings.store) as connection:
        connection.execute(
            "insert into raw.unit_verdicts select batch_id, dataset, symbol, 'accepted', [], now()::timestamp from raw.fetch_windows "
            "where (batch_id, symbol) not in (select (batch_id, symbol) from raw.current_verdicts)"
        )


def rows_of(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.store.warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_loading_twice_changes_nothing(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price(), price(TUESDAY)], at(5))
    assert [batch.rows_new for batch in load(settings)] == [2]
    before = rows_of(settings, "from raw.prices order by all")
    assert load(settings) == []
    assert rows_of(settings, "from raw.prices order by all") == before


def test_an_unchanged_row_is_not_stored_again_and_a_changed_one_is_a_version(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price(), price(TUESDAY)], at(5))
    load(settings)
    accept_all(settings)
    land_rows(settings, Dataset.PRICES, [price(), price(TUESDAY, 510.0)], at(6))
    assert [(batch.rows_new, batch.rows_unchanged) for batch in load(settings)] == [(1, 1)]
    versions = rows_of(settings, "select date, close, fetched_at, known_from from raw.prices order by date, fetched_at")
    closed = datetime(2025, 3, 3, 8), datetime(2025, 3, 4, 8)  # noqa: DTZ001  # DuckDB timestamps are naive and in UTC
    assert versions == [
        (MONDAY, 500.0, at(5).replace(tzinfo=None), closed[0]),
        (TUESDAY, 500.0, at(5).replace(tzinfo=None), closed[1]),
        (TUESDAY, 510.0, at(6).replace(tzinfo=None), at(6).replace(tzinfo=None)),
    ]
    assert rows_of(settings, "select count(*) from raw.fetch_windows") == [(2,)]


def test_an_older_fetch_that_is_loaded_later_does_not_win(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price(close=510.0)], at(6))
    load(settings)
    land_rows(settings, Dataset.PRICES, [price(close=500.0)], at(5))
    load(settings)
    newest = rows_of(settings, "select close from raw.prices order by fetched_at desc limit 1")
    assert newest == [(510.0,)]
    assert rows_of(settings, "select count(*) from raw.prices") == [(2,)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (price(close=None), "no close"),
        (price(close=float("nan")), "no close"),
        (price(close=0.0), "close is not above zero"),
        (price(close=-1.0), "close is not above zero"),
        (price(high=499.0, low=500.0, open=499.5), "high is below low"),
        (price(close=600.0, high=510.0, low=490.0), "close is outside of low and high"),
        (price(date(2025, 3, 10)), "future date"),
        (price(date(2025, 3, 1)), "no session on that day"),
        (price(symbol="0770.HK"), "unknown symbol"),
        (price(currency="CNY"), "another currency than the security has"),
        (price(currency=None), "no currency"),
        (price(volume=-5), "negative volume"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_breaks_a_rule_is_kept_out_with_its_reason(
    settings: Settings, row: dict[str, Any], reason: str
) -> None:
    land_rows(settings, Dataset.PRICES, [row, price(TUESDAY)], at(5))
    (batch,) = load(settings)
    assert (batch.rows_new, batch.rows_rejected) == (1, 1)
    ((reasons, values),) = rows_of(settings, "select reasons, row_values from raw.rejected_rows")
    assert reason in reasons
    assert '"close"' in values


@pytest.mark.parametrize(
    ("action", "reason"),
    [({"dividend": -0.5}, "negative dividend"), ({"split_ratio": -2.0}, "split ratio is negative")],
)
def test_a_bad_dividend_or_split_costs_no_price(settings: Settings, action: dict[str, Any], reason: str) -> None:
    """Nor does it withdraw what is stored of it, as a row without one does."""
    good: dict[str, Any] = dict.fromkeys(action, 2.0)
    land_rows(settings, Dataset.PRICES, [price(**good), price(TUESDAY)], at(5))
    load(settings)
    accept_all(settings)
    land_rows(settings, Dataset.PRICES, [price(close=510.0, **action), price(TUESDAY)], at(6))
    (batch,) = load(settings)
    assert (batch.rows_new, batch.rows_unchanged, batch.rows_rejected) == (1, 1, 1)
    assert rows_of(settings, "select reasons from raw.rejected_rows") == [([reason],)]
    assert rows_of(settings, "select close from raw.prices where date = '2025-03-03' order by fetched_at") == [
        (500.0,),
        (510.0,),
    ]
    assert rows_of(settings, "select value from raw.corporate_actions") == [(2.0,)]


def test_identical_twins_count_once_and_differing_ones_are_both_refused(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price(), price(), price(TUESDAY), price(TUESDAY, 501.0)], at(5))
    (batch,) = load(settings)
    assert (batch.rows_new, batch.rows_rejected) == (1, 2)
    assert rows_of(settings, "select distinct reasons from raw.rejected_rows") == [
        (["duplicate key with different values"],)
    ]


def test_a_rejected_row_is_recorded_once_however_often_it_comes(settings: Settings) -> None:
    for day in (5, 6, 7):
        land_rows(settings, Dataset.PRICES, [price(close=0.0)], at(day))
        load(settings)
    assert rows_of(settings, "select count(*) from raw.rejected_rows") == [(1,)]


def test_corporate_actions_are_versions_of_their_own(settings: Settings) -> None:
    told: list[dict[str, Any]] = [
        {"dividend": 4.5},
        {"dividend": 4.5},
        {"dividend": 3.4, "dividend_currency": "USD"},
        {},
    ]
    for number, values in enumerate(told):
        land_rows(settings, Dataset.PRICES, [price(**values)], at(5 + number))
        load(settings)
        accept_all(settings)
    actions = rows_of(
        settings, "select action, value, currency, known_from::date from raw.corporate_actions order by fetched_at"
    )
    assert actions == [
        ("dividend", 4.5, "HKD", MONDAY),
        ("dividend", 3.4, "USD", MONDAY),
        ("dividend", 0.0, None, MONDAY),
    ]
    assert rows_of(settings, "select count(*) from raw.prices") == [(1,)], "a dividend is no restated price"


def test_the_same_number_on_another_basis_is_another_statement(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price(basis_date=MONDAY)], at(3, 23))
    land_rows(settings, Dataset.PRICES, [price(TUESDAY, 125.0, split_ratio=4.0, basis_date=TUESDAY)], at(4, 23))
    land_rows(settings, Dataset.PRICES, [price(basis_date=TUESDAY)], at(5, 23))
    load(settings)
    assert rows_of(
        settings, "select close, basis_date from raw.prices where date = '2025-03-03' order by fetched_at"
    ) == [
        (500.0, MONDAY),
        (500.0, TUESDAY),
    ]


def test_a_file_from_in_between_does_not_outrank_a_later_fetch_that_changed_nothing(settings: Settings) -> None:
    """A on the 5th, A again on the 7th (not stored), then the file of the 6th that said B, with a dividend: the newest word is A, without one."""
    for day in (5, 7):
        land_rows(settings, Dataset.PRICES, [price(close=500.0)], at(day))
        load(settings)
        accept_all(settings)
    land_rows(settings, Dataset.PRICES, [price(close=50.0, dividend=4.5)], at(6))
    load(settings)
    accept_all(settings)
    assert rows_of(settings, "select close from raw.prices order by fetched_at") == [(500.0,), (50.0,), (500.0,)]
    assert rows_of(settings, "select value from raw.corporate_actions order by fetched_at") == [(4.5,), (0.0,)]


def test_rows_of_a_unit_survive_the_quarantine_of_the_unit_before(settings: Settings) -> None:
    """Two batches are loaded before one gate run: what the second repeats is stored with it, and not lost with the first."""
    land_rows(settings, Dataset.PRICES, [price(), price(TUESDAY)], at(5))
    land_rows(settings, Dataset.PRICES, [price(), price(TUESDAY)], at(6))
    load(settings)
    assert rows_of(settings, "select count(*) from raw.prices group by batch_id") == [(2,), (2,)]


def test_a_split_on_a_row_without_a_close_is_not_lost(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price(close=None, dividend=4.5, split_ratio=2.0), price(TUESDAY)], at(5))
    load(settings)
    assert rows_of(settings, "select action, value from raw.corporate_actions order by 1") == [
        ("dividend", 4.5),
        ("split", 2.0),
    ]
    ((values,),) = rows_of(settings, "select row_values from raw.rejected_rows")
    assert '"split_ratio":2.0' in values


def test_two_different_bars_of_a_day_do_not_cost_what_they_agree_on(settings: Settings) -> None:
    bars = [price(close=50.0, dividend=4.5, split_ratio=2.0), price(close=51.0, dividend=4.5, split_ratio=3.0)]
    land_rows(settings, Dataset.PRICES, [*bars, price(TUESDAY)], at(5))
    load(settings)
    assert rows_of(settings, "select action, value from raw.corporate_actions") == [("dividend", 4.5)]
    assert rows_of(settings, "select distinct reasons from raw.rejected_rows") == [
        (["duplicate key with different values"],)
    ]


def test_landing_files_of_another_source_are_refused(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price()], at(5))
    settings.store.root.rename(settings.data_dir / "yahoo")
    with pytest.raises(TitansError, match=r"is of source sample, in the store of yahoo"):
        load(settings.model_copy(update={"source": "yahoo"}))


def test_estimates_are_keyed_by_period_and_labels_are_attributes(settings: Settings) -> None:
    row = {
        "symbol": "0700.HK", "as_of": MONDAY, "metric": "eps", "period_type": "annual", "period_end": date(2025, 12, 31), "period_label": "0y",
        "mean": 25.0, "currency": "CNY", "basis_date": MONDAY,
    }  # fmt: skip
    land_rows(
        settings, Dataset.ESTIMATES, [row, {**row, "period_end": date(2026, 12, 31), "period_label": "+1y"}], at(5)
    )
    land_rows(settings, Dataset.ESTIMATES, [{**row, "as_of": TUESDAY, "mean": 26.0}], at(6))
    load(settings)
    assert rows_of(settings, "select as_of, period_end, mean, known_from::date from raw.estimates order by all") == [
        (MONDAY, date(2025, 12, 31), 25.0, MONDAY),
        (MONDAY, date(2026, 12, 31), 25.0, MONDAY),
        (TUESDAY, date(2025, 12, 31), 26.0, TUESDAY),
    ]


def test_an_estimate_of_tomorrow_is_refused(settings: Settings) -> None:
    row = {
        "symbol": "0700.HK", "as_of": date(2025, 3, 9), "metric": "eps", "period_type": "annual", "period_end": date(2025, 12, 31), "mean": 25.0,
        "currency": "CNY", "basis_date": MONDAY,
    }  # fmt: skip
    land_rows(settings, Dataset.ESTIMATES, [row], at(5))
    load(settings)
    assert rows_of(settings, "select reasons from raw.rejected_rows") == [(["future date"],)]


def bill(rate: float | None = 0.042, **values: Any) -> dict[str, Any]:
    return {"currency": "USD", "tenor": "13w", "date": MONDAY, "rate": rate, "quote_basis": "discount", **values}


def test_risk_free_rates_that_break_a_rule_are_kept_out_with_their_reasons(settings: Settings) -> None:
    fraction, tenor = (
        "rate is not a fraction a year: write 4.3% as 0.043",
        "tenor is not a number of days, weeks, months or years, such as 13w",
    )
    rows = {
        "13w": (bill(), []),
        "14w": (bill(-0.002), []),
        "26w": (bill(), []),
        "182d": (bill(), []),
        "12m": (bill(quote_basis="yield"), []),
        "15w": (bill(4.3), [fraction]),
        "16w": (bill(-0.5), [fraction]),
        "17w": (bill(None), ["no rate"]),
        "18w": (bill(quote_basis="money market"), ["quote basis is neither yield nor discount"]),
        "19w": (bill(quote_basis=None), ["quote basis is neither yield nor discount"]),
        "20w": (bill(date=None), ["no date"]),
        "21w": (bill(date=date(2025, 3, 12)), ["future date"]),
        "22w": (bill(currency=None), ["no currency"]),
        "52w": (bill(), ["a discount is of bills of at most half a year"]),
        "183d": (bill(), ["a discount is of bills of at most half a year"]),
        "1y": (bill(), ["a discount is of bills of at most half a year"]),
        "13 weeks": (bill(quote_basis="yield"), [tenor]),
        "0d": (bill(quote_basis="yield"), [tenor]),
        None: (bill(quote_basis="yield"), [tenor]),
    }
    land_rows(settings, Dataset.RISK_FREE, [row | {"tenor": name} for name, (row, _) in rows.items()], at(4))
    load(settings)
    stored = dict(rows_of(settings, "select tenor, array[]::varchar[] from raw.risk_free"))
    rejected = dict(rows_of(settings, "select row_values ->> 'tenor', reasons from raw.rejected_rows"))
    assert stored | rejected == {name: reasons for name, (_, reasons) in rows.items()}


def test_a_risk_free_rate_is_one_statement_a_day_and_known_by_the_close_of_new_york(settings: Settings) -> None:
    """The quote basis is part of what is said: two of a day contradict each other, and another one is a version."""
    land_rows(settings, Dataset.RISK_FREE, [bill(), bill(quote_basis="yield")], at(4))
    load(settings)
    assert rows_of(settings, "select distinct reasons from raw.rejected_rows") == [
        (["duplicate key with different values"],)
    ]
    for hour, rows in ((13, [bill()]), (14, [bill()]), (15, [bill(quote_basis="yield")])):
        land_rows(settings, Dataset.RISK_FREE, rows, at(4, hour))
        load(settings)
        accept_all(settings)
    versions = "select quote_basis, known_from::varchar, basis_date from raw.risk_free order by fetched_at"
    assert rows_of(settings, versions) == [
        ("discount", "2025-03-03 21:00:00", MONDAY),
        ("yield", "2025-03-04 15:00:00", MONDAY),
    ]


def result(**values: Any) -> dict[str, Any]:
    figures = {"eps": 1.5, "book_value_per_share": None, "dividends_per_share": None, "published_on": date(2025, 2, 20)}
    period = {"symbol": "0700.HK", "period_type": "annual", "period_end": date(2024, 12, 31), "currency": "CNY"}
    return period | figures | {"basis_date": MONDAY} | values


def test_results_that_break_a_rule_are_kept_out_with_their_reasons(settings: Settings) -> None:
    """Losses, debts above all assets, and figures that are missing are no fault."""
    rows = {
        "a loss": (result(eps=-2.0, book_value_per_share=-5.0, dividends_per_share=0.0), []),
        "a book value alone": (result(eps=None, book_value_per_share=50.0), []),
        "of tomorrow": (
            result(period_end=date(2025, 3, 31)),
            ["period ends in the future", "published before the period ends"],
        ),
        "nothing": (result(eps=None), ["neither earnings nor book value nor dividends"]),
        "infinite": (result(eps=float("inf")), ["a figure is not finite"]),
        "no number": (result(eps=float("nan")), ["a figure is not finite"]),
        "published too early": (result(published_on=date(2024, 12, 30)), ["published before the period ends"]),
        "published tomorrow": (result(published_on=date(2025, 3, 5)), ["published in the future"]),
        "half of a month": (result(period_type="month"), ["period is none of annual, interim, quarter and ttm"]),
        "no period": (result(period_end=None), ["no period end"]),
        "no money": (result(currency=None), ["no currency"]),
        "dividends taken back": (result(dividends_per_share=-1.0), ["negative dividends"]),
        "a receipt of nothing": (result(shares_per_receipt=0.0), ["shares per receipt are not above zero"]),
        "a stranger": (result(symbol="XYZ"), ["unknown symbol"]),
    }
    stored = {}
    for number, (name, (row, _)) in enumerate(rows.items()):
        land_rows(settings, Dataset.FUNDAMENTALS, [row | {"note": name}], at(4, number))
        load(settings)
        rejected = rows_of(settings, f"select reasons from raw.rejected_rows where batch_id like '%T{number:02d}0000%'")
        stored[name] = rejected[0][0] if rejected else []
    assert stored == {name: reasons for name, (_, reasons) in rows.items()}


def test_history_is_known_from_its_own_days_and_on_the_basis_that_it_names(settings: Settings) -> None:
    """Whenever it is delivered. Of a basis that lies ahead nothing can be said."""
    day = date(2021, 3, 31)
    share = {"symbol": "0700.HK", "as_of": day, "shares_outstanding": 9.6e9, "basis_date": day}
    estimate = {"symbol": "0700.HK", "as_of": day, "metric": "eps", "period_type": "annual", "currency": "CNY"}
    estimate |= {"period_end": date(2021, 12, 31), "mean": 13.5, "basis_date": day}
    annual = result(period_end=date(2020, 12, 31), published_on=day, basis_date=day)
    rows = {Dataset.SHARES: share, Dataset.ESTIMATES: estimate, Dataset.FUNDAMENTALS: annual}
    for dataset, row in rows.items():
        late = {"as_of": MONDAY, "published_on": MONDAY, "basis_date": date(2025, 3, 6)}
        land_rows(settings, dataset, [row, row | {name: late[name] for name in late if name in row}], at(4))
    load(settings)
    for dataset in rows:
        stored = f"select known_from::varchar, basis_date from raw.{dataset}"
        assert rows_of(settings, stored) == [("2021-03-31 00:00:00", day)], dataset
    assert rows_of(settings, "select dataset, reasons from raw.rejected_rows order by dataset") == [
        (str(dataset), ["basis date in the future"]) for dataset in sorted(rows)
    ]


def test_a_result_has_one_value_a_publication(settings: Settings) -> None:
    """Two values of one publication contradict each other; a restatement with a later day is a row of its own."""
    land_rows(settings, Dataset.FUNDAMENTALS, [result(), result(eps=1.6)], at(4, 1))
    load(settings)
    assert rows_of(settings, "select distinct reasons from raw.rejected_rows") == [
        (["duplicate key with different values"],)
    ]
    land_rows(settings, Dataset.FUNDAMENTALS, [result(), result(eps=1.6, published_on=MONDAY)], at(4, 2))
    load(settings)
    assert rows_of(settings, "select eps, known_from::varchar from raw.fundamentals order by eps") == [
        (1.5, "2025-02-20 00:00:00"),
        (1.6, "2025-03-03 00:00:00"),
    ]


def test_results_without_a_date_are_known_when_they_had_to_be_out(settings: Settings) -> None:
    """Within three months of a year and of a quarter, which may be the last of one, and two of a half-year, or from their fetch.

    They stay one row.
    """
    periods = {
        "annual": (date(2023, 12, 31), "2024-03-31 00:00:00"),
        "interim": (date(2024, 6, 30), "2024-08-31 00:00:00"),
        "quarter": (date(2024, 9, 28), "2024-12-31 00:00:00"),
        "ttm": (date(2024, 12, 31), "2025-03-04 05:00:00"),
    }
    rows = [result(period_type=name, period_end=end, published_on=None) for name, (end, _) in periods.items()]
    for hour in (5, 6):
        land_rows(settings, Dataset.FUNDAMENTALS, rows, at(4, hour))
        load(settings)
        accept_all(settings)
    known = "select period_type, known_from::varchar, is_publication_assumed, shares_per_receipt from raw.fundamentals"
    assert sorted(rows_of(settings, known)) == [(name, moment, True, 1.0) for name, (_, moment) in periods.items()]


def test_a_rate_without_a_currency_costs_no_other(settings: Settings) -> None:
    rate = {"base_currency": "USD", "quote_currency": "HKD", "date": MONDAY, "rate": 7.77}
    land_rows(settings, Dataset.FX_RATES, [rate, rate | {"quote_currency": None}], at(4))
    load(settings)
    assert rows_of(settings, "select count(*) from raw.fx_rates") == [(1,)]
    assert rows_of(settings, "select reasons from raw.rejected_rows") == [(["no currency pair"],)]


def test_a_file_from_in_between_wins_where_the_later_fetch_said_nothing(settings: Settings) -> None:
    """The third fetch covers Monday, and has no usable row of it: what the second said, loaded last, is the newest word."""
    land_rows(settings, Dataset.PRICES, [price(close=500.0)], at(5))
    load(settings)
    accept_all(settings)
    land_rows(settings, Dataset.PRICES, [price(close=0.0), price(TUESDAY)], at(7))
    load(settings)
    accept_all(settings)
    land_rows(settings, Dataset.PRICES, [price(close=510.0)], at(6))
    load(settings)
    assert rows_of(settings, "select close from raw.prices where date = '2025-03-03' order by fetched_at") == [
        (500.0,),
        (510.0,),
    ]


def test_what_was_said_after_a_released_unit_is_still_the_newest_word(settings: Settings) -> None:
    """500, then 50 (quarantined), then 500 again (unchanged, so not stored). A person lets the 50 in: the newest word is still 500."""
    for day, close in ((5, 500.0), (6, 50.0), (7, 500.0)):
        land_rows(settings, Dataset.PRICES, [price(close=close)], at(day))
        load(settings)
        if close == 50.0:
            ((batch_id,),) = rows_of(settings, "select batch_id from raw.prices where close = 50")
            with open_warehouse(settings.store) as connection:
                connection.execute(
                    "insert into raw.unit_verdicts values (?, 'prices', '0700.HK', 'quarantined', [], now()::timestamp)",
                    [batch_id],
                )
        accept_all(settings)
    assert rows_of(settings, "select close from raw.prices order by fetched_at") == [(500.0,), (50.0,)]
    record_release(settings.store, batch_id, "0700.HK", "meant to")
    load(settings)
    assert rows_of(settings, "select close from raw.prices order by fetched_at") == [(500.0,), (50.0,), (500.0,)]
    before = rows_of(settings, "from raw.prices order by all")
    load(settings)
    assert rows_of(settings, "from raw.prices order by all") == before, "a release is acted on once"


def test_a_release_holds_in_a_warehouse_that_is_rebuilt(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price()], at(5))
    load(settings)
    ((batch_id,),) = rows_of(settings, "select batch_id from raw.prices")
    record_release(settings.store, batch_id, "0700.HK", "meant to")
    settings.store.warehouse.unlink()
    load(settings)
    assert rows_of(settings, "select verdict, reasons from raw.current_verdicts") == [("released", ["meant to"])]


def test_a_release_whose_file_is_gone_is_named_by_every_build(settings: Settings) -> None:
    """It did nothing, in silence. Where the file is back, the next build acts on it."""
    land_rows(settings, Dataset.PRICES, [price()], at(5))
    (path,) = (batch.path for batch in LandingIndex(settings.store).batches())
    record_release(settings.store, path.stem, "0700.HK", "meant to")
    content = path.read_bytes()
    path.unlink()
    land_rows(settings, Dataset.PRICES, [price(TUESDAY)], at(6))
    for _ in range(2):
        assert build.load(settings, new_run(settings)).releases_without_effect == [f"0700.HK of {path.stem}"]
    path.write_bytes(content)
    assert build.load(settings, new_run(settings)).releases_without_effect == []
    assert rows_of(settings, "select verdict from raw.current_verdicts") == [("released",)]
    path.unlink()
    assert build.load(settings, new_run(settings)).releases_without_effect == [], "it has been let in"


def test_a_unit_whose_file_is_gone_cannot_be_released(settings: Settings) -> None:
    land_rows(settings, Dataset.PRICES, [price()], at(5))
    (path,) = (batch.path for batch in LandingIndex(settings.store).batches())
    run = new_run(settings)
    with run.step("check_raw") as step:
        unit = QuarantinedUnit(batch_id=path.stem, dataset="prices", symbol="0700.HK", reasons=["why"])
        step.facts = CheckRawFacts(quarantined=[unit])
    run.finish(None)
    moved = path.rename(settings.data_dir / "moved")
    with pytest.raises(TitansError, match=rf"{path}, the landing file of 0700\.HK .* is gone.*nothing was released"):
        release_units(settings, path.stem, "", "meant to")
    assert releases(settings.store) == []
    moved.rename(path)
    release_units(settings, path.stem, "", "meant to")
    assert [release.symbol for release in releases(settings.store)] == ["0700.HK"]


def test_a_split_and_an_unadjusted_price_in_one_file_are_another_statement(settings: Settings) -> None:
    """The vendor knows of the split on Tuesday and still gives Monday's price from before it: as told, that is four times the price, for gate 1 to see."""
    land_rows(settings, Dataset.PRICES, [price(basis_date=MONDAY)], at(3, 23))
    load(settings)
    accept_all(settings)
    land_rows(
        settings,
        Dataset.PRICES,
        [price(basis_date=TUESDAY), price(TUESDAY, 125.0, split_ratio=4.0, basis_date=TUESDAY)],
        at(4, 23),
    )
    load(settings)
    assert rows_of(
        settings, "select close, basis_date from raw.prices where date = '2025-03-03' order by fetched_at"
    ) == [
        (500.0, MONDAY),
        (500.0, TUESDAY),
    ]


class CountingConnection:
    """A connection that counts what it is asked to run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection, self.statements = connection, 0

    def execute(self, *arguments: Any) -> duckdb.DuckDBPyConnection:
        self.statements += 1
        return self._connection.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_a_file_of_many_symbols_takes_no_more_statements_than_one_of_few(settings: Settings) -> None:
    counted = []
    for hour, number in ((12, 2), (13, 50)):
        symbols = ["0700.HK", *(f"{9000 + index}.HK" for index in range(number - 1))]
        land_rows(settings, Dataset.PRICES, [{**price(), "symbol": symbol} for symbol in symbols], at(5, hour))
        with open_warehouse(settings.store) as connection:
            counting: Any = CountingConnection(connection)
            reference = load_reference(settings.seeds_dir)
            load_landing(counting, LandingIndex(settings.store), reference, [])
            counted.append(counting.statements)
    assert counted[0] == counted[1]
    assert rows_of(settings, "select count(*), count(distinct symbol) from raw.fetch_windows") == [(52, 50)]

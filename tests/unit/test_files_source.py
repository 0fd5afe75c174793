"""A folder of files, in both formats, with what may be left out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from include.errors import TitansError
from include.seeds.read import load_reference
from include.seeds.rows import Reference
from include.settings import Settings, load_settings
from include.sources.base import SCHEMAS, CurrencyPair, Dataset, Window
from include.sources.files.folder import known_units
from include.sources.files.source import FilesSource
from tests.pipeline import write_csv

WINDOW = Window(None, date(2025, 3, 7))
PRICES = (
    "symbol,date,close,currency",
    "0700.HK,2025-03-06,544,HKD",
    "0700.HK,2025-03-07,533.5,HKD",
    "XYZ,2025-03-07,1,USD",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_csv(tmp_path / "prices.csv", *PRICES)
    write_csv(tmp_path / "fx_rates.csv", "base_currency,quote_currency,date,rate", "USD,HKD,2025-03-07,7.77")
    return tmp_path


def open_folder(folder: Path, **overrides: object) -> FilesSource:
    settings = load_settings(source="files", files_dir=str(folder), **overrides)
    return FilesSource(
        settings.files_dir, settings.exported_at, load_reference(settings.seeds_dir), folder.parent / "copies"
    )


def security(symbol: str, settings: Settings | None = None):  # type: ignore[no-untyped-def]  # a test's shorthand
    return next(
        row for row in load_reference((settings or load_settings()).seeds_dir).securities if row.symbol == symbol
    )


def test_columns_that_are_left_out_are_null(folder: Path) -> None:
    extract = open_folder(folder).prices([security("0700.HK")], WINDOW)
    assert extract.table.schema.equals(SCHEMAS[Dataset.PRICES])
    assert extract.table.num_rows == 2
    assert extract.table["volume"].null_count == 2


def test_an_export_counts_from_its_time_or_from_when_it_lands(folder: Path) -> None:
    """Whose splits the prices include, and the bound on rows, stay the last price date where no time is given."""
    before = datetime.now(UTC)
    extract = open_folder(folder).prices([security("0700.HK")], WINDOW)
    assert before <= extract.fetched_at <= datetime.now(UTC)
    assert extract.table["basis_date"][0].as_py() == date(2025, 3, 7)
    assert extract.last_day == date(2025, 3, 7)
    later = open_folder(folder, exported_at="2025-03-09T06:00:00+00:00").prices([security("0700.HK")], WINDOW)
    assert later.fetched_at == datetime(2025, 3, 9, 6, tzinfo=UTC)
    assert later.table["basis_date"][0].as_py() == date(2025, 3, 9)
    assert later.last_day == date(2025, 3, 9)


def test_a_price_of_the_future_moves_no_bound(folder: Path) -> None:
    """A price of after today is no last price date: the one before it bounds rows and names the splits."""
    with (folder / "prices.csv").open("a") as prices:
        prices.write("1810.HK,2999-01-03,40,HKD\n")
    extract = open_folder(folder).prices([security("0700.HK")], WINDOW)
    assert extract.last_day == date(2025, 3, 7)


def test_parquet_is_read_like_csv(folder: Path) -> None:
    as_csv = open_folder(folder).prices([security("0700.HK")], WINDOW).table
    pq.write_table(pyarrow.csv.read_csv(folder / "prices.csv"), folder / "prices.parquet")
    (folder / "prices.csv").unlink()
    assert open_folder(folder).prices([security("0700.HK")], WINDOW).table.equals(as_csv)


def test_a_symbol_without_rows_fails_and_costs_nobody_else(folder: Path) -> None:
    extract = open_folder(folder).prices([security("0700.HK"), security("1810.HK")], WINDOW)
    assert [(failure.symbol, failure.is_retryable) for failure in extract.failures] == [("1810.HK", False)]
    assert extract.table.num_rows == 2


def test_symbols_without_rows_cost_no_look_at_all_others_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, looks = open_folder(folder), []

    def counted(dataset: Dataset, reference: Reference) -> list[str]:
        looks.append(dataset)
        return known_units(dataset, reference)

    monkeypatch.setattr("include.sources.files.source.known_units", counted)
    asked = [security(symbol) for symbol in ("AAPL", "MSFT", "NVDA", "META", "AMZN", "TSLA", "GOOGL")]
    failures = source.prices(asked, WINDOW).failures
    assert [failure.reason for failure in failures][:1] == ["prices.csv has no row for AAPL in the window"]
    assert len(failures) == len(asked)
    assert len(looks) < len(asked)


def test_symbols_that_no_seed_knows_are_delivered_once_to_be_rejected(folder: Path) -> None:
    source = open_folder(folder)
    first, *others = load_reference(load_settings().seeds_dir).securities
    assert "XYZ" in source.prices([first], WINDOW).table["symbol"].to_pylist()
    assert "XYZ" not in source.prices(others, WINDOW).table["symbol"].to_pylist()


def test_estimates_take_their_period_type_from_the_label(folder: Path) -> None:
    write_csv(
        folder / "estimates.csv",
        "symbol,as_of,metric,period,period_end,mean,currency",
        "0700.HK,2025-03-01,eps,0y,2025-12-31,25,CNY",
        "0700.HK,2025-03-01,eps,+1q,2025-06-30,6,CNY",
    )
    table = open_folder(folder).estimates([security("0700.HK")], WINDOW).table
    assert table.select(["period_type", "period_label"]).to_pylist() == [
        {"period_type": "annual", "period_label": "0y"},
        {"period_type": "quarter", "period_label": "+1q"},
    ]


def test_a_history_says_its_periods_and_split_basis_itself(folder: Path) -> None:
    """An archive has no labels of periods; of files with both, the label says what the period is."""
    header = "symbol,as_of,metric,period_type,period_end,mean,currency,basis_date"
    row = "0700.HK,2021-03-01,EPS,Annual,2021-12-31,25,CNY,2021-03-01"
    write_csv(folder / "estimates.csv", header, row, row.replace("2021-03-01", "2021-04-01", 1)[: -len("2021-03-01")])
    table = open_folder(folder).estimates([security("0700.HK")], WINDOW).table
    columns = ["period_type", "period_label", "basis_date"]
    assert [tuple(row.values()) for row in table.select(columns).to_pylist()] == [
        ("annual", None, date(2021, 3, 1)),
        ("annual", None, date(2025, 3, 7)),
    ]
    write_csv(folder / "estimates.csv", f"{header},period", f"{row},0q")
    table = open_folder(folder).estimates([security("0700.HK")], WINDOW).table
    assert table.select(["period_type", "period_label"]).to_pylist() == [
        {"period_type": "quarter", "period_label": "0q"}
    ]
    write_csv(
        folder / "shares.csv", "symbol,as_of,shares_outstanding,Basis_Date", "0700.HK,2021-03-31,9.6e9,2021-03-31"
    )
    table = open_folder(folder).shares([security("0700.HK")], WINDOW).table
    assert table["basis_date"].to_pylist() == [date(2021, 3, 31)]


def test_estimates_that_do_not_say_their_period_are_refused(folder: Path) -> None:
    write_csv(
        folder / "estimates.csv",
        "symbol,as_of,metric,period_end,mean,currency",
        "0700.HK,2025-03-01,eps,2025-12-31,25,CNY",
    )
    with pytest.raises(TitansError, match="has no column period: it must have symbol, as_of, metric"):
        open_folder(folder).estimates([security("0700.HK")], WINDOW)


def test_rows_from_the_future_are_delivered_to_be_rejected(folder: Path) -> None:
    """Days after the window wait for a later run; a day after the export, or after today where nobody says when it was, never was."""
    header = "symbol,as_of,metric,period,period_end,mean,currency"
    days = ["2025-03-07", "2025-03-08", "2025-03-09", "2999-01-01"]
    write_csv(folder / "estimates.csv", header, *(f"0700.HK,{day},eps,0y,2025-12-31,25,CNY" for day in days))
    for exported_at, delivered in ((None, [days[0], days[3]]), ("2025-03-08", [days[0], *days[2:]])):
        table = open_folder(folder, exported_at=exported_at).estimates([security("0700.HK")], WINDOW).table
        assert [str(day) for day in table["as_of"].to_pylist()] == delivered


def test_a_pair_without_rates_fails(folder: Path) -> None:
    extract = open_folder(folder).fx_rates([CurrencyPair("USD", "HKD"), CurrencyPair("USD", "CNY")], WINDOW)
    assert [failure.symbol for failure in extract.failures] == ["USDCNY"]
    assert extract.table.num_rows == 1


def test_risk_free_rates_are_optional_and_of_the_currencies_in_use(folder: Path) -> None:
    """Another currency is no mistake; a row without one, or that cannot be read, is delivered to be rejected."""
    assert open_folder(folder).offered(Dataset.RISK_FREE, ["HKD", "USD"]) == []
    write_csv(
        folder / "risk_free.csv",
        "Currency,Tenor,Date,Rate,Quote_Basis,Source",
        "usd,13W,2025-03-06,0.042,Discount,a bill",
        "USD,13w,2025-03-07,4.2%,discount,",
        "EUR,3m,2025-03-07,0.02,yield,",
        ",3m,2025-03-07,0.02,yield,",
        "HKD,3m,2025-03-07,0.04,yield,",
    )
    source = open_folder(folder)
    assert source.offered(Dataset.RISK_FREE, ["HKD", "USD"]) == ["HKD", "USD"]
    extract = source.risk_free(["HKD", "USD"], WINDOW)
    assert extract.failures == []
    rows = extract.table.to_pylist()
    assert [(row["currency"], row["tenor"], row["rate"], row["quote_basis"], row["note"]) for row in rows] == [
        ("HKD", "3m", 0.04, "yield", None),
        ("USD", "13w", 0.042, "discount", "a bill"),
        ("USD", "13w", None, "discount", None),
        (None, "3m", 0.02, "yield", None),
    ]
    (note,) = extract.notes
    assert note.startswith("risk_free.csv, line 3 (USD): Rate is '4.2%', which is not a number such as 1101.5.")


def test_fundamentals_may_lack_figures_and_dates(folder: Path) -> None:
    header = "Symbol,Period_Type,Period_End,Currency,EPS,Book_Value_Per_Share,As_Of,Basis_Date"
    rows = (
        "0700.HK,Annual,2023-12-31,cny,-1.5,,2024-03-20,2024-03-20",
        "0700.HK,ttm,2024-09-30,CNY,,101.5,,",
        "0700.HK,annual,2024-12-31,CNY,n/a,-3,soon,",
        "0700.HK,annual,2999-12-31,CNY,1,,,",
    )
    assert open_folder(folder).offered(Dataset.FUNDAMENTALS, ["0700.HK"]) == []
    write_csv(folder / "fundamentals.csv", header, *rows)
    extract = open_folder(folder).fundamentals([security("0700.HK"), security("1810.HK")], WINDOW)
    assert extract.failures == []
    table = extract.table.select(
        ["period_type", "currency", "eps", "book_value_per_share", "published_on", "basis_date"]
    )
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("annual", "CNY", -1.5, None, date(2024, 3, 20), date(2024, 3, 20)),
        ("ttm", "CNY", None, 101.5, None, date(2025, 3, 7)),
        ("annual", "CNY", None, -3.0, None, date(2025, 3, 7)),
        ("annual", "CNY", 1.0, None, None, date(2025, 3, 7)),
    ]
    (note,) = extract.notes
    assert note.startswith(
        "fundamentals.csv, line 4 (0700.HK): As_Of is 'soon', which is not a date such as 2025-03-07."
    )


def test_a_file_a_currency_holds_risk_free_rates(folder: Path) -> None:
    write_csv(folder / "risk_free" / "usd.csv", "date,tenor,rate,quote_basis", "2025-03-07,13w,0.042,discount")
    table = open_folder(folder).risk_free(["HKD", "USD"], WINDOW).table
    assert table["currency"].to_pylist() == ["USD"]


def test_a_rate_without_a_pair_is_delivered_to_be_rejected(folder: Path) -> None:
    with (folder / "fx_rates.csv").open("a") as rates:
        rates.write(",,2025-03-07,7.77\n")
    table = open_folder(folder).fx_rates([CurrencyPair("USD", "CNY"), CurrencyPair("USD", "HKD")], WINDOW).table
    assert table["quote_currency"].to_pylist() == ["HKD", None]


def test_window_bounds_what_is_delivered(folder: Path) -> None:
    table = open_folder(folder).prices([security("0700.HK")], Window(date(2025, 3, 7), date(2025, 3, 7))).table
    assert table["date"].to_pylist() == [date(2025, 3, 7)]

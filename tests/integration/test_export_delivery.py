"""An export from its folder into the raw store: what is set aside there, and what no folder name may change."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from include import build
from include.ingest.plan import TriggerParams, plan_prices
from include.landing.index import LandingIndex
from include.runs.facts import LandFacts
from include.runs.records import run_records
from include.settings import Settings, load_settings
from include.sources.base import Dataset
from tests.pipeline import ask_warehouse, ingest_all, judge, new_run, write_csv

SYMBOLS = ("0700.HK", "9988.HK", "AAPL", "MSFT")
HEADER = "symbol,date,close,currency"
REJECTED = "select symbol, date::varchar, array_to_string(reasons, '; ') from raw.rejected_rows order by all"


def deliver(
    folder: Path, *rows: str, header: str = HEADER, rates_of: str = "2025-03-06", **settings: object
) -> Settings:
    """Ingest an export of these prices; its run's record is the newest of the store."""
    write_csv(folder / "prices.csv", header, *rows)
    write_csv(folder / "fx_rates.csv", "base_currency,quote_currency,date,rate", f"USD,HKD,{rates_of},7.77")
    loaded = load_settings(
        **{"source": "files", "files_dir": str(folder), "data_dir": str(folder / "data"), **settings}
    )
    ingest_all(loaded, date(2026, 3, 26), TriggerParams(symbols=SYMBOLS))
    return loaded


def load(settings: Settings) -> None:
    build.load(settings, new_run(settings))


def notes(settings: Settings) -> list[str]:
    (record,) = run_records(settings.store, "ingest_test")
    return record.facts(LandFacts).notes


def test_a_session_that_had_not_closed_has_no_close(tmp_path: Path) -> None:
    """Five past ten in New York. The row is set aside by name, and no symbol without it is quarantined."""
    closes = {"AAPL": "239", "MSFT": "393", "0700.HK": "544"}
    days = ["2026-03-23", "2026-03-24", "2026-03-25"]
    rows = [f"{symbol},{day},{close}," for symbol, close in closes.items() for day in days]
    settings = deliver(
        tmp_path,
        *rows,
        "0700.HK,2026-03-26,545,",
        "AAPL,2026-03-26,999,",
        header="symbol,date,close,volume",
        rates_of="2026-03-25",
        exported_at="2026-03-26T14:05:00+00:00",
    )
    assert [batch.end for market in ("us", "hk") for batch in plan_prices(settings, market, date(2026, 3, 26), TriggerParams())] == [
        date(2026, 3, 25),
        date(2026, 3, 26),
    ]  # fmt: skip
    judge(settings)
    assert ask_warehouse(settings, REJECTED) == [
        ("AAPL", "2026-03-26", "its session had not closed when it was fetched")
    ]
    assert ask_warehouse(settings, "select distinct verdict from raw.unit_verdicts where dataset = 'prices'") == [
        ("accepted",)
    ]
    assert ask_warehouse(settings, "select symbol, close from raw.prices where date = '2026-03-26'") == [
        ("0700.HK", 545.0)
    ]


def test_a_split_of_a_session_under_way_counts(tmp_path: Path) -> None:
    """It is known before the open, and the closes before it are of its basis already."""
    settings = deliver(
        tmp_path,
        "AAPL,2026-03-25,238,USD,0",
        "AAPL,2026-03-26,999,USD,4",
        header=f"{HEADER},Stock Splits",
        exported_at="2026-03-26T14:05:00+00:00",
    )
    load(settings)
    assert ask_warehouse(settings, "select date::varchar, action, value from raw.corporate_actions") == [
        ("2026-03-26", "split", 4.0)
    ]
    assert ask_warehouse(settings, "select date::varchar from raw.prices") == [("2026-03-25",)]


def test_what_cannot_be_read_is_rejected_by_name(tmp_path: Path) -> None:
    settings = deliver(
        tmp_path,
        "0700.HK,2025-03-05,543,HKD",
        "0700.HK,2025-03-06,five,HKD",
        "0700.HK,07/03/2025,544,HKD",
        "0700.HK,2025-03-04,542,HKD",
        "700.HK,2025-03-06,544,HKD",
        ",2025-03-06,544,HKD",
        "AAPL,2025-03-06",
        exported_at="2025-03-08",
    )
    load(settings)
    assert ask_warehouse(settings, "select date::varchar, close from raw.prices order by date") == [
        ("2025-03-04", 542.0),
        ("2025-03-05", 543.0),
    ]
    assert ask_warehouse(settings, REJECTED) == [
        ("0700.HK", "2025-03-06", "no close; close is 'five', which is not a number such as 1101.5"),
        ("0700.HK", None, "no date; date is '07/03/2025', which is not a date such as 2025-03-07"),
        ("700.HK", "2025-03-06", "unknown symbol; did you mean 0700.HK?"),
        ("AAPL", None, "no date; no close; no currency; the line has 2 values, and the header has 4"),
        (None, "2025-03-06", "no symbol"),
    ]
    assert [note for note in notes(settings) if "line 3 (0700.HK): close is 'five'" in note and "and 2 more" in note]


def test_the_name_of_a_data_folder_changes_nothing(tmp_path: Path) -> None:
    """Its parts are no columns. What would be a pattern is refused as a data folder (``test_paths_and_encodings``)."""
    folder = tmp_path / "currency=USD" / "rate=7.5" / "as_of=2025-03-01" / "a b é"
    rows = ("0700.HK,2025-03-05,543,HKD", "0700.HK,2025-03-06,544,HKD")
    settings = deliver(folder, *rows, exported_at="2025-03-08")
    corrected = deliver(folder, rows[0], rows[1].replace("544", "545"), exported_at="2025-03-07")
    load(settings)
    assert ask_warehouse(settings, "select distinct close, currency from raw.prices order by close") == [
        (543.0, "HKD"), (544.0, "HKD"), (545.0, "HKD"),
    ]  # fmt: skip
    assert ask_warehouse(settings, REJECTED) == []
    assert ask_warehouse(settings, "select distinct rate from raw.fx_rates") == [(7.77,)]
    outranked = [record.facts(LandFacts).outranked for record in run_records(corrected.store, "ingest_test")]
    assert sorted(below.rows for below in outranked if below) == [1]


def test_each_symbol_lands_as_before_whatever_the_batches(tmp_path: Path) -> None:
    rows = ("0700.HK,2025-03-05,543,HKD", "9988.HK,2025-03-05,130,HKD", "AAPL,2025-03-05,238,USD")
    settings = deliver(tmp_path, *rows, exported_at="2025-03-08", batch_size=1)
    landed = [window for _, window in LandingIndex(settings.store).windows(Dataset.PRICES)]
    assert sorted((window.symbol, window.rows, window.address) for window in landed) == [
        ("0700.HK", 1, "prices.csv"),
        ("9988.HK", 1, "prices.csv"),
        ("AAPL", 1, "prices.csv"),
    ]
    assert len(list((settings.store.landing / "prices").glob("*.parquet"))) > 3

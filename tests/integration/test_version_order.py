"""Which of two deliveries counts: the one fetched later, and of one fetch time the one that landed later."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include import build
from include.errors import TitansError
from include.ingest.fetch import fetch_batch
from include.ingest.outranked import outranked
from include.ingest.plan import TriggerParams, plan_prices
from include.ingest.summary import summarise
from include.landing.batches import BatchKey, BatchManifest, FetchWindow, land, read_manifest
from include.landing.index import LandingIndex
from include.raw.store import open_warehouse
from include.raw.units import QuarantinedUnit
from include.runs.facts import CheckRawFacts, LandFacts, PlanFacts
from include.runs.records import RunRecord
from include.runs.releases import kept_out, record_release
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.sources.base import SCHEMAS, Dataset, Extract
from tests.pipeline import THOROUGH, ask_warehouse, load_and_judge, new_run, write_csv

MONDAY = date(2025, 3, 3)
EXPORTED = datetime(2025, 3, 8, 23, 59, 59, tzinfo=UTC)
LATEST = """
    select close from raw.prices
    qualify row_number() over (partition by symbol, date order by fetched_at desc, landed_at desc) = 1"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path))


def land_close(settings: Settings, close: float, run_id: str, fetched_at: datetime = EXPORTED) -> Path:
    """A delivery of one close of one day, as an ingest task lands it."""
    row: dict[str, Any] = {
        "symbol": "0700.HK", "date": MONDAY, "close": close, "currency": "HKD", "basis_date": MONDAY,
    }  # fmt: skip
    window = FetchWindow(symbol="0700.HK", start=MONDAY, end=MONDAY, rows=1, first=MONDAY, last=MONDAY)
    extract = Extract(pa.Table.from_pylist([row], schema=SCHEMAS[Dataset.PRICES]), fetched_at)
    return land(settings.store, BatchKey(Dataset.PRICES, "hk", 1, run_id, 1), extract, [window])


def load(settings: Settings) -> None:
    """Landing to raw: which version counts is decided there."""
    build.load(settings, new_run(settings))


def forget_landing_time(path: Path) -> None:
    """Turn a landing file into one of a version that did not note when it landed; its own time stays."""
    kept = path.stat()
    table = pq.read_table(path)
    story = json.loads(table.schema.metadata[b"titans"])
    for later in ("landed_at", "content_hash", "sha256"):
        del story[later]
    pq.write_table(table.replace_schema_metadata({b"titans": json.dumps(story).encode()}), path)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))


@pytest.mark.parametrize("attempt", range(8 if THOROUGH else 4))
def test_of_one_export_time_the_delivery_that_landed_later_counts(settings: Settings, attempt: int) -> None:
    """Also in a warehouse that is rebuilt. The name of the run, whose hash names the file, makes no difference."""
    land_close(settings, 500.0, f"first of {attempt}")
    land_close(settings, 510.0, f"second of {attempt}")
    for _ in range(2):
        load(settings)
        assert ask_warehouse(settings, LATEST) == [(510.0,)]
        settings.store.warehouse.unlink()


FX = ("base_currency,quote_currency,date,rate", "USD,HKD,2025-03-06,7.77")
FIRST, SECOND = ("0700.HK,2025-03-05,500,HKD", "0700.HK,2025-03-06,505,HKD"), ("0700.HK,2025-03-05,501,HKD", "0700.HK,2025-03-06,505,HKD")  # fmt: skip


def deliver(folder: Path, rows: tuple[str, ...], **settings: object) -> tuple[Settings, RunRecord]:
    """Ingest the prices of a folder of files; returns the run's record too."""
    write_csv(folder / "prices.csv", "symbol,date,close,currency", *rows)
    write_csv(folder / "fx_rates.csv", *FX)
    loaded = load_settings(source="files", files_dir=str(folder), data_dir=str(folder / "data"), **settings)
    run = new_run(loaded, "ingest_prices_hk")
    wanted = TriggerParams(symbols=("0700.HK",))
    with run.step("plan") as step:
        step.facts = PlanFacts(batches=plan_prices(loaded, "hk", date(2025, 3, 7), wanted))
    for batch in step.facts.batches:
        fetch_batch(loaded, batch, run, attempt=1, is_last_attempt=True)
    summarise(loaded.store, run, date(2025, 3, 7))
    return loaded, run.finish("2025-03-07")


def test_without_a_time_the_delivery_that_lands_later_counts(tmp_path: Path) -> None:
    """The first is of 8 March by its EXPORTED_AT, the second corrects it and says no time."""
    deliver(tmp_path, FIRST, exported_at="2025-03-08")
    settings, record = deliver(tmp_path, SECOND)
    assert record.facts(LandFacts).outranked is None
    load_and_judge(settings)
    assert ask_warehouse(settings, f"{LATEST} order by date") == [(501.0,), (505.0,)]
    known = ask_warehouse(settings, "select known_from::date from raw.prices where close = 501")
    assert known == [(datetime.now(UTC).date(),)]


def test_a_delivery_that_ranks_below_what_is_stored_says_so(tmp_path: Path) -> None:
    """At once, with the rows that it would have changed: one of two."""
    deliver(tmp_path, FIRST, exported_at="2025-03-08")
    _, record = deliver(tmp_path, SECOND, exported_at="2025-03-07")
    below = record.facts(LandFacts).outranked
    assert below is not None
    assert below.rows == 1
    assert below.text == (
        "This delivery counts from 2025-03-07 23:59 UTC and so ranks below what is stored, which counts from "
        "2025-03-08 23:59: 1 of its rows differ from that and change nothing. If it is the later one, deliver it with "
        "the EXPORTED_AT of its export."
    )
    assert [step.message for step in record.steps if step.step.startswith(("fetch", "land"))] == [below.text] * 2


@pytest.mark.parametrize(
    ("stored", "delivered", "rows"),
    [
        ({"close": 500.0, "dividend": 0.0, "split_ratio": 1.0}, {"close": 500.0}, 0),
        ({"close": 500.0}, {"close": 500.0, "dividend": 0.0, "dividend_currency": "HKD", "split_ratio": 0.0}, 0),
        ({"close": 500.0}, {"close": 500.0, "dividend": 1.5}, 1),
        ({"close": 500.0, "split_ratio": 4.0}, {"close": 500.0}, 1),
        ({"close": 0.0}, {"close": 500.0}, 0),
        ({"close": None}, {"close": 500.0}, 0),
        ({"close": 500.0}, {"close": 0.0}, 0),
        ({"close": 501.0}, {"close": 500.0}, 1),
    ],
    ids=["a split of one", "no dividend", "a dividend", "a split", "a zero above", "no close above", "a zero below", "a close"],
)  # fmt: skip
def test_what_would_change_nothing_counts_as_no_row(
    settings: Settings, stored: dict[str, Any], delivered: dict[str, Any], rows: int
) -> None:
    """Values that say the same, and rows that are rejected, on either side."""
    land_rows(settings, EXPORTED, {"date": MONDAY, "basis_date": MONDAY, **stored})
    assert rows_outranked(settings, {"date": MONDAY, "basis_date": MONDAY, **delivered}) == rows


def extract_of(dataset: Dataset, fetched_at: datetime, *rows: dict[str, Any]) -> Extract:
    constant = {"symbol": "0700.HK"} | ({"currency": "HKD"} if dataset is Dataset.PRICES else {})
    return Extract(pa.Table.from_pylist([constant | row for row in rows], schema=SCHEMAS[dataset]), fetched_at)


def land_rows(
    settings: Settings, fetched_at: datetime, *rows: dict[str, Any], dataset: Dataset = Dataset.PRICES
) -> BatchManifest:
    """A delivery of one symbol, as an ingest task lands it."""
    window = FetchWindow(symbol="0700.HK", start=MONDAY, end=MONDAY, rows=len(rows), first=MONDAY, last=MONDAY)
    key = BatchKey(dataset, "hk", 1, f"{dataset} of {fetched_at}", 1)
    return read_manifest(land(settings.store, key, extract_of(dataset, fetched_at, *rows), [window]))


def rows_outranked(settings: Settings, *rows: dict[str, Any], dataset: Dataset = Dataset.PRICES) -> int | None:
    """How many rows of a delivery of the day before ``EXPORTED`` differ from what is stored; None if none ranks above it."""
    below = outranked(
        LandingIndex(settings.store),
        dataset,
        extract_of(dataset, EXPORTED - timedelta(days=1), *rows),
        datetime.now(UTC),
        ["0700.HK"],
        lambda: kept_out(settings.store),
        load_reference(settings.seeds_dir).vendor_corrections,
        settings.limits,
    )
    return below.rows if below else None


def quarantine(settings: Settings, batch: BatchManifest) -> None:
    """As a build records it whose gate 1 kept the unit out."""
    run = new_run(settings)
    with run.step("check_raw") as step:
        unit = QuarantinedUnit(batch_id=batch.batch_id, dataset=batch.dataset, symbol="0700.HK", reasons=["why"])
        step.facts = CheckRawFacts(quarantined=[unit])
    run.finish("2025-03-07")


def test_what_is_in_quarantine_ranks_above_nothing(settings: Settings) -> None:
    """Also where a later build found it healed; until a person lets it in."""
    wrong = land_rows(settings, EXPORTED, {"date": MONDAY, "basis_date": MONDAY, "close": 5.0})
    row = {"date": MONDAY, "basis_date": MONDAY, "close": 500.0}
    assert rows_outranked(settings, row) == 1
    quarantine(settings, wrong)
    assert rows_outranked(settings, row) is None
    new_run(settings).finish("2025-03-07")
    assert rows_outranked(settings, row) is None
    record_release(settings.store, wrong.batch_id, "0700.HK", "it is right")
    assert rows_outranked(settings, row) == 1


FRIDAY = date(2025, 3, 7)


def prices_on(basis: date, ratio: float = 1.0, factor: float = 1.0) -> list[dict[str, Any]]:
    """Monday's row on a basis, and Friday's with its split, if the basis is of then."""
    row = {"close": 500.0, "high": 501.0, "dividend": 2.0, "dividend_currency": "HKD"}
    monday = {name: value / ratio if isinstance(value, float) else value for name, value in row.items()}
    monday = {
        "date": MONDAY,
        "basis_date": basis,
        **monday,
        "close": 500.0 / ratio * factor,
        "volume": round(1001 * ratio),
    }
    return [monday, {"date": FRIDAY, "basis_date": basis, "close": 130.0, "split_ratio": 4.0}][: 1 + (basis == FRIDAY)]


@pytest.mark.parametrize(
    ("stored", "delivered", "rows"),
    [
        (prices_on(FRIDAY, 4.0), prices_on(MONDAY), 0),
        (prices_on(FRIDAY, 4.0, factor=1.01), prices_on(MONDAY), 1),
        (prices_on(FRIDAY, 1.0), prices_on(MONDAY), 1),
        (prices_on(MONDAY), prices_on(FRIDAY, 4.0), 0),
        (prices_on(MONDAY, factor=1 + 1e-8), prices_on(MONDAY), 0),
    ],
    ids=["one value", "another value", "one number, and so another value", "a split of the delivery itself", "rounding"],
)  # fmt: skip
def test_two_split_bases_of_one_value_are_no_difference(
    settings: Settings, stored: list[dict[str, Any]], delivered: list[dict[str, Any]], rows: int
) -> None:
    """Four shares for one on Friday: 500 before and 125 after are one close."""
    land_rows(settings, EXPORTED, *stored)
    assert rows_outranked(settings, *delivered) == rows


def test_shares_and_estimates_are_compared_by_the_splits_of_prices(settings: Settings) -> None:
    """A split in quarantine is none."""
    split = land_rows(settings, EXPORTED, *prices_on(FRIDAY, 4.0))
    shares = {"as_of": MONDAY, "shares_outstanding": 400.0, "share_class": "all"}
    estimate = {
        "as_of": MONDAY, "metric": "eps", "period_type": "annual", "period_end": date(2025, 12, 31), "mean": 2.0, "low": 1.0, "currency": "HKD",
    }  # fmt: skip
    land_rows(settings, EXPORTED, {**shares, "basis_date": FRIDAY}, dataset=Dataset.SHARES)
    land_rows(settings, EXPORTED, {**estimate, "basis_date": FRIDAY}, dataset=Dataset.ESTIMATES)
    before = [
        (Dataset.SHARES, {**shares, "basis_date": MONDAY, "shares_outstanding": 100.0}),
        (Dataset.ESTIMATES, {**estimate, "basis_date": MONDAY, "mean": 8.0, "low": 4.0}),
    ]
    assert [rows_outranked(settings, row, dataset=dataset) for dataset, row in before] == [0, 0]
    quarantine(settings, split)
    assert [rows_outranked(settings, row, dataset=dataset) for dataset, row in before] == [1, 1]


def test_a_landing_is_later_than_all_before_it_whatever_the_clock_says(settings: Settings) -> None:
    ahead = datetime.now(UTC) + timedelta(days=400)
    extract = Extract(SCHEMAS[Dataset.PRICES].empty_table(), EXPORTED)
    land(settings.store, BatchKey(Dataset.PRICES, "hk", 1, "clock ahead", 1), extract, [], landed_at=ahead)
    assert LandingIndex(settings.store).next_landing(Dataset.PRICES) > ahead


@pytest.mark.parametrize("attempt", range(4 if THOROUGH else 2))
def test_files_of_earlier_versions_landed_when_they_were_written(settings: Settings, attempt: int) -> None:
    """That is noted once: copying the folder, which gives all files other times, changes no order."""
    paths = [land_close(settings, close, f"{close} of {attempt}") for close in (500.0, 510.0)]
    for path in paths:
        forget_landing_time(path)
    assert all(b'"landed_at"' not in pq.read_schema(path).metadata[b"titans"] for path in paths)
    load(settings)
    assert ask_warehouse(settings, LATEST) == [(510.0,)]
    os.utime(paths[0])
    settings.store.warehouse.unlink()
    load(settings)
    assert ask_warehouse(settings, LATEST) == [(510.0,)]


def test_a_later_delivery_is_appended_again_only_as_it_landed(settings: Settings) -> None:
    """A delivery from in between has it read once more: an edited file became the latest version."""
    later = land_close(settings, 510.0, "later", EXPORTED + timedelta(days=2))
    load_and_judge(settings)
    rows = pq.read_table(later)
    pq.write_table(rows.set_column(rows.schema.get_field_index("close"), "close", pa.array([666.0])), later)
    land_close(settings, 500.0, "between", EXPORTED + timedelta(days=1))
    with pytest.raises(TitansError, match=rf"{later.name} does not hold what landed in it"):
        load_and_judge(settings)
    assert ask_warehouse(settings, LATEST) == [(510.0,)]


def test_files_of_one_time_get_two_landing_times(settings: Settings) -> None:
    paths = [land_close(settings, close, f"run {close}") for close in (500.0, 510.0)]
    for path in paths:
        forget_landing_time(path)
        os.utime(path, ns=(10**18, 10**18))
    versions = [manifest.version for _, manifest in LandingIndex(settings.store).batches()]
    assert versions[0] < versions[1]
    assert versions == [manifest.version for _, manifest in LandingIndex(settings.store).batches()]


def test_a_damaged_record_of_landing_times_is_named(settings: Settings) -> None:
    forget_landing_time(land_close(settings, 500.0, "run"))
    (settings.store.landing / "early_files.json").write_bytes(b"\xff{")
    with pytest.raises(
        TitansError, match=r"early_files\.json cannot be read .* in which order older deliveries landed"
    ):
        LandingIndex(settings.store).batches()


def test_a_warehouse_of_the_layout_before_is_refused(settings: Settings) -> None:
    """Before anything in it is touched, with what to do."""
    settings.store.root.mkdir()
    with duckdb.connect(str(settings.store.warehouse)) as connection:
        connection.execute("create schema meta; create schema raw")
        connection.execute("create table meta.store as select 'sample' as source, 2 as schema_version")
        connection.execute("create table raw.fetch_windows (batch_id varchar, fetched_at timestamp)")
    with (
        pytest.raises(
            TitansError, match="has layout 2, this version writes layout 3: move the file away and run again"
        ),
        open_warehouse(settings.store),
    ):
        pass

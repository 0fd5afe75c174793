"""Landing files: immutable, whole, and telling their own story."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import TitansError
from include.landing.batches import FetchWindow, check_content, land, landed, last_dates, read_manifest
from include.settings import Settings, load_settings
from include.sources.base import SCHEMAS, Dataset, Extract


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path))


def fx_extract(rate: float, day: date = date(2025, 3, 7)) -> Extract:
    rows = [{"base_currency": "USD", "quote_currency": "HKD", "date": day, "rate": rate}]
    return Extract(pa.Table.from_pylist(rows, schema=SCHEMAS[Dataset.FX_RATES]), datetime(2025, 3, 8, tzinfo=UTC))


def land_fx(
    settings: Settings, run_id: str = "run", attempt: int = 1, rate: float = 7.77, day: date = date(2025, 3, 7)
) -> Path:
    window = FetchWindow(symbol="USDHKD", start=None, end=date(2025, 3, 7), rows=1, first=day, last=day)
    return land(settings, Dataset.FX_RATES, "fx", 1, run_id, attempt, fx_extract(rate, day), [window])


def test_manifest_travels_in_the_file(settings: Settings) -> None:
    manifest = read_manifest(land_fx(settings))
    assert (manifest.source, manifest.dataset, manifest.group, manifest.attempt) == ("sample", "fx_rates", "fx", 1)
    assert manifest.windows[0].last == date(2025, 3, 7)
    assert manifest.fetched_at == datetime(2025, 3, 8, tzinfo=UTC)


def test_a_file_of_the_first_layout_is_still_read(settings: Settings) -> None:
    path = land_fx(settings)
    table = pq.read_table(path)
    story = json.loads(table.schema.metadata[b"titans"])
    del story["failures"]
    story["windows"] = [
        {key: window[key] for key in ("symbol", "start", "end", "rows", "first", "last")} for window in story["windows"]
    ]
    pq.write_table(table.replace_schema_metadata({b"titans": json.dumps(story).encode()}), path)
    manifest = read_manifest(path)
    assert (manifest.windows[0].rows, manifest.windows[0].content_hash, manifest.failures) == (1, None, [])
    check_content(path, manifest)


def test_landing_the_same_attempt_again_changes_nothing(settings: Settings) -> None:
    first = land_fx(settings, rate=7.77)
    content = first.read_bytes()
    assert land_fx(settings, rate=9.99) == first
    assert first.read_bytes() == content


def test_another_attempt_is_another_file(settings: Settings) -> None:
    assert land_fx(settings, attempt=1) != land_fx(settings, attempt=2)


def test_no_partial_file_is_ever_listed(settings: Settings) -> None:
    path = land_fx(settings)
    (path.parent / ".half.tmp").write_bytes(b"PAR1")
    assert [file for file, _ in landed(settings)] == [path]


def test_a_foreign_file_is_named(settings: Settings) -> None:
    path = land_fx(settings)
    pq.write_table(pa.table({"a": [1]}), path.parent / "foreign.parquet")
    with pytest.raises(TitansError, match=r"foreign\.parquet cannot be read .*move it away"):
        list(landed(settings))


def test_last_dates_pass_over_quarantined_units(settings: Settings) -> None:
    land_fx(settings, run_id="old", day=date(2025, 3, 5))
    newer = read_manifest(land_fx(settings, run_id="new", day=date(2025, 3, 7)))
    assert last_dates(settings, Dataset.FX_RATES) == {"USDHKD": date(2025, 3, 7)}
    assert last_dates(settings, Dataset.FX_RATES, [(newer.batch_id, "USDHKD")]) == {"USDHKD": date(2025, 3, 5)}

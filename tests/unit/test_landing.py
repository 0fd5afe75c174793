"""Landing files: immutable, whole, and telling their own story."""

from __future__ import annotations

import errno
import json
import random
import shutil
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import Runbook, TitansError
from include.landing import batches
from include.landing.batches import BatchKey, BatchManifest, FetchWindow, checked_rows, land, read_manifest
from include.landing.index import LandingIndex
from include.landing.parts import kept_parts, land_leftovers
from include.landing.retention import record_kept_from
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
    key = BatchKey(Dataset.FX_RATES, "fx", 1, run_id, attempt)
    return land(settings.store, key, fx_extract(rate, day), [window])


def test_manifest_travels_in_the_file(settings: Settings) -> None:
    manifest = read_manifest(land_fx(settings))
    assert (manifest.source, manifest.dataset, manifest.group, manifest.attempt) == ("sample", "fx_rates", "fx", 1)
    assert manifest.windows[0].last == date(2025, 3, 7)
    assert manifest.fetched_at == datetime(2025, 3, 8, tzinfo=UTC)


def test_a_file_of_the_first_layout_is_still_read(settings: Settings) -> None:
    path = land_fx(settings)
    table = pq.read_table(path)
    story = json.loads(table.schema.metadata[b"titans"])
    for later in ("failures", "content_hash", "sha256"):
        del story[later]
    story["windows"] = [
        {key: window[key] for key in ("symbol", "start", "end", "rows", "first", "last")} for window in story["windows"]
    ]
    pq.write_table(table.replace_schema_metadata({b"titans": json.dumps(story).encode()}), path)
    manifest = read_manifest(path)
    assert (manifest.windows[0].rows, manifest.windows[0].content_hash, manifest.failures) == (1, None, [])
    assert checked_rows(path, manifest).num_rows == 1


def flip(data: bytes, bit: int) -> bytes:
    return b"%b%c%b" % (data[: bit // 8], data[bit // 8] ^ 1 << bit % 8, data[bit // 8 + 1 :])


def test_one_bit_of_the_fetch_time_is_noticed(settings: Settings) -> None:
    """2025 became 2035 and outranked every later delivery for ten years."""
    path = land_fx(settings)
    content = path.read_bytes()
    place = content.index(b'"fetched_at": "2025') + len(b'"fetched_at": "20')
    changed = flip(content, 8 * place)
    assert b'"fetched_at": "2035' in changed
    path.write_bytes(changed)
    with pytest.raises(TitansError, match=rf"{path.name} cannot be read .*does not hash to what was written") as caught:
        LandingIndex(settings.store).batches()
    assert caught.value.runbook is Runbook.BAD_INPUT


def test_a_row_of_no_asked_symbol_is_hashed_too(settings: Settings) -> None:
    path = land_fx(settings)
    manifest = read_manifest(path)
    foreign = {"base_currency": "USD", "quote_currency": "CNY", "date": date(2025, 3, 7), "rate": 7.2}
    more = pa.Table.from_pylist([*checked_rows(path, manifest).to_pylist(), foreign], schema=SCHEMAS[Dataset.FX_RATES])
    pq.write_table(more.replace_schema_metadata(pq.read_schema(path).metadata), path)
    with pytest.raises(TitansError, match="does not hold what landed in it"):
        checked_rows(path, manifest)


def test_a_file_of_an_early_version_gets_its_hashes_once(settings: Settings) -> None:
    """Manifest and rows, the first time that this version reads it."""
    path = land_fx(settings)
    table = pq.read_table(path)
    story = json.loads(table.schema.metadata[b"titans"])
    for later in ("landed_at", "content_hash", "sha256"):
        del story[later]

    def write(day: str, rate: float) -> None:
        of_day = json.dumps(story | {"fetched_at": day}).encode()
        rows = table.set_column(3, "rate", pa.array([rate]))
        pq.write_table(rows.replace_schema_metadata({b"titans": of_day}), path)

    write("2025-03-08T00:00:00Z", 7.77)
    (first,) = LandingIndex(settings.store).batches()
    assert checked_rows(*first)["rate"].to_pylist() == [7.77]
    write("2035-03-08T00:00:00Z", 7.77)
    with pytest.raises(TitansError, match=rf"manifest of landing file .*{path.name} was changed"):
        LandingIndex(settings.store).batches()
    write("2025-03-08T00:00:00Z", 7.78)
    with pytest.raises(TitansError, match="does not hold what landed in it"):
        checked_rows(*LandingIndex(settings.store).batches()[0])


def test_a_damaged_file_does_not_stop_what_fetches_anew(settings: Settings) -> None:
    """An estimate that is not fetched today cannot be fetched tomorrow. What the file held is asked for again."""
    good = land_fx(settings, run_id="good", day=date(2025, 3, 5))
    bad = land_fx(settings, run_id="bad", day=date(2025, 3, 7))
    bad.write_bytes(bad.read_bytes()[:-20])
    fetching = LandingIndex(settings.store, passes_over_damaged=True)
    assert [path for path, _ in fetching.batches()] == [good]
    assert fetching.last_dates(Dataset.FX_RATES) == {"USDHKD": date(2025, 3, 5)}
    with pytest.raises(TitansError, match=bad.name):
        LandingIndex(settings.store).batches()


def test_a_file_under_another_name_is_refused(settings: Settings) -> None:
    path = land_fx(settings)
    path.rename(path.with_name("another.parquet"))
    with pytest.raises(TitansError, match=r"another\.parquet is fx_rates-fx-001.*renamed or moved"):
        LandingIndex(settings.store).batches()


def test_any_flipped_bit_is_named_or_changes_nothing(settings: Settings) -> None:
    path = land_fx(settings)

    def read() -> list[tuple[BatchManifest, pa.Table]]:
        return [(manifest, checked_rows(path, manifest)) for path, manifest in LandingIndex(settings.store).batches()]

    whole, content, luck, named = read(), path.read_bytes(), random.Random(1), 0
    for _ in range(150):
        path.write_bytes(flip(content, luck.randrange(8 * len(content))))
        try:
            assert read() == whole
        except TitansError as error:
            named += path.name in str(error)
    assert named > 50


def test_no_free_descriptor_is_no_damaged_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good file must not be moved away."""
    path = land_fx(settings)

    def refused(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(pq, "read_metadata", refused)
    with pytest.raises(TitansError, match=r"Too many open files.*ulimit -n") as caught:
        LandingIndex(settings.store).batches()
    assert "move it away" not in str(caught.value)


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
    assert [file for file, _ in LandingIndex(settings.store).batches()] == [path]


def test_a_foreign_file_is_named(settings: Settings) -> None:
    path = land_fx(settings)
    pq.write_table(pa.table({"a": [1]}), path.parent / "foreign.parquet")
    with pytest.raises(TitansError, match=r"foreign\.parquet cannot be read .*move it away"):
        LandingIndex(settings.store).batches()


def test_last_dates_pass_over_quarantined_units(settings: Settings) -> None:
    land_fx(settings, run_id="old", day=date(2025, 3, 5))
    newer = read_manifest(land_fx(settings, run_id="new", day=date(2025, 3, 7)))
    landing = LandingIndex(settings.store)
    assert landing.last_dates(Dataset.FX_RATES) == {"USDHKD": date(2025, 3, 7)}
    assert landing.last_dates(Dataset.FX_RATES, [(newer.batch_id, "USDHKD")]) == {"USDHKD": date(2025, 3, 5)}


def test_footers_are_read_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those of the dataset asked for, and a later file needs a new index."""
    land_fx(settings, run_id="old")
    read: list[Path] = []

    def noted(path: Path) -> BatchManifest:
        read.append(path)
        return read_manifest(path)

    monkeypatch.setattr("include.landing.index.read_manifest", noted)
    landing = LandingIndex(settings.store)
    assert (landing.batches(Dataset.PRICES), read) == ([], [])
    (old,) = landing.batches(Dataset.FX_RATES)
    new = land_fx(settings, run_id="new")
    assert landing.batches() == [old]
    assert landing.last_dates(Dataset.FX_RATES) == {"USDHKD": date(2025, 3, 7)}
    assert read == [old.path]
    assert {batch.path for batch in LandingIndex(settings.store).batches()} == {old.path, new}


def test_batches_are_listed_oldest_fetch_first(settings: Settings) -> None:
    """Of several datasets too, in whatever order they landed."""
    for dataset, day in ((Dataset.PRICES, 8), (Dataset.FX_RATES, 7), (Dataset.PRICES, 6)):
        extract = Extract(SCHEMAS[dataset].empty_table(), datetime(2025, 3, day, tzinfo=UTC))
        land(settings.store, BatchKey(dataset, "all", 1, f"run{day}", 1), extract, [])
    landing = LandingIndex(settings.store)
    assert [manifest.run_id for _, manifest in landing.batches()] == ["run6", "run7", "run8"]
    ((_, of_rates),) = landing.batches(Dataset.FX_RATES)
    assert of_rates.fetched_at == datetime(2025, 3, 7, tzinfo=UTC)
    assert landing.batches(Dataset.SHARES) == []


def test_the_name_of_a_file_says_its_batch() -> None:
    key = BatchKey(Dataset.PRICES, "us", 2, "ingest.manual__1", 3)
    name = key.batch_id(datetime(2025, 3, 8, 7, 30, tzinfo=timezone(timedelta(hours=8))))
    # The hash is that of "ingest.manual__1|3", by sha256sum.
    assert name == "prices-us-002-20250307T233000000000Z-c5fc63d5"


def test_a_file_of_another_source_is_refused(settings: Settings) -> None:
    path = land_fx(settings)
    other = settings.model_copy(update={"source": "yahoo"}).store
    (other.landing / "fx_rates").mkdir(parents=True)
    shutil.copy(path, other.landing / "fx_rates")
    with pytest.raises(
        TitansError, match="is of source sample, in the store of yahoo: simulated and real rows never meet"
    ):
        LandingIndex(other).batches()


def test_a_damaged_answer_of_an_interrupted_batch_costs_no_other(settings: Settings) -> None:
    """Every later ingest run of the dataset was red, and the good answers never landed."""
    key = BatchKey(Dataset.FX_RATES, "fx", 1, "run", 1)
    days = (date(2025, 3, 5), date(2025, 3, 6), date(2025, 3, 7))
    with suppress(KeyboardInterrupt), kept_parts(settings.store, key) as parts:
        for day in days:
            window = FetchWindow(symbol="USDHKD", start=None, end=day, rows=1, first=day, last=day)
            parts.keep(fx_extract(7.77, day), [window])
        raise KeyboardInterrupt
    first, *_ = sorted(settings.store.landing.rglob("*.parquet"))
    first.write_bytes(b"no Parquet")
    land_leftovers(settings.store, key)
    ((_, manifest),) = LandingIndex(settings.store).batches()
    assert [window.last for window in manifest.windows] == list(days[1:])
    assert not first.parent.exists()


def test_a_file_that_lands_while_older_ones_are_let_go_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what is kept and the writing of the file."""
    real = batches.write_batch

    def paused(path: Path, table: pa.Table, manifest: BatchManifest) -> None:
        real(path, table, manifest)
        record_kept_from(settings.store, datetime(2025, 6, 1, tzinfo=UTC))

    monkeypatch.setattr(batches, "write_batch", paused)
    with pytest.raises(TitansError, match="has let landing files of before 2025-06-01 00:00 go"):
        land_fx(settings)
    assert LandingIndex(settings.store).batches() == []

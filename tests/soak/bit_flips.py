"""One bit flipped in any file of a data folder: what people read, which version counts and what is held stay.

Or a sentence names the file.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from include.errors import TitansError
from include.files import write_whole
from include.landing.batches import BatchKey, checked_rows, fetch_windows, land
from include.landing.index import LandingIndex
from include.landing.retention import kept_from, record_kept_from
from include.production import Production, read_production
from include.publishing import generations
from include.publishing.rollback import roll_back
from include.raw.units import QuarantinedUnit
from include.runs.facts import CheckRawFacts
from include.runs.pins import pin_run, settings_of_run
from include.runs.records import Run
from include.runs.releases import quarantined_units, quarantines, record_release, releases
from include.sealed import seal
from include.settings import Settings
from include.sources.base import SCHEMAS, Dataset, Extract, Window
from tests.soak.publisher import publish_for, settings_of
from tests.soak.tally import Tally
from titans.commands.status import status_lines

DAYS = [date(2025, 3, day) for day in range(3, 8)]
NOW = datetime(2025, 3, 10, tzinfo=UTC)


def make_folder(folder: Path) -> Settings:
    """A data folder with a file of each kind.

    Landing files of this and an early version, records, releases, a pin, a hold, the memory of the source, generations.
    """
    for _ in range(2):
        publish_for(folder, 0.01, 0)
    settings = settings_of(folder)
    for number in range(3):
        path = _land(settings, number)
        if number == 0:
            make_early(path)
    run = Run(settings.store, "build_marts", "first")
    with run.step("check_raw") as step:
        units = [
            QuarantinedUnit(batch_id="b", dataset="prices", symbol=symbol, reasons=["why"]) for symbol in ("A", "B")
        ]
        step.facts = CheckRawFacts(units=2, quarantined=units)
    run.finish("2025-03-07")
    record_release(settings.store, "b", "A", "looked at it")
    under_way = Run(settings.store, "build_marts", "second")
    pin_run(settings, under_way)
    with under_way.step("load"):
        pass
    record_kept_from(settings.store, datetime(2025, 1, 1, tzinfo=UTC))
    roll_back(settings.published, None)
    served = Production(source="sample", since=NOW)
    write_whole(settings.published.production, seal(served))
    look(settings)  # what is noted of early files is noted now
    return settings


def _land(settings: Settings, number: int) -> Path:
    symbols = ["AAPL", "0700.HK"]
    rows = [
        {"symbol": symbol, "date": day, "close": 100.0 + number + day.day, "currency": "USD", "basis_date": day}
        for symbol in symbols
        for day in DAYS
    ]  # fmt: skip
    extract = Extract(
        pa.Table.from_pylist(rows, schema=SCHEMAS[Dataset.PRICES]), datetime(2025, 3, 8 + number, tzinfo=UTC)
    )
    windows = fetch_windows(extract, Dataset.PRICES, symbols, Window(DAYS[0], DAYS[-1]), NOW)
    return land(settings.store, BatchKey(Dataset.PRICES, "us", 1, f"run{number}", 1), extract, windows)


def make_early(path: Path) -> None:
    """Make a landing file one of a version before hashes and times of landing."""
    table = pq.read_table(path)
    story = json.loads(table.schema.metadata[b"titans"])
    for later in ("landed_at", "content_hash", "sha256"):
        del story[later]
    pq.write_table(table.replace_schema_metadata({b"titans": json.dumps(story).encode()}), path)


def look(settings: Settings) -> tuple[dict[str, object], list[str]]:
    """What the project's own readers make of the folder, None where one refuses, and every sentence that they say."""
    store, published = settings.store, settings.published
    readers: dict[str, Callable[[], object]] = {
        "served values": partial(_served, published.link),
        "linked": lambda: generations.linked_generation(published),
        "hold": lambda: generations.hold(published),
        "generations": lambda: generations.manifests(published),
        "production": lambda: read_production(published.production),
        "versions": lambda: [
            (manifest.batch_id, manifest.version, checked_rows(path, manifest))
            for path, manifest in LandingIndex(store).batches()
        ],
        "kept from": lambda: kept_from(store),
        "quarantine": lambda: (quarantined_units(store), quarantines(store)),
        "releases": lambda: releases(store),
        "steps under way": lambda: Run(store, "build_marts", "second").steps(),
        "source under way": lambda: settings_of_run("build_marts", "second", data_dir=str(settings.data_dir)).source,
    }
    facts: dict[str, object] = {}
    sentences: list[str] = []
    for name, read in readers.items():
        try:
            facts[name] = read()
        except (TitansError, duckdb.Error) as error:
            facts[name] = None
            sentences.append(str(error))
    sentences += [step.message for step in Run(store, "build_marts", "second").steps()]
    return facts, sentences + [text for _, text in status_lines(settings, datetime.now(UTC))]


def _served(link: Path) -> list[object]:
    return _rows(link.resolve(), hashlib.sha256(link.read_bytes()).hexdigest())


@lru_cache(maxsize=1)
def _rows(link: Path, digest: str) -> list[object]:
    """Of the file with that digest: most flips leave it as it is."""
    with duckdb.connect(str(link), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() order by all"
        ).fetchall()
        return [connection.execute(f"select * from {table} order by all").fetchall() for (table,) in tables]


def flip_bits(folder: Path, flips: int, tally: Tally, luck: random.Random) -> None:
    """Flip one bit of one file, look, and flip it back; as many times as ``flips``. Findings go into ``tally``."""
    settings = make_folder(folder)
    before, _ = look(settings)
    files = {path: path.read_bytes() for path in _files(settings)}
    for path in files:
        path.chmod(0o644)
    for number in range(flips):
        path = luck.choice(list(files)) if number >= len(files) else list(files)[number]
        bit = luck.randrange(8 * len(files[path]))
        changed = bytearray(files[path])
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        where = f"bit {bit} of {path.relative_to(settings.data_dir)}"
        try:
            facts, sentences = look(settings)
            different = [name for name in before if facts[name] != before[name]]
            name_of_file = path.name if path.suffix == ".parquet" else str(path)
            is_named = any(name_of_file in sentence for sentence in sentences)
            if different and not is_named:
                tally.wrong.append(f"{where} changes {', '.join(different)}, and no sentence names the file")
            tally.done["flipped bits that a sentence named" if is_named else "flipped bits that changed nothing"] += 1
        except Exception as error:  # what a user would meet as a traceback
            tally.wrong.append(f"{where} ends in {type(error).__name__}: {error}")
        path.write_bytes(files[path])


def _files(settings: Settings) -> list[Path]:
    kept_out = {settings.store.warehouse, settings.published.lock, settings.data_dir / "newest"}
    found = sorted(path for path in settings.data_dir.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in found if path not in kept_out and path.stat().st_size and path.suffix != ".lock"]

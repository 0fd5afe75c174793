"""Landing files: one immutable Parquet file a batch, which appears by rename and carries its own story in its metadata."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from include.errors import TitansError
from include.settings import Settings
from include.sources.base import Dataset, Extract

_METADATA_KEY = b"titans"


class FetchWindow(BaseModel):
    """What was asked for one symbol, and what came: recorded even where nothing was new."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    start: date | None
    end: date
    rows: int
    first: date | None
    last: date | None


class BatchManifest(BaseModel):
    """The story of one landing file, stored in its Parquet metadata."""

    model_config = ConfigDict(frozen=True)

    batch_id: str
    source: str
    dataset: Dataset
    group: str
    run_id: str
    attempt: int
    fetched_at: datetime
    windows: list[FetchWindow]


def batch_id_of(dataset: Dataset, group: str, index: int, fetched_at: datetime, run_id: str, attempt: int) -> str:
    """``<dataset>-<group>-<index>-<UTC fetch time>-<hash of run and attempt>``: a repeated attempt of one run names the same file."""
    token = hashlib.sha256(f"{run_id}|{attempt}".encode()).hexdigest()[:8]
    return f"{dataset}-{group}-{index:03d}-{fetched_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{token}"


def land(
    settings: Settings, dataset: Dataset, group: str, index: int, run_id: str, attempt: int, extract: Extract, windows: list[FetchWindow]
) -> Path:
    """Write one batch; returns the file's path. A file that is already there is left as it is: landing files never change."""
    manifest = BatchManifest(
        batch_id=batch_id_of(dataset, group, index, extract.fetched_at, run_id, attempt),
        source=settings.source,
        dataset=dataset,
        group=group,
        run_id=run_id,
        attempt=attempt,
        fetched_at=extract.fetched_at,
        windows=windows,
    )
    folder = settings.landing_dir / dataset
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{manifest.batch_id}.parquet"
    if path.exists():
        return path
    temporary = folder / f".{manifest.batch_id}.tmp"
    table = extract.table.replace_schema_metadata({_METADATA_KEY: manifest.model_dump_json().encode()})
    try:
        pq.write_table(table, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TitansError(f"Landing file {path} cannot be written ({error}): free space or give DATA=<another folder>.") from error
    return path


def read_manifest(path: Path) -> BatchManifest:
    """The manifest of one landing file.

    Raises:
        TitansError: the file is not a landing file or is damaged.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return BatchManifest.model_validate(json.loads(metadata[_METADATA_KEY]))
    except (OSError, KeyError, ValueError) as error:
        raise TitansError(f"Landing file {path} cannot be read ({error}): move it away and ingest again.") from error


def landed(settings: Settings, dataset: Dataset | None = None) -> Iterator[tuple[Path, BatchManifest]]:
    """All landing files of the source (or of one dataset), oldest fetch first."""
    found = [
        (path, _own(settings, path))
        for folder in ([dataset] if dataset else Dataset)
        for path in (settings.landing_dir / folder).glob("*.parquet")
    ]
    yield from sorted(found, key=lambda item: (item[1].fetched_at, item[1].batch_id))


def _own(settings: Settings, path: Path) -> BatchManifest:
    manifest = read_manifest(path)
    if manifest.source != settings.source:
        raise TitansError(
            f"Landing file {path} is of source {manifest.source}, in the store of {settings.source}: simulated and real rows never meet. Move it away."
        )
    return manifest


def last_dates(settings: Settings, dataset: Dataset, excluded: Iterable[tuple[str, str]] = ()) -> dict[str, date]:
    """The last date landed of each symbol.

    Args:
        excluded: units (batch, symbol) that do not count, because they are quarantined: their history is asked for again.
    """
    skipped = set(excluded)
    last: dict[str, date] = {}
    for _, manifest in landed(settings, dataset):
        for window in manifest.windows:
            if window.last is not None and (manifest.batch_id, window.symbol) not in skipped:
                last[window.symbol] = max(window.last, last.get(window.symbol, date.min))
    return last

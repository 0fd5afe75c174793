"""Landing files: one immutable Parquet file a batch, which appears by rename and carries its own story in its metadata."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from include.errors import TitansError
from include.files import replacing
from include.landing.retention import refuse_older
from include.settings import Settings
from include.sources.base import Dataset, Extract

_METADATA_KEY = b"titans"


class FetchWindow(BaseModel):
    """What was asked for one symbol, and what came: recorded even where nothing was new.

    Attributes:
        address: host and path, or the file, that was asked.
        content_hash: of the symbol's rows, see ``content_hash()``. Files of early versions have none.
    """

    model_config = ConfigDict(frozen=True)

    symbol: str
    start: date | None
    end: date
    rows: int
    first: date | None
    last: date | None
    asked_at: datetime | None = None
    address: str | None = None
    content_hash: str | None = None


class FailedFetch(BaseModel):
    """What was asked for one symbol in vain."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    start: date | None
    end: date
    reason: str
    asked_at: datetime
    address: str | None = None


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
    failures: list[FailedFetch] = []


def batch_id_of(dataset: Dataset, group: str, index: int, fetched_at: datetime, run_id: str, attempt: int) -> str:
    """``<dataset>-<group>-<index>-<UTC fetch time>-<hash of run and attempt>``: a repeated attempt of one run names the same file."""
    token = hashlib.sha256(f"{run_id}|{attempt}".encode()).hexdigest()[:8]
    return f"{dataset}-{group}-{index:03d}-{fetched_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{token}"


def land(
    settings: Settings,
    dataset: Dataset,
    group: str,
    index: int,
    run_id: str,
    attempt: int,
    extract: Extract,
    windows: list[FetchWindow],
    failures: Sequence[FailedFetch] = (),
) -> Path:
    """Write one batch; returns the file's path. A file that is already there is left as it is: landing files never change.

    Raises:
        TitansError: the file cannot be written, or its rows are older than the kept history.
    """
    refuse_older(settings, dataset, extract.fetched_at)
    manifest = BatchManifest(
        batch_id=batch_id_of(dataset, group, index, extract.fetched_at, run_id, attempt),
        source=settings.source,
        dataset=dataset,
        group=group,
        run_id=run_id,
        attempt=attempt,
        fetched_at=extract.fetched_at,
        windows=windows,
        failures=list(failures),
    )
    path = settings.landing_dir / dataset / f"{manifest.batch_id}.parquet"
    if not path.exists():
        write_batch(path, extract.table, manifest)
    return path


def write_batch(path: Path, table: pa.Table, manifest: BatchManifest) -> None:
    """Write rows and their story, whole or not at all.

    Raises:
        TitansError: the file cannot be written.
    """
    metadata = {_METADATA_KEY: manifest.model_dump_json().encode()}
    try:
        with replacing(path) as temporary:
            pq.write_table(table.replace_schema_metadata(metadata), temporary)
    except OSError as error:
        raise TitansError(
            f"Landing file {path} cannot be written ({error}): free space or give DATA=<another folder>."
        ) from error


def rows_by_symbol(dataset: Dataset, table: pa.Table, symbols: Iterable[str]) -> dict[str, pa.Table]:
    """The rows of each symbol, or currency pair such as USDHKD, in their order."""
    if dataset is Dataset.FX_RATES:
        names = pc.binary_join_element_wise(table["base_currency"], table["quote_currency"], "")
    else:
        names = table["symbol"]
    return {symbol: table.filter(pc.equal(names, symbol)) for symbol in symbols}


def content_hash(rows: pa.Table) -> str:
    """SHA-256 of rows as CSV, in their order and with a header: the same whatever wrote or compressed the Parquet file around them."""
    text = io.BytesIO()
    pa_csv.write_csv(rows, text)
    return hashlib.sha256(text.getvalue()).hexdigest()


def check_content(path: Path, manifest: BatchManifest) -> None:
    """Compare the rows of a landing file with the hashes of its manifest.

    Raises:
        TitansError: a row was changed, added or lost since the file landed; names the symbol.
    """
    hashed = {window.symbol: window.content_hash for window in manifest.windows if window.content_hash}
    if not hashed:
        return
    table = read_rows(path)
    for symbol, rows in rows_by_symbol(manifest.dataset, table, hashed).items():
        if content_hash(rows) != hashed[symbol]:
            raise TitansError(
                f"Landing file {path} does not hold the rows of {symbol} that landed in it: it was changed or is damaged. Move it away and ingest again."
            )


def read_rows(path: Path) -> pa.Table:
    """The rows of a landing file, without its story.

    Raises:
        TitansError: the file is damaged.
    """
    try:
        return pq.read_table(path).replace_schema_metadata(None)
    except (OSError, pa.ArrowException) as error:
        raise TitansError(f"Landing file {path} cannot be read ({error}): move it away and ingest again.") from error


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

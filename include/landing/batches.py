"""Landing files: one immutable Parquet file a batch. It appears by rename and carries its manifest in the metadata."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from include.errors import NO_DESCRIPTOR, Runbook, TitansError, refusal
from include.files import replacing
from include.landing.retention import refuse_older
from include.paths import StorePaths
from include.sealed import is_sealed, seal, unseal
from include.sources.base import DATE_COLUMN, UNIT_COLUMNS, Dataset, Extract, Window

_METADATA_KEY = b"titans"


class DamagedLandingError(TitansError):
    """A landing file is not what landed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Runbook.BAD_INPUT)


@dataclass(frozen=True)
class BatchKey:
    """One attempt of one run at a batch. File and folder names follow from it.

    Attributes:
        group: a market, or ``fx`` or ``all``.
        index: number of the batch in its dataset and group, from 1 on.
    """

    dataset: Dataset
    group: str
    index: int
    run_id: str
    attempt: int

    @property
    def name(self) -> str:
        """``<dataset>-<group>-<index>``: the batch within its run, whatever the attempt."""
        return f"{self.dataset}-{self.group}-{self.index:03d}"

    def batch_id(self, fetched_at: datetime) -> str:
        """``<name>-<UTC fetch time>-<hash of run and attempt>``: an attempt that is repeated names the same file."""
        token = hashlib.sha256(f"{self.run_id}|{self.attempt}".encode()).hexdigest()[:8]
        return f"{self.name}-{fetched_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{token}"


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
    """A request for one symbol that failed."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    start: date | None
    end: date
    reason: str
    asked_at: datetime
    address: str | None = None


class BatchManifest(BaseModel):
    """What a landing file holds and where it came from, stored in its Parquet metadata.

    Attributes:
        landed_at: when the file landed. Files of early versions do not say so: ``LandingIndex`` fills it in.
        last_day: no row may be of a later day. None: the day of ``fetched_at``.
        content_hash: of all rows, see ``batch_hash()``. Files of early versions have none.
        manifest_hash: of the manifest of such a file, as it is now.
        file_hash: of such a file, as it was when this version first read it. ``LandingIndex`` fills it in.
    """

    model_config = ConfigDict(frozen=True)

    batch_id: str
    source: str
    dataset: Dataset
    group: str
    run_id: str
    attempt: int
    fetched_at: datetime
    landed_at: datetime | None = None
    last_day: date | None = None
    windows: list[FetchWindow]
    failures: list[FailedFetch] = []
    content_hash: str | None = None
    manifest_hash: str | None = Field(default=None, exclude=True)
    file_hash: str | None = Field(default=None, exclude=True)

    @classmethod
    def of(
        cls,
        key: BatchKey,
        source: str,
        extract: Extract,
        landed_at: datetime,
        windows: list[FetchWindow],
        failures: Sequence[FailedFetch] = (),
    ) -> BatchManifest:
        """The manifest of ``extract``, which lands as the batch ``key``."""
        return cls(
            batch_id=key.batch_id(extract.fetched_at),
            source=source,
            dataset=key.dataset,
            group=key.group,
            run_id=key.run_id,
            attempt=key.attempt,
            fetched_at=extract.fetched_at,
            landed_at=landed_at,
            last_day=extract.last_day,
            windows=windows,
            failures=list(failures),
        )

    @property
    def version(self) -> tuple[datetime, datetime]:
        """What orders the versions of a row: of two batches, the greater counts."""
        assert self.landed_at is not None, "the landing index fills it in"
        return self.fetched_at, self.landed_at

    @property
    def bound(self) -> date:
        """No row may be of a later day."""
        return self.last_day or self.fetched_at.date()


def land(
    store: StorePaths,
    key: BatchKey,
    extract: Extract,
    windows: list[FetchWindow],
    failures: Sequence[FailedFetch] = (),
    landed_at: datetime | None = None,
) -> Path:
    """Write one batch; returns the file's path. A file that is already there stays: landing files never change.

    Args:
        landed_at: orders batches of one ``fetched_at``; now, if not given.

    Raises:
        TitansError: the file cannot be written, or its rows are older than the kept history.
    """
    refuse_older(store, key.dataset, extract.fetched_at)
    manifest = BatchManifest.of(key, store.source, extract, landed_at or datetime.now(UTC), windows, failures)
    path = store.landing_file(key.dataset, manifest.batch_id)
    if not path.exists():
        write_batch(path, extract.table, manifest)
        try:
            refuse_older(store, key.dataset, extract.fetched_at)
        except TitansError:  # make tidy has just begun to let go what may have superseded it
            path.unlink()
            raise
    return path


def write_batch(path: Path, table: pa.Table, manifest: BatchManifest) -> None:
    """Write rows and their manifest with its hash, whole or not at all.

    Raises:
        TitansError: the file cannot be written.
    """
    hashed = manifest.model_copy(update={"content_hash": batch_hash(table)})
    metadata = {_METADATA_KEY: seal(hashed).encode()}
    try:
        with replacing(path) as temporary:
            pq.write_table(table.replace_schema_metadata(metadata), temporary)
    except OSError as error:
        raise TitansError(
            f"Landing file {path} cannot be written ({error}): free space or give DATA=<another folder>."
        ) from error


def rows_by_symbol(dataset: Dataset, table: pa.Table, symbols: Iterable[str]) -> dict[str, pa.Table]:
    """The rows of each symbol, currency, or currency pair such as USDHKD, in their order."""
    names = pc.binary_join_element_wise(*(table[column] for column in UNIT_COLUMNS[dataset]), "")
    return {symbol: table.filter(pc.equal(names, symbol)) for symbol in symbols}


def fetch_windows(
    extract: Extract, dataset: Dataset, symbols: Iterable[str], window: Window, asked_at: datetime
) -> list[FetchWindow]:
    """What came of each of ``symbols``, which the extract answered."""
    windows = []
    for symbol, rows in rows_by_symbol(dataset, extract.table, symbols).items():
        days = [day for day in rows[DATE_COLUMN[dataset]].to_pylist() if day]
        windows.append(
            FetchWindow(
                symbol=symbol,
                start=window.start,
                end=window.end,
                rows=rows.num_rows,
                first=min(days, default=None),
                last=max(days, default=None),
                asked_at=asked_at,
                address=extract.addresses.get(symbol) or None,
                content_hash=content_hash(rows),
            )
        )
    return windows


def content_hash(rows: pa.Table) -> str:
    """SHA-256 of rows as CSV, in their order and with a header. How the Parquet file is written does not matter."""
    text = io.BytesIO()
    pa_csv.write_csv(rows, text)
    return hashlib.sha256(text.getvalue()).hexdigest()


def batch_hash(table: pa.Table) -> str:
    """SHA-256 of all rows of a landing file: names and types of its columns, and what ``content_hash`` hashes."""
    columns = "|".join(f"{field.name} {field.type}" for field in table.schema)
    return hashlib.sha256(f"{columns}|{content_hash(table)}".encode()).hexdigest()


def checked_rows(path: Path, manifest: BatchManifest) -> pa.Table:
    """The rows of a landing file, if they are those that landed. Nothing else reads rows of landing files.

    Raises:
        DamagedLandingError: a row was changed, added or lost since the file landed; names the symbol.
    """
    try:
        content = path.read_bytes()
        table = pq.read_table(pa.BufferReader(content)).replace_schema_metadata(None)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    is_same = manifest.content_hash is None or batch_hash(table) == manifest.content_hash
    if manifest.file_hash is not None:
        is_same = is_same and hashlib.sha256(content).hexdigest() == manifest.file_hash
    # Files of early versions have hashes of their symbols alone.
    hashed = {window.symbol: window.content_hash for window in manifest.windows if window.content_hash}
    if is_same and (manifest.content_hash or not hashed):
        return table
    try:
        for symbol, rows in rows_by_symbol(manifest.dataset, table, hashed).items():
            if content_hash(rows) != hashed[symbol]:
                raise _changed(path, f"the rows of {symbol} that landed in it")
    except KeyError as error:  # the name of a column
        raise _changed(path, "what landed in it") from error
    if not is_same:
        raise _changed(path, "what landed in it")
    return table


def read_manifest(path: Path) -> BatchManifest:
    """The manifest of one landing file. One of an early version has no hash: ``early_files`` does.

    Raises:
        DamagedLandingError: the file is not a landing file, was changed or is damaged.
    """
    try:
        story = (pq.read_metadata(path).metadata or {})[_METADATA_KEY]
        manifest = unseal(BatchManifest, story)
        if manifest.content_hash:
            if not is_sealed(story):
                raise ValueError("it has lost its hash")
            return manifest
        return manifest.model_copy(update={"manifest_hash": hashlib.sha256(story).hexdigest()})
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> TitansError:
    if isinstance(error, OSError) and error.errno in NO_DESCRIPTOR:
        return TitansError(refusal(error))
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    return DamagedLandingError(f"Landing file {path} cannot be read ({first_line}): move it away and ingest again.")


def _changed(path: Path, what: str) -> TitansError:
    return DamagedLandingError(
        f"Landing file {path} does not hold {what}: it was changed or is damaged. Move it away and ingest again."
    )

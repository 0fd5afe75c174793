"""Landing files: one immutable Parquet file a batch. It appears by rename and carries its manifest in the metadata."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from include.paths import StorePaths
from include.sources.base import DATE_COLUMN, Dataset, Extract, Window

_METADATA_KEY = b"titans"


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
    path = store.landing / key.dataset / f"{manifest.batch_id}.parquet"
    if not path.exists():
        write_batch(path, extract.table, manifest)
    return path


def write_batch(path: Path, table: pa.Table, manifest: BatchManifest) -> None:
    """Write rows and their manifest, whole or not at all.

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
                f"Landing file {path} does not hold the rows of {symbol} that landed in it: "
                "it was changed or is damaged. Move it away and ingest again."
            )


def read_rows(path: Path) -> pa.Table:
    """The rows of a landing file, without its manifest.

    Raises:
        TitansError: the file is damaged.
    """
    try:
        return pq.read_table(path, partitioning=None).replace_schema_metadata(None)
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

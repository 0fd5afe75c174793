"""The index of what has landed in a store, read from the files' footers once and handed on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from include.errors import TitansError
from include.files import files_in
from include.landing.batches import BatchManifest, DamagedLandingError, FetchWindow, read_manifest
from include.landing.early_files import EarlyFile, early_files
from include.paths import StorePaths
from include.sources.base import Dataset


class LandedBatch(NamedTuple):
    """A landing file and its manifest."""

    path: Path
    manifest: BatchManifest


class LandingIndex:
    """What has landed in ``store``.

    The footers of a dataset are read when it is first asked for, and once. Files that land later need a new index.

    Args:
        passes_over_damaged: whether a damaged file counts as none, so that what it held is fetched again. A build needs
            all of them, and says which is damaged.
    """

    def __init__(self, store: StorePaths, *, passes_over_damaged: bool = False) -> None:
        self._store = store
        self._passes_over_damaged = passes_over_damaged
        self._read: dict[Dataset, list[LandedBatch]] = {}

    def batches(self, *datasets: Dataset) -> list[LandedBatch]:
        """The batches of these datasets, or of all where none is named, in the order of versions.

        Raises:
            TitansError: a file is of another source, or is damaged where that is not passed over.
            OSError: a folder cannot be listed.
        """
        found = [batch for dataset in datasets or Dataset for batch in self._batches_of(dataset)]
        return sorted(found, key=lambda batch: batch.manifest.version)

    def windows(self, *datasets: Dataset) -> Iterator[tuple[BatchManifest, FetchWindow]]:
        """What was fetched for each symbol, with the manifest of its batch, in the order of versions."""
        for batch in self.batches(*datasets):
            for window in batch.manifest.windows:
                yield batch.manifest, window

    def next_landing(self, dataset: Dataset) -> datetime:
        """When a batch that lands now lands: later than every one before, whatever the clock says."""
        landed = (batch.manifest.version[1] for batch in self.batches(dataset))
        return max(datetime.now(UTC), max(landed, default=datetime.min.replace(tzinfo=UTC)) + timedelta(microseconds=1))

    def last_dates(self, dataset: Dataset, excluded: Iterable[tuple[str, str]] = ()) -> dict[str, date]:
        """The last date landed of each symbol.

        Args:
            excluded: units (batch, symbol) in quarantine. They do not count: their history is asked for again.
        """
        skipped = set(excluded)
        last: dict[str, date] = {}
        for manifest, window in self.windows(dataset):
            if window.last is not None and (manifest.batch_id, window.symbol) not in skipped:
                last[window.symbol] = max(window.last, last.get(window.symbol, date.min))
        return last

    def _batches_of(self, dataset: Dataset) -> list[LandedBatch]:
        if dataset not in self._read:
            found = []
            for path in files_in(self._store.landing / dataset, ".parquet"):
                with self._passing_over():
                    found.append(LandedBatch(path, self._manifest(path, dataset)))
            early = [(path, manifest.manifest_hash) for path, manifest in found if manifest.manifest_hash]
            known = early_files(self._store, early) if early else {}
            self._read[dataset] = []
            for path, manifest in found:
                with self._passing_over():
                    whole = _completed(path, manifest, known[path.name]) if manifest.manifest_hash else manifest
                    self._read[dataset].append(LandedBatch(path, whole))
        return self._read[dataset]

    def _passing_over(self) -> AbstractContextManager[None]:
        return suppress(DamagedLandingError) if self._passes_over_damaged else nullcontext()

    def _manifest(self, path: Path, dataset: Dataset) -> BatchManifest:
        manifest = read_manifest(path)
        if (manifest.batch_id, manifest.dataset) != (path.stem, dataset):
            raise DamagedLandingError(
                f"Landing file {path} is {manifest.batch_id} of {manifest.dataset}: it was renamed or moved. Give it "
                "its name and folder back."
            )
        if manifest.source != self._store.source:
            raise TitansError(
                f"Landing file {path} is of source {manifest.source}, in the store of {self._store.source}: "
                "simulated and real rows never meet. Move it away."
            )
        return manifest


def _completed(path: Path, manifest: BatchManifest, early: EarlyFile) -> BatchManifest:
    if manifest.manifest_hash != early.manifest_hash:
        raise DamagedLandingError(
            f"The manifest of landing file {path} was changed or is damaged: move the file away and ingest again."
        )
    landed_at = manifest.landed_at or early.landed_at
    return manifest.model_copy(update={"landed_at": landed_at, "file_hash": early.file_hash})

"""The index of what has landed in a store, read from the files' footers once and handed on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from include.errors import TitansError
from include.landing.batches import BatchManifest, FetchWindow, read_manifest
from include.landing.landing_times import landing_times
from include.paths import StorePaths
from include.sources.base import Dataset


class LandedBatch(NamedTuple):
    """A landing file and its manifest."""

    path: Path
    manifest: BatchManifest


class LandingIndex:
    """What has landed in ``store``.

    The footers of a dataset are read when it is first asked for, and once. Files that land later need a new index.
    """

    def __init__(self, store: StorePaths) -> None:
        self._store = store
        self._read: dict[Dataset, list[LandedBatch]] = {}

    def batches(self, *datasets: Dataset) -> list[LandedBatch]:
        """The batches of these datasets, or of all where none is named, in the order of versions.

        Raises:
            TitansError: a file is damaged, or of another source.
        """
        found = [batch for dataset in datasets or Dataset for batch in self._batches_of(dataset)]
        return sorted(found, key=lambda batch: batch.manifest.version)

    def windows(self, *datasets: Dataset) -> Iterator[tuple[BatchManifest, FetchWindow]]:
        """What was fetched for each symbol, with the manifest of its batch, in the order of versions."""
        for batch in self.batches(*datasets):
            for window in batch.manifest.windows:
                yield batch.manifest, window

    def last_fetch(self, dataset: Dataset) -> datetime | None:
        """When the newest batch was fetched."""
        return max((batch.manifest.fetched_at for batch in self.batches(dataset)), default=None)

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
            paths = (self._store.landing / dataset).glob("*.parquet")
            found = {path: self._manifest(path) for path in paths}
            undated = {manifest.batch_id: path for path, manifest in found.items() if manifest.landed_at is None}
            landed_at = landing_times(self._store, undated) if undated else {}
            self._read[dataset] = [
                LandedBatch(
                    path,
                    manifest
                    if manifest.landed_at
                    else manifest.model_copy(update={"landed_at": landed_at[manifest.batch_id]}),
                )
                for path, manifest in found.items()
            ]
        return self._read[dataset]

    def _manifest(self, path: Path) -> BatchManifest:
        manifest = read_manifest(path)
        if manifest.source != self._store.source:
            raise TitansError(
                f"Landing file {path} is of source {manifest.source}, in the store of {self._store.source}: "
                "simulated and real rows never meet. Move it away."
            )
        return manifest

"""Answers of a live vendor, kept one by one until their batch has landed: a task that is killed loses no more than the one it was waiting for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from include.landing.batches import BatchManifest, FetchWindow, batch_id_of, land, read_manifest, read_rows, write_batch
from include.locks import HeldError, exclusive
from include.settings import Settings
from include.sources.base import Dataset, Extract

_PATIENCE_SECONDS = 60.0
_DYING_SECONDS = 5.0
"""How long the last attempt of a batch may take to die before the next one begins without its answers."""


class Parts:
    """The answers of one attempt at a batch: small landing files in a folder of their own, which nobody loads."""

    def __init__(
        self, settings: Settings, folder: Path, dataset: Dataset, group: str, index: int, run_id: str, attempt: int
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._dataset, self._group, self._index = dataset, group, index
        self._run_id, self._attempt = run_id, attempt
        self._count = 0

    def keep(self, extract: Extract, windows: list[FetchWindow]) -> None:
        """Bring one answer to the disk."""
        self._count += 1
        batch_id = batch_id_of(self._dataset, self._group, self._index, extract.fetched_at, self._run_id, self._attempt)
        manifest = BatchManifest(
            batch_id=batch_id,
            source=self._settings.source,
            dataset=self._dataset,
            group=self._group,
            run_id=self._run_id,
            attempt=self._attempt,
            fetched_at=extract.fetched_at,
            windows=windows,
        )
        write_batch(self._folder / f"{self._count:05d}.parquet", extract.table, manifest)


@contextmanager
def kept_parts(
    settings: Settings, dataset: Dataset, group: str, index: int, run_id: str, attempt: int
) -> Iterator[Parts]:
    """Keep what the block is answered. The block lands it all; if it does not come to that, ``land_leftovers`` does."""
    folder = _root(settings) / run_id / f"{_batch_name(dataset, group, index)}-{attempt}"
    with exclusive(
        folder / ".lock", run_id, "This batch is being fetched already: {who}. Wait for it to end.", _PATIENCE_SECONDS
    ):
        is_landed = False
        try:
            yield Parts(settings, folder, dataset, group, index, run_id, attempt)
            is_landed = True
        finally:
            if is_landed or not any(folder.glob("*.parquet")):
                _remove(folder)


def land_leftovers(settings: Settings, dataset: Dataset, group: str, index: int, run_id: str) -> None:
    """Land what killed or broken attempts had been answered, each as the batch of its own run and at its own time of fetching.

    Attempts that are still under way hold their lock and are passed over; earlier ones of the batch that is named are given time to end.
    """
    root = _root(settings)
    if not root.is_dir():
        return
    with exclusive(
        root / ".lock",
        "landing of what was left",
        "Another task is landing what was left: {who}. Try again.",
        _PATIENCE_SECONDS,
    ):
        for folder in sorted({path.parent for path in root.glob("*/*/*.parquet")}):
            is_own = folder.parent.name == run_id and folder.name.rpartition("-")[0] == _batch_name(
                dataset, group, index
            )
            patience = _DYING_SECONDS if is_own else 0.0
            with suppress(HeldError), exclusive(folder / ".lock", "landing of what was left", "{who}", patience):
                _land(settings, folder)
                _remove(folder)


def _land(settings: Settings, folder: Path) -> None:
    parts = [(read_manifest(path), read_rows(path)) for path in sorted(folder.glob("*.parquet"))]
    manifest = parts[0][0]
    extract = Extract(pa.concat_tables([rows for _, rows in parts]), max(part.fetched_at for part, _ in parts))
    index = int(folder.name.split("-")[-2])
    windows = [window for part, _ in parts for window in part.windows]
    land(settings, manifest.dataset, manifest.group, index, manifest.run_id, manifest.attempt, extract, windows)


def _batch_name(dataset: Dataset, group: str, index: int) -> str:
    return f"{dataset}-{group}-{index:03d}"


def _root(settings: Settings) -> Path:
    return settings.landing_dir / ".parts"


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # other batches of the run may be there
        folder.parent.rmdir()

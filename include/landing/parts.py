"""Answers of a live vendor, kept one by one until their batch lands: a killed task loses only the one it waits for."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from include.files import files_in
from include.landing.batches import (
    BatchKey,
    BatchManifest,
    DamagedLandingError,
    FetchWindow,
    checked_rows,
    land,
    read_manifest,
    write_batch,
)
from include.locks import HeldError, exclusive
from include.paths import StorePaths
from include.sources.base import Extract

_log = logging.getLogger(__name__)
_PATIENCE_SECONDS = 60.0
_DYING_SECONDS = 5.0
"""How long the previous attempt at a batch may take to die before the next one begins without its answers."""


class Parts:
    """The answers of one attempt at a batch, each a small landing file in a folder that nothing is loaded from."""

    def __init__(self, folder: Path, source: str, key: BatchKey) -> None:
        self._folder, self._source, self._key = folder, source, key
        self._count = 0

    def keep(self, extract: Extract, windows: list[FetchWindow]) -> None:
        """Bring one answer to the disk."""
        self._count += 1
        manifest = BatchManifest.of(self._key, self._source, extract, datetime.now(UTC), windows)
        write_batch(self._folder / f"{self._count:05d}.parquet", extract.table, manifest)


@contextmanager
def kept_parts(store: StorePaths, key: BatchKey) -> Iterator[Parts]:
    """Keep the answers that come in the block. The block lands them all; where it fails, ``land_leftovers`` does."""
    folder = _root(store) / key.run_id / f"{key.name}-{key.attempt}"
    refusal = "This batch is being fetched already: {who}. Wait for it to end."
    with exclusive(folder / ".lock", key.run_id, refusal, _PATIENCE_SECONDS):
        is_landed = False
        try:
            yield Parts(folder, store.source, key)
            is_landed = True
        finally:
            if is_landed or not any(folder.glob("*.parquet")):
                _remove(folder)


def land_leftovers(store: StorePaths, key: BatchKey) -> None:
    """Land the answers that killed or broken attempts kept, each as the batch of its own run with its own fetch time.

    Attempts under way hold their lock and are passed over. Earlier attempts at the batch ``key`` are given time to end.
    """
    root = _root(store)
    if not root.is_dir():
        return
    holder, refusal = "landing of what was left", "Another task is landing what was left: {who}. Try again."
    with exclusive(root / ".lock", holder, refusal, _PATIENCE_SECONDS):
        for folder in sorted({path.parent for path in root.glob("*/*/*.parquet")}):
            is_same_batch = (folder.parent.name, folder.name.rpartition("-")[0]) == (key.run_id, key.name)
            patience = _DYING_SECONDS if is_same_batch else 0.0
            with suppress(HeldError), exclusive(folder / ".lock", holder, "{who}", patience):
                _land(store, folder)
                _remove(folder)


def _land(store: StorePaths, folder: Path) -> None:
    """A damaged answer is asked for again, as all that did not land, and costs no other."""
    parts = []
    for path in files_in(folder, ".parquet"):
        try:
            manifest = read_manifest(path)
            parts.append((manifest, checked_rows(path, manifest)))
        except DamagedLandingError as error:
            _log.warning("An answer of an interrupted batch is damaged, and is asked for again: %s", error)
    if not parts:
        return
    first = parts[0][0]
    index = int(folder.name.split("-")[-2])
    key = BatchKey(first.dataset, first.group, index, first.run_id, first.attempt)
    extract = Extract(pa.concat_tables([rows for _, rows in parts]), max(part.fetched_at for part, _ in parts))
    land(store, key, extract, [window for part, _ in parts for window in part.windows])


def _root(store: StorePaths) -> Path:
    return store.landing / ".parts"


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # other batches of the run may be there
        folder.parent.rmdir()

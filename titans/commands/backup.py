"""``make backup``: what cannot be fetched again, which is estimate snapshots, share counts and seeds."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime
from pathlib import Path

from include.errors import TitansError
from include.files import files_in, replacing
from include.production import SOURCE_NAMES
from include.settings import Settings, load_shared_settings
from include.sources.base import Dataset
from titans.output import console

KEPT = (Dataset.ESTIMATES, Dataset.SHARES)


def backup() -> None:
    """Copy estimate snapshots and seeds into one file."""
    console.print(f"Backed up to {back_up(load_shared_settings())}.", soft_wrap=True)


def back_up(settings: Settings) -> Path:
    """Write ``backups/titans-<time>.tar.gz`` beside the data folder: landing files of ``KEPT`` and the seeds.

    Raises:
        TitansError: the file cannot be written.
    """
    folder = settings.data_dir.parent / "backups"
    # To the microsecond: two backups in one second would write one file.
    path = folder / f"titans-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.tar.gz"
    try:
        with replacing(path) as temporary, tarfile.open(temporary, "w:gz") as archive:
            for file in _snapshots(settings):
                archive.add(file, arcname=str(Path("data") / file.relative_to(settings.data_dir)))
            for file in files_in(settings.seeds_dir, ".csv"):
                archive.add(file, arcname=f"seeds/{file.name}")
    except OSError as error:
        raise TitansError(f"The backup {path} cannot be written ({error}): free space and try again.") from error
    return path


def _snapshots(settings: Settings) -> list[Path]:
    folders = [settings.store_of(source).landing / dataset for source in SOURCE_NAMES for dataset in KEPT]
    return [file for folder in folders for file in files_in(folder, ".parquet")]

"""How far back the landing files of a store reach: all of history, unless its owner chose to remove old ones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel

from include.errors import Runbook, TitansError
from include.files import write_whole
from include.paths import StorePaths
from include.sealed import DamagedError, read_sealed, seal
from include.sources.base import Dataset

RETIRED_DATASETS = (Dataset.PRICES, Dataset.FX_RATES)
"""What may go. Estimates, share counts and fundamentals cannot be fetched again: they stay for good."""


class _KeptFrom(BaseModel):
    kept_from: AwareDatetime


def kept_from(store: StorePaths) -> datetime | None:
    """From when on every landing file and every version of prices and rates is there. None: all are.

    Raises:
        TitansError: the record of it cannot be read.
    """
    path = _path(store)
    try:
        return read_sealed(_KeptFrom, path).kept_from
    except FileNotFoundError:
        return None
    except DamagedError as error:
        raise TitansError(
            f"{path} cannot be read ({error}): it says from when on history was kept. "
            'Write {"kept_from": "2025-01-31T00:00:00+00:00"} with the time that make tidy named, into it.',
            Runbook.BAD_INPUT,
        ) from error


def record_kept_from(store: StorePaths, moment: datetime) -> None:
    """Put on record that history is whole from ``moment`` on."""
    write_whole(_path(store), seal(_KeptFrom(kept_from=moment)))


def refuse_older(store: StorePaths, dataset: Dataset, fetched_at: datetime) -> None:
    """Refuse rows from before the kept history: the files that may have superseded them are gone.

    Raises:
        TitansError: they were fetched before the kept history begins.
    """
    begins = kept_from(store) if dataset in RETIRED_DATASETS else None
    if begins and fetched_at < begins:
        raise TitansError(
            f"What source {store.source} gave of {dataset} is of {fetched_at:%Y-%m-%d %H:%M} UTC, and make tidy has "
            f"let landing files of before {begins:%Y-%m-%d %H:%M} go: which of two values is the newer one cannot be "
            "known any more. Nothing was changed. Give a later one, or another folder: DATA=<folder>.",
            Runbook.BAD_INPUT,
        )


def _path(store: StorePaths) -> Path:
    return store.landing / "kept_from.json"

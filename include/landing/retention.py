"""How far back the landing files of a store reach, where somebody chose to let old ones go."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from include.errors import Runbook, TitansError
from include.files import write_whole
from include.settings import Settings
from include.sources.base import Dataset

RETIRED_DATASETS = (Dataset.PRICES, Dataset.FX_RATES)
"""What may go. Estimates and share counts cannot be fetched again: they stay for good."""


def kept_from(settings: Settings) -> datetime | None:
    """The moment from which on every landing file and every version of prices and rates is there; None: all are.

    Raises:
        TitansError: the record of it cannot be read.
    """
    path = _path(settings)
    try:
        moment = datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["kept_from"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TitansError(
            f'{path} cannot be read ({error}): it says from when on history was kept. Write {{"kept_from": "2025-01-31T00:00:00+00:00"}} '
            "with the time that make tidy named, into it.",
            Runbook.BAD_INPUT,
        ) from error
    return moment


def record_kept_from(settings: Settings, moment: datetime) -> None:
    """Put on record that history is whole from ``moment`` on."""
    write_whole(_path(settings), json.dumps({"kept_from": moment.isoformat()}))


def refuse_older(settings: Settings, dataset: Dataset, fetched_at: datetime) -> None:
    """Refuse rows of a time whose later files are gone: nobody can say any more what was told after them.

    Raises:
        TitansError: they were fetched before the kept history begins.
    """
    begins = kept_from(settings) if dataset in RETIRED_DATASETS else None
    if begins and fetched_at < begins:
        raise TitansError(
            f"What source {settings.source} gave of {dataset} is of {fetched_at:%Y-%m-%d %H:%M} UTC, and make tidy has let landing files of before {begins:%Y-%m-%d %H:%M} go: which of two values is the "
            "newer one cannot be told any more. Nothing was changed. Give a later one, or another folder: DATA=<folder>.",
            Runbook.BAD_INPUT,
        )


def _path(settings: Settings) -> Path:
    return settings.landing_dir / "kept_from.json"

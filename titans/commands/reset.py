"""``make reset``: the data folder removed, after a backup."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Annotated

import typer

from include.errors import TitansError
from include.production import SOURCE_NAMES
from include.raw.lock import writer_lock
from include.settings import Settings, load_shared_settings
from titans.airflow_env import airflow_lock, lock_of
from titans.commands.backup import back_up
from titans.output import console

_MARKS = (
    "landing",
    "runs",
    "warehouse.duckdb",
    "titans.duckdb",
    "generations",
    "logs/make-run.log",
    "logs/standalone.log",
    "passwords.json",
)
"""What a folder of a store, of generations or of this project's Airflow holds."""


def reset(confirm: Annotated[str, typer.Option(help="yes removes the data folder.")] = "") -> None:
    """List the data folder, back the snapshots up beside it, and remove it."""
    for line in remove_data(load_shared_settings(), confirm):
        console.print(line, soft_wrap=True)


def remove_data(settings: Settings, confirm: str) -> list[str]:
    """List the data folder; with ``confirm`` = yes, back up and remove it.

    Raises:
        TitansError: not confirmed, and the listing is in the message; or Airflow or a build is at work on the folder.
    """
    if not settings.data_dir.exists():
        return [f"{settings.data_dir} does not exist: nothing to remove."]
    own = [settings.data_dir / name for name in (*SOURCE_NAMES, "published", "airflow")]
    # Only what looks like Titans inside, whatever its name: ~/airflow is Airflow's own default home.
    own = [path for path in own if any((path / mark).exists() for mark in _MARKS)]
    listing = [f"{entry.name}: {_size(entry) / 1e6:.1f} MB" for entry in own]
    if not own:
        raise TitansError(f"{settings.data_dir} holds nothing of Titans: nothing was removed. Check DATA.")
    if confirm != "yes":
        raise TitansError(
            f"This would remove from {settings.data_dir}: {'; '.join(listing)}. Nothing was removed. "
            "To do it: make reset CONFIRM=yes"
        )
    home = settings.airflow_home
    # A run under way would go on in files that are gone. A server has its Airflow elsewhere, and its builds hold the store.
    with contextlib.ExitStack() as held:
        if lock_of(home).exists():
            held.enter_context(airflow_lock(home, "make reset"))
        for store in (settings.store_of(name) for name in SOURCE_NAMES):
            if store.root in own:
                held.enter_context(writer_lock(store.warehouse, "make reset", patience_seconds=0.0))
        saved = back_up(settings)
        for path in own:
            shutil.rmtree(path)
    with contextlib.suppress(OSError):  # something else lies in it
        settings.data_dir.rmdir()
    return [*listing, f"Removed from {settings.data_dir}. Estimate snapshots and seeds are in {saved}."]


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*")) if path.is_dir() else path.lstat().st_size

"""The warehouse of a point-in-time build: a copy of the store's raw tables, from which dbt leaves out later versions."""

from __future__ import annotations

import shutil
from datetime import date

from include.commands import make_command
from include.errors import TitansError
from include.landing.retention import kept_from
from include.paths import StorePaths
from include.raw.lock import writer_lock
from include.raw.store import copy_raw, open_warehouse
from include.settings import end_of_day


def copy_store(store: StorePaths, known_at: date, holder: str) -> int:
    """Make the warehouse of the build as of ``known_at``; the store itself is only read.

    Returns:
        How many price rows it has.

    Raises:
        TitansError: nothing has been ingested, nothing was known by then, or what was known then was let go.
    """
    present, source = store.present, store.source
    if not present.warehouse.exists():
        raise TitansError(
            f"There is nothing to look back on: source {source} has no warehouse in {store.root}. "
            f"Build it first: {make_command(store.data_dir, 'run', SOURCE=source)}"
        )
    with writer_lock(present.warehouse, holder):
        _refuse_what_was_let_go(present, known_at)
        shutil.rmtree(store.warehouse.parent, ignore_errors=True)
        with open_warehouse(store) as connection:
            copy_raw(connection, present.warehouse, source)
            first, rows = connection.execute("select min(known_from)::date, count(*) from raw.prices").fetchone() or (
                0,
                0,
            )
    if not rows or known_at < first:
        shutil.rmtree(store.warehouse.parent)
        raise TitansError(
            f"KNOWN_AT={known_at} is before the data: source {source} knows no price from before {first}. "
            "Give that day or a later one."
            if rows
            else f"There is no price to build from in {store.root}: run without KNOWN_AT first."
        )
    return int(rows)


def _refuse_what_was_let_go(present: StorePaths, known_at: date) -> None:
    begins = kept_from(present)
    if begins and end_of_day(known_at) < begins:
        raise TitansError(
            f"KNOWN_AT={known_at} is before the history that is kept: make tidy has let go what was superseded "
            f"before {begins:%Y-%m-%d %H:%M} UTC. Give {begins.date()} or a later day."
        )

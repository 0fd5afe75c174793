"""``make release``: a person lets a quarantined unit in, with a reason that stays on record."""

from __future__ import annotations

from typing import Annotated

import typer

from include.errors import TitansError
from include.paths import StorePaths
from include.raw.units import QuarantinedUnit
from include.runs.again import next_build, next_run
from include.runs.releases import quarantined_units, record_release
from include.settings import Settings, load_shared_settings
from titans.commands.status import stores
from titans.output import console


def release(
    batch: Annotated[str, typer.Option(help="Batch of the quarantined unit.")] = "",
    symbol: Annotated[str, typer.Option(help="Its symbol; default, every symbol of the batch.")] = "",
    reason: Annotated[str, typer.Option(help="Why it may be let in.")] = "",
) -> None:
    """Let a quarantined unit in, on the record."""
    settings = load_shared_settings()
    for store, unit in release_units(settings, batch, symbol, reason):
        console.print(f"Released {unit}. The next build uses it: {next_build(settings, store)}.", soft_wrap=True)


def release_units(settings: Settings, batch: str, symbol: str, reason: str) -> list[tuple[StorePaths, str]]:
    """Release one unit, or every quarantined unit of a batch, of whatever source.

    Raises:
        TitansError: the batch or the reason is missing, nothing of that name is quarantined, or its file is gone.
    """
    if not batch or not reason.strip():
        raise TitansError(
            'A release needs a batch and a reason: make release BATCH=<batch> SYMBOL=<symbol> REASON="...". '
            "make status lists them."
        )
    quarantined = [(store, unit) for store in stores(settings) for unit in quarantined_units(store)]
    chosen = [(store, unit) for store, unit in quarantined if unit.batch_id == batch and symbol in ("", unit.symbol)]
    if not chosen:
        known = ", ".join(f"{unit.symbol} of {unit.batch_id}" for _, unit in quarantined) or "none"
        raise TitansError(f"No unit {symbol} of batch {batch} is quarantined. Quarantined: {known}.")
    _refuse_lost_files(settings, chosen)
    for store, unit in chosen:
        record_release(store, unit.batch_id, unit.symbol, reason.strip())
    return [(store, f"{unit.symbol} of {unit.batch_id}") for store, unit in chosen]


def _refuse_lost_files(settings: Settings, units: list[tuple[StorePaths, QuarantinedUnit]]) -> None:
    """A release is an order to load the file of the unit. Without the file it would be on record and do nothing.

    Raises:
        TitansError: names the file, and the two ways on.
    """
    for store, unit in units:
        path = store.landing_file(unit.dataset, unit.batch_id)
        if not path.exists():
            raise TitansError(
                f"{path}, the landing file of {unit.symbol} of {unit.batch_id}, is gone, so a release would let "
                "nothing in: nothing was released. Bring a copy of the file back, then release again; or have the "
                f"symbol delivered again: {next_run(settings, store)}."
            )

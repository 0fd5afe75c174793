"""``make release``: a person lets a quarantined unit in, with a reason that stays on record."""

from __future__ import annotations

from include.errors import TitansError
from include.runs.releases import quarantined_units, record_release
from include.settings import Settings
from titans.status import stores


def release_units(settings: Settings, batch: str, symbol: str, reason: str) -> list[str]:
    """Release one unit, or every quarantined unit of a batch, of whatever source.

    Raises:
        TitansError: the batch or the reason is missing, or nothing of that name is quarantined.
    """
    if not batch or not reason.strip():
        raise TitansError(
            'A release needs a batch and a reason: make release BATCH=<batch> SYMBOL=<symbol> REASON="...". make status lists them.'
        )
    quarantined = [(store, unit) for store in stores(settings) for unit in quarantined_units(store.store)]
    chosen = [(store, unit) for store, unit in quarantined if unit.batch_id == batch and symbol in ("", unit.symbol)]
    if not chosen:
        known = ", ".join(f"{unit.symbol} of {unit.batch_id}" for _, unit in quarantined) or "none"
        raise TitansError(f"No unit {symbol} of batch {batch} is quarantined. Quarantined: {known}.")
    for store, unit in chosen:
        record_release(store.store, unit.batch_id, unit.symbol, reason.strip())
    return [f"{unit.symbol} of {unit.batch_id}" for _, unit in chosen]

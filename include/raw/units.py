"""A unit is one symbol of one batch: gate 1 judges it as a whole, and a person may let it in."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class QuarantinedUnit(BaseModel):
    """A unit that gate 1 keeps out of the marts."""

    model_config = ConfigDict(frozen=True)

    batch_id: str
    dataset: str
    symbol: str
    reasons: list[str]


class Quarantine(BaseModel):
    """A unit that an earlier build put into quarantine, and when."""

    model_config = ConfigDict(frozen=True)

    unit: QuarantinedUnit
    decided_at: datetime


class Release(BaseModel):
    """A person lets a quarantined unit in."""

    model_config = ConfigDict(frozen=True)

    batch_id: str
    symbol: str
    reason: str
    released_at: datetime

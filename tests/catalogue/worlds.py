"""Two worlds that a delivery can go wrong in: a live vendor on loopback, and a folder that somebody exports. Both had a good Thursday.

In each, Friday's delivery comes damaged on a copy of Thursday's store, and then once more as it should have been.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from yfinance.data import YfData

from include.ingest.plan import TriggerParams
from include.publishing import generations
from include.seeds import rows as seed_rows
from include.seeds.read import load_reference
from include.settings import RequestLimits, Settings, load_settings
from include.sources.base import Source
from include.sources.yahoo import YahooSource
from include.sources.yahoo.client import YahooClient
from include.sources.yahoo.host_guard import HostGuard
from tests.catalogue.mishap import Mishap
from tests.integration.yahoo_stand_in import YahooStandIn, generate
from tests.pipeline import build_all, ingest_all, load_and_judge
from tests.soak.world import write_truth

Build = Callable[[Settings, date], object]
THURSDAY, FRIDAY = date(2025, 3, 6), date(2025, 3, 7)
SINCE = date(2025, 1, 20)
"""Friday's delivery goes back to before the half-day of 28 January."""
MOST_IN_QUARANTINE = 3
"""More than a fifth of the symbols would stop the whole build, as it should."""
SYMBOLS = {
    group: [
        row.symbol
        for row in load_reference(load_settings().seeds_dir).equities
        if group == "equity" or row.exchange == exchange
    ]
    for group, exchange in {"hk": "XHKG", "us": "XNYS", "equity": ""}.items()
}


@dataclass(frozen=True)
class Hit:
    """A mishap, and the symbol that it happens to (``*``: the whole delivery)."""

    mishap: Mishap[Any]
    symbol: str


class World(Protocol):
    """What the catalogue wants of a world."""

    name: str

    def base(self, data: Path, build: Build = build_all) -> Settings:
        """Build Thursday's store in ``data``."""

    def deliver(self, data: Path, hits: list[Hit], minute: int, build: Build = build_all) -> Settings:
        """Ingest and build Friday's delivery, damaged by ``hits``, in the store ``data``; ``minute`` orders deliveries.

        Raises:
            TitansError: nothing can be published.
        """


@dataclass
class LiveVendor:
    """Yahoo's stand-in behind the real client, whose clock stands at half past ten on Thursday, or on Friday."""

    name: str = "vendor"

    def base(self, data: Path, build: Build = build_all) -> Settings:
        return self._run(data, [], datetime(2025, 3, 6, 22, 30, tzinfo=UTC), TriggerParams(), THURSDAY, build)

    def deliver(self, data: Path, hits: list[Hit], minute: int, build: Build = build_all) -> Settings:
        now = datetime(2025, 3, 7, 22, 30 + minute, tzinfo=UTC)
        return self._run(data, hits, now, TriggerParams(start=SINCE), FRIDAY, build)

    def _run(
        self,
        data: Path,
        hits: list[Hit],
        now: datetime,
        wish: TriggerParams,
        as_of: date,
        build: Build = build_all,
    ) -> Settings:
        with YahooStandIn() as yahoo:
            generate(yahoo, datetime(2025, 3, 7, 22, 30, tzinfo=UTC), years=0)
            for hit in hits:
                hit.mishap.damage(yahoo, hit.symbol)
            settings = load_settings(source="yahoo", data_dir=str(data), yahoo_base_url=yahoo.url)
            with _at(now, data / "requests.sqlite"):
                ingest_all(settings, as_of, wish)
                build(settings, as_of)
            return settings


@contextmanager
def _at(now: datetime, budget: Path) -> Iterator[None]:
    """The source's clock at ``now``; waits are counted as waited, and silence is cut short early."""
    budget.unlink(missing_ok=True)
    client = YfData()
    client._cookie = client._crumb = None
    limits = RequestLimits(
        requests_per_minute=60, attempts=2, longest_wait_seconds=60, refusals_until_pause=6, pause_seconds=900
    )
    guard = HostGuard(budget, limits, sleep=lambda _: None)

    def open_source(settings: Settings, reference: seed_rows.Reference, copy_name: str | None = None) -> Source:
        client = YahooClient(settings.yahoo.base_url, settings.yahoo.folder / "cache", guard)
        return YahooSource(reference, client, clock=lambda: now)

    with (
        patch("include.ingest.plan.open_source", open_source),
        patch("include.ingest.fetch.open_source", open_source),
        patch("include.build.open_source", open_source),
        patch("include.sources.yahoo.session.TIMEOUT_SECONDS", 1.0),
    ):
        yield


@dataclass
class Exporter:
    """Somebody who writes a whole folder of CSV files each day."""

    name: str = "export"
    exports: int = field(default=0, init=False)

    def base(self, data: Path, build: Build = build_all) -> Settings:
        folder = self._export(data)
        for dataset in ("prices", "fx_rates", "risk_free"):
            path = folder / f"{dataset}.csv"
            path.write_text(
                "".join(line for line in path.read_text().splitlines(keepends=True) if f",{FRIDAY}," not in line)
            )
        return self._run(data, folder, datetime(2025, 3, 6, 22, 30, tzinfo=UTC), THURSDAY, build)

    def deliver(self, data: Path, hits: list[Hit], minute: int, build: Build = build_all) -> Settings:
        folder = self._export(data)
        for hit in hits:
            hit.mishap.damage(folder, hit.symbol)
        return self._run(data, folder, datetime(2025, 3, 7, 22, 30 + minute, tzinfo=UTC), FRIDAY, build)

    def _export(self, data: Path) -> Path:
        self.exports += 1
        return write_truth(data.parent / f"{data.name}-export-{self.exports}", truth=0)

    def _run(self, data: Path, folder: Path, exported_at: datetime, as_of: date, build: Build = build_all) -> Settings:
        settings = load_settings(
            source="files", files_dir=str(folder), exported_at=exported_at.isoformat(), data_dir=str(data)
        )
        try:
            ingest_all(settings, as_of)
            build(settings, as_of)
        finally:
            shutil.rmtree(folder)
        return settings


WORLDS: dict[str, World] = {world.name: world for world in (LiveVendor(), Exporter())}


@dataclass(frozen=True)
class Reference:
    """Thursday's store, and what an undisturbed Friday makes of it."""

    thursday: Path
    friday: Path

    def copy(self, target: Path) -> Path:
        """A copy of Thursday's store, for a Friday of its own."""
        shutil.copytree(self.thursday, target, symlinks=True)
        return target


def prepare(world: World, folder: Path, build: Build = build_all) -> Reference:
    """Build the stores that everything is held against, Friday's with ``build``; Thursday's whole if that is."""
    world.base(folder / "thursday", build if build is build_all else load_and_judge)
    shutil.copytree(folder / "thursday", folder / "friday", symlinks=True)
    friday = world.deliver(folder / "friday", [], 0, build)
    if build is build_all:
        assert generations.linked_generation(friday.published), "an undisturbed Friday is published"
    return Reference(folder / "thursday", friday.store.warehouse)

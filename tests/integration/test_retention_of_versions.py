"""Old history is let go, and every day since is known as before: with quarantine, releases, late deliveries and a rebuild."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis as h
import pytest
from hypothesis import strategies as st
from jinja2 import Template

from include.gates import raw_gate
from include.gates.result import CheckResult
from include.landing.index import LandingIndex
from include.raw.load import load_landing
from include.raw.retention import retire_history
from include.raw.store import open_warehouse
from include.raw.units import Quarantine, QuarantinedUnit, Release
from include.raw.versions import latest_version
from include.seeds.read import load_reference
from include.settings import PROJECT_ROOT, Settings, load_settings
from tests.integration.test_same_versions import DAYS, NOON, Told, land_told
from tests.pipeline import own_build

KEYS = {
    "prices": ("symbol", "date"),
    "corporate_actions": ("symbol", "date", "action"),
    "fx_rates": ("base_currency", "quote_currency", "date"),
}
_MACROS = "".join(
    (PROJECT_ROOT / "dbt_project" / "macros" / f"{name}.sql").read_text(encoding="utf-8")
    for name in ("versions", "usable_units", "known_at")
)


@dataclass
class Store:
    """A raw store with what gate 1 and people said of it, which run records keep."""

    settings: Settings
    quarantines: list[Quarantine] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def deliver(self, told: Told, name: str, *, is_wrong: bool = False) -> None:
        """Land a delivery, load it, and judge it."""
        land_told(self.settings, told, name)
        self.load([name] if is_wrong else [])

    def load(self, wrong: Sequence[str] = ()) -> None:
        """A build up to gate 1, to which the deliveries named ``wrong`` are so."""
        self.names = {
            batch.manifest.run_id: batch.manifest.batch_id for batch in LandingIndex(self.settings.store).batches()
        } | self.names
        with open_warehouse(self.settings.store) as connection:
            reference = load_reference(self.settings.seeds_dir)
            load_landing(
                connection, LandingIndex(self.settings.store), reference, self.releases, lambda: self.quarantines
            )
            pending = connection.execute(
                "select batch_id, dataset, symbol from raw.fetch_windows "
                "where (batch_id, symbol) not in (select (batch_id, symbol) from raw.current_verdicts)"
            ).fetchall()
            failed = [unit for unit in pending if unit[0] in {self.names[name] for name in wrong}]
            examples = [{"batch_id": batch, "symbol": symbol, "detail": "why"} for batch, _, symbol in failed]
            result = CheckResult(
                gate="check_raw", name="a", table="t", severity="critical", status="failed", why="", failing_rows=len(failed), examples=examples,
            )  # fmt: skip
            raw_gate.record_verdicts(connection, pending, [result] if failed else [])
        for batch, dataset, symbol in failed:
            unit = QuarantinedUnit(batch_id=batch, dataset=dataset, symbol=symbol, reasons=["why"])
            self.quarantines.append(Quarantine(unit=unit, decided_at=datetime.now(UTC)))

    def release(self, name: str, symbol: str = "0700.HK") -> None:
        self.releases.append(
            Release(batch_id=self.names[name], symbol=symbol, reason="so", released_at=datetime.now(UTC))
        )
        self.load()

    def retire(self, days: int) -> datetime:
        retired = retire_history(self.settings.store, days)
        assert retired is not None
        return retired.kept_from

    def rebuild(self) -> None:
        self.settings.store.warehouse.unlink()
        self.load()

    def has_file(self, name: str) -> bool:
        return any(batch.manifest.run_id == name for batch in LandingIndex(self.settings.store).batches())

    def known(self, day: date | None = None) -> dict[str, list[tuple[Any, ...]]]:
        """The versions that count, as staging reads them: of a point-in-time build of ``day``, or of a normal one."""
        found = {}
        with open_warehouse(self.settings.store) as connection:
            for table, keys in KEYS.items():
                symbol = "base_currency || quote_currency" if table == "fx_rates" else "symbol"
                usable = Template(f"{_MACROS}{{{{ usable_versions(table, keys, symbol) }}}}").render(
                    table=table, keys=list(keys), symbol=symbol, source="{}.{}".format, var=lambda _: str(day or ""), **{"return": str}
                )  # fmt: skip
                columns = "* exclude (loaded_at, known_from)"
                found[table] = connection.execute(
                    f"select {columns} from ({usable}) {latest_version(keys)} order by all"
                ).fetchall()
        return found

    def verdict(self, name: str) -> str:
        with open_warehouse(self.settings.store) as connection:
            sql = "select verdict from raw.current_verdicts where batch_id = ?"
            ((verdict,),) = connection.execute(sql, [self.names[name]]).fetchall()
        return str(verdict)


def store_in(folder: Path) -> Store:
    return Store(load_settings(data_dir=str(folder)))


def closes_of(day: int, *closes: float | None) -> Told:
    """A delivery of some days after ``NOON``, with a close a day."""
    none = (0.0,) * len(closes)
    fetched_at = NOON + timedelta(days=day)
    return Told(fetched_at, fetched_at + timedelta(minutes=1), closes, none, none)


def test_a_unit_that_healed_and_was_released_survives(tmp_path: Path) -> None:
    """Its release and what is served, now and on each day since, of the warehouse and of one that is rebuilt."""
    store = store_in(tmp_path)
    store.deliver(closes_of(0, 500.0, 501.0), "good")
    store.deliver(closes_of(1, 5.0, 5.01), "wrong", is_wrong=True)
    store.deliver(closes_of(2, 500.0, 501.0), "good again")
    store.release("wrong")
    store.deliver(closes_of(9, 500.0, 501.0, 502.0), "last")
    before = store.known()
    assert [row[5] for row in before["prices"]] == [500.0, 501.0, 502.0]
    store.retire(1)
    for _ in range(2):
        assert not store.has_file("wrong")
        assert store.verdict("wrong") == "released"
        assert store.known() == before
        store.rebuild()


def test_a_unit_that_healed_is_not_released_once_its_file_is_gone(tmp_path: Path) -> None:
    """What came after it may be gone as well, and only that said that its wrong closes do not count."""
    store = store_in(tmp_path)
    store.deliver(closes_of(0, 500.0, 501.0), "good")
    store.deliver(closes_of(1, 5.0, 5.01), "wrong", is_wrong=True)
    store.deliver(closes_of(2, 500.0, 501.0), "good again")
    store.deliver(closes_of(9, None, None, 502.0), "last")
    before = store.known()
    store.retire(1)
    store.release("wrong")
    for _ in range(2):
        assert store.known() == before
        store.rebuild()


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Told], list[bool], list[bool]]:
    """Deliveries of ten days, some silent on some days; which of them gate 1 keeps out, and which of those a person lets in."""
    is_fx = draw(st.booleans())
    told = []
    for number in range(draw(st.integers(4, 7))):
        fetched_at = NOON + timedelta(days=draw(st.integers(0, 9)))
        told.append(
            Told(
                fetched_at,
                NOON + timedelta(days=20, seconds=number),
                tuple(draw(st.sampled_from([None, 500.0, 500.0, 510.0, 0.0])) for _ in range(3)),
                tuple(draw(st.sampled_from([0.0, 0.0, 4.5])) for _ in range(3)),
                tuple(draw(st.sampled_from([0.0, 0.0, 0.0, 4.0])) for _ in range(3)),
                is_fx,
            )
        )
    wrong = [draw(st.sampled_from([False, False, True])) for _ in told]
    return told, wrong, [is_wrong and draw(st.booleans()) for is_wrong in wrong]


@own_build
@h.settings(max_examples=12, deadline=None, suppress_health_check=[h.HealthCheck.function_scoped_fixture])
@h.given(history=histories(), days=st.integers(0, 8), retired_after=st.integers(2, 6), is_rebuilt=st.booleans())
def test_every_day_since_is_known_as_if_nothing_had_been_let_go(
    tmp_path_factory: pytest.TempPathFactory,
    history: tuple[list[Told], list[bool], list[bool]],
    days: int,
    retired_after: int,
    is_rebuilt: bool,
) -> None:
    """One store keeps all of its history; the other lets some of it go, and then gets the same deliveries and releases."""
    folder = tmp_path_factory.mktemp("retired")
    kept, retired = store_in(folder / "kept"), store_in(folder / "retired")
    begins = None
    for number, (told, is_wrong, is_released) in enumerate(zip(*history, strict=True)):
        if begins and told.fetched_at < begins:
            continue  # it would be refused
        name = f"delivery {number}"
        for store in (kept, retired):
            store.deliver(told, name, is_wrong=is_wrong)
            if is_released:
                store.release(name, "USDHKD" if told.is_fx else "0700.HK")
        if number + 1 == retired_after:
            begins = retired.retire(days)
    if begins is None:
        begins = retired.retire(days)
    if is_rebuilt:
        retired.rebuild()
    ends = [begins.date() + timedelta(days=number) for number in range(12)]
    for day in [None, *ends]:
        assert retired.known(day) == kept.known(day), f"known at {day}, retired from {begins}"
    assert DAYS[0] < begins.date()

"""The pipeline's own functions in the order of the DAGs, without Airflow around them: quick, and as real in all else."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from include import build
from include.ingest.fetch import PartialFailureError, fetch_batch
from include.ingest.plan import TriggerParams, plan_estimates, plan_fx, plan_prices
from include.ingest.summary import summarise
from include.publishing import generations
from include.publishing.changes import changed_tables
from include.raw.lock import writer_lock
from include.raw.store import open_warehouse
from include.runs.pins import pin_run
from include.runs.records import Run, RunRecord
from include.seeds.read import load_reference
from include.settings import PROJECT_ROOT, Settings
from include.transform import invoke_dbt

AS_OF = date(2025, 3, 7)
CORE_MARTS = (
    "fct_security_daily", "fct_index_daily", "fct_fx_daily", "fct_corporate_actions", "fct_shares_outstanding",
    "fct_estimate_snapshots",
)  # fmt: skip
"""Marts that hold what was delivered. All others are computed from what these are."""
THOROUGH = "THOROUGH" in os.environ
"""Set by ``make verify``: more drawn examples, and whole builds where the suite stops at gate 1."""
own_build = pytest.mark.skipif(not THOROUGH, reason="it takes builds of its own: make verify plays it")
"""For a test that no shared store serves. The suite builds the sample and the real prices."""
_numbers = count(1)


def new_run(settings: Settings, dag_id: str = "build_marts") -> Run:
    # Unique across processes too: a run that was killed and the one after it are two.
    run = Run(settings.store, dag_id, f"test__{next(_numbers):04d}_{uuid4().hex[:8]}")
    pin_run(settings, run)
    return run


def ingest_all(settings: Settings, as_of: date = AS_OF, wish: TriggerParams | None = None) -> None:
    """Plan and fetch every batch; a partial failure is left in the records, as a DAG leaves it."""
    run = new_run(settings, "ingest_test")
    wish = wish or TriggerParams()
    try:
        with run.step("plan"):
            markets = dict.fromkeys(exchange.market for exchange in load_reference(settings.seeds_dir).exchanges)
            batches = [batch for market in markets for batch in plan_prices(settings, market, as_of, wish)]
            batches += [*plan_fx(settings, as_of, wish), *plan_estimates(settings, as_of, wish)]
        for batch in batches:
            with suppress(PartialFailureError):
                fetch_batch(settings, batch, run, attempt=1, is_last_attempt=True)
        summarise(settings.store, run, as_of)
    finally:
        run.finish(as_of.isoformat())


def build_all(settings: Settings, as_of: date = AS_OF) -> RunRecord:
    """Every step of a build; the record is written whatever happens, as the DAG's last task does."""
    run = new_run(settings)
    try:
        build.load(settings, run)
        build.check_raw(settings, run)
        build.transform(settings, run)
        build.check_marts(settings, run)
        build.publish_marts(settings, run)
    finally:
        record = run.finish(as_of.isoformat())
    return record


def judge(settings: Settings, as_of: date = AS_OF) -> None:
    """A build up to gate 1, on record; the gate must let enough through to go on. The whole build if thorough."""
    if THOROUGH:
        build_all(settings, as_of)
    else:
        load_and_judge(settings, as_of)


def load_and_judge(settings: Settings, as_of: date = AS_OF) -> RunRecord:
    """A build up to gate 1, on record."""
    run = new_run(settings)
    try:
        build.load(settings, run)
        build.check_raw(settings, run)
    finally:
        record = run.finish(as_of.isoformat())
    return record


def build_marts(settings: Settings, *selection: str) -> None:
    """Load, judge and build models, all or those that dbt selects; no data tests, gate 2 or publishing."""
    load_and_judge(settings)
    transform_only(settings, *selection)


def transform_only(settings: Settings, *selection: str) -> None:
    """Raw to models, all or those that dbt selects, without data tests."""
    selected = ["--select", *selection] if selection else []
    with writer_lock(settings.store.warehouse, "a test"):
        invoke_dbt(settings, ["build", "--exclude-resource-type", "unit_test", "test", *selected])


def build_compared(settings: Settings) -> None:
    """Raw to the marts that stores are compared by: the core ones, or all if thorough."""
    transform_only(settings, *([] if THOROUGH else [f"+{mart}" for mart in CORE_MARTS]))


def different_marts(settings: Settings, marts: Path) -> list[str]:
    """Build the marts that stores are compared by; returns those that are not the same in the database ``marts``."""
    build_compared(settings)
    with open_warehouse(settings.store) as connection:
        changed = changed_tables(connection, marts)
    return [mart for mart in changed if THOROUGH or mart in CORE_MARTS]


def run_without_airflow(settings: Settings, as_of: date = AS_OF) -> RunRecord:
    ingest_all(settings, as_of)
    return build_all(settings, as_of)


def copy_project(target: Path) -> Path:
    """A copy of the dbt project whose seeds a test may edit."""
    shutil.copytree(PROJECT_ROOT / "dbt_project", target, ignore=shutil.ignore_patterns("target", "logs"))
    return target


def ask(settings: Settings, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Rows of the published file, opened as any client would."""
    with duckdb.connect(str(settings.published.link), read_only=True) as connection:
        return connection.execute(sql, parameters or []).fetchall()


def ask_warehouse(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.store.warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()


class Published:
    """What was published before something went wrong, to compare with after it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._linked = generations.linked_generation(settings.published)
        self._rows = self._headlines()

    def _headlines(self) -> list[tuple[Any, ...]]:
        return ask(
            self._settings,
            "select as_of, headline_id, value, sentence from marts.fct_headlines where as_of >= '2025-03-01' order by all",
        )

    def assert_untouched(self) -> None:
        """The link names the same generation, which opens, is read-only and says the same."""
        assert generations.linked_generation(self._settings.published) == self._linked
        assert self._headlines() == self._rows
        assert len(self._rows) > 10
        mode = stat.S_IMODE(self._settings.published.link.stat().st_mode)
        assert mode == 0o444


def write_csv(path: Path, header: str, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def forget_default_securities(seeds: Path) -> None:
    """Empty what a copy of the seeds says of the default securities, for a world that has others."""
    for name in ("index_headlines", "press_claims", "vendor_corrections"):
        path = seeds / f"{name}.csv"
        path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    exchanges = seeds / "exchanges.csv"
    header, *rows = exchanges.read_text(encoding="utf-8").splitlines()
    # The last column is the index that equities are measured against.
    write_csv(exchanges, header, *(row[: row.rindex(",") + 1] for row in rows))

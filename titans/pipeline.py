"""``make run`` and ``make build``: DAGs as real Airflow DAG runs, in this process and in asset order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from rich.console import Console
from rich.status import Status

from include.errors import TitansError
from include.ingest.as_of import bound_to_coverage, parse_as_of
from include.paths import StorePaths
from include.production import SOURCE_NAMES
from include.progress import Say, at_intervals, watched
from include.runs.again import again
from include.runs.facts import LandFacts, LoadFacts, PublishFacts, TransformFacts
from include.runs.pins import refuse_sample
from include.runs.records import Run, RunRecord, forget_killed_runs, is_complete, runbook_of, symbols_by_reason
from include.runs.rounds import begin_round, end_round
from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.settings import PROJECT_ROOT, Settings, pin_source
from include.sources import open_source
from titans.airflow_env import (
    airflow_database,
    airflow_lock,
    forget_queued_assets,
    logs_of,
    prepare_airflow,
    set_airflow_environment,
)
from titans.output import quiet_libraries
from titans.task_logs import keep_task_logs

BUILD_DAG = "build_marts"


@dataclass
class PipelineResult:
    """The records of the DAG runs, and what took how long (seconds)."""

    ingests: list[RunRecord] = field(default_factory=list)
    build: RunRecord | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def run_pipeline(settings: Settings, *, is_build_alone: bool = False) -> PipelineResult:
    """Execute every ingest DAG and ``build_marts`` once, and show the progress.

    Args:
        is_build_alone: ``build_marts`` alone, from what is stored. A point-in-time build always is.

    Raises:
        TitansError: nothing landed, or the build failed. What was published stays.
    """
    result, holder = PipelineResult(), "make build" if is_build_alone else "make run"
    is_build_alone = is_build_alone or settings.known_at is not None
    refuse_sample(settings)
    pin_source(settings)
    as_of = _check_beforehand(settings, result, is_build_alone)
    home = settings.airflow_home
    log = logs_of(home) / "make-run.log"
    with airflow_lock(home, holder), quiet_libraries(log) as console, airflow_database(home):
        for name in SOURCE_NAMES:
            forget_killed_runs(settings.store_of(name))
        with _timed(result, "Airflow starts", console):
            set_airflow_environment(home)
            prepare_airflow(home)
            keep_task_logs(log)
            from airflow.dag_processing.dagbag import BundleDagBag

            folder = PROJECT_ROOT / "dags"
            bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
            if bag.import_errors:
                raise TitansError(
                    f"A DAG file cannot be read: {next(iter(bag.import_errors.values())).strip().splitlines()[-1]} "
                    f"The log is {log}."
                )
        conf = {"as_of": as_of.isoformat()} if as_of else {}
        if not is_build_alone:
            _ingest(settings, bag, conf, result, console)
        with _timed(result, BUILD_DAG, console) as line:
            known_at = {"known_at": settings.known_at.isoformat()} if settings.known_at else {}
            record = _execute(settings.store, bag, BUILD_DAG, {**conf, **known_at})
            result.build = record
            line.text = _build_line(record)
            line.is_good = record.outcome == "success"
        if record.outcome == "success" and settings.known_at is None:
            forget_queued_assets(BUILD_DAG)
    if record.outcome == "failed":
        failed = record.failed_step
        assert failed is not None, "a step that failed makes the run fail"
        raise TitansError(
            f"{BUILD_DAG} stopped at {failed.step}. {failed.message} What to do: {runbook_of(record).path}. "
            f"Then: {again(settings, record)}"
        )
    return result


def _ingest(settings: Settings, bag: Any, conf: dict[str, str], result: PipelineResult, console: Console) -> None:
    """Every ingest DAG, one after the other.

    Raises:
        TitansError: not one of them landed anything.
    """
    ingest_ids = [f"ingest_prices_{exchange.market}" for exchange in load_reference(settings.seeds_dir).exchanges]
    said = ""
    begin_round(settings.store)
    for dag_id in dict.fromkeys([*ingest_ids, "ingest_fx", "ingest_estimates"]):
        with _timed(result, dag_id, console) as line:
            record = _execute(settings.store, bag, dag_id, conf)
            result.ingests.append(record)
            finals = {failure.symbol: failure.reason for failure in record.failures if failure.is_final}
            result.notes += [f"{dag_id} failed for {text}" for text in symbols_by_reason(finals.items())]
            if below := record.facts(LandFacts).outranked:
                result.notes.append(f"{dag_id}: {below.text}")
            result.notes += [f"{dag_id}: {note}" for note in record.facts(LandFacts).notes]
            text = _ingest_line(record)
            line.text = "as above" if text == said else text
            said = text
            line.is_good = record.outcome in ("success", "skipped")
    if all(is_complete(record) for record in result.ingests):
        end_round(settings.store)
    if all(record.outcome in ("failed", "skipped") for record in result.ingests):
        raise TitansError(
            next(
                (step.message for record in result.ingests for step in record.steps if step.outcome == "failed"),
                "Nothing landed.",
            )
        )


def _check_beforehand(settings: Settings, result: PipelineResult, is_build_alone: bool) -> date | None:
    """Refuse what can be refused before Airflow starts; returns the as-of date of the DAG runs, where one was given."""
    reference = load_reference(settings.seeds_dir)
    load_calendars(reference)
    if settings.known_at:
        result.notes.append(
            f"KNOWN_AT={settings.known_at} means the end of that day in UTC. "
            "It builds from what is stored: nothing was ingested."
        )
        return None
    source = open_source(settings, reference)
    if is_build_alone:
        return settings.as_of
    coverage = source.coverage()
    if settings.as_of is None:
        return coverage.last if coverage else None
    as_of = bound_to_coverage(parse_as_of(settings.as_of, datetime.now(UTC)), coverage, settings.source)
    if as_of != settings.as_of:
        result.notes.append(f"AS_OF={settings.as_of} is after the data, which end on {as_of}.")
    return as_of


def _execute(store: StorePaths, bag: Any, dag_id: str, conf: dict[str, Any]) -> RunRecord:
    """One DAG run to its end, and its record."""
    dag = bag.get_dag(dag_id)
    # Without a logical date, dag.test() deletes an earlier run that has none and resets the tasks of all others. The
    # moment at which the run is due gives the same as-of date.
    now = datetime.now(UTC)
    dag_run = dag.test(run_after=now, logical_date=now, run_conf=conf)
    record = Run(store, dag_id, dag_run.run_id).record()
    if record is None:
        raise TitansError(f"{dag_id} ended as {dag_run.state} and left no record: make airflow shows its log.")
    return record


def _ingest_line(record: RunRecord) -> str:
    land = record.step("land")
    if land is None or land.outcome == "failed":
        return next((step.message for step in record.steps if step.outcome == "failed"), "failed")
    if land.outcome == "skipped":
        return land.message
    facts = record.facts(LandFacts)
    earlier = f", {facts.taken_over} symbols taken over from a run that did not complete" if facts.taken_over else ""
    failed = f"; failed: {', '.join(facts.failed)}" if facts.failed else ""
    return f"{facts.symbols} symbols, {facts.rows:,} rows{earlier}{failed}"


def _build_line(record: RunRecord) -> str:
    if record.failed_step:
        return f"{record.failed_step.step} failed"
    load, nodes = record.facts(LoadFacts), f"{sum(record.facts(TransformFacts).nodes.values())} dbt nodes"
    if record.known_at:
        return f"{load.rows_copied:,} rows stored, {nodes}, as known on {record.known_at}"
    published = "a new generation" if record.facts(PublishFacts).is_new else "nothing new to publish"
    return f"{load.rows_new:,} new rows, {nodes}, {published}"


@dataclass
class _Line:
    text: str = ""
    is_good: bool = True


def _shown(console: Console, status: Status, name: str) -> Say:
    """Shows how far a step is: in the line that a terminal draws again, else, now and then, in a line of its own."""
    if console.is_terminal:
        return lambda text: status.update(f"{name} ... {text}")
    return at_intervals(lambda text: console.print(f"  {name} ... {text}"))


@contextmanager
def _timed(result: PipelineResult, name: str, console: Console) -> Iterator[_Line]:
    """Show a step while it runs and its outcome when it ended."""
    line, started, is_raised = _Line(), time.monotonic(), True
    try:
        with console.status(f"{name} ...") as status, watched(_shown(console, status, name)):
            yield line
        is_raised = False
    finally:
        seconds = result.seconds[name] = time.monotonic() - started
        mark = "[red]✗[/]" if is_raised else "[green]✓[/]" if line.is_good else "[yellow]![/]"
        console.print(f"{mark} {name:<20} {seconds:5.1f} s  {line.text}")

"""``make status``: what is published and what stands in the way, out of manifests and run records alone."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from include.commands import make_command
from include.errors import Runbook, TitansError
from include.gates.result import CheckResult
from include.paths import REPORT_INDEX, PublishedPaths, StorePaths
from include.plain_text import visible
from include.production import SOURCE_NAMES, read_production
from include.publishing import generations
from include.publishing.manifest import problem_of_file
from include.runs.again import again, next_run
from include.runs.facts import LoadFacts, PublishFacts
from include.runs.records import (
    Run,
    RunRecord,
    damaged_files,
    run_records,
    runbook_of,
    symbols_by_reason,
    unfinished_runs,
)
from include.runs.releases import quarantined_units
from include.seeds.read import load_reference
from include.seeds.schedules import Schedule, ingest_schedules
from include.settings import Settings, load_shared_settings
from titans.output import console


def status() -> None:
    """What is published and how old, what failed, is quarantined, late or held; ends with 1 where something is red."""
    settings, now = load_shared_settings(), datetime.now(UTC)
    damaged = damaged_generations(settings)
    for label, text in status_lines(settings, now, damaged):
        console.print(f"{label:<11} {visible(text)}", markup=False, soft_wrap=True)
    if is_red(settings, now, damaged):
        raise typer.Exit(1)


def is_red(settings: Settings, now: datetime, damaged: list[str] | None = None) -> bool:
    """Whether the last build of any store or the last run of any ingest DAG failed or ended in the future, a live source
    has gone silent, or a generation or the folder's record of its production source is damaged.

    Quarantine, late symbols of a closed source and a held link are not red: what is published is right.
    """
    schedules = _schedules(settings.seeds_dir)
    if any(label == "Damaged" for label, _ in _source(settings.published)):
        return True
    if damaged_generations(settings) if damaged is None else damaged:
        return True
    return any(
        any(record.outcome == "failed" for record in _last_of_each_dag(run_records(store)))
        or _overdue(store, schedules, now)
        or _ahead(store, now)
        for store in stores(settings)
    )


def _last_of_each_dag(records: list[RunRecord]) -> list[RunRecord]:
    return [record for _, record in sorted({record.dag_id: record for record in records}.items())]


def status_lines(settings: Settings, now: datetime, damaged: list[str] | None = None) -> list[tuple[str, str]]:
    """Label and text of each line: the link, then the runs of every source that has a store.

    Args:
        damaged: what ``damaged_generations`` says, where the caller has asked it.
    """
    published, schedules = settings.published, _schedules(settings.seeds_dir)
    lines = [_published(settings, now), *_report(settings), *_source(published)]
    lines += [*_damaged(settings, damaged), *_held(settings, now)]
    earlier = [f"{each.generation} ({each.source})" for each in reversed(generations.manifests(published))]
    if len(earlier) > 1:
        lines.append(("Kept", ", ".join(earlier)))
    for store in stores(settings):
        lines += _store_lines(settings, store, schedules, now)
    lines.append(("Next", _next_runs(schedules, now)))
    return lines


def stores(settings: Settings) -> list[StorePaths]:
    """The stores that have run records; the one of the settings if none has."""
    found = [settings.store_of(name) for name in SOURCE_NAMES]
    return [store for store in found if store.runs.is_dir()] or [settings.store.present]


def _store_lines(
    settings: Settings, store: StorePaths, schedules: list[Schedule], now: datetime
) -> list[tuple[str, str]]:
    builds = run_records(store, "build_marts")
    if builds:
        lines = _build(builds[-1], now)
    else:
        lines = [("Build", f"{store.source} has not been built yet: {next_run(settings, store)}")]
    lines += _ingests(store, now)
    lines += _overdue(store, schedules, now)
    lines += _ahead(store, now)
    quarantined = quarantined_units(store)
    for unit in quarantined[:_MAX_UNITS]:
        lines.append(
            (
                "Quarantine",
                f"{unit.symbol} of {unit.batch_id}: {'; '.join(unit.reasons)}{_see(Runbook.GATE_1_QUARANTINE)}",
            )
        )
    if len(quarantined) > _MAX_UNITS:
        lines.append(("Quarantine", f"and {len(quarantined) - _MAX_UNITS} older units"))
    if damaged := damaged_files(store):
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        lines.append(
            (
                "Damaged",
                f"{damaged[0]}{more} cannot be read and is passed over: move it away; the next run writes its own",
            )
        )
    if unfinished := unfinished_runs(store):
        lines.append(
            (
                "Unfinished",
                f"{', '.join(unfinished[-3:])} (running now, or killed: the next run repairs what it left)"
                f"{_see(Runbook.KILLED_RUN)}",
            )
        )
    red = [record for record in _last_of_each_dag(run_records(store)) if record.outcome in ("failed", "partial")]
    if red or {label for label, _ in lines} & _TO_MEND:
        # What stopped the build counts more than a symbol that could not be fetched.
        red.sort(key=lambda record: (record.outcome != "failed", record.dag_id != "build_marts"))
        command = again(settings, red[0]) if red else next_run(settings, store)
        lines.append(("Again", f"once that is mended, {command}; or trigger the DAG in Airflow"))
    return lines


def _last_run(store: StorePaths) -> datetime:
    return max((record.ended_at for record in run_records(store)), default=datetime.min.replace(tzinfo=UTC))


_TO_MEND = {"Clock", "Late", "Overdue", "Quarantine", "Unfinished"}
_MAX_UNITS = 5
_GRACE = timedelta(hours=2)
_CLOCK_GRACE = timedelta(minutes=10)


def _source(published: PublishedPaths) -> list[tuple[str, str]]:
    """What the data folder serves, where it is on record."""
    try:
        production = read_production(published.production)
    except TitansError as error:
        return [("Damaged", f"{error}{_see(Runbook.OTHER_SOURCE)}")]
    if production is None:
        return []
    folder = f" from {production.files_dir}" if production.files_dir else ""
    return [("Source", f"{production.source}{folder}: commands without SOURCE use it")]


def _published(settings: Settings, now: datetime) -> tuple[str, str]:
    published = settings.published
    try:
        linked, manifest = generations.linked_generation(published), generations.linked_manifest(published)
    except TitansError as error:
        return "Published", f"{error}{_see(Runbook.PUBLISH_FAILED)}"
    if manifest is None and linked is not None:
        return "Published", f"{linked}, whose manifest {published.manifest(linked)} cannot be read"
    if manifest is None:
        latest = max(stores(settings), key=_last_run)
        return "Published", f"nothing at {published.link}: {next_run(settings, latest)}"
    label = "simulated, " if manifest.is_simulated else ""
    age = _ago(now - manifest.published_at)
    return (
        "Published",
        f"{manifest.generation} ({label}source {manifest.source}, as of {manifest.as_of}), {age}, {published.link}",
    )


def _report(settings: Settings) -> list[tuple[str, str]]:
    """That what is published has no report, and why, where the build that made it knows."""
    try:
        linked = generations.linked_generation(settings.published)
    except TitansError:  # about the link, which the first line says
        return []
    if linked is None or (settings.published.report_of(linked) / REPORT_INDEX).is_file():
        return []
    builds = (record for store in stores(settings) for record in run_records(store, "build_marts"))
    facts = (record.facts(PublishFacts) for record in builds)
    problem = next((each.report_problem for each in facts if each.generation == linked and each.report_problem), None)
    why = f": {problem}" if problem else ""
    return [("Report", f"none of the published generation{why}. {make_command(settings.data_dir, 'report')} makes it")]


def damaged_generations(settings: Settings) -> list[str]:
    """What is wrong with generations that are not what was published; of the linked one the whole file is read."""
    published, problems = settings.published, []
    for name, problem in generations.damaged_generations(published).items():
        problems.append(f"generation {name}, which stays: {problem}")
    with suppress(TitansError):  # about the link, which the first line says
        linked = generations.linked_manifest(published)
        if linked is not None and (problem_of_linked := problem_of_file(published, linked)):
            problems.append(f"the published generation: {problem_of_linked}")
    return problems


def _damaged(settings: Settings, problems: list[str] | None) -> list[tuple[str, str]]:
    problems = damaged_generations(settings) if problems is None else problems
    run, rollback = (make_command(settings.data_dir, command) for command in ("run", "rollback"))
    advice = f"{run} makes a new generation where this was the last one, {rollback} goes back to an earlier one"
    return [("Damaged", f"{problem}. {advice}{_see(Runbook.PUBLISH_FAILED)}") for problem in problems]


def _held(settings: Settings, now: datetime) -> list[tuple[str, str]]:
    held = generations.hold(settings.published)
    if held is None:
        return []
    on = held.generation or f"what the link names: {settings.published.hold} cannot be read"
    with suppress(TitansError):  # about the link, which the first line says
        linked = generations.linked_generation(settings.published)
        if held.generation not in (None, linked):
            on += f", though the link names {linked}"
    release = make_command(settings.data_dir, "publish")
    since = _ago(now - held.since)
    return [("Held", f"on {on} since {since}; {release} lets builds move the link{_see(Runbook.HELD_LINK)}")]


def _build(record: RunRecord, now: datetime) -> list[tuple[str, str]]:
    age = _ago(now - record.ended_at)
    failed = record.failed_step
    stopped = f", stopped at {failed.step}: {failed.message}{_see(runbook_of(record))}" if failed else ""
    lines = [("Build", f"{record.source} {record.outcome} {age}{stopped}")]
    for check in record.checks:
        if check.status in ("failed", "error"):
            text = f"{check.gate}, {check.name}: {check.message or check.rows_text}. {check.why} {check.examples_text}"
            lines.append(("Red gate", text.rstrip()))
    warned = [check for check in record.checks if check.status == "warning"]
    if warned:
        lines.append(("Warned", "; ".join(f"{check.name} ({check.failing_rows}{_first(check)})" for check in warned)))
    late = next((check for check in record.checks if check.name == "symbols_not_behind" and check.examples), None)
    if late:
        behind = ", ".join(f"{row['symbol']} since {row['last_date']}" for row in late.examples)
        lines.append(("Late", f"{behind}{_see(Runbook.LATE_DATA)}"))
    load = record.facts(LoadFacts)
    if load.rows_rejected:
        reasons = f": {'; '.join(load.rejected)}" if load.rejected else ", all known before"
        lines.append(("Rejected", f"{load.rows_rejected} rows by the last build{reasons}"))
    if load.releases_without_effect:
        units = f"{', '.join(load.releases_without_effect)}{_see(Runbook.GATE_1_QUARANTINE)}"
        lines.append(("Released", f"without effect, for its landing file is gone: {units}"))
    restated = record.facts(PublishFacts).restated
    if restated and restated.rows:
        text = f"{restated.rows} values that a vendor changed later"
        if restated.largest:
            text += f", those that move a basket most: {'; '.join(restated.largest)}"
        lines.append(("Restated", text))
    if restated and restated.headlines:
        lines.append(("Changed", "; ".join(restated.headlines)))
    return lines


def _first(check: CheckResult) -> str:
    return f", first {_row(check.examples[0])}" if check.examples else ""


def _row(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _ingests(store: StorePaths, now: datetime) -> list[tuple[str, str]]:
    """The last run of each ingest DAG, if anything of it failed."""
    lines = []
    for record in _last_of_each_dag(run_records(store, "ingest_")):
        if record.outcome in ("failed", "partial"):
            finals = {failure.symbol: failure.reason for failure in record.failures if failure.is_final}
            reasons = "; ".join(symbols_by_reason(finals.items())[:3])
            message = next((step.message for step in record.steps if step.outcome == "failed"), "")
            text = (
                f"{record.source} {record.dag_id} {record.outcome} {_ago(now - record.ended_at)}. {reasons or message}"
            )
            lines.append(
                ("Ingest", f"{text}{_see(runbook_of(record) if record.failed_step else Runbook.EXTRACTION_FAILED)}")
            )
    return lines


def _overdue(store: StorePaths, schedules: list[Schedule], now: datetime) -> list[tuple[str, str]]:
    """Ingest DAGs of a live source without a run since their last slot, two hours ago or more.

    A closed source cannot be late by the clock.
    """
    if store.source != "yahoo":
        return []
    last = {record.dag_id: record.ended_at for record in run_records(store, "ingest_")}
    lines = []
    slots: dict[str, datetime] = {}
    for schedule in schedules:
        slot = schedule.last_before(now - _GRACE)
        slots[schedule.dag_id] = max(slot, slots.get(schedule.dag_id, slot))
    for dag_id, slot in slots.items():
        if dag_id in last and last[dag_id] < slot:
            ran = _ago(now - last[dag_id])
            lines.append(
                ("Overdue", f"{dag_id} was due at {_moment(slot)} and last ran {ran}{_see(Runbook.LATE_DATA)}")
            )
    return lines


def _ahead(store: StorePaths, now: datetime) -> list[tuple[str, str]]:
    """Runs that ended in the future, when the clock was ahead: they hide every later one."""
    found = [record for record in run_records(store) if record.ended_at > now + _CLOCK_GRACE]
    if not found:
        return []
    path = store.runs / f"{Run(store, found[0].dag_id, found[0].run_id).name}.json"
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    text = f"{path}{more} ended in the future ({_moment(found[0].ended_at)}), and hides later runs: the clock was ahead"
    return [("Clock", f"{text}. Move it away, then run again{_see(Runbook.LATE_DATA)}")]


def _next_runs(schedules: list[Schedule], now: datetime) -> str:
    slots = sorted((schedule.next_after(now), schedule.dag_id) for schedule in schedules)
    if not slots:
        return "unknown, for the seeds cannot be read"
    return (
        "; ".join(f"{dag_id} {_moment(slot)}" for slot, dag_id in slots)
        + "; build_marts after each, where Airflow runs"
    )


def _schedules(seeds_dir: Path) -> list[Schedule]:
    """None where the seeds cannot be read: the rest of the status is wanted all the more."""
    try:
        return ingest_schedules(load_reference(seeds_dir))
    except TitansError:
        return []


def _see(runbook: Runbook) -> str:
    return f" -> {runbook.path}"


def _moment(value: datetime) -> str:
    return f"{value:%a %-d %b %H:%M} UTC"


def _ago(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if age < -_CLOCK_GRACE:
        return "in the future, by this clock"
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{minutes} minutes ago"
    return f"{minutes // 60} hours ago" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days ago"

"""Incidents: a page about each failed run, and a message to the webhook."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from include.errors import Runbook, TitansError
from include.files import write_whole
from include.gates.result import CheckResult
from include.paths import PublishedPaths, StorePaths
from include.plain_text import visible
from include.publishing import generations
from include.runs.again import again
from include.runs.alerts import post_text
from include.runs.facts import CheckRawFacts
from include.runs.records import Run, RunRecord, last_step_of, runbook_of
from include.settings import Settings

_log = logging.getLogger(__name__)
_MAX_ROWS = 20


def report(settings: Settings, record: RunRecord) -> Path | None:
    """Write the incident of a failed run and report it to the webhook, once for each end of a run.

    A webhook that fails is noted in the incident and fails nothing.

    Returns:
        The page, or None where the run did not fail.
    """
    path = incident_path(settings.store, record)
    if record.outcome != "failed" or path.exists():
        return path if path.exists() else None
    page = _page(settings, record)
    _write(path, f"{page}\n")
    if settings.webhook_url is not None:
        problem = post_text(
            settings.webhook_url,
            _short_text(settings, record, path.relative_to(settings.data_dir)),
        )
        _write(path, f"{page}\n\nWebhook: {problem or 'told'}.\n")
    return path


def _write(path: Path, text: str) -> None:
    """Where the disk is full the run has failed already, and the webhook must still get its message."""
    try:
        write_whole(path, text)
    except OSError as error:
        _log.warning("The incident %s cannot be written: %s", path, error)


def report_unrecorded(settings: Settings, dag_id: str, run_id: str) -> Path | None:
    """The incident of a run that Airflow calls failed, also if its last task was killed and left no record."""
    run = Run(settings.store, dag_id, run_id)
    record = run.record()
    if record is None or run.is_under_way:
        try:
            record = run.finish(None, last_step_of(dag_id))
        except OSError as error:
            if settings.webhook_url is not None:
                text = f"Titans: {dag_id} failed, and its record cannot be written ({error.strerror}). Run {run_id}."
                post_text(settings.webhook_url, f"{text} What to do: {Runbook.PUBLISH_FAILED.path}")
            raise
    return report(settings, record)


def incident_path(store: StorePaths, record: RunRecord) -> Path:
    """``incidents/<UTC time of the end>-<dag>.md``. Microseconds tell two ends of a cleared run apart."""
    return store.incidents / f"{record.ended_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{Path(record.dag_id).name}.md"


def _page(settings: Settings, record: RunRecord) -> str:
    failed = record.failed_step
    lines = [
        f"# {record.dag_id} failed at {failed.step if failed else 'an unknown step'}",
        "",
        f"- Run: `{record.run_id}` on source {record.source}, "
        f"as of {record.as_of or 'a date that was refused or is not known'}",
        f"- From {_moment(record.started_at)} to {_moment(record.ended_at)}",
        f"- What to do: {runbook_of(record).path}",
        f"- Then, to run again: `{again(settings, record)}`, or trigger the DAG",
        "",
        "## What failed",
        "",
        failed.message if failed else "No step says so.",
    ]
    for check in record.checks:
        if check.status in ("failed", "error"):
            lines += ["", *_rows_of(check)]
    failures = [failure for failure in record.failures if failure.is_final]
    if failures:
        lines += ["", "Symbols that could not be fetched:", ""]
        lines += [
            f"- {failure.symbol} ({failure.dataset}, attempt {failure.attempt}): {failure.reason}"
            for failure in failures
        ]
    if quarantined := record.facts(CheckRawFacts).quarantined:
        lines += ["", "In quarantine:", ""]
        lines += [f"- {unit.symbol} of {unit.batch_id}: {'; '.join(unit.reasons)}" for unit in quarantined]
    lines += ["", "## What people read meanwhile", "", *_published(settings.published, record)]
    return visible("\n".join(lines))


def _rows_of(check: CheckResult) -> list[str]:
    lines = [f"{check.gate}, {check.name} on {check.table}: {check.message or check.rows_text}. {check.why}", ""]
    lines += ["- " + ", ".join(f"{key}={value}" for key, value in row.items()) for row in check.examples[:_MAX_ROWS]]
    more = check.failing_rows - min(len(check.examples), _MAX_ROWS)
    return [*lines, f"- and {more} more"] if more > 0 and check.examples else lines


def _published(published: PublishedPaths, record: RunRecord) -> list[str]:
    try:
        linked, manifest = generations.linked_generation(published), generations.linked_manifest(published)
    except TitansError as error:
        return [str(error)]
    if manifest is None:
        damaged = f"Generation {linked}, whose manifest is damaged."
        return [damaged if linked else "Nothing: no generation has been published yet."]
    lines = [
        f"Generation {manifest.generation} of source {manifest.source}, as of {manifest.as_of}. "
        "This run changed nothing in it."
    ]
    known = generations.manifests(published)
    meanwhile = [each.generation for each in known if each.published_at >= record.started_at]
    lines.append(f"Published since the run began: {', '.join(meanwhile) or 'nothing'}.")
    return lines


def _short_text(settings: Settings, record: RunRecord, incident: Path) -> str:
    failed = record.failed_step
    where = f"Titans: {record.dag_id} failed at {failed.step}." if failed else f"Titans: {record.dag_id} failed."
    try:
        linked = generations.linked_generation(settings.published) or "nothing"
    except TitansError:
        linked = "what it is"
    return visible(
        f"{where} {failed.message if failed else ''}\n"
        f"Source {record.source}, run {record.run_id}. Published stays {linked}.\n"
        f"What to do: {runbook_of(record).path}. Then: {again(settings, record)}. Incident: {incident}"
    )


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

"""The command that repeats a run once its cause is mended, on the source that the run was on."""

from __future__ import annotations

from include.commands import make_build, make_command, make_run
from include.errors import Runbook, TitansError
from include.paths import StorePaths
from include.production import read_production
from include.runs.records import RunRecord, run_records, runbook_of
from include.settings import Settings


def again(settings: Settings, record: RunRecord) -> str:
    """The command, whole, for the data folder as it stands."""
    runbook = runbook_of(record) if record.failed_step else None
    if runbook is Runbook.OTHER_SOURCE:  # on that source it would be refused again
        if _remembers(settings):
            return make_command(settings.data_dir, "run")
        return next_run(settings, settings.store_of(record.source))
    of_run = _on(settings, record)
    words = {"KNOWN_AT": str(record.known_at)} if record.known_at else {}
    command = make_run(of_run, **words)
    if runbook is Runbook.ROWS_LOST:
        return f"{command}; only if the rows are meant to go, {make_run(of_run, ACCEPT_LOSS='reason')}"
    return command


def next_run(settings: Settings, store: StorePaths) -> str:
    """The command that runs the source of a store, as its last run did."""
    return make_run(_as_last_run(settings, store))


def next_build(settings: Settings, store: StorePaths) -> str:
    """The command that builds from what a store holds, on the source as its last run read it."""
    return make_build(_as_last_run(settings, store))


def _as_last_run(settings: Settings, store: StorePaths) -> Settings:
    records = [record for record in run_records(store) if not _is_refused(record)]
    return _on(settings, records[-1]) if records else settings.model_copy(update={"source": store.source})


def _is_refused(record: RunRecord) -> bool:
    """A run that was not let begin says nothing of how the store is run."""
    return record.failed_step is not None and record.failed_step.step == "source"


def _remembers(settings: Settings) -> bool:
    """Whether a bare ``make run`` finds its source, or says why not."""
    try:
        return read_production(settings.published.production) is not None
    except TitansError:
        return True


def _on(settings: Settings, record: RunRecord) -> Settings:
    return settings.model_copy(
        update={"source": record.source, "files_dir": record.files_dir, "exported_at": record.exported_at}
    )

"""The source of a run: its first task pins it, and every later one uses it, whatever the environment says by then."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from include.commands import make_command
from include.errors import Runbook, TitansError
from include.files import write_whole
from include.paths import StorePaths
from include.production import SOURCE_NAMES, SourceName, read_production
from include.publishing.generations import names
from include.publishing.switch import refuse_simulated
from include.runs.again import next_run
from include.runs.facts import PublishFacts
from include.runs.records import Pin, Run, run_records
from include.sealed import DamagedError, read_sealed, seal
from include.settings import Settings, load_settings, load_shared_settings


def settings_of_run(dag_id: str, run_id: str, **overrides: object) -> Settings:
    """The settings of a run, for each of its tasks. The first to ask resolves the source and pins it.

    Args:
        overrides: values that win over the environment, by setting name.

    Raises:
        TitansError: a setting is not usable, or the run would replace real data by simulated ones. The run's record
            says so too.
    """
    shared = load_shared_settings(**overrides)
    if (pin := _pin(shared, dag_id, run_id)) is not None:
        return _pinned(shared, pin)
    try:
        settings = _allowed_settings(**overrides)
    except TitansError:
        with Run(_served_store(shared), dag_id, run_id).step("source"):
            raise
    pin_run(settings, Run(settings.store, dag_id, run_id))
    return settings


def _allowed_settings(**overrides: object) -> Settings:
    settings = load_settings(**overrides)
    refuse_sample(settings)
    return settings


def refuse_sample(settings: Settings) -> None:
    """Refuse a run that would put simulated data in the place of real ones. A point-in-time build publishes nothing.

    Raises:
        TitansError: real data are published; or they were, as run records say, and the folder of what is published has
            been emptied since, with the memory of its source.
    """
    published = settings.published
    if settings.known_at is not None:
        return
    refuse_simulated(published, settings.source, settings.switch)
    if settings.source != "sample" or settings.switch or names(published) or read_production(published.production):
        return
    for source in SOURCE_NAMES:
        store = settings.store_of(source)
        if not store.is_simulated and _has_published(store):
            raise TitansError(
                f"{published.folder} is empty, and source {source} was published there before: the sample is simulated "
                "and would take the place of real data, so nothing was run. To go on with the real data: "
                f"{next_run(settings, store)}. For the sample, give it a folder of its own: make run SOURCE=sample "
                f"DATA=DIR. To have it here on purpose: "
                f"{make_command(settings.data_dir, 'run', SOURCE='sample', SWITCH='yes')}.",
                Runbook.OTHER_SOURCE,
            )


def _has_published(store: StorePaths) -> bool:
    return any(record.facts(PublishFacts).generation for record in run_records(store, "build_marts"))


def pin_run(settings: Settings, run: Run) -> None:
    """Note what a run reads, for its later tasks and for its record."""
    home = os.environ.get("AIRFLOW_HOME")
    pin = Pin(
        source=settings.source,
        files_dir=settings.files_dir,
        exported_at=settings.exported_at,
        is_of_folder=home is not None and Path(home).resolve() == settings.airflow_home.resolve(),
    )
    write_whole(run.pin_path, seal(pin))


def _pinned(settings: Settings, pin: Pin) -> Settings:
    return settings.model_copy(update=pin.model_dump(exclude={"is_of_folder"}))


def _served_store(settings: Settings) -> StorePaths:
    """The store that records a run which may not begin: of the source that the folder serves. The next good run there
    takes its place."""
    with suppress(TitansError):
        if (production := read_production(settings.published.production)) is not None:
            return settings.store_of(production.source)
    real_first: list[SourceName] = ["files", "yahoo", "sample"]
    stores = [settings.store_of(source) for source in real_first]
    return next((store for store in stores if store.runs.is_dir()), settings.store)


def settings_of_ended_run(dag_id: str, run_id: str) -> Settings:
    """The settings of a run that has ended, for the store that its steps are recorded in."""
    shared = load_shared_settings()
    if (pin := _pin(shared, dag_id, run_id)) is not None:
        return _pinned(shared, pin)
    begun = [name for name in SOURCE_NAMES if Run(shared.store_of(name), dag_id, run_id).is_under_way]
    if begun:
        return shared.model_copy(update={"source": begun[0]})
    try:  # its first task died before it asked: the record goes where the run would have
        return _allowed_settings()
    except TitansError:
        return shared.model_copy(update={"source": _served_store(shared).source})


def _pin(settings: Settings, dag_id: str, run_id: str) -> Pin | None:
    for source in SOURCE_NAMES:
        run = Run(settings.store_of(source), dag_id, run_id)
        try:
            return read_sealed(Pin, run.pin_path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except DamagedError as error:
            raise TitansError(
                f"{run.pin_path}, which names the source of this run, cannot be read: move it away and start a new run."
            ) from error
        if (record := run.record()) is not None:
            exported_at = record.exported_at or settings.exported_at
            return Pin(source=source, files_dir=record.files_dir or settings.files_dir, exported_at=exported_at)
    return None

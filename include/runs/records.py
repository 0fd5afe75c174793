"""Run records: what a DAG run did, as one JSON file, written when the run ends. ``make status`` reads these alone."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, SerializeAsAny, ValidationInfo, field_validator

from include.errors import Runbook, TitansError, is_refused, refusal
from include.files import files_in, write_whole
from include.gates.result import CheckResult
from include.paths import StorePaths
from include.production import SourceName
from include.raw.units import Release
from include.runs.facts import LandFacts, StepFacts, facts_of
from include.runs.runbooks import runbook_of_step
from include.sealed import DamagedError, read_sealed, seal
from include.shortage import shortage

Facts = TypeVar("Facts", bound=StepFacts)
Outcome = Literal["success", "partial", "failed", "skipped"]
_PIN = "source.pin"
_WITHOUT_PIN_SECONDS = 24 * 3600
_SYMBOLS_NAMED = 20
_LONGEST_NAME = 200
"""Airflow takes run ids of 250 characters, and file systems names of 255."""


class FailureRow(BaseModel):
    """A symbol that one attempt of a batch could not fetch."""

    dataset: str
    symbol: str
    reason: str
    attempt: int
    is_retryable: bool = True
    is_final: bool


class Pin(BaseModel):
    """What a run reads.

    Attributes:
        is_of_folder: whether the data folder's own Airflow executes it, that of ``make run`` and ``make airflow``.
    """

    source: SourceName
    files_dir: Path | None
    exported_at: datetime | None
    is_of_folder: bool = True


class StepRecord(BaseModel):
    """One task of a run."""

    step: str
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    message: str = ""
    facts: SerializeAsAny[StepFacts] = StepFacts()
    failures: list[FailureRow] = Field(default_factory=list)
    checks: list[CheckResult] = Field(default_factory=list)
    runbook: Runbook | None = None
    """The page that says what to do, where the step failed."""

    @field_validator("facts", mode="before")
    @classmethod
    def _of_this_step(cls, value: object, info: ValidationInfo) -> object:
        return facts_of(info.data.get("step", ""), value) if isinstance(value, dict) else value


class RunRecord(BaseModel):
    """A whole run. ``outcome`` is ``failed`` if a step failed for good, ``partial`` if some symbols did."""

    run_id: str
    dag_id: str
    source: SourceName
    as_of: str | None
    known_at: date | None = None
    """Set for a point-in-time build."""
    files_dir: Path | None = None
    """The folder that source ``files`` read."""
    exported_at: datetime | None = None
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    steps: list[StepRecord]

    @property
    def failures(self) -> list[FailureRow]:
        return [failure for step in self.steps for failure in step.failures]

    @property
    def checks(self) -> list[CheckResult]:
        return [check for step in self.steps for check in step.checks]

    @property
    def failed_step(self) -> StepRecord | None:
        return next((step for step in self.steps if step.outcome == "failed"), None)

    def step(self, name: str) -> StepRecord | None:
        return next((step for step in self.steps if step.step == name), None)

    def facts(self, kind: type[Facts]) -> Facts:
        """The facts of the step that ``kind`` belongs to; defaults if it did not run, failed early or was skipped."""
        return next((step.facts for step in self.steps if isinstance(step.facts, kind)), kind())


class Run:
    """One DAG run, as its tasks see it: each records its step as a part file, the last one puts the parts together."""

    def __init__(self, store: StorePaths, dag_id: str, run_id: str) -> None:
        self._store = store
        self.dag_id = dag_id
        self.run_id = run_id
        self.name = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{dag_id}.{run_id}")
        if len(self.name) > _LONGEST_NAME:
            digest = hashlib.sha256(self.name.encode()).hexdigest()[:8]
            self.name = f"{self.name[:_LONGEST_NAME]}.{digest}"
        self._parts = store.runs / f"{self.name}.parts"
        self._record_path = store.runs / f"{self.name}.json"

    @contextmanager
    def step(self, name: str) -> Iterator[StepRecord]:
        """Record the block as a step. An exception is recorded with its sentence and goes on."""
        now = datetime.now(UTC)
        record = StepRecord(step=name, outcome="success", started_at=now, ended_at=now)
        try:
            yield record
        except BaseException as raised:
            # DuckDB's own errors and Python's; where a model or a check ran out, its name is in the sentence already.
            import duckdb  # who reads records alone waits for no database

            is_plain = isinstance(raised, (duckdb.Error, MemoryError))
            error = (shortage(raised, f"Step {name}", self._store) if is_plain else None) or raised
            record.outcome = "failed"
            record.message = str(error) or type(error).__name__
            if isinstance(error, OSError) and is_refused(error):
                record.message = refusal(error)
            record.runbook = (error.runbook if isinstance(error, TitansError) else None) or runbook_of_step(name)
            if error is not raised:
                raise error from raised
            raise
        finally:
            record.ended_at = datetime.now(UTC)
            write_whole(self._parts / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.json", seal(record))

    @property
    def pin_path(self) -> Path:
        """What the run reads, as its first task found it. Gone with the parts: the record then has it."""
        return self._parts / _PIN

    def _pinned(self) -> dict[str, Any]:
        """Files folder and time of the export, where the run has any and its pin can be read."""
        pinned: Pin | RunRecord | None
        try:
            pinned = read_sealed(Pin, self.pin_path)
        except (FileNotFoundError, NotADirectoryError, DamagedError):
            pinned = self.record()
        if pinned is None or pinned.source != "files":
            return {}
        return {"files_dir": pinned.files_dir, "exported_at": pinned.exported_at}

    def steps(self) -> list[StepRecord]:
        """Steps recorded so far, in the order of their start.

        Of a run whose tasks were cleared, these include the steps that did not run again.
        """
        records: dict[str, StepRecord] = {}
        if (record := self.record()) is not None:
            records = {step.step: step for step in record.steps}
        for path in files_in(self._parts, ".json"):
            with contextlib.suppress(FileNotFoundError):
                try:
                    step = read_sealed(StepRecord, path)
                except DamagedError as error:
                    step = _damaged(path, error)
                records[step.step] = step
        return sorted(records.values(), key=lambda step: step.started_at)

    def record(self) -> RunRecord | None:
        """The record that this run left, if it has ended and the file is whole."""
        try:
            return read_sealed(RunRecord, self._record_path)
        except (FileNotFoundError, NotADirectoryError, DamagedError):
            return None

    @property
    def is_under_way(self) -> bool:
        """Whether steps are recorded that no ``finish`` has put together yet."""
        return self._parts.is_dir()

    def finish(self, as_of: str | None, last_step: str | None = None) -> RunRecord:
        """Write ``<run>.json`` out of the parts, in one step, and return it.

        Args:
            last_step: the step without which the run is not whole. If it is missing and no other failed, a task was
                killed.
        """
        steps = [step for step in self.steps() if step.runbook is not Runbook.KILLED_RUN]
        now = datetime.now(UTC)
        if last_step and not any(step.step == last_step or step.outcome == "failed" for step in steps):
            steps.append(_killed(steps[-1].step if steps else None, now))
        is_partial = any(failure.is_final for step in steps for failure in step.failures)
        outcome: Outcome = "success"
        if any(step.outcome == "failed" for step in steps):
            outcome = "failed"
        elif is_partial:
            outcome = "partial"
        elif steps and all(step.outcome == "skipped" for step in steps):
            outcome = "skipped"
        record = RunRecord(
            run_id=self.run_id,
            dag_id=self.dag_id,
            source=self._store.source,
            as_of=as_of,
            known_at=self._store.known_at,
            **self._pinned(),
            outcome=outcome,
            started_at=min((step.started_at for step in steps), default=now),
            ended_at=now,
            steps=steps,
        )
        write_whole(self._record_path, seal(record))
        shutil.rmtree(self._parts, ignore_errors=True)
        return record


def runbook_of(record: RunRecord) -> Runbook:
    """The page about the failure of a run."""
    failed = record.failed_step
    return (failed.runbook or runbook_of_step(failed.step)) if failed else Runbook.KILLED_RUN


def last_step_of(dag_id: str) -> str:
    """The step that every whole run of the DAG records."""
    return "publish" if dag_id == "build_marts" else "land"


def _damaged(path: Path, error: DamagedError) -> StepRecord:
    """The step whose record cannot be read: what it did is not known, so it does not count as done."""
    moment = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    return StepRecord(
        step=path.stem,
        outcome="failed",
        started_at=moment,
        ended_at=moment,
        message=f"{path}, the record of this step, cannot be read ({error}): run again.",
        runbook=runbook_of_step(path.stem),
    )


def _killed(last: str | None, now: datetime) -> StepRecord:
    return StepRecord(
        step=f"the step after {last}" if last else "its first step",
        outcome="failed",
        started_at=now,
        ended_at=now,
        message="Its task left no record: the process was killed (out of memory, a restart, a full disk). "
        "Nothing is half done: run again.",
        runbook=Runbook.KILLED_RUN,
    )


def run_records(store: StorePaths, dag_id: str | None = None) -> list[RunRecord]:
    """All readable records of the source, oldest first. A damaged one is passed over: it must not hide the others.

    Point-in-time builds are left out: they tell nothing of the warehouse or of what is published.
    """
    records = []
    for path in files_in(store.runs, ".json"):
        if not path.name.startswith(dag_id or ""):
            continue
        with contextlib.suppress(FileNotFoundError, DamagedError):
            records.append(read_sealed(RunRecord, path))
    return sorted((record for record in records if record.known_at is None), key=lambda record: record.ended_at)


def is_complete(record: RunRecord) -> bool:
    """Whether asking again would bring nothing more: at most, symbols are missing that the vendor does not have."""
    if record.step("land") is None or record.outcome not in ("success", "partial", "skipped"):
        return False
    land = record.facts(LandFacts)
    given_up = {failure.symbol for failure in record.failures if not failure.is_retryable}
    return set(land.failed) <= given_up


def symbols_by_reason(failures: Iterable[tuple[str, str]]) -> list[str]:
    """Pairs of symbol and reason as ``A, B: reason``, one text for each reason.

    Reasons that differ in the name of the symbol alone are one. Of many symbols the first are named.
    """
    reasons: dict[str, list[tuple[str, str]]] = {}
    for symbol, reason in failures:
        reasons.setdefault(_without(symbol, reason), []).append((symbol, reason))
    texts = []
    for shared, found in reasons.items():
        names = ", ".join(symbol for symbol, _ in found[:_SYMBOLS_NAMED])
        rest = f" and {len(found) - _SYMBOLS_NAMED:,} more" if len(found) > _SYMBOLS_NAMED else ""
        texts.append(f"{names}{rest}: {shared if len(found) > 1 else found[0][1]}")
    return texts


def _without(symbol: str, reason: str) -> str:
    return re.sub(rf"(?<![\w.^=-]){re.escape(symbol)}(?![\w.=-])", "each of them", reason)


def unfinished_runs(store: StorePaths) -> list[str]:
    """Names of runs that recorded a step and never ended: running now, or killed."""
    return [path.name.removesuffix(".parts") for path in files_in(store.runs, ".parts")]


def forget_killed_runs(store: StorePaths) -> None:
    """Remove what killed runs of the data folder's own Airflow left half recorded. The caller holds that Airflow's lock.

    Those of a server stay: it has an Airflow elsewhere, which may be at work on them, and ends their records itself.
    """
    for name in unfinished_runs(store):
        parts = store.runs / f"{name}.parts"
        try:
            is_own = read_sealed(Pin, parts / _PIN).is_of_folder
        except (FileNotFoundError, NotADirectoryError):  # a run that begins has none for a moment
            is_own = _is_abandoned(parts)
        except DamagedError:
            is_own = False
        if is_own:
            shutil.rmtree(parts, ignore_errors=True)


def _is_abandoned(parts: Path) -> bool:
    try:
        return datetime.now(UTC).timestamp() - parts.lstat().st_mtime > _WITHOUT_PIN_SECONDS
    except FileNotFoundError:  # its run has just ended
        return False


def damaged_files(store: StorePaths) -> list[Path]:
    """Run records and releases that cannot be read, and are passed over."""

    def is_damaged(path: Path, kind: type[BaseModel]) -> bool:
        try:
            with contextlib.suppress(FileNotFoundError):
                read_sealed(kind, path)
        except DamagedError:
            return True
        return False

    records = [path for path in files_in(store.runs, ".json") if is_damaged(path, RunRecord)]
    return records + [path for path in files_in(store.releases, ".json") if is_damaged(path, Release)]

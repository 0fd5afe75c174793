"""Fetching one batch from the source and landing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa

from include.errors import Runbook, TitansError
from include.ingest.outranked import outranked
from include.landing.batches import BatchKey, FailedFetch, FetchWindow, fetch_windows, land
from include.landing.index import LandingIndex
from include.landing.parts import Parts, kept_parts, land_leftovers
from include.paths import StorePaths
from include.runs.facts import FetchFacts, PlannedBatch
from include.runs.records import FailureRow, Run, symbols_by_reason
from include.runs.releases import kept_out, quarantined_units
from include.runs.rounds import broken_off_since
from include.seeds.read import load_reference
from include.seeds.rows import Security
from include.settings import Settings
from include.sources import open_source
from include.sources.base import SCHEMAS, CurrencyPair, Dataset, Extract, Source, SymbolFailure, Window

_CLOCK_TOLERANCE = timedelta(minutes=5)
"""Clocks are set right by seconds; more is a mistake."""

RESUME_WITHIN = timedelta(hours=12)
"""How old an answer of an incomplete run may be for the next run of its DAG to take it over instead of asking again."""


class PartialFailureError(TitansError):
    """Some symbols of a batch failed; the others have landed. Another attempt asks for the failed ones only."""

    def __init__(self, message: str, is_retryable: bool) -> None:
        super().__init__(message)
        self.is_retryable = is_retryable


@dataclass(frozen=True)
class _Settled:
    """Symbols that are not asked for.

    Attributes:
        landed: by this run.
        taken_over: landed by an earlier run of the DAG that did not complete.
        given_up: failed for good in an earlier attempt.
    """

    landed: set[str]
    taken_over: set[str]
    given_up: set[str]

    def left_of(self, symbols: Sequence[str]) -> list[str]:
        """What is still to ask for."""
        return [symbol for symbol in symbols if symbol not in self.landed | self.taken_over | self.given_up]


@dataclass(frozen=True)
class _Answer:
    """What the source delivered, with the record of each fetch."""

    extract: Extract
    windows: list[FetchWindow]
    failed: list[FailedFetch]


def fetch_batch(settings: Settings, request: PlannedBatch, run: Run, attempt: int, is_last_attempt: bool) -> FetchFacts:
    """Fetch what is left of the batch, land the good symbols, then raise for the others.

    Earlier attempts of this run count. Of a live vendor, so does what an incomplete run of the DAG landed.

    Returns:
        What this attempt landed.

    Raises:
        PartialFailureError: some symbols failed.
        NetworkUnavailableError: the vendor cannot be reached at all.
        TitansError: the clock was set back since the last fetch.
    """
    store = settings.store
    key = BatchKey(Dataset(request.dataset), request.group, request.index, run.name, attempt)
    with run.step(f"{request.step} attempt {attempt}") as step:
        land_leftovers(store, key)
        reference = load_reference(settings.seeds_dir)
        source = open_source(settings, reference, request.copy_name)
        landing = LandingIndex(store, passes_over_damaged=True)
        if source.is_incremental:
            _refuse_a_clock_set_back(landing, key.dataset)
        settled = _settled(store, landing, request, run, source.is_incremental)
        with kept_parts(store, key) as parts:
            answer = _ask(source, reference.securities, request, settled.left_of(request.symbols), parts)
            # A live vendor's answer counts from now, and a clock that was set back has been refused.
            answered = [window.symbol for window in answer.windows]
            landed_at = landing.next_landing(key.dataset)
            below = (
                None
                if source.is_incremental
                else outranked(
                    landing,
                    key.dataset,
                    answer.extract,
                    landed_at,
                    answered,
                    partial(kept_out, store),
                    reference.vendor_corrections,
                    settings.limits,
                )
            )
            if answer.windows or answer.failed:
                land(store, key, answer.extract, answer.windows, answer.failed, landed_at)
        failures = answer.extract.failures
        step.facts = facts = FetchFacts(
            dataset=request.dataset,
            rows=answer.extract.table.num_rows,
            symbols=len(answer.windows),
            taken_over=sorted(settled.taken_over),
            end=request.end,
            outranked=below,
            notes=answer.extract.notes,
        )
        step.message = " ".join([*([below.text] if below else []), *facts.notes])
        if failures:
            # A failed symbol is data for the step, not the step's failure: the run is red only if nothing landed.
            step.failures = _failure_rows(key, failures, is_last_attempt or not _may_succeed_soon(failures))
            step.outcome = "partial"
    given_up = sorted(settled.given_up & set(request.symbols))
    if failures or given_up:
        raise _partial_failure(failures, given_up, len(request.symbols))
    return facts


def _refuse_a_clock_set_back(landing: LandingIndex, dataset: Dataset) -> None:
    """Fetch times order the versions of a row: rows fetched on a clock set back would rank below what they correct."""
    now = datetime.now(UTC)
    newest = max(landing.batches(dataset), key=lambda batch: batch.manifest.fetched_at, default=None)
    if newest is not None and newest.manifest.fetched_at > now + _CLOCK_TOLERANCE:
        raise TitansError(
            f"This machine's clock says {now:%Y-%m-%d %H:%M} UTC, and {dataset} were last fetched at "
            f"{newest.manifest.fetched_at:%Y-%m-%d %H:%M} ({newest.path.name}): it was set back, and what came now "
            "would count as older. Nothing was fetched. If the clock is wrong now, set it, then run again. If it was "
            f"ahead then, {Runbook.LATE_DATA.path} says what to do with what was fetched.",
            Runbook.LATE_DATA,
        )


def _settled(
    store: StorePaths, landing: LandingIndex, request: PlannedBatch, run: Run, is_incremental: bool
) -> _Settled:
    landed = {
        window.symbol
        for manifest, window in landing.windows(Dataset(request.dataset))
        if (manifest.run_id, manifest.group) == (run.name, request.group)
    }
    taken_over = _landed_before(store, landing, request, run) - landed if is_incremental else set()
    given_up = {
        failure.symbol
        for step in run.steps()
        for failure in step.failures
        if failure.dataset == request.dataset and not failure.is_retryable
    }
    return _Settled(landed, taken_over, given_up)


def _landed_before(store: StorePaths, landing: LandingIndex, request: PlannedBatch, run: Run) -> set[str]:
    """Symbols whose answer to this request landed in an earlier run that broke off, itself or its ``make run``."""
    since = max(datetime.now(UTC) - RESUME_WITHIN, broken_off_since(store, run.dag_id))
    quarantined = {(unit.batch_id, unit.symbol) for unit in quarantined_units(store)}
    return {
        window.symbol
        for manifest, window in landing.windows(Dataset(request.dataset))
        if manifest.run_id.startswith(f"{run.dag_id}.")
        and manifest.group == request.group
        and manifest.fetched_at > since
        and _answers(window, request)
        and (manifest.batch_id, window.symbol) not in quarantined
    }


def _answers(window: FetchWindow, request: PlannedBatch) -> bool:
    if request.dataset == Dataset.PRICES and window.last != request.end:
        return False  # the last session was missing, and may be there now
    if request.is_window_given:
        return (window.start, window.end) == (request.start, request.end)
    # Something has landed since, so the request may begin later than the window.
    begins_early_enough = window.start is None or (request.start is not None and window.start <= request.start)
    return window.end == request.end and begins_early_enough


def _ask(
    source: Source, securities: Sequence[Security], request: PlannedBatch, symbols: list[str], parts: Parts
) -> _Answer:
    """Ask for the symbols: a live vendor one by one, keeping each answer, any other source for all at once."""
    dataset, window = Dataset(request.dataset), Window(request.start, request.end)
    questions = [[symbol] for symbol in symbols] if source.is_incremental else [symbols] if symbols else []
    answers = []
    for question in questions:
        answer = _ask_once(source, securities, dataset, question, window)
        answers.append(answer)
        if answer.windows and source.is_incremental:
            parts.keep(answer.extract, answer.windows)
    extracts = [answer.extract for answer in answers]
    good = [extract for extract in extracts if not extract.failures] or extracts
    return _Answer(
        Extract(
            table=pa.concat_tables(
                [SCHEMAS[dataset].empty_table(), *(extract.table for extract in extracts)], promote_options="default"
            ),
            fetched_at=max((extract.fetched_at for extract in good), default=datetime.now(UTC)),
            failures=[failure for extract in extracts for failure in extract.failures],
            last_day=next((extract.last_day for extract in extracts), None),
            notes=[note for extract in extracts for note in extract.notes],
        ),
        windows=[fetched for answer in answers for fetched in answer.windows],
        failed=[failed for answer in answers for failed in answer.failed],
    )


def _ask_once(
    source: Source, securities: Sequence[Security], dataset: Dataset, symbols: list[str], window: Window
) -> _Answer:
    asked_at = datetime.now(UTC)
    extract = _extract(source, securities, dataset, symbols, window)
    failed = [
        FailedFetch(
            symbol=failure.symbol,
            start=window.start,
            end=window.end,
            reason=failure.reason,
            asked_at=asked_at,
            address=extract.addresses.get(failure.symbol) or None,
        )
        for failure in extract.failures
    ]
    missing = {failure.symbol for failure in extract.failures}
    answered = [symbol for symbol in symbols if symbol not in missing]
    return _Answer(extract, fetch_windows(extract, dataset, answered, window, asked_at), failed)


def _extract(
    source: Source, securities: Sequence[Security], dataset: Dataset, symbols: list[str], window: Window
) -> Extract:
    wanted = [row for row in securities if row.symbol in symbols]
    match dataset:
        case Dataset.PRICES:
            return source.prices(wanted, window)
        case Dataset.SHARES:
            return source.shares(wanted, window)
        case Dataset.ESTIMATES:
            return source.estimates(wanted, window)
        case Dataset.FX_RATES:
            return source.fx_rates([CurrencyPair(name[:3], name[3:]) for name in symbols], window)
        case Dataset.RISK_FREE:
            return source.risk_free(symbols, window)


def _may_succeed_soon(failures: list[SymbolFailure]) -> bool:
    """Whether another attempt of the same run may bring any of the symbols. Not while the vendor's breaker is open."""
    return any(failure.is_retryable for failure in failures) and all(failure.not_before is None for failure in failures)


def _failure_rows(key: BatchKey, failures: list[SymbolFailure], is_last_attempt: bool) -> list[FailureRow]:
    return [
        FailureRow(
            dataset=key.dataset,
            symbol=failure.symbol,
            reason=failure.reason,
            attempt=key.attempt,
            is_retryable=failure.is_retryable,
            is_final=is_last_attempt or not failure.is_retryable,
        )
        for failure in failures
    ]


def _partial_failure(failures: list[SymbolFailure], given_up: list[str], asked: int) -> PartialFailureError:
    failed = [(failure.symbol, failure.reason) for failure in failures] + [
        (symbol, "given up by an earlier attempt") for symbol in given_up
    ]
    reasons = symbols_by_reason(failed)
    more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
    return PartialFailureError(
        f"{len(failed)} of {asked} symbols failed ({'; '.join(reasons[:5])}{more}). The others have landed.",
        is_retryable=_may_succeed_soon(failures),
    )

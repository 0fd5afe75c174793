"""Fetching one batch from the source and landing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from include.errors import TitansError
from include.ingest.plan import BatchRequest, quarantined_pairs
from include.landing.batches import FailedFetch, FetchWindow, content_hash, land, landed, rows_by_symbol
from include.landing.parts import kept_parts, land_leftovers
from include.runs.facts import FetchFacts
from include.runs.records import FailureRow, Run, symbols_by_reason
from include.runs.rounds import broken_off_since
from include.seeds.read import load_reference
from include.settings import Settings
from include.sources import open_source
from include.sources.base import SCHEMAS, CurrencyPair, Dataset, Extract, Source, SymbolFailure, Window

_CLOCK_TOLERANCE = timedelta(minutes=5)
"""Clocks are set right by seconds; more is a mistake."""


RESUME_WITHIN = timedelta(hours=12)
"""How old an answer of a run that did not complete may be for the next run of its DAG to take it over instead of asking again."""


_DATE_COLUMN = {Dataset.PRICES: "date", Dataset.FX_RATES: "date", Dataset.SHARES: "as_of", Dataset.ESTIMATES: "as_of"}


class PartialFailureError(TitansError):
    """Some symbols of a batch could not be fetched; the others have landed. Trying again asks for the failed ones only."""

    def __init__(self, message: str, is_retryable: bool) -> None:
        super().__init__(message)
        self.is_retryable = is_retryable


def fetch_batch(
    settings: Settings, request: BatchRequest, run: Run, attempt: int, is_last_attempt: bool
) -> dict[str, int]:
    """Fetch what has not been fetched yet, land the good symbols, then complain about the others.

    Not fetched again is what earlier attempts of this run got, and, of a live vendor, what a run of this DAG got that did not complete.

    Returns:
        Rows and symbols landed by this attempt.

    Raises:
        PartialFailureError: some symbols failed.
        NetworkUnavailableError: the vendor cannot be reached at all.
        TitansError: the clock was set back since the last fetch.
    """
    dataset = Dataset(request.dataset)
    with run.step(f"{fetch_step(request)} attempt {attempt}") as step:
        land_leftovers(settings, dataset, request.group, request.index, run.name)
        source = open_source(settings)
        if source.is_incremental:
            _refuse_a_clock_set_back(settings, dataset)
        done = _landed_by(settings, request, run)
        taken_over = _landed_before(settings, request, run) - done if source.is_incremental else set()
        given_up = {
            failure.symbol
            for earlier in run.steps()
            for failure in earlier.failures
            if failure.dataset == dataset and not failure.is_retryable
        }
        todo = [symbol for symbol in request.symbols if symbol not in done | taken_over | given_up]
        extract, windows = _fetch(settings, source, request, todo, run.name, attempt)
        is_last_attempt = is_last_attempt or not _may_succeed_soon(extract.failures)
        step.facts = FetchFacts(
            dataset=dataset,
            rows=extract.table.num_rows,
            symbols=len(windows),
            taken_over=sorted(taken_over),
            end=date.fromisoformat(request.end),
        )
        if extract.failures:
            # A failed symbol is data for the step, not the step's failure: the run is red only if nothing landed.
            step.failures = _failure_rows(dataset, extract.failures, attempt, is_last_attempt)
            step.outcome = "partial"
    if extract.failures or given_up & set(request.symbols):
        raise _partial_failure(extract.failures, sorted(given_up & set(request.symbols)), len(request.symbols))
    return {"rows": extract.table.num_rows, "symbols": len(windows)}


def _refuse_a_clock_set_back(settings: Settings, dataset: Dataset) -> None:
    """The time of fetching orders the versions of a row: what a clock set back brings in would be taken for older than what it corrects."""
    now = datetime.now(UTC)
    last = max((manifest.fetched_at for _, manifest in landed(settings, dataset)), default=now)
    if last > now + _CLOCK_TOLERANCE:
        raise TitansError(
            f"This machine's clock says {now:%Y-%m-%d %H:%M} UTC, and {dataset} were last fetched at {last:%Y-%m-%d %H:%M}: it was set back, and what came now "
            "would count as older. Nothing was fetched. Set the clock, then run again."
        )


def _landed_by(settings: Settings, request: BatchRequest, run: Run) -> set[str]:
    """Symbols that this run has landed."""
    return {
        window.symbol
        for _, manifest in landed(settings, Dataset(request.dataset))
        if (manifest.run_id, manifest.group) == (run.name, request.group)
        for window in manifest.windows
    }


def _landed_before(settings: Settings, request: BatchRequest, run: Run) -> set[str]:
    """Symbols of which earlier runs of this DAG landed what is asked for, before they or the ``make run`` around them broke off."""
    since = max(datetime.now(UTC) - RESUME_WITHIN, broken_off_since(settings.store, run.dag_id))
    quarantined = set(quarantined_pairs(settings))
    start, end = (date.fromisoformat(request.start) if request.start else None), date.fromisoformat(request.end)

    def answers(window: FetchWindow) -> bool:
        if request.dataset == Dataset.PRICES and window.last != end:
            return False  # the last session was missing, and may be there now
        if request.is_window_given:
            return (window.start, window.end) == (start, end)
        # Now that something has landed, less is asked for than then.
        return window.end == end and (window.start is None or (start is not None and window.start <= start))

    return {
        window.symbol
        for _, manifest in landed(settings, Dataset(request.dataset))
        if manifest.run_id.startswith(f"{run.dag_id}.")
        and manifest.group == request.group
        and manifest.fetched_at > since
        for window in manifest.windows
        if answers(window) and (manifest.batch_id, window.symbol) not in quarantined
    }


def _fetch(
    settings: Settings, source: Source, request: BatchRequest, todo: list[str], run_id: str, attempt: int
) -> tuple[Extract, list[FetchWindow]]:
    """Ask for the symbols and land what came, with the record of each fetch. A live vendor is asked for one after the other."""
    dataset = Dataset(request.dataset)
    window = Window(date.fromisoformat(request.start) if request.start else None, date.fromisoformat(request.end))
    extracts: list[Extract] = []
    windows: list[FetchWindow] = []
    failed: list[FailedFetch] = []
    with kept_parts(settings, dataset, request.group, request.index, run_id, attempt) as parts:
        for symbols in [[symbol] for symbol in todo] if source.is_incremental else [todo] if todo else []:
            asked_at = datetime.now(UTC)
            extract = _extract(settings, source, dataset, symbols, window)
            extracts.append(extract)
            failed += [
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
            answered = _windows(
                extract, dataset, [symbol for symbol in symbols if symbol not in missing], window, asked_at
            )
            if answered and source.is_incremental:
                parts.keep(extract, answered)
            windows += answered
        good = [extract for extract in extracts if not extract.failures] or extracts
        whole = Extract(
            table=pa.concat_tables([SCHEMAS[dataset].empty_table(), *(extract.table for extract in extracts)]),
            fetched_at=max((extract.fetched_at for extract in good), default=datetime.now(UTC)),
            failures=[failure for extract in extracts for failure in extract.failures],
        )
        if windows or failed:
            land(settings, dataset, request.group, request.index, run_id, attempt, whole, windows, failed)
    return whole, windows


def _extract(settings: Settings, source: Source, dataset: Dataset, symbols: list[str], window: Window) -> Extract:
    if dataset is Dataset.FX_RATES:
        return source.fx_rates([CurrencyPair(name[:3], name[3:]) for name in symbols], window)
    securities = [row for row in load_reference(settings.seeds_dir).securities if row.symbol in symbols]
    method = {Dataset.PRICES: source.prices, Dataset.SHARES: source.shares, Dataset.ESTIMATES: source.estimates}[
        dataset
    ]
    return method(securities, window)


def _windows(
    extract: Extract, dataset: Dataset, symbols: Sequence[str], window: Window, asked_at: datetime
) -> list[FetchWindow]:
    windows = []
    for symbol, rows in rows_by_symbol(dataset, extract.table, symbols).items():
        days = [day for day in rows[_DATE_COLUMN[dataset]].to_pylist() if day]
        windows.append(
            FetchWindow(
                symbol=symbol,
                start=window.start,
                end=window.end,
                rows=rows.num_rows,
                first=min(days, default=None),
                last=max(days, default=None),
                asked_at=asked_at,
                address=extract.addresses.get(symbol) or None,
                content_hash=content_hash(rows),
            )
        )
    return windows


def _may_succeed_soon(failures: list[SymbolFailure]) -> bool:
    """Whether another attempt of the same run may bring any of the symbols. Not while the vendor is left alone."""
    return any(failure.is_retryable for failure in failures) and all(failure.not_before is None for failure in failures)


def _failure_rows(
    dataset: Dataset, failures: list[SymbolFailure], attempt: int, is_last_attempt: bool
) -> list[FailureRow]:
    return [
        FailureRow(
            dataset=dataset,
            symbol=failure.symbol,
            reason=failure.reason,
            attempt=attempt,
            is_retryable=failure.is_retryable,
            is_final=is_last_attempt or not failure.is_retryable,
        )
        for failure in failures
    ]


def _partial_failure(failures: list[SymbolFailure], given_up: list[str], asked: int) -> PartialFailureError:
    told = [(failure.symbol, failure.reason) for failure in failures] + [
        (symbol, "given up by an earlier attempt") for symbol in given_up
    ]
    reasons = symbols_by_reason(told)
    more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
    return PartialFailureError(
        f"{len(told)} of {asked} symbols failed ({'; '.join(reasons[:5])}{more}). The others have landed.",
        is_retryable=_may_succeed_soon(failures),
    )


def fetch_step(request: BatchRequest) -> str:
    return f"fetch {request.dataset} {request.group} {request.index}"

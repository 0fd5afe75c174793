"""Source to landing: which batches a run needs, and fetching one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from include.as_of import bound_to_coverage
from include.calendars import load_calendars
from include.errors import TitansError
from include.landing.batches import FailedFetch, FetchWindow, content_hash, land, landed, last_dates, rows_by_symbol
from include.landing.parts import kept_parts, land_leftovers
from include.reference import Reference, Security, load_reference
from include.runbooks import Runbook
from include.runs import FailureRow, Run, StepRecord, broken_off_since, quarantined_units, symbols_by_reason
from include.settings import Settings
from include.sources import open_source
from include.sources.base import SCHEMAS, CurrencyPair, Dataset, Extract, Source, SymbolFailure, Window

BASE_CURRENCY = "USD"
FX_OVERLAP = timedelta(days=10)
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


@dataclass(frozen=True)
class BatchRequest:
    """One mapped task: symbols (or currency pairs such as USDHKD) of one dataset that need the same window. Dates are ISO text.

    ``is_window_given``: the trigger named the window or the symbols, so only an answer to the very same question will do.
    """

    dataset: str
    group: str
    index: int
    symbols: list[str]
    start: str | None
    end: str
    is_window_given: bool = False

    @property
    def name(self) -> str:
        return f"{self.dataset} {self.group} {self.index}: {len(self.symbols)} symbols from {self.start or 'the beginning'}"

    def as_dict(self) -> dict[str, Any]:
        """For XCom; ``name`` labels the mapped task."""
        return {**asdict(self), "name": self.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BatchRequest:
        return cls(**{key: value for key, value in values.items() if key != "name"})


@dataclass(frozen=True)
class Wish:
    """What the trigger form asks for beyond the as-of date: an explicit window and only some symbols."""

    start: date | None = None
    end: date | None = None
    symbols: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Wish:
        """From the trigger form's values.

        Raises:
            TitansError: start after end, or one of them after today.
        """
        start, end = (date.fromisoformat(params[name]) if params.get(name) else None for name in ("start", "end"))
        if start and end and start > end:
            raise TitansError(f"start={start} is after end={end}: swap them.")
        for name, day in (("start", start), ("end", end)):
            if day and day > datetime.now(UTC).date() + timedelta(days=1):
                raise TitansError(f"{name}={day} is in the future: give a date up to today.")
        return cls(start, end, tuple(params.get("symbols") or ()))


def currency_pairs(reference: Reference) -> list[CurrencyPair]:
    """Pairs in use: US dollars against each currency that a security trades or reports in, the major one of a minor unit."""
    named = {code for row in reference.securities for code in (row.currency, row.reporting_currency) if code}
    currencies = {reference.major_unit(code)[0] for code in named}
    return [CurrencyPair(BASE_CURRENCY, currency) for currency in sorted(currencies - {BASE_CURRENCY})]


def plan_prices(
    settings: Settings, market: str, as_of: date, wish: Wish, now: datetime | None = None
) -> list[BatchRequest]:
    """Batches for the securities of one market: all history for a new symbol, else from the last stored session minus the overlap.

    Raises:
        TitansError: ``as_of`` is before the source's data, or the wish names a symbol that the seeds do not have.
    """
    reference = load_reference(settings.seeds_dir)
    source = open_source(settings)
    as_of = bound_to_coverage(as_of, source.coverage(), settings.source)
    securities = _chosen(
        reference, [row for row in reference.securities_of(market) if row.symbol not in source.omitted], wish
    )
    calendar = load_calendars(reference)[securities[0].exchange] if securities else None
    if calendar is None:
        return []
    end = wish.end or as_of
    held = source.coverage([row.symbol for row in securities])
    session = calendar.last_on_or_before(min(end, held.last) if held else end)
    closed = calendar.last_closed(now or datetime.now(UTC))
    if session is None or closed is None:
        return []
    last_day = min(session.date, closed.date)
    stored = last_dates(settings, Dataset.PRICES, _quarantined(settings)) if source.is_incremental else {}
    windows: dict[date | None, list[str]] = defaultdict(list)
    for security in securities:
        last = stored.get(security.symbol)
        start = wish.start or (calendar.minus(min(last, last_day), settings.overlap_sessions) if last else None)
        windows[start].append(security.symbol)
    return _batches(settings, Dataset.PRICES, market, windows, last_day, wish)


def plan_fx(settings: Settings, as_of: date, wish: Wish) -> list[BatchRequest]:
    """One batch for each window the pairs in use need."""
    source = open_source(settings)
    as_of = bound_to_coverage(as_of, source.coverage(), settings.source)
    end = wish.end or as_of
    stored = last_dates(settings, Dataset.FX_RATES, _quarantined(settings)) if source.is_incremental else {}
    windows: dict[date | None, list[str]] = defaultdict(list)
    for pair in currency_pairs(load_reference(settings.seeds_dir)):
        last = stored.get(pair.name)
        windows[wish.start or (min(last, end) - FX_OVERLAP if last else None)].append(pair.name)
    return _batches(settings, Dataset.FX_RATES, "fx", windows, end, wish)


def plan_estimates(settings: Settings, as_of: date, wish: Wish) -> list[BatchRequest]:
    """Estimates and share counts of every equity, from the beginning: snapshots are few, and raw stores what is new."""
    reference = load_reference(settings.seeds_dir)
    source = open_source(settings)
    as_of = bound_to_coverage(as_of, source.coverage(), settings.source)
    symbols = [
        row.symbol
        for row in _chosen(reference, [row for row in reference.equities if row.symbol not in source.omitted], wish)
    ]
    return [
        batch
        for dataset in (Dataset.ESTIMATES, Dataset.SHARES)
        for batch in _batches(settings, dataset, "all", {wish.start: symbols}, wish.end or as_of, wish)
    ]


def _chosen(reference: Reference, securities: list[Security], wish: Wish) -> list[Security]:
    known = {row.symbol for row in reference.securities}
    if unknown := sorted(set(wish.symbols) - known):
        raise TitansError(
            f"Symbol {unknown[0]} is not in securities.csv: add it there, or ask for one of {', '.join(sorted(known))}."
        )
    return [row for row in securities if not wish.symbols or row.symbol in wish.symbols]


def _quarantined(settings: Settings) -> list[tuple[str, str]]:
    return [(unit["batch_id"], unit["symbol"]) for unit in quarantined_units(settings)]


def _batches(
    settings: Settings, dataset: Dataset, group: str, windows: dict[date | None, list[str]], end: date, wish: Wish
) -> list[BatchRequest]:
    slices = [
        (start, symbols[first : first + settings.batch_size])
        for start, symbols in sorted(windows.items(), key=lambda item: item[0] or date.min)
        for first in range(0, len(symbols), settings.batch_size)
    ]
    is_given = bool(wish.start or wish.end or wish.symbols)
    return [
        BatchRequest(
            str(dataset), group, index, symbols, start.isoformat() if start else None, end.isoformat(), is_given
        )
        for index, (start, symbols) in enumerate(slices, 1)
    ]


def is_session(settings: Settings, market: str, day: date) -> bool:
    """Whether any exchange of ``market`` has a session on ``day``."""
    reference = load_reference(settings.seeds_dir)
    calendars = load_calendars(reference)
    return any(bool(calendars[row.exchange].between(day, day)) for row in reference.exchanges if row.market == market)


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
    with run.step(f"{_fetch_step(request)} attempt {attempt}") as step:
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
        step.facts = {
            "dataset": str(dataset),
            "rows": extract.table.num_rows,
            "symbols": len(windows),
            "taken_over": sorted(taken_over),
            "end": request.end,
        }
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
    since = max(datetime.now(UTC) - RESUME_WITHIN, broken_off_since(settings, run.dag_id))
    quarantined = set(_quarantined(settings))
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


def _killed_fetches(plan: StepRecord | None, attempts: list[StepRecord]) -> list[FailureRow]:
    """Symbols of the batches of which no attempt could say anything."""
    recorded = {attempt.step.rpartition(" attempt ")[0] for attempt in attempts}
    requests = [BatchRequest.from_dict(values) for values in plan.facts.get("batches", [])] if plan else []
    reason = "every attempt of its task was killed, or could not start"
    return [
        FailureRow(dataset=request.dataset, symbol=symbol, reason=reason, attempt=0, is_final=True)
        for request in requests
        if _fetch_step(request) not in recorded
        for symbol in request.symbols
    ]


def _fetch_step(request: BatchRequest) -> str:
    return f"fetch {request.dataset} {request.group} {request.index}"


def summarise(settings: Settings, run: Run, as_of: date) -> dict[str, Any]:
    """What a run landed; the last step of every ingest DAG.

    Returns:
        ``as_of``, ``rows``, ``symbols`` (landed), ``taken_over`` (how many of them by an earlier run), ``failed`` (symbols that never landed).

    Raises:
        TitansError: symbols were asked for and not one landed, or the task that plans was killed before it could say what to ask for.
    """
    attempts: list[StepRecord] = [step for step in run.steps() if step.step.startswith("fetch ")]
    with run.step("land") as step:
        plan = next((earlier for earlier in run.steps() if earlier.step == "plan"), None)
        if plan is None and not attempts:
            raise TitansError(
                "The task that plans the batches left no record: it was killed, or could not start.", Runbook.KILLED_RUN
            )
        landed_symbols = {
            (manifest.dataset, window.symbol)
            for _, manifest in landed(settings)
            if manifest.run_id == run.name
            for window in manifest.windows
        }
        taken_over = {
            (attempt.facts["dataset"], symbol) for attempt in attempts for symbol in attempt.facts.get("taken_over", [])
        }
        landed_symbols |= taken_over
        failures = {(failure.dataset, failure.symbol): failure for attempt in attempts for failure in attempt.failures}
        failures |= {(failure.dataset, failure.symbol): failure for failure in _killed_fetches(plan, attempts)}
        failed = {key: failure for key, failure in failures.items() if key not in landed_symbols}
        # Of these the attempts say it themselves, unless the last one was killed.
        said = {
            (failure.dataset, failure.symbol)
            for attempt in attempts
            for failure in attempt.failures
            if failure.is_final
        }
        step.failures = [
            failure.model_copy(update={"is_final": True}) for key, failure in sorted(failed.items()) if key not in said
        ]
        # What was asked for up to: a closed source ends before today, and a weekend has no session.
        ends = [attempt.facts["end"] for attempt in attempts if "end" in attempt.facts]
        step.facts = {
            "as_of": max(ends, default=as_of.isoformat()),
            "rows": sum(attempt.facts.get("rows", 0) for attempt in attempts),
            "symbols": len({symbol for _, symbol in landed_symbols}),
            "taken_over": len({symbol for _, symbol in taken_over}),
            "failed": sorted({symbol for _, symbol in failed}),
        }
        broken = next((earlier.message for earlier in run.steps() if earlier.outcome == "failed"), None)
        if not landed_symbols and (broken or failed):
            raise TitansError(
                broken or f"Nothing landed: {'; '.join(sorted({failure.reason for failure in failed.values()})[:3])}"
            )
        if not landed_symbols:
            step.outcome = "skipped"
            step.message = f"Source {settings.source} has nothing of this kind up to {as_of}."
    return step.facts

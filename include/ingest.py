"""Source to landing: which batches a run needs, and fetching one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from include.as_of import bound_to_coverage
from include.calendars import load_calendars
from include.errors import TitansError
from include.landing.batches import FetchWindow, land, landed, last_dates
from include.reference import Reference, Security, load_reference
from include.runs import FailureRow, Run, StepRecord, quarantined_units
from include.settings import Settings
from include.sources import open_source
from include.sources.base import CurrencyPair, Dataset, Extract, Source, SymbolFailure, Window

BASE_CURRENCY = "USD"
FX_OVERLAP = timedelta(days=10)
_DATE_COLUMN = {Dataset.PRICES: "date", Dataset.FX_RATES: "date", Dataset.SHARES: "as_of", Dataset.ESTIMATES: "as_of"}


class PartialFailureError(TitansError):
    """Some symbols of a batch could not be fetched; the others have landed. Trying again asks for the failed ones only."""

    def __init__(self, message: str, is_retryable: bool) -> None:
        super().__init__(message)
        self.is_retryable = is_retryable


@dataclass(frozen=True)
class BatchRequest:
    """One mapped task: symbols (or currency pairs such as USDHKD) of one dataset that need the same window. Dates are ISO text."""

    dataset: str
    group: str
    index: int
    symbols: list[str]
    start: str | None
    end: str

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


def plan_prices(settings: Settings, market: str, as_of: date, wish: Wish, now: datetime | None = None) -> list[BatchRequest]:
    """Batches for the securities of one market: all history for a new symbol, else from the last stored session minus the overlap.

    Raises:
        TitansError: ``as_of`` is before the source's data, or the wish names a symbol that the seeds do not have.
    """
    reference = load_reference(settings.seeds_dir)
    source = open_source(settings)
    as_of = bound_to_coverage(as_of, source.coverage(), settings.source)
    securities = _chosen(reference, [row for row in reference.securities_of(market) if row.symbol not in source.omitted], wish)
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
    return _batches(settings, Dataset.PRICES, market, windows, last_day)


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
    return _batches(settings, Dataset.FX_RATES, "fx", windows, end)


def plan_estimates(settings: Settings, as_of: date, wish: Wish) -> list[BatchRequest]:
    """Estimates and share counts of every equity, from the beginning: snapshots are few, and raw stores what is new."""
    reference = load_reference(settings.seeds_dir)
    source = open_source(settings)
    as_of = bound_to_coverage(as_of, source.coverage(), settings.source)
    symbols = [row.symbol for row in _chosen(reference, [row for row in reference.equities if row.symbol not in source.omitted], wish)]
    return [
        batch
        for dataset in (Dataset.ESTIMATES, Dataset.SHARES)
        for batch in _batches(settings, dataset, "all", {wish.start: symbols}, wish.end or as_of)
    ]


def _chosen(reference: Reference, securities: list[Security], wish: Wish) -> list[Security]:
    known = {row.symbol for row in reference.securities}
    if unknown := sorted(set(wish.symbols) - known):
        raise TitansError(f"Symbol {unknown[0]} is not in securities.csv: add it there, or ask for one of {', '.join(sorted(known))}.")
    return [row for row in securities if not wish.symbols or row.symbol in wish.symbols]


def _quarantined(settings: Settings) -> list[tuple[str, str]]:
    return [(unit["batch_id"], unit["symbol"]) for unit in quarantined_units(settings)]


def _batches(settings: Settings, dataset: Dataset, group: str, windows: dict[date | None, list[str]], end: date) -> list[BatchRequest]:
    slices = [
        (start, symbols[first : first + settings.batch_size])
        for start, symbols in sorted(windows.items(), key=lambda item: item[0] or date.min)
        for first in range(0, len(symbols), settings.batch_size)
    ]
    return [
        BatchRequest(str(dataset), group, index, symbols, start.isoformat() if start else None, end.isoformat())
        for index, (start, symbols) in enumerate(slices, 1)
    ]


def is_session(settings: Settings, market: str, day: date) -> bool:
    """Whether any exchange of ``market`` has a session on ``day``."""
    reference = load_reference(settings.seeds_dir)
    calendars = load_calendars(reference)
    return any(bool(calendars[row.exchange].between(day, day)) for row in reference.exchanges if row.market == market)


def fetch_batch(settings: Settings, request: BatchRequest, run: Run, attempt: int, is_last_attempt: bool) -> dict[str, int]:
    """Fetch what earlier attempts of this run have not landed yet, land the good symbols, then complain about the others.

    Returns:
        Rows and symbols landed by this attempt.

    Raises:
        PartialFailureError: some symbols failed.
        NetworkUnavailableError: the vendor cannot be reached at all.
    """
    dataset = Dataset(request.dataset)
    with run.step(f"fetch {dataset} {request.group} {request.index} attempt {attempt}") as step:
        done = {
            window.symbol
            for _, manifest in landed(settings, dataset)
            if (manifest.run_id, manifest.group) == (run.name, request.group)
            for window in manifest.windows
        }
        given_up = {
            failure.symbol
            for earlier in run.steps()
            for failure in earlier.failures
            if failure.dataset == dataset and not failure.is_retryable
        }
        todo = [symbol for symbol in request.symbols if symbol not in done | given_up]
        window = Window(date.fromisoformat(request.start) if request.start else None, date.fromisoformat(request.end))
        extract = _extract(settings, open_source(settings), dataset, todo, window)
        failed = {failure.symbol for failure in extract.failures}
        windows = _windows(extract, dataset, [symbol for symbol in todo if symbol not in failed], window)
        if windows:
            land(settings, dataset, request.group, request.index, run.name, attempt, extract, windows)
        step.facts = {"dataset": str(dataset), "rows": extract.table.num_rows, "symbols": len(windows), "end": request.end}
        if extract.failures:
            # A failed symbol is data for the step, not the step's failure: the run is red only if nothing landed.
            step.failures = _failure_rows(dataset, extract.failures, attempt, is_last_attempt)
            step.outcome = "partial"
    if extract.failures or given_up & set(request.symbols):
        raise _partial_failure(extract.failures, sorted(given_up & set(request.symbols)), len(request.symbols))
    return {"rows": extract.table.num_rows, "symbols": len(windows)}


def _extract(settings: Settings, source: Source, dataset: Dataset, symbols: list[str], window: Window) -> Extract:
    if dataset is Dataset.FX_RATES:
        return source.fx_rates([CurrencyPair(name[:3], name[3:]) for name in symbols], window)
    securities = [row for row in load_reference(settings.seeds_dir).securities if row.symbol in symbols]
    method = {Dataset.PRICES: source.prices, Dataset.SHARES: source.shares, Dataset.ESTIMATES: source.estimates}[dataset]
    return method(securities, window)


def _windows(extract: Extract, dataset: Dataset, symbols: Sequence[str], window: Window) -> list[FetchWindow]:
    table = extract.table
    if dataset is Dataset.FX_RATES:
        names = pc.binary_join_element_wise(table["base_currency"], table["quote_currency"], "")
    else:
        names = table["symbol"]
    dates: dict[str, list[date | None]] = defaultdict(list)
    for name, day in zip(names.to_pylist(), table[_DATE_COLUMN[dataset]].to_pylist(), strict=True):
        dates[name].append(day)
    return [
        FetchWindow(
            symbol=symbol,
            start=window.start,
            end=window.end,
            rows=len(dates[symbol]),
            first=min((day for day in dates[symbol] if day), default=None),
            last=max((day for day in dates[symbol] if day), default=None),
        )
        for symbol in symbols
    ]


def _failure_rows(dataset: Dataset, failures: list[SymbolFailure], attempt: int, is_last_attempt: bool) -> list[FailureRow]:
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
    reasons = [f"{failure.symbol}: {failure.reason}" for failure in failures] + [
        f"{symbol}: given up by an earlier attempt" for symbol in given_up
    ]
    more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
    return PartialFailureError(
        f"{len(reasons)} of {asked} symbols failed ({'; '.join(reasons[:5])}{more}). The others have landed.",
        is_retryable=any(failure.is_retryable for failure in failures),
    )


def summarise(settings: Settings, run: Run, as_of: date) -> dict[str, Any]:
    """What a run landed; the last step of every ingest DAG.

    Returns:
        ``as_of``, ``rows``, ``symbols`` (landed), ``failed`` (symbols that never landed).

    Raises:
        TitansError: symbols were asked for and not one landed.
    """
    attempts: list[StepRecord] = [step for step in run.steps() if step.step.startswith("fetch ")]
    with run.step("land") as step:
        landed_symbols = {
            (manifest.dataset, window.symbol)
            for _, manifest in landed(settings)
            if manifest.run_id == run.name
            for window in manifest.windows
        }
        failures = {(failure.dataset, failure.symbol): failure for attempt in attempts for failure in attempt.failures}
        failed = {key: failure for key, failure in failures.items() if key not in landed_symbols}
        # What was asked for up to: a closed source ends before today, and a weekend has no session.
        ends = [attempt.facts["end"] for attempt in attempts if "end" in attempt.facts]
        step.facts = {
            "as_of": max(ends, default=as_of.isoformat()),
            "rows": sum(attempt.facts.get("rows", 0) for attempt in attempts),
            "symbols": len({symbol for _, symbol in landed_symbols}),
            "failed": sorted({symbol for _, symbol in failed}),
        }
        broken = next((earlier.message for earlier in run.steps() if earlier.outcome == "failed"), None)
        if not landed_symbols and (broken or failed):
            raise TitansError(broken or f"Nothing landed: {'; '.join(sorted({failure.reason for failure in failed.values()})[:3])}")
        if not landed_symbols:
            step.outcome = "skipped"
            step.message = f"Source {settings.source} has nothing of this kind up to {as_of}."
    return step.facts

"""What an ingest run asks for: the batches of symbols and their windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any

from include.errors import TitansError
from include.ingest.as_of import RunFacts, bound_to_coverage, resolve_as_of
from include.landing.index import LandingIndex
from include.paths import StorePaths
from include.runs.facts import PlanFacts, PlannedBatch
from include.runs.records import Run
from include.runs.releases import quarantined_units
from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.seeds.rows import Reference, Security
from include.settings import Settings
from include.sources import open_source
from include.sources.base import Dataset, Source, currency_pairs, risk_free_currencies

RATES_OVERLAP = timedelta(days=10)
_MOST_BATCHES = 500
"""Of one dataset in a run. Airflow makes a task of each, and refuses to make more than 1,024 of one list."""


@dataclass(frozen=True)
class TriggerParams:
    """What the trigger form asks for beyond the as-of date: an explicit window and only some symbols."""

    start: date | None = None
    end: date | None = None
    symbols: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> TriggerParams:
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


Windows = dict[tuple[date | None, date], list[str]]
"""Symbols by the first and last day that is asked for."""
Plan = Callable[[Settings, date, TriggerParams], list[PlannedBatch]]


def plan_run(
    settings: Settings,
    run: Run,
    plan: Plan,
    facts: RunFacts,
    form: Mapping[str, Any],
    zone: str,
    only_on_sessions_of: str | None = None,
) -> list[PlannedBatch]:
    """The first step of an ingest run: what it asks for.

    Args:
        form: values of the trigger form, by name.
        zone: time zone in which a run's time is read as a date.
        only_on_sessions_of: market without whose session a run of the timetable has nothing to do.

    Raises:
        TitansError: the trigger names what is no parameter, or a value of it is refused.
    """
    with run.step("plan") as step:
        if unknown := sorted(set(facts.given) - set(form)):
            raise TitansError(f"The trigger names {unknown[0]}, which is no parameter: use {', '.join(form)}.")
        as_of = resolve_as_of(facts, zone)
        batches: list[PlannedBatch] = []
        if (
            only_on_sessions_of
            and facts.is_of_timetable
            and not is_session(load_reference(settings.seeds_dir), only_on_sessions_of, as_of)
        ):
            step.outcome, step.message = "skipped", f"{as_of} is no session of {only_on_sessions_of}"
        else:
            batches = plan(settings, as_of, TriggerParams.from_params(form))
        step.facts = PlanFacts(batches=batches)
    return batches


def plan_prices(
    settings: Settings, market: str, as_of: date, params: TriggerParams, now: datetime | None = None
) -> list[PlannedBatch]:
    """Batches for the securities of one market.

    A new symbol is asked for its whole history, any other from its last stored session minus the overlap; each up to
    the last session that its own exchange has closed. Of a live vendor, days that a calendar does not reach are asked
    for too, so that each symbol says why they are missing.

    Raises:
        TitansError: ``as_of`` is before the source's data, or ``params`` names a symbol that the seeds do not have.
    """
    reference = load_reference(settings.seeds_dir)
    source = open_source(settings, reference)
    as_of = bound_to_coverage(as_of, source.coverage(), settings.source)
    chosen = _chosen(
        reference, [row for row in reference.securities_of(market) if row.symbol not in source.omitted], params
    )
    stored = _stored(settings.store, source, Dataset.PRICES)
    calendars = load_calendars(reference)
    windows: Windows = defaultdict(list)
    for exchange in dict.fromkeys(row.exchange for row in chosen):
        calendar, securities = calendars[exchange], [row for row in chosen if row.exchange == exchange]
        end = params.end or as_of
        held = source.coverage([row.symbol for row in securities])
        if held:
            end = min(end, held.last)
        session, closed = calendar.last_on_or_before(end), calendar.last_closed(now or datetime.now(UTC))
        if source.is_incremental and min(end, (now or datetime.now(UTC)).date()) > calendar.known_until:
            last_day = end
        elif session and closed:
            last_day = min(session.date, closed.date)
        elif held:  # a closed source with prices from before the calendar begins: raw says so of each
            last_day = end
        else:
            continue
        for security in securities:
            last = stored.get(security.symbol)
            start = params.start or (calendar.minus(min(last, last_day), settings.overlap_sessions) if last else None)
            windows[start, last_day].append(security.symbol)
    return _batches(Dataset.PRICES, market, windows, params, settings.batch_size, source.copy_name)


def plan_fx(settings: Settings, as_of: date, params: TriggerParams) -> list[PlannedBatch]:
    """One batch for each window that the pairs in use need, and the currencies whose risk-free rate the source has."""
    reference = load_reference(settings.seeds_dir)
    source = open_source(settings, reference)
    as_of = bound_to_coverage(as_of, source.coverage(), settings.source)
    end = params.end or as_of
    pairs = [pair.name for pair in currency_pairs(reference)]
    currencies = source.offered(Dataset.RISK_FREE, risk_free_currencies(reference))
    batches: list[PlannedBatch] = []
    for dataset, group, units in ((Dataset.FX_RATES, "fx", pairs), (Dataset.RISK_FREE, "all", currencies)):
        stored = _stored(settings.store, source, dataset) if units else {}
        windows: Windows = defaultdict(list)
        for unit in units:
            last = stored.get(unit)
            windows[params.start or (min(last, end) - RATES_OVERLAP if last else None), end].append(unit)
        batches += _batches(dataset, group, windows, params, settings.batch_size, source.copy_name)
    return batches


def plan_estimates(settings: Settings, as_of: date, params: TriggerParams) -> list[PlannedBatch]:
    """Estimates and share counts of every equity, from the beginning: snapshots are few, and raw stores what is new."""
    reference = load_reference(settings.seeds_dir)
    source = open_source(settings, reference)
    as_of = bound_to_coverage(as_of, source.coverage(), settings.source)
    symbols = [
        row.symbol
        for row in _chosen(reference, [row for row in reference.equities if row.symbol not in source.omitted], params)
    ]
    return [
        batch
        for dataset in (Dataset.ESTIMATES, Dataset.SHARES)
        for batch in _batches(
            dataset,
            "all",
            {(params.start, params.end or as_of): symbols},
            params,
            settings.batch_size,
            source.copy_name,
        )
    ]


def is_session(reference: Reference, market: str, day: date) -> bool:
    """Whether any exchange of ``market`` has, or may have, a session on ``day``."""
    exchanges = {row.exchange for row in reference.exchanges if row.market == market}
    calendars = [calendar for exchange, calendar in load_calendars(reference).items() if exchange in exchanges]
    return any(calendar.between(day, day) or day > calendar.known_until for calendar in calendars)


def _stored(store: StorePaths, source: Source, dataset: Dataset) -> dict[str, date]:
    """The last date stored of each symbol, without units in quarantine. Of a closed source all is fetched again."""
    if not source.is_incremental:
        return {}
    quarantined = {(unit.batch_id, unit.symbol) for unit in quarantined_units(store)}
    return LandingIndex(store, passes_over_damaged=True).last_dates(dataset, quarantined)


def _chosen(reference: Reference, securities: list[Security], params: TriggerParams) -> list[Security]:
    known = {row.symbol for row in reference.securities}
    if unknown := sorted(set(params.symbols) - known):
        raise TitansError(
            f"Symbol {unknown[0]} is not in securities.csv: add it there, or ask for one of {', '.join(sorted(known))}."
        )
    return [row for row in securities if not params.symbols or row.symbol in params.symbols]


def _batches(
    dataset: Dataset,
    group: str,
    windows: Windows,
    params: TriggerParams,
    batch_size: int,
    copy_name: str | None,
) -> list[PlannedBatch]:
    """Batches of ``batch_size`` symbols, or of more where there would be too many batches."""
    batch_size = max(batch_size, ceil(sum(map(len, windows.values())) / _MOST_BATCHES))
    slices = [
        (start, end, symbols[first : first + batch_size])
        for (start, end), symbols in sorted(windows.items(), key=lambda item: (item[0][0] or date.min, item[0][1]))
        for first in range(0, len(symbols), batch_size)
    ]
    is_given = bool(params.start or params.end or params.symbols)
    return [
        PlannedBatch(
            dataset=dataset,
            group=group,
            index=index,
            symbols=symbols,
            start=start,
            end=end,
            is_window_given=is_given,
            copy_name=copy_name,
        )
        for index, (start, end, symbols) in enumerate(slices, 1)
    ]

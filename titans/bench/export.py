"""The vendor's exports of a made-up world, as ``SOURCE=files`` reads them: all it knows on a day, or what is new."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from include.errors import TitansError
from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from titans.bench.draws import Floats, Stream, bits, normal, part
from titans.bench.market import (
    EXPORT_PLACE,
    HORIZON,
    WEEKDAYS,
    Exchange,
    Securities,
    Whole,
    place_of,
    walk,
)
from titans.bench.world import (
    CURRENCIES,
    EXCHANGES,
    FIRST_EXPORT,
    World,
    equity,
    index,
    reporting_currency,
)

_TOGETHER = 64
"""Securities that are drawn at a time: some 100 MB for 25 years."""
_RATES = {"HKD": (7.8, 0.00015), "CNY": (6.8, 0.001)}
_RATES_BEFORE = 10
_QUARTER = 65
_SNAPSHOT_WEEKS = 52
_YEAR_ENDS = (12, 12, 12, 3, 6)
_LOSS_MAKER_EVERY, _LOSS_MAKER_FIRST = 40, 5

_PRICES = pa.schema(
    [
        ("symbol", pa.dictionary(pa.int32(), pa.string())),
        ("date", pa.date32()),
        *((name, pa.float64()) for name in ("open", "high", "low", "close")),
        ("volume", pa.int64()),
        ("currency", pa.dictionary(pa.int32(), pa.string())),
        ("dividend", pa.float64()),
        ("dividend_currency", pa.dictionary(pa.int32(), pa.string())),
        ("split_ratio", pa.float64()),
    ]
)
_SHARES = pa.schema(
    [("symbol", pa.dictionary(pa.int32(), pa.string())), ("as_of", pa.date32()), ("shares_outstanding", pa.float64())]
)
_ESTIMATES = pa.schema(
    [
        ("symbol", pa.dictionary(pa.int32(), pa.string())),
        ("as_of", pa.date32()),
        ("metric", pa.dictionary(pa.int32(), pa.string())),
        ("period", pa.dictionary(pa.int32(), pa.string())),
        ("period_end", pa.date32()),
        *((name, pa.float64()) for name in ("mean", "low", "high")),
        ("analyst_count", pa.int64()),
        ("currency", pa.dictionary(pa.int32(), pa.string())),
    ]
)
_FX_RATES = pa.schema(
    [("base_currency", pa.string()), ("quote_currency", pa.string()), ("date", pa.date32()), ("rate", pa.float64())]
)


@dataclass(frozen=True)
class _Window:
    """Places of weekdays: the first of the world, the day of the export, and the day since which only news counts."""

    first: int
    day: int
    since: int | None

    def is_new(self, places: Whole) -> npt.NDArray[np.bool_]:
        return places > (-1 if self.since is None else self.since)


def write_export(world: World, project: Path, folder: Path, day: date, since: date | None = None) -> dict[str, int]:
    """Write what the vendor delivers after the close of ``day``.

    Args:
        project: the dbt project with the world's seeds, whose calendars count.
        since: the day of the delivery before: only what is new or restated since is in it, and the whole history of
            a security that has split. None: everything.

    Returns:
        Rows of each dataset.

    Raises:
        TitansError: the day is before the first export or after the horizon.
        OSError: the export cannot be written.
    """
    if not FIRST_EXPORT <= day <= HORIZON:
        raise TitansError(f"The world's vendor exports from {FIRST_EXPORT} to {HORIZON}: give a day of these.")
    folder.mkdir(parents=True, exist_ok=True)
    reference = load_reference(project / "seeds")
    calendars = load_calendars(reference, day.year)
    exchanges = [Exchange(name, calendars[name]) for name in EXCHANGES]
    window = _Window(place_of(world.first_day), _place_up_to(day), None if since is None else _place_up_to(since))
    rows = {"prices": 0, "shares": 0, "estimates": 0}
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd"))
            for name, schema in (("prices", _PRICES), ("shares", _SHARES), ("estimates", _ESTIMATES))
        }
        for securities in _chunks(world, exchanges):
            tables = {"prices": _prices(securities, window)}
            if not securities.is_index:
                tables |= {"shares": _shares(securities, window), "estimates": _estimates(securities, window)}
            for name, table in tables.items():
                writers[name].write_table(table)
                rows[name] += table.num_rows
    rates = _rates(window)
    pq.write_table(rates, folder / "fx_rates.parquet", compression="zstd")
    return {**rows, "fx_rates": rates.num_rows}


def _place_up_to(day: date) -> int:
    """The place of a weekday, or of the one before."""
    return int(np.searchsorted(WEEKDAYS, np.datetime64(day), side="right")) - 1


def _chunks(world: World, exchanges: list[Exchange]) -> Iterator[Securities]:
    for is_index, count in ((True, world.indices), (False, world.symbols)):
        for place, exchange in enumerate(exchanges):
            numbers = np.arange(place, count, len(exchanges))
            for first in range(0, len(numbers), _TOGETHER):
                yield Securities(exchange, numbers[first : first + _TOGETHER], is_index)


def _prices(securities: Securities, window: _Window) -> pa.Table:
    bars = securities.bars(window.first, window.day)
    places = np.arange(window.first, window.day + 1)[:, None]
    wanted = bars.exists & window.is_new(places)
    if window.since is not None:
        was_wrong = securities.misreported(places, window.since)
        wanted |= bars.exists & was_wrong & ~bars.is_misreported
        wanted |= bars.exists & securities.splits_between(window.since, window.day)[None, :]
    wanted = wanted.T
    securities_wanted, days_wanted = np.nonzero(wanted)
    names = [index(number) if securities.is_index else equity(number) for number in securities.numbers.tolist()]
    currency = CURRENCIES[securities.exchange.name]
    # Some companies in Hong Kong declare in renminbi.
    in_renminbi = (securities.numbers % 10 == 4) & (currency == "HKD") & (not securities.is_index)

    def column(values: Floats | Whole) -> Any:
        return values.T[wanted]

    volume = pa.nulls(len(days_wanted), pa.int64()) if securities.is_index else pa.array(column(bars.volume))
    return pa.table(
        [
            _coded(securities_wanted, names),
            pa.array(WEEKDAYS[window.first + days_wanted]),
            *(pa.array(column(values)) for values in (bars.open, bars.high, bars.low, bars.close)),
            volume,
            _coded(np.zeros(len(days_wanted)), [currency]),
            pa.array(column(bars.dividend)),
            _coded(in_renminbi[securities_wanted], [currency, "CNY"]),
            pa.array(column(bars.split_ratio)),
        ],
        schema=_PRICES,
    )


def _shares(securities: Securities, window: _Window) -> pa.Table:
    """A count a quarter, from the quarter before the world begins on."""
    places = np.arange(window.first // _QUARTER * _QUARTER, window.day + 1, _QUARTER)[:, None]
    base = 1e8 * 100 ** part(bits(Stream.SHARES, securities.keys), 0)
    drawn = bits(Stream.SHARES, securities.keys[None, :], places)
    counts = base * 1.002 ** ((places - EXPORT_PLACE) / _QUARTER) * (1 + 0.004 * part(drawn, 1))
    counts = np.round(counts * securities.splits.between(EXPORT_PLACE, window.day))
    wanted = (window.is_new(places) & (places >= securities.listed() - _QUARTER)).T
    rows, days = np.nonzero(wanted)
    return pa.table(
        [_coded(rows, _names(securities)), pa.array(WEEKDAYS[places[days, 0]]), pa.array(counts.T[wanted])],
        schema=_SHARES,
    )


def _estimates(securities: Securities, window: _Window) -> pa.Table:
    """Earnings a share of this fiscal year and the next: a snapshot a quarter, in the last year before the first export
    one a week, and from it on one a day."""
    quarterly = np.arange(window.first // _QUARTER * _QUARTER + _QUARTER, EXPORT_PLACE, _QUARTER)
    weekly = np.arange(EXPORT_PLACE - 5 * _SNAPSHOT_WEEKS, EXPORT_PLACE, 5)
    daily = np.arange(EXPORT_PLACE, window.day + 1)
    places = np.unique(np.concatenate([quarterly, weekly[weekly >= window.first], daily]))
    places = places[window.is_new(places)]
    months = np.array(_YEAR_ENDS)[(part(bits(Stream.ESTIMATE, securities.keys), 0) * len(_YEAR_ENDS)).astype(np.int64)]
    this_month = WEEKDAYS[places].astype("datetime64[M]").astype(np.int64)[:, None]  # since January 1970
    wait = (months[None, :] - 1 - this_month) % 12
    tables = []
    for label, later in (("0y", 0), ("+1y", 1)):
        month = this_month + wait + 12 * later
        ends = (month + 1).astype("datetime64[M]").astype("datetime64[D]") - 1
        mean = _earnings(securities, places[:, None], month, window)
        drawn = bits(Stream.ESTIMATE, securities.keys[None, :], month, places[:, None])
        wanted = (places[:, None] >= securities.listed()).T
        rows, days = np.nonzero(wanted)
        values = mean.T[wanted]
        currencies = [reporting_currency(number) for number in securities.numbers.tolist()]
        codes = sorted(set(currencies))
        tables.append(
            pa.table(
                [
                    _coded(rows, _names(securities)),
                    pa.array(WEEKDAYS[places[days]]),
                    _coded(np.zeros(len(rows)), ["eps"]),
                    _coded(np.zeros(len(rows)), [label]),
                    pa.array(ends.T[wanted]),
                    pa.array(values),
                    pa.array(values - 0.05 * abs(values)),
                    pa.array(values + 0.05 * abs(values)),
                    pa.array((3 + 25 * part(drawn, 2)).astype(np.int64).T[wanted]),
                    _coded(np.array([codes.index(currency) for currency in currencies])[rows], codes),
                ],
                schema=_ESTIMATES,
            )
        )
    return pa.concat_tables(tables)


def _earnings(securities: Securities, places: Whole, month: Whole, window: _Window) -> Floats:
    """Estimates of the fiscal year that ends in ``month``, revised by some percent; one in forty is a loss."""
    multiple = 8 + 32 * part(bits(Stream.ESTIMATE, securities.keys, 1), 1)
    sign = np.where(securities.numbers % _LOSS_MAKER_EVERY == _LOSS_MAKER_FIRST, -1.0, 1.0)
    years = (month - (2025 - 1970) * 12) / 12
    revised = 1 + 0.02 * normal(bits(Stream.ESTIMATE, securities.keys[None, :], month, places))
    earnings = sign * securities.middle / multiple * 1.05**years * revised
    return np.round(earnings / securities.splits.between(EXPORT_PLACE, window.day), 4)


def _rates(window: _Window) -> pa.Table:
    first = max(0, window.first - _RATES_BEFORE)
    places = np.arange(first, window.day + 1)
    tables = []
    for number, (currency, (middle, size)) in enumerate(_RATES.items()):
        series = walk(Stream.RATE, np.array([number]), first)[: len(places), 0]
        wanted = window.is_new(places)
        rates = np.round(middle * np.exp(size * series), 5)[wanted]
        count = len(rates)
        days = pa.array(WEEKDAYS[places[wanted]])
        tables.append(pa.table([["USD"] * count, [currency] * count, days, pa.array(rates)], schema=_FX_RATES))
    return pa.concat_tables(tables)


def _names(securities: Securities) -> list[str]:
    return [equity(number) for number in securities.numbers.tolist()]


def _coded(codes: npt.NDArray[Any], names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names, pa.string()))

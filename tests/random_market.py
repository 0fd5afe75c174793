"""A small market drawn at random, and dozens of baskets in it: random walks, two exchanges, three currencies, dividends, splits, trading halts,
late listings, a security that stops for good, and members that join, leave and come back, most often near the days on which baskets are rebalanced."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import product
from math import exp
from pathlib import Path
from random import Random

from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from tests.basket_engine import Basket, Market, Member
from tests.pipeline import forget_default_securities, write_csv

FIRST, MIDDLE, LAST = date(2022, 3, 1), date(2023, 12, 8), date(2024, 3, 15)
SECURITIES = {
    **{f"H{number}": ("XHKG", "HKD") for number in range(1, 6)},
    "H6": ("XHKG", "CNY"),
    "H7": ("XHKG", "CNY"),
    **{f"U{number}": ("XNYS", "USD") for number in range(1, 7)},
    "U7": ("XNYS", "HKD"),
}
LATE = ("H3", "U3")
HALTED = ("H1", "H2", "H6", "U1", "U2")
STOPPED = "U6"
SPLIT_BEFORE_THE_MIDDLE, SPLIT_AFTER_IT = ("H2", "U4"), ("H4", "U2")


def draw_market(seed: int, project: Path) -> Market:
    """Everything about every security; also written into the seeds of ``project``, so that its calendars are the ones used."""
    random = Random(seed)
    seeds = project / "seeds"
    rows = [
        f"{symbol},{symbol} Limited,equity,{exchange},{currency},"
        for symbol, (exchange, currency) in SECURITIES.items()
    ]
    write_csv(seeds / "securities.csv", "symbol,name,kind,exchange,currency,reporting_currency", *rows)
    forget_default_securities(seeds)
    write_baskets(seeds, [Basket("all", "equal", "annual", (Member("H4"),))])
    calendars = {name: calendar.dates for name, calendar in load_calendars(load_reference(seeds)).items()}
    days = {exchange: [day for day in dates if FIRST <= day <= LAST] for exchange, dates in calendars.items()}
    market = Market(
        last_day=LAST,
        sessions=calendars,
        exchange={symbol: exchange for symbol, (exchange, _) in SECURITIES.items()},
        currency={symbol: currency for symbol, (_, currency) in SECURITIES.items()},
        closes={symbol: _closes(random, symbol, days[exchange]) for symbol, (exchange, _) in SECURITIES.items()},
        dividends={
            symbol: dict.fromkeys(random.sample(days[exchange], 4), 0.0) for symbol, (exchange, _) in SECURITIES.items()
        },
        splits={},
        shares={symbol: _counts(random) for symbol in SECURITIES},
        rates={"HKD": _rates(random, 7.8, 0.002), "CNY": _rates(random, 6.9, 0.006)},
    )
    for symbol, series in market.dividends.items():
        closes = market.closes[symbol]
        market.dividends[symbol] = {
            day: market.close(symbol, day) * random.uniform(0.005, 0.06)  # type: ignore[operator]  # a day of closes has one
            for day in series
            if day in closes
        }
    for symbol in SPLIT_BEFORE_THE_MIDDLE + SPLIT_AFTER_IT:
        ex_dates = [day for day in sorted(market.closes[symbol])[60:] if (day > MIDDLE) == (symbol in SPLIT_AFTER_IT)]
        _split(market, symbol, random.choice(ex_dates), random.choice([2.0, 4.0, 0.5]))
    return market


def _closes(random: Random, symbol: str, days: list[date]) -> dict[date, float]:
    if symbol in LATE:
        days = days[random.randrange(60, 260) :]
    if symbol == STOPPED:
        days = days[: random.randrange(250, 420)]
    if symbol in HALTED:
        # Less than 2% of the sessions, or gate 1 keeps the security out; around the end of a quarter, when it tells most.
        ends = [
            index
            for index in range(20, len(days) - 20)
            if days[index].month % 3 == 0 and days[index + 1].month % 3 == 1
        ]
        start = random.choice(ends) - random.randrange(2, 8)
        days = days[:start] + days[start + random.randrange(6, 9) :]
    price, closes = random.uniform(5, 400), {}
    for day in days:
        price *= exp(random.gauss(0.0005, 0.02))
        closes[day] = price
    return closes


def _counts(random: Random) -> dict[date, float]:
    count, counts = random.uniform(1e8, 2e10), {}
    for offset in sorted(random.sample(range(30, 700), random.randrange(1, 5))):
        count *= random.uniform(0.95, 1.05)
        counts[FIRST + timedelta(days=offset)] = float(round(count))
    return counts


def _rates(random: Random, rate: float, sigma: float) -> dict[date, float]:
    rates = {}
    for offset in range(-7, (LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=offset)
        if day.isoweekday() <= 5:
            rate *= exp(random.gauss(0, sigma))
            rates[day] = rate
    return rates


def _split(market: Market, symbol: str, ex_date: date, ratio: float) -> None:
    """From now on everything is told in the new shares."""
    market.splits[symbol] = {ex_date: ratio}
    for series, factor in ((market.closes, 1 / ratio), (market.dividends, 1 / ratio), (market.shares, ratio)):
        series[symbol] = {day: value * (factor if day >= ex_date else 1) for day, value in series[symbol].items()}


def write_export(market: Market, folder: Path, first: date, last: date) -> None:
    """What a vendor exports on ``last``: its own days only, on the split basis of that day."""

    def rows(series: dict[str, dict[date, float]]) -> Iterable[tuple[str, date, float, float]]:
        for symbol, values in series.items():
            for day, value in values.items():
                if first <= day <= last:
                    yield symbol, day, value, market.split_factor(symbol, day, last)

    dividends, prices = {(symbol, day): value / factor for symbol, day, value, factor in rows(market.dividends)}, []
    for symbol, day, value, factor in rows(market.closes):
        dividend, ratio = dividends.pop((symbol, day), 0.0), market.splits.get(symbol, {}).get(day, 0.0)
        prices.append(f"{symbol},{day},{value / factor!r},1000,{market.currency[symbol]},{dividend!r},{ratio}")
    write_csv(folder / "prices.csv", "symbol,date,close,volume,currency,dividend,split_ratio", *prices)
    shares = [f"{symbol},{day},{value * factor!r}" for symbol, day, value, factor in rows(market.shares)]
    write_csv(folder / "shares.csv", "symbol,as_of,shares_outstanding", *shares)
    rates = [
        f"USD,{currency},{day},{rate!r}"
        for currency, series in market.rates.items()
        for day, rate in series.items()
        if day <= last
    ]
    write_csv(folder / "fx_rates.csv", "base_currency,quote_currency,date,rate", *rates)


def draw_baskets(seed: int) -> list[Basket]:
    """Every weighting with every rebalancing, in one market, the other, both, and from one to the other, each with members of its own."""
    random = Random(seed)
    ways = list(
        product(
            ("equal", "market_value"),
            ("none", "daily", "monthly", "quarterly", "annual"),
            ("hk", "us", "mixed", "moved"),
        )
    )
    return [
        _basket(random, f"{kind}_{rebalance}_{weighting}", weighting, rebalance, kind)
        for weighting, rebalance, kind in ways
    ]


def _basket(random: Random, basket_id: str, weighting: str, rebalance: str, kind: str) -> Basket:
    markets = {"hk": ("H",), "us": ("U",), "mixed": ("H", "U"), "moved": ("H", "U")}[kind]
    symbols = [symbol for symbol in SECURITIES if symbol[0] in markets]
    chosen = random.sample(symbols, random.randrange(3, min(7, len(symbols))))
    if kind == "moved":
        # All of Hong Kong leaves and all of New York joins, so that the days of the basket change with what it holds.
        day = _boundary(random)
        return Basket(
            basket_id,
            weighting,
            rebalance,
            (
                *(Member(symbol, None, day) for symbol in random.sample([s for s in symbols if s[0] == "H"], 2)),
                *(Member(symbol, day - timedelta(days=random.randrange(5)), None) for symbol in ("U1", "U5")),
            ),
        )
    members = [Member(chosen[0])]
    for symbol in chosen[1:]:
        fate = random.random()
        first, last = sorted((_boundary(random), _boundary(random)))
        if fate < 0.3:
            members.append(Member(symbol))
        elif fate < 0.55:
            members.append(Member(symbol, first, None))
        elif fate < 0.8 or first == last:
            members.append(Member(symbol, None, last))
        else:
            members += [Member(symbol, None, first), Member(symbol, last, None)]
    base = random.choice([None, None, FIRST + timedelta(days=random.randrange(0, 300))])
    return Basket(basket_id, weighting, rebalance, tuple(members), base)


def _boundary(random: Random) -> date:
    """A day, three times out of four within four days of the end of a month."""
    day = FIRST + timedelta(days=random.randrange(120, 700))
    if random.random() < 0.75:
        return day.replace(day=1) + timedelta(days=random.randrange(-4, 5))
    return day


def write_baskets(seeds: Path, baskets: list[Basket]) -> None:
    write_csv(
        seeds / "baskets.csv",
        "basket_id,name,weighting,rebalance,base_date,comparator_basket_id",
        *(
            f"{basket.basket_id},{basket.basket_id},{basket.weighting},{basket.rebalance},{basket.base_date or ''},"
            for basket in baskets
        ),
    )
    write_csv(
        seeds / "basket_members.csv",
        "basket_id,symbol,valid_from,valid_to",
        *(
            f"{basket.basket_id},{member.symbol},{member.valid_from or ''},{member.valid_to or ''}"
            for basket in baskets
            for member in basket.members
        ),
    )

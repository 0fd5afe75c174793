"""What a live vendor can do wrong: entries of the catalogue that happen to Yahoo's answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from tests.catalogue.mishap import Mishap, Outcome
from tests.integration.yahoo_stand_in import Bar, Fault, Series, YahooStandIn

Damage = Callable[[YahooStandIn, str], None]
WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = (date(2025, 3, day) for day in range(5, 9))
HALF_DAY = date(2025, 1, 28)
"""The last session in Hong Kong before the lunar new year of 2025 ended at noon."""


def _answers(fault: Fault, times: int | None = None, **headers: str) -> Damage:
    return lambda yahoo, symbol: yahoo.break_symbol(
        symbol, fault, times, {name.replace("_", "-"): text for name, text in headers.items()}
    )


def _series(change: Callable[[Series], None]) -> Damage:
    return lambda yahoo, symbol: change(yahoo.series[symbol])


def _bars(change: Callable[[Bar], Bar | None], *days: date) -> Damage:
    """Change the bars of some days, or of all; None takes a bar away."""

    def damage(series: Series) -> None:
        changed = [change(bar) if not days or bar.day in days else bar for bar in series.bars]
        series.bars = [bar for bar in changed if bar]

    return _series(damage)


def _scaled(bar: Bar, factor: float) -> Bar:
    prices = {
        name: value and value * factor for name in ("close", "open", "high", "low") for value in [getattr(bar, name)]
    }
    return replace(bar, **prices)


def _scale(factor: float, first: date, last: date = date.max) -> Damage:
    return _bars(lambda bar: _scaled(bar, factor) if first <= bar.day <= last else bar)


def _without_the_last_bars(count: int) -> Damage:
    return _series(lambda series: series.bars.__delitem__(slice(-count, None)))


def _told_twice(factor: float) -> Damage:
    def damage(series: Series) -> None:
        series.bars = [
            twin for bar in series.bars for twin in ((bar, _scaled(bar, factor)) if bar.day == WEDNESDAY else (bar,))
        ]

    return _series(damage)


def _of_another_name(yahoo: YahooStandIn, symbol: str) -> None:
    """The series of the next symbol of the same exchange, under this one's name."""
    others = [
        name
        for name, series in yahoo.series.items()
        if series.timezone == yahoo.series[symbol].timezone and name != symbol
    ]
    yahoo.series[symbol] = replace(yahoo.series[others[0]], answers_as=symbol)


def _shifted(series: Series) -> None:
    """Each session has the prices of the one before."""
    series.bars = [
        series.bars[0],
        *(replace(before, day=bar.day) for before, bar in zip(series.bars, series.bars[1:], strict=False)),
    ]


def _adjusted_for_a_dividend(series: Series) -> None:
    """Prices from before the ex-date are lowered by the dividend, as those of Adj Close are, and the dividend is told too."""
    series.dividends[WEDNESDAY] = (1.0, None)
    series.bars = [_scaled(bar, 0.985) if bar.day < WEDNESDAY else bar for bar in series.bars]


def _crash_by_four(series: Series) -> None:
    series.bars = [_scaled(bar, 0.25) if bar.day >= THURSDAY else bar for bar in series.bars]


def _summary(change: Callable[[dict[str, Any]], None]) -> Damage:
    return lambda yahoo, symbol: change(yahoo.summaries[symbol])


def _estimates(change: Callable[[dict[str, Any]], None], field: str = "earningsEstimate") -> Damage:
    """Change each estimate of earnings, or with another ``field`` the whole of its period."""

    def damage(summary: dict[str, Any]) -> None:
        for trend in summary["earningsTrend"]["trend"]:
            change(trend[field] if field else trend)

    return _summary(damage)


def _times(factor: float, *names: str) -> Callable[[dict[str, Any]], None]:
    return lambda values: values.update({name: values[name] * factor for name in names})


def _one_class_of_two(summary: dict[str, Any]) -> None:
    for name in ("impliedSharesOutstanding", "sharesOutstanding"):
        summary["defaultKeyStatistics"][name] *= 0.45


def _rates(change: Callable[[Series], None]) -> Damage:
    return lambda yahoo, _: change(yahoo.series["CNY=X"])


def _inverted(series: Series) -> None:
    series.bars = [replace(bar, close=bar.close and 1 / bar.close) for bar in series.bars]


def _split_out_of_nothing(series: Series) -> None:
    series.splits[THURSDAY] = (4, 1)


def _split_before_the_prices(series: Series) -> None:
    _crash_by_four(series)
    _split_out_of_nothing(series)


def _stale(series: Series) -> None:
    close = series.bars[-9].close
    series.bars[-8:] = [
        replace(bar, open=close, high=close, low=close, close=close, volume=0) for bar in series.bars[-8:]
    ]


def _forgotten(yahoo: YahooStandIn, symbol: str) -> None:
    del yahoo.series[symbol], yahoo.summaries[symbol]


def _dividends(*days: date, amount: float = 0.5, currency: str | None = None) -> Damage:
    return _series(lambda series: series.dividends.update(dict.fromkeys(days, (amount, currency))))


NOT_FETCHED, REJECTED, QUARANTINED = Outcome.NOT_FETCHED, Outcome.REJECTED, Outcome.QUARANTINED
HARMLESS, KEPT, WARNED, RESTATED, STOPPED = (
    Outcome.HARMLESS,
    Outcome.KEPT,
    Outcome.WARNED,
    Outcome.RESTATED,
    Outcome.STOPPED,
)

MISHAPS: tuple[Mishap[YahooStandIn], ...] = (
    # Answers that are none.
    Mishap("storm_of_429", "429 on every call", _answers(Fault.RATE_LIMITED), STOPPED, "not asked again before", on="*"),
    Mishap("no_answer_to_anybody", "503 on every call", _answers(Fault.SERVER_ERROR), STOPPED, "server error 503", on="*"),
    Mishap("one_429", "429 once, then the answer", _answers(Fault.RATE_LIMITED, 1, Retry_After="1"), HARMLESS),
    Mishap("one_503", "503 once, then the answer", _answers(Fault.SERVER_ERROR, 1), HARMLESS),
    Mishap("always_503", "503 on each call for a symbol", _answers(Fault.SERVER_ERROR), NOT_FETCHED, "503"),
    Mishap("silence", "no answer before the timeout", _answers(Fault.SILENCE), NOT_FETCHED, "did not answer"),
    Mishap("cut_connection", "a connection that breaks off", _answers(Fault.CUT), NOT_FETCHED, "connection to Yahoo"),
    Mishap("html", "a page of HTML with status 200", _answers(Fault.HTML), NOT_FETCHED, "something else than JSON"),
    Mishap("empty", "a chart without a bar", _answers(Fault.EMPTY), NOT_FETCHED, "without any price"),
    Mishap("null", "JSON whose result is null", _answers(Fault.NULL), NOT_FETCHED, "Yahoo"),
    Mishap("unknown_symbol", "404 for the symbol", _forgotten,
           NOT_FETCHED, "does not know"),
    Mishap("renamed_symbol", "an answer for the symbol's new name", _series(lambda series: setattr(series, "answers_as", "RENAMED")),
           NOT_FETCHED, "RENAMED came"),
    # Bars that are missing, or too many.
    Mishap("missing_last_bar", "the last session is not there yet", _without_the_last_bars(1), QUARANTINED, "no price for the last session"),
    Mishap("nan_bar", "a bar without values", _bars(lambda bar: Bar(bar.day, None), WEDNESDAY), REJECTED, "no close"),
    Mishap("nan_last_bar", "the last bar without values", _bars(lambda bar: Bar(bar.day, None), FRIDAY), QUARANTINED, "no price for the last session"),
    Mishap("same_bar_twice", "one day told twice alike", _told_twice(1), HARMLESS),
    Mishap("two_bars_of_a_day", "one day told twice, with different prices", _told_twice(1.02), REJECTED, "duplicate key with different values"),
    Mishap("unsorted_bars", "bars in the wrong order", _series(lambda series: series.bars.reverse()), HARMLESS),
    Mishap("saturday", "a bar on a day without a session",
           _series(lambda series: series.bars.insert(-5, replace(series.bars[-5], day=date(2025, 3, 1)))), REJECTED, "no session on that day"),
    Mishap("running_session", "a bar of a session that has not ended",
           _series(lambda series: setattr(series, "live", _scaled(replace(series.bars[-1], day=FRIDAY + timedelta(days=3)), 1.07))), HARMLESS),
    Mishap("shortened_history", "only the last five sessions of a longer window", _series(lambda series: series.bars.__delitem__(slice(0, -5))),
           HARMLESS),
    Mishap("gap", "two sessions in the middle are gone", _bars(lambda bar: None, WEDNESDAY, THURSDAY), HARMLESS),
    # Prices that are wrong.
    Mishap("zero_price", "a close of zero", _bars(lambda bar: replace(bar, close=0.0), WEDNESDAY), REJECTED, "close is not above zero"),
    Mishap("negative_price", "a close below zero", _bars(lambda bar: _scaled(bar, -1), WEDNESDAY), REJECTED, "close is not above zero"),
    Mishap("high_below_low", "high and low change places", _bars(lambda bar: replace(bar, high=bar.low, low=bar.high), WEDNESDAY), REJECTED,
           "high is below low"),
    Mishap("close_outside", "a close above the high", _bars(lambda bar: replace(bar, close=(bar.high or 0) * 1.01), WEDNESDAY), REJECTED,
           "close is outside of low and high"),
    Mishap("hundred_times", "the last bar in a minor unit", _scale(100, FRIDAY), QUARANTINED, "no_jump_without_action"),
    Mishap("hundredth", "the last bar in a major unit", _scale(0.01, FRIDAY), QUARANTINED, "no_jump_without_action"),
    Mishap("all_in_minor_units", "the whole window in a minor unit", _scale(100, date.min), QUARANTINED, "no_jump_without_action"),
    Mishap("negative_volume", "a volume below zero", _bars(lambda bar: replace(bar, volume=-5), WEDNESDAY), REJECTED, "negative volume"),
    Mishap("no_volume", "bars without a volume", _bars(lambda bar: replace(bar, volume=None), THURSDAY, FRIDAY), HARMLESS),
    Mishap("other_currency", "prices in another currency", _series(lambda series: setattr(series, "currency", "CNY")), QUARANTINED,
           "rows rejected"),
    Mishap("no_currency", "prices without a currency", _series(lambda series: setattr(series, "currency", None)), QUARANTINED, "rows rejected"),
    Mishap("anothers_series", "another symbol's series under this one's name", _of_another_name, QUARANTINED, "series_is_its_own"),
    Mishap("shifted_by_a_session", "each session has the prices of the one before", _series(_shifted), QUARANTINED, "not_shifted"),
    Mishap("moved_by_a_time_zone", "a time zone that moves each bar to the day before",
           _series(lambda series: setattr(series, "zone_told", "Pacific/Honolulu")), QUARANTINED, "last_session_present", on="hk"),
    Mishap("flat_half_day", "a half-day as a flat row without volume",
           _bars(lambda bar: replace(bar, open=bar.close, high=bar.close, low=bar.close, volume=0), HALF_DAY), WARNED,
           check="no_flat_half_day", on="hk"),
    Mishap("stale_tail", "the same close without volume for eight sessions",
           _series(_stale), QUARANTINED, "not_stale"),
    Mishap("adjusted_prices", "prices that are adjusted for a dividend", _series(_adjusted_for_a_dividend), QUARANTINED, "history_not_rescaled"),
    Mishap("restated_close", "the close of one day told anew", _scale(1.004, WEDNESDAY, WEDNESDAY), RESTATED, "close"),
    # Splits and dividends.
    Mishap("split_in_prices_only", "a split in the prices, none in the events", _series(_crash_by_four), QUARANTINED, "no_jump_without_action"),
    Mishap("split_in_events_only", "a split in the events, none in the prices of before", _series(_split_out_of_nothing), QUARANTINED,
           "split_shows_in_prices"),
    Mishap("split_before_the_prices", "a split whose prices of before are not adjusted yet",
           _series(_split_before_the_prices), QUARANTINED, "prices_on_one_basis"),
    Mishap("split_of_zero", "a split whose ratio is no number", _series(lambda series: series.splits.update({THURSDAY: (0, 1)})), HARMLESS),
    Mishap("negative_dividend", "a dividend below zero", _dividends(WEDNESDAY, amount=-0.5), REJECTED, "negative dividend"),
    Mishap("late_dividend", "a dividend that is told days after its ex-date", _dividends(WEDNESDAY), RESTATED, "dividend"),
    Mishap("dividend_told_twice", "one dividend on two days", _dividends(WEDNESDAY, THURSDAY), WARNED, "2025-03-05", check="dividends_apart"),
    Mishap("dividend_of_another_currency", "a dividend in dollars on shares in Hong Kong", _dividends(WEDNESDAY, currency="USD"), RESTATED,
           "dividend", on="hk"),
    Mishap("dividend_of_a_strange_currency", "a dividend in a currency that has no rate", _dividends(WEDNESDAY, currency="JPY"), STOPPED,
           "dividends_convertible", is_alone=True),
    # Estimates and share counts.
    Mishap("estimates_relabelled", "the same estimates under another currency",
           _estimates(lambda estimate: estimate.update(earningsCurrency="CNY")), WARNED, "CNY", check="estimates_currency_steady"),
    Mishap("estimates_without_a_rate", "estimates in a currency that has no rate",
           _estimates(lambda estimate: estimate.update(earningsCurrency="JPY")), WARNED, check="estimates_convertible"),
    Mishap("estimates_per_receipt", "estimates for a depositary receipt of eight shares", _estimates(_times(8, "avg", "low", "high")),
           WARNED, "mean of",
           check="estimates_no_jump"),
    Mishap("no_analyst", "estimates of no analyst", _estimates(lambda estimate: estimate.update(numberOfAnalysts=0)), WARNED,
           check="estimates_have_analysts"),
    Mishap("no_fiscal_year_end", "estimates that do not say when their year ends",
           _estimates(lambda trend: trend.update(endDate=None), field=""), REJECTED, "no period end"),
    Mishap("one_share_class", "the shares of one class for those of all", _summary(_one_class_of_two), NOT_FETCHED, "one share class"),
    Mishap("no_shares", "a share count of zero",
           _summary(lambda summary: summary["defaultKeyStatistics"].update(impliedSharesOutstanding=0, sharesOutstanding=0)), NOT_FETCHED,
           "no share count"),
    Mishap("summary_of_another", "the estimates of another company", _summary(lambda summary: summary["price"].update(symbol="OTHER")),
           NOT_FETCHED, "OTHER came"),
    # Exchange rates.
    Mishap("inverted_rates", "dollars for one unit instead of units for a dollar", _rates(_inverted), STOPPED, "FX pair USDCNY is quarantined",
           on="*"),
    Mishap("rates_stop", "no rate of the last days", _rates(lambda series: series.bars.__delitem__(slice(-7, None))), KEPT, on="*", told_of="USDCNY"),
    Mishap("rate_of_zero", "a rate of zero", _rates(lambda series: series.bars.__setitem__(-3, replace(series.bars[-3], close=0.0))), REJECTED,
           "rate is not above zero", on="*", told_of="USDCNY"),
    Mishap("rates_of_another_pair", "rates of another currency", _rates(lambda series: setattr(series, "currency", "JPY")), NOT_FETCHED,
           "quotes CNY=X in JPY", on="*", told_of="USDCNY"),
)  # fmt: skip

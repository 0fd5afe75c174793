"""What an export can have wrong: entries of the catalogue that happen to the files of a folder."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb

from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.settings import load_settings
from tests.catalogue.mishap import Mishap, Outcome

Damage = Callable[[Path, str], None]
Row = dict[str, str]
WEDNESDAY, THURSDAY, FRIDAY = "2025-03-05", "2025-03-06", "2025-03-07"
RUBBISH_ROWS = 200_000
"""Of the small version; ``make soak`` writes ten million."""


def _rows(change: Callable[[Row], Row | list[Row]], day: str = "", name: str = "prices") -> Damage:
    """Change a symbol's rows, of one ``day`` or of all; a list stands for as many rows."""

    def damage(folder: Path, symbol: str) -> None:
        path = folder / f"{name}.csv"
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns, rows = list(reader.fieldnames or []), list(reader)
        changed: list[Row] = []
        for row in rows:
            is_meant = row.get("symbol", symbol) == symbol and (not day or row["date"] == day)
            became = change(dict(row)) if is_meant else row
            changed += became if isinstance(became, list) else [became]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(changed)

    return damage


def _set(day: str = "", name: str = "prices", **values: str) -> Damage:
    return _rows(lambda row: {**row, **values}, day, name)


def _last_result(**values: str) -> Damage:
    return _rows(lambda row: {**row, **values} if row["period_end"] == "2024-12-31" else row, name="fundamentals")


def _scale(factor: float, column: str, day: str = "", name: str = "prices") -> Damage:
    return _rows(lambda row: {**row, column: str(float(row[column]) * factor)}, day, name)


def _text(change: Callable[[str], str], name: str = "prices") -> Damage:
    def damage(folder: Path, _: str) -> None:
        path = folder / f"{name}.csv"
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return damage


def _bytes(change: Callable[[bytes], bytes]) -> Damage:
    def damage(folder: Path, _: str) -> None:
        path = folder / "prices.csv"
        path.write_bytes(change(path.read_bytes()))

    return damage


def _parquet(sql: str, keep: float = 1.0) -> Damage:
    """The prices as Parquet, changed by a query over ``prices``, of which a part is kept."""

    def damage(folder: Path, _: str) -> None:
        path, written = folder / "prices.csv", folder / "prices.parquet"
        duckdb.sql(f"copy (with prices as (from '{path}') {sql}) to '{written}'")
        path.unlink()
        content = written.read_bytes()
        written.write_bytes(content[: int(len(content) * keep)])

    return damage


def _shifted(folder: Path, symbol: str) -> None:
    """Each session has the close of the one before."""
    closes: list[str] = []

    def shift(row: Row) -> Row:
        closes.append(row["close"])
        return {**row, "close": closes[-2] if len(closes) > 1 else row["close"]}

    _rows(shift)(folder, symbol)


def _adjusted(folder: Path, symbol: str) -> None:
    """Closes of before an ex-date lowered by the dividend, which is told too."""
    _rows(lambda row: {**row, "close": str(float(row["close"]) * 0.985)} if row["date"] < WEDNESDAY else row)(
        folder, symbol
    )
    _set(WEDNESDAY, dividend="0.8")(folder, symbol)


def _of_another_name(folder: Path, symbol: str) -> None:
    """The rows of the next symbol of the same exchange, under this one's name."""
    with (folder / "prices.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    own = {row["date"] for row in rows if row["symbol"] == symbol}
    other = next(
        row["symbol"]
        for row in rows
        if row["symbol"] != symbol and own == {each["date"] for each in rows if each["symbol"] == row["symbol"]}
    )
    closes = {row["date"]: row["close"] for row in rows if row["symbol"] == other}
    _rows(lambda row: {**row, "close": closes[row["date"]]})(folder, symbol)


def rubbish(count: int) -> Damage:
    """Rows of symbols that nobody knows, on days and with prices that mean nothing, before the good ones."""

    def damage(folder: Path, _: str) -> None:
        path, more = folder / "prices.csv", folder / "rubbish.csv"
        header, good = path.read_text(encoding="utf-8").split("\n", 1)
        duckdb.sql(
            f"""copy (select 'X' || (n % 100000) as symbol, date '1990-01-01' + (n % 10000)::integer as date, (n * 7919) % 997 - 300 as close, n as volume,
            0 as dividend, 0 as split_ratio, 'ZZZ' as currency from range({count}) as r(n)) to '{more}' (header false)"""
        )
        with path.open("w", encoding="utf-8") as file, more.open(encoding="utf-8") as source:
            file.write(header + "\n")
            for chunk in iter(lambda: source.read(1 << 20), ""):
                file.write(chunk)
            file.write(good)
        more.unlink()

    return damage


def _calendar_day(row: Row) -> Row:
    """Dates in a zone in which the session's day has not begun."""
    sessions = {
        str(session.date)
        for session in load_calendars(load_reference(load_settings().seeds_dir), 2025)["XHKG"].between(
            date(2025, 1, 1), date(2025, 3, 7)
        )
    }
    return (
        {**row, "date": str(date.fromordinal(date.fromisoformat(row["date"]).toordinal() - 1))}
        if row["date"] in sessions
        else row
    )


REJECTED, QUARANTINED, HARMLESS = Outcome.REJECTED, Outcome.QUARANTINED, Outcome.HARMLESS
KEPT, NOT_FETCHED, RESTATED, STOPPED, WARNED = (
    Outcome.KEPT,
    Outcome.NOT_FETCHED,
    Outcome.RESTATED,
    Outcome.STOPPED,
    Outcome.WARNED,
)

MISHAPS: tuple[Mishap[Path], ...] = (
    # Files that are not what they say.
    Mishap("latin_1", "a file that is not UTF-8", _bytes(lambda content: content.replace(b"9988.HK", b"9988.HK\xe9", 1)), STOPPED,
           "cannot be read as CSV", on="*"),
    Mishap("utf_16", "a file in UTF-16", _bytes(lambda content: content.decode().encode("utf-16")), STOPPED, "as UTF-8 text", on="*"),
    Mishap("byte_order_mark", "a file that begins with a byte order mark", _bytes(lambda content: b"\xef\xbb\xbf" + content), HARMLESS, on="*"),
    Mishap("semicolons_and_decimal_commas", "semicolons, and commas for decimal points",
           _text(lambda text: text.replace(",", ";").replace(".", ",")), STOPPED, "close is", on="*"),
    Mishap("decimal_commas", "a comma for a decimal point", _set(WEDNESDAY, close="101,5"), REJECTED, "close is '101,5', which is not a number"),
    Mishap("thousands_separators", "a comma between thousands", _set(WEDNESDAY, close="1,101.50"), REJECTED, "close is '1,101.50'"),
    Mishap("two_header_rows", "the header twice", _text(lambda text: text.split("\n", 1)[0] + "\n" + text), REJECTED,
           "date is 'date', which is not a date", told_of="symbol"),
    Mishap("mixed_dates", "one date of another format", _set(WEDNESDAY, date="05/03/2025"), REJECTED, "date is '05/03/2025'"),
    Mishap("dates_of_another_format", "dates of another format", _rows(lambda row: {**row, "date": "/".join(reversed(row["date"].split("-")))}), QUARANTINED,
           "rows rejected"),
    Mishap("no_header", "no header", _text(lambda text: text.split("\n", 1)[1]), STOPPED, "has no column symbol", on="*"),
    Mishap("missing_column", "a column that is not there", _text(lambda text: text.replace("close", "last", 1)), STOPPED, "has no column close",
           on="*"),
    Mishap("empty_file", "a file of no byte", _text(lambda _: ""), STOPPED, "prices.csv", on="*"),
    Mishap("only_a_header", "a file without rows", _text(lambda text: text.split("\n", 1)[0] + "\n"), STOPPED, "has no row", on="*"),
    Mishap("no_file", "a file that is not there", lambda folder, _: (folder / "prices.csv").unlink(), STOPPED, "holds no prices.csv", on="*"),
    Mishap("parquet", "Parquet in the place of CSV", _parquet("from prices"), HARMLESS, on="*"),
    Mishap("truncated_parquet", "half a Parquet file", _parquet("from prices", keep=0.5), STOPPED, "cannot be read as PARQUET", on="*"),
    Mishap("parquet_of_wrong_types", "closes that are words", _parquet("select * replace ('high' as close) from prices"), STOPPED,
           "close is 'high', which is not a number", on="*"),
    Mishap("rubbish", "far more rows of rubbish than of prices", rubbish(RUBBISH_ROWS), STOPPED, "of symbols that securities.csv does not have",
           on="*"),
    # Rows.
    Mishap("unknown_symbol_beside", "rows of a symbol that no seed has", _rows(lambda row: [row, {**row, "symbol": "WHO.HK"}], FRIDAY), REJECTED,
           "unknown symbol", told_of="WHO.HK"),
    Mishap("blanks_around_a_symbol", "blanks around the symbol", _rows(lambda row: {**row, "symbol": f" {row['symbol']} "}), HARMLESS),
    Mishap("symbol_is_gone", "no row of a symbol", _rows(lambda _: []), NOT_FETCHED, "has no row for"),
    Mishap("empty_close", "a row without a close", _set(WEDNESDAY, close=""), REJECTED, "no close"),
    Mishap("not_a_number", "the close is NaN", _set(WEDNESDAY, close="NaN"), REJECTED, "no close"),
    Mishap("infinite_close", "the close is infinite", _set(WEDNESDAY, close="inf"), REJECTED, "close is 'inf', which is not a number"),
    Mishap("zero_close", "the close is zero", _set(WEDNESDAY, close="0"), REJECTED, "close is not above zero"),
    Mishap("same_row_twice", "a row twice", _rows(lambda row: [row, row], WEDNESDAY), HARMLESS),
    Mishap("two_rows_of_a_day", "a day with two closes", _rows(lambda row: [row, {**row, "close": "1"}], WEDNESDAY), REJECTED,
           "duplicate key with different values"),
    Mishap("unsorted_rows", "rows in the wrong order",
           _text(lambda text: "\n".join([text.split("\n", 1)[0], *reversed(text.strip().split("\n")[1:])]) + "\n"), HARMLESS, on="*"),
    Mishap("saturday_row", "a row on a day without a session", _rows(lambda row: [row, {**row, "date": "2025-03-01"}], FRIDAY), REJECTED,
           "no session on that day"),
    Mishap("row_of_the_future", "a row from after the export", _rows(lambda row: [row, {**row, "date": "2025-03-10"}], FRIDAY), REJECTED,
           "future date"),
    Mishap("price_in_cents", "the last close in a minor unit", _scale(100, "close", FRIDAY), QUARANTINED, "no_jump_without_action"),
    Mishap("price_in_hundreds", "the last close a hundredth", _scale(0.01, "close", FRIDAY), QUARANTINED, "no_jump_without_action"),
    Mishap("currency_in_a_row", "one row in another currency", _set(WEDNESDAY, currency="EUR"), REJECTED, "another currency than the security has"),
    Mishap("currency_throughout", "all rows in another currency", _set(currency="EUR"), QUARANTINED, "rows rejected"),
    Mishap("series_of_another", "another symbol's closes", _of_another_name, QUARANTINED, "series_is_its_own", on="us"),
    Mishap("series_a_session_late", "each session has the close of the one before", _shifted, QUARANTINED, "not_shifted"),
    Mishap("dates_of_another_zone", "each date is the day before", _rows(_calendar_day), QUARANTINED, "last_session_present", on="hk"),
    Mishap("adjusted_closes", "closes adjusted for a dividend", _adjusted, QUARANTINED, "history_not_rescaled"),
    Mishap("shorter_history", "only the last month", _rows(lambda row: row if row["date"] >= "2025-02-10" else []), HARMLESS),
    Mishap("last_row_missing", "no row of the last session", _rows(lambda _: [], FRIDAY), QUARANTINED, "no price for the last session"),
    Mishap("split_in_closes_only", "a split that the events lack",
           _rows(lambda row: {**row, "close": str(float(row["close"]) / 4)} if row["date"] >= THURSDAY else row), QUARANTINED, "no_jump_without_action"),
    Mishap("split_in_the_events_only", "a split that the closes do not know", _set(THURSDAY, split_ratio="4"), QUARANTINED, "split_shows_in_prices"),
    Mishap("negative_split", "a split below zero", _set(WEDNESDAY, split_ratio="-2"), REJECTED, "split ratio is negative"),
    Mishap("dividend_doubled", "one dividend on two days",
           _rows(lambda row: {**row, "dividend": "0.5"} if row["date"] in (WEDNESDAY, THURSDAY) else row), WARNED, WEDNESDAY, check="dividends_apart"),
    Mishap("dividend_restated", "a dividend that was not there before", _set(WEDNESDAY, dividend="0.5"), RESTATED, "dividend"),
    # Estimates, shares, rates.
    Mishap("estimate_of_no_period", "an estimate whose year has no end", _set(name="estimates", period_end=""), REJECTED, "period"),
    Mishap("shares_below_zero", "a share count below zero", _set(name="shares", shares_outstanding="-1"), REJECTED, "share count is not above zero"),
    Mishap("shares_of_one_class", "the count of one class",
           _rows(lambda row: [row, {**row, "as_of": THURSDAY, "shares_outstanding": str(float(row["shares_outstanding"]) * 0.45)}], name="shares"),
           QUARANTINED, "shares_no_jump"),
    Mishap("rates_upside_down", "dollars for a unit instead of units for a dollar",
           _rows(lambda row: {**row, "rate": str(1 / float(row["rate"]))} if row["quote_currency"] == "CNY" else row, name="fx_rates"), STOPPED,
           "FX pair USDCNY is quarantined", on="*"),
    Mishap("rates_of_a_pair_gone", "no rate of a pair", _rows(lambda row: [] if row["quote_currency"] == "CNY" else row, name="fx_rates"), NOT_FETCHED,
           "has no rate for USDCNY", on="*", told_of="USDCNY"),
    Mishap("rates_of_a_week_gone", "no rate of the last nine days",
           _rows(lambda row: [] if row["quote_currency"] == "CNY" and row["date"] > "2025-02-26" else row, name="fx_rates"), KEPT, on="*",
           told_of="USDCNY"),
    # Results, risk-free rates.
    Mishap("result_of_the_future", "a result of a year that has not ended", _last_result(period_end="2025-12-31"), REJECTED, "period ends in the future"),
    Mishap("result_before_its_end", "a result that is out before its year ends", _last_result(published_on="2024-11-30"), REJECTED,
           "published before the period ends"),
    Mishap("result_without_figures", "a result without any figure", _last_result(eps="", book_value_per_share=""), REJECTED,
           "neither earnings nor book value nor dividends"),
    Mishap("two_results_of_a_year", "two results of one year and day", _rows(lambda row: [row, {**row, "eps": "1"}], name="fundamentals"), REJECTED,
           "duplicate key with different values"),
    Mishap("risk_free_in_per_cent", "risk-free rates in per cent", _scale(100, "rate", name="risk_free"), QUARANTINED, "risk_free_mostly_usable",
           on="*", told_of="USD"),
    Mishap("risk_free_of_no_basis", "a risk-free rate of another kind", _set(WEDNESDAY, "risk_free", quote_basis="money market"), REJECTED,
           "quote basis is neither yield nor discount", on="*", told_of="USD"),
)  # fmt: skip

"""What people export: each layout is read, each value is right or its row is set aside with a sentence."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import TitansError
from include.seeds.read import load_reference
from include.seeds.rows import Reference
from include.settings import PROJECT_ROOT, load_settings
from include.sources.base import CurrencyPair, Dataset, Extract, Window
from include.sources.files.folder import ExportFile, Units
from include.sources.files.layouts import Layout, layout_of
from include.sources.files.read import read_file
from include.sources.files.sheet import Sheet
from include.sources.files.source import FilesSource
from include.sources.files.spelling import meant

REFERENCE = load_reference(load_settings().seeds_dir)
WINDOW = Window(None, date(2025, 3, 7))
HEADER = "symbol,date,close,currency"
TWO = ("0700.HK,2025-03-06,544,HKD", "AAPL,2025-03-07,239,USD")
GOOD = [("0700.HK", date(2025, 3, 6), 544.0, "HKD"), ("AAPL", date(2025, 3, 7), 239.0, "USD")]
RATES = "base_currency,quote_currency,date,rate\nUSD,HKD,2025-03-07,7.77\n"

Content: TypeAlias = "str | bytes | pa.Table | pd.DataFrame"


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., FilesSource]:
    """A function that writes an export and opens it: ``content`` by file name."""

    def write(content: dict[str, Content], exported_at: str | None = "2025-03-08") -> FilesSource:
        folder = tmp_path / "export"
        files = {} if any(name.startswith("fx_rates") for name in content) else {"fx_rates.csv": RATES}
        for name, given in {**files, **content}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(given, pd.DataFrame):
                given.to_parquet(path)
            elif isinstance(given, pa.Table):
                pq.write_table(given, path)
            else:
                path.write_bytes(given.encode() if isinstance(given, str) else given)
        settings = load_settings(exported_at=exported_at)
        return FilesSource(folder, settings.exported_at, REFERENCE, tmp_path / "copies")

    return write


Export = Callable[..., FilesSource]


def prices(source: FilesSource, *symbols: str, window: Window = WINDOW) -> Extract:
    wanted = symbols or ("0700.HK", "AAPL")
    return source.prices([row for row in REFERENCE.securities if row.symbol in wanted], window)


def cells(extract: Extract, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row.get(column) for column in columns) for row in extract.table.to_pylist()]


def closes(source: FilesSource) -> list[tuple[Any, ...]]:
    return cells(prices(source), "symbol", "date", "close", "currency")


def set_aside(source: FilesSource, *symbols: str) -> list[tuple[Any, ...]]:
    """Symbol and problem of the rows that cannot be used."""
    return [row for row in cells(prices(source, *symbols), "symbol", "problem") if row[1]]


YAHOO = "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits"


@pytest.mark.parametrize(
    "content",
    [
        {"prices.csv": lines(HEADER, *TWO)},
        {"Prices.CSV": lines("Currency,CLOSE,Date,Ticker,Note", "HKD,544,2025-03-06,0700.HK,x", "USD,239,2025-03-07,AAPL,")},
        {"prices.csv": b"\xef\xbb\xbf" + lines(HEADER, *TWO).encode()},
        {"prices.csv": lines(HEADER, *TWO).replace("\n", "\r\n")},
        {"prices.csv": lines(HEADER, *TWO).replace(",", ";")},
        {"prices.csv": lines(HEADER, *TWO).replace(",", "\t")},
        {"prices.csv": lines("sep=;", lines(HEADER, *TWO).replace(",", ";"))},
        {"prices.csv": b"\xef\xbb\xbf" + lines('"SEP=\t"', HEADER, *TWO).replace(",", "\t").replace("\n", "\r\n").encode()},
        {"prices/0700.HK.csv": lines("sep=|||", "date|close", "2025-03-06|544"), "prices/AAPL.csv": lines("sep=,", "date,close", "2025-03-07,239")},
        {"prices.csv": '"symbol","date","close","currency"\n"0700.HK","2025-03-06","544","HKD"\n"AAPL","2025-03-07","239","USD"\n'},
        {"prices.csv": lines("", HEADER, "", *TWO, "")},
        {"prices.csv": lines("symbol,date,close", "0700.HK,2025-03-06,544", "AAPL,2025-03-07,239")},
        {"prices.csv": lines(HEADER, *TWO).replace(",", " , ")},
        {"prices.csv": lines(HEADER, *TWO).replace("HKD", "hkd").replace("USD", "usd")},
        {"prices.csv": lines(",symbol,date,close", "0,0700.HK,2025/03/06,544.0", "1,AAPL,20250307,2.39e2")},
        {"prices.csv.gz": gzip.compress(lines(HEADER, *TWO).encode())},
        {"prices/2025/a.csv": lines(HEADER, TWO[0]), "prices/2024/b.csv": lines(HEADER, TWO[1])},
        {"prices/0700.HK.csv": lines(YAHOO, "2025-03-06 00:00:00+08:00,1,2,1,544,5,0.0,0.0"), "prices/AAPL.csv": lines(YAHOO, "2025-03-07 00:00:00-05:00,1,2,1,239,5,0.0,0.0")},
        {"0700.hk.csv": lines("date,close", "2025-03-06,544"), "aapl.CSV": lines("date,close", "2025-03-07,239"), "notes.csv": "a,b\n"},
        {"prices.csv": lines("Date,0700.HK,AAPL", "2025-03-06,544,", "2025-03-07,NaN,239")},
        {"prices.parquet": pd.DataFrame({"0700.HK": [544.0, None], "AAPL": [None, 239.0]}, pd.DatetimeIndex(["2025-03-06", "2025-03-07"], name="Date"))},
        {"prices.parquet": pd.DataFrame({"0700.HK": [544.0, None], "AAPL": [None, 239.0]}, pd.DatetimeIndex(["2025-03-06", "2025-03-07"]))},
    ],
    ids=["plain", "names in any case", "byte order mark", "line ends of Windows", "semicolons", "tabs", "the separator named", "a tab named, with a byte order mark", "separators of files a symbol named", "all quoted", "blank lines", "no currency", "blanks", "currencies in small letters", "an index and other spellings", "gzip", "a folder of parts", "a file a symbol", "files beside each other", "a column a symbol", "a data frame", "a data frame whose index has no name"],
)  # fmt: skip
def test_prices_are_read(export: Export, content: dict[str, Content]) -> None:
    source = export(content)
    assert closes(source) == GOOD
    assert prices(source).failures == []


def test_zstd_is_read(export: Export, tmp_path: Path) -> None:
    source_text = lines(HEADER, *TWO).encode()
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(source_text)
    assert closes(export({"prices.csv.zst": packed.getvalue().to_pybytes()})) == GOOD


FIELDS = ("Adj Close", "Close", "High", "Low", "Open", "Volume", "Dividends", "Stock Splits")


def downloaded(by_ticker: bool = False) -> pd.DataFrame:
    """What ``yfinance.download`` of two symbols returns; the second has no bar on the first day."""
    columns = pd.MultiIndex.from_tuples(list(product(FIELDS, ["0700.HK", "AAPL"])), names=["Price", "Ticker"])
    values = [[500.0 + n if n % 2 == 0 else None for n in range(16)], [200.0 + n for n in range(16)]]
    frame = pd.DataFrame(values, pd.DatetimeIndex(["2025-03-06", "2025-03-07"], name="Date"), columns)
    return frame.swaplevel(axis=1) if by_ticker else frame


def without_line(number: int, text: str) -> str:
    return "".join(line for at, line in enumerate(text.splitlines(keepends=True)) if at != number)


@pytest.mark.parametrize(
    "content",
    [
        {"prices.csv": downloaded().to_csv()},
        {"prices.csv": downloaded(by_ticker=True).to_csv()},
        {"prices.csv": without_line(2, downloaded().to_csv())},
        {"prices.parquet": downloaded()},
    ],
    ids=["three header rows", "ticker first", "two header rows", "parquet"],
)
def test_downloads_of_yfinance_are_read(export: Export, content: dict[str, Content]) -> None:
    """Close and not Adj Close, which dividends are taken out of; no row where there is no bar."""
    extract = prices(export(content))
    assert cells(extract, "symbol", "date", "close", "high", "low", "open", "volume", "dividend", "split_ratio", "currency") == [
        ("0700.HK", date(2025, 3, 6), 502.0, 504.0, 506.0, 508.0, 510, 512.0, 514.0, "HKD"),
        ("0700.HK", date(2025, 3, 7), 202.0, 204.0, 206.0, 208.0, 210, 212.0, 214.0, "HKD"),
        ("AAPL", date(2025, 3, 7), 203.0, 205.0, 207.0, 209.0, 211, 213.0, 215.0, "USD"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("0700.HK,2318.HK,AAPL", ["0700.HK", "AAPL"]),
        ("700.HK,9999.HK,AAPL", ["AAPL"]),
        ("0700.hk,2318.HK,Aapl", ["0700.HK", "AAPL"]),
    ],
    ids=["a symbol that no seed has", "a misspelt one", "another case"],
)
@pytest.mark.parametrize("third", ["Date,,,", "Date", "2025-03-05,,,"])
def test_one_symbol_of_a_download_costs_no_other(export: Export, names: str, found: list[str], third: str) -> None:
    """Nor does a third header row without its commas, which used to cost the first day."""
    days = ("2025-03-06,1,2,3", "2025-03-07,4,5,6")
    source = export({"prices.csv": lines("Price,Close,Close,Close", f"Ticker,{names}", third, *days)})
    assert not any("header" in note for note in prices(source, REFERENCE.securities[0].symbol).notes)
    assert cells(prices(source), "symbol", "date") == [
        (symbol, date(2025, 3, day)) for symbol in found for day in (6, 7)
    ]


def test_a_header_may_be_longer_than_a_block(export: Export) -> None:
    source = export({"prices.csv": lines(f"date,AAPL,{'a remark ' * 40_000}", "2025-03-06,239,")})
    assert cells(prices(source, "AAPL"), "symbol", "close") == [("AAPL", 239.0)]


def test_adjusted_closes_are_reported(export: Export) -> None:
    """What yfinance writes by default. Only the lack of a column shows it."""
    first = REFERENCE.securities[0].symbol
    frame = downloaded().rename(columns={"AAPL": first}, level=1)
    assert prices(export({"prices.csv": frame.to_csv()}), first).notes == []
    (note,) = prices(export({"prices.csv": frame.drop(columns="Adj Close", level=0).to_csv()}), first).notes
    assert "no column Adj Close" in note
    assert "auto_adjust=False" in note


@pytest.mark.parametrize(
    "content",
    [
        {"fx_rates.csv": lines("Rate,DATE,Base Currency,Quote_Currency", "7.77,2025-03-06,USD,HKD", "7.2,2025-03-06,USD,CNY")},
        {"fx_rates.csv": lines("Price,Close,Close,High,High", "Ticker,HKD=X,CNY=X,HKD=X,CNY=X", "Date,,,,", "2025-03-06,7.77,7.2,9,9")},
        {"fx_rates.csv": lines("Date,HKD=X,USD/CNY,EURUSD", "2025-03-06,7.77,7.2,1.08")},
        {"fx_rates.csv": lines("Date,Note,USDHKD,USDCNY,Remarks", "2025-03-06,fixed late,7.77,7.2,x")},
        {"fx_rates/USDHKD.csv": lines("date,rate", "2025-03-06,7.77"), "fx_rates/CNY=X.csv": lines("Date,Close", "2025-03-06 00:00:00+00:00,7.2")},
        {"fx_rates/usd-hkd.csv": lines("date,rate", "2025-03-06,7.77"), "fx_rates/cny=x.csv": lines("date,rate", "2025-03-06,7.2")},
        {"fx_rates.csv": lines("base_currency,quote_currency,date,rate", "usd,hkd,2025-03-06,7.77", "USD,cny,2025-03-06,7.2")},
    ],
    ids=["names in any case", "yfinance", "a column a pair", "columns of remarks", "a file a pair", "pairs in small letters", "codes in small letters"],
)  # fmt: skip
def test_rates_are_read(export: Export, content: dict[str, Content]) -> None:
    source = export({"prices.csv": lines(HEADER, *TWO), **content})
    extract = source.fx_rates([CurrencyPair("USD", "HKD"), CurrencyPair("USD", "CNY")], WINDOW)
    assert cells(extract, "base_currency", "quote_currency", "date", "rate") == [
        ("USD", "CNY", date(2025, 3, 6), 7.2),
        ("USD", "HKD", date(2025, 3, 6), 7.77),
    ]
    assert extract.notes == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"fx_rates/CNY=X.csv": "", "fx_rates/USDHKD.csv": lines("date,rate", "2025-03-06,7.77")}, r"CNY=X\.csv has no row, not even a header"),
        ({"fx_rates.csv": lines("date,USDHKD,CNYUSD", "2025-03-06,7.77,0.14")}, r"but of 'CNYUSD': give units of CNY for one USD, as USDCNY"),
        ({"fx_rates/HKD=X.csv": lines("date,rate", "2025-03-06,7.77"), "fx_rates/CNY.csv": lines("date,rate", "2025-03-06,7.2")}, r"but of 'CNY': give units of CNY for one USD, as USDCNY"),
    ],
    ids=["a broken file", "the other way round", "one currency"],
)  # fmt: skip
def test_a_pair_without_rates_costs_no_other(export: Export, content: dict[str, Content], reason: str) -> None:
    extract = export(content | {"prices.csv": lines(HEADER, *TWO)}).fx_rates(
        [CurrencyPair("USD", "HKD"), CurrencyPair("USD", "CNY")], WINDOW
    )
    assert cells(extract, "quote_currency", "rate") == [("HKD", 7.77)]
    ((symbol, given),) = [(failure.symbol, failure.reason) for failure in extract.failures]
    assert symbol == "USDCNY"
    assert re.search(reason, given)


def test_a_penny_is_no_pound() -> None:
    """Rates of GBp are a hundred times those of GBP, and no letter may be made large to fit."""
    units = Units(Dataset.FX_RATES, REFERENCE)
    assert [units.named(name) for name in ("USDGBP", "usdgbp", "GBP=X", "gbp=x", "usd/gbp")] == ["USDGBP"] * 5
    assert [units.named(name) for name in ("USDGBp", "GBp=X", "USD/GBp")] == ["USDGBp", "GBp=X", "USD/GBp"]


@pytest.mark.parametrize(
    "content",
    [
        {"prices.csv": lines("symbol,date,close", "0700.hk,2025-03-06,544", "aapl\t,2025-03-07,239")},
        {"prices.csv": lines("date,0700.hk,Aapl", "2025-03-06,544,", "2025-03-07,,239")},
        {"prices.parquet": pd.DataFrame({"symbol": ["0700.Hk", "aapl"], "date": ["2025-03-06", "2025-03-07"], "close": [544.0, 239.0]})},
    ],
    ids=["rows", "columns", "parquet"],
)  # fmt: skip
def test_symbols_are_read_without_regard_to_case(export: Export, content: dict[str, Content]) -> None:
    assert closes(export(content)) == GOOD


def test_symbols_that_differ_by_case_alone_are_two(export: Export) -> None:
    securities = [row.model_copy(update={"symbol": name}) for row, name in zip(REFERENCE.securities, ["AB", "Ab"], strict=False)]  # fmt: skip
    units = Units(Dataset.PRICES, replace(REFERENCE, securities=tuple(securities)))
    assert [units.named(name) for name in ("AB", "Ab", "ab")] == ["AB", "Ab", "ab"]


def test_typed_columns_of_parquet_are_read(export: Export) -> None:
    table = pa.table(
        {
            "Symbol": pa.array(["AAPL"]).dictionary_encode(),
            "DATE": pa.array([20250307]),
            "close": pa.array([239]).cast(pa.decimal128(30, 2)),
            "open": pa.array([238.5], pa.float32()),
            "high": pa.array([240], pa.int16()),
            "low": pa.array([None], pa.null()),
            "volume": pa.array([1000.0]),
            "currency": pa.array([b"USD"], pa.binary()),
            "extra": [{"nested": 1}],
        }
    )
    extract = prices(export({"prices.parquet": table}), "AAPL")
    assert cells(extract, "symbol", "date", "close", "open", "high", "low", "volume", "currency") == [
        ("AAPL", date(2025, 3, 7), 239.0, 238.5, 240.0, None, 1000, "USD")
    ]


FOLDERS = ["as_of=2025-03-01", "rate=7.5/currency=USD", "a [1]*?'#%20 &;b", "s3:x"]


@pytest.mark.parametrize("below", FOLDERS)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_folder_name_is_no_value(tmp_path: Path, export: Export, below: str, ending: str) -> None:
    """Neither as a column nor as a pattern: a file whose name the pattern would match stands beside it."""
    source = export({"prices.csv": lines(HEADER, *TWO)})
    folder = tmp_path / below / "[ab]"
    decoy = tmp_path / below / "a"
    estimates = pa.table({"symbol": ["AAPL"], "as_of": [date(2025, 2, 1)], "metric": ["eps"], "period": ["0y"], "period_end": [date(2025, 9, 30)], "mean": [7.0], "currency": ["USD"]})  # fmt: skip
    for place, close in ((folder, 544.0), (decoy, 1.0)):
        place.mkdir(parents=True)
        table = pa.table({"symbol": ["0700.HK"], "date": ["2025-03-06"], "close": [close], "currency": ["HKD"]})
        for name, content in {"prices": table, "estimates": estimates}.items():
            if ending == "parquet":
                pq.write_table(content, place / f"{name}.parquet")
            else:
                content.to_pandas().to_csv(place / f"{name}.csv", index=False)
        (place / "fx_rates.csv").write_text(RATES)
    source = FilesSource(folder, datetime(2025, 3, 8, tzinfo=UTC), REFERENCE, tmp_path / below / "copies")
    assert closes(source) == [GOOD[0]]
    snapshot = source.estimates([row for row in REFERENCE.securities if row.symbol == "AAPL"], WINDOW)
    assert cells(snapshot, "as_of", "currency", "mean") == [(date(2025, 2, 1), "USD", 7.0)]
    assert cells(source.fx_rates([CurrencyPair("USD", "HKD")], WINDOW), "rate") == [(7.77,)]


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def _machine_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def moments(zone: str | None, *times: str) -> pd.DataFrame:
    days = pd.to_datetime(list(times), format="mixed")
    return pd.DataFrame({"symbol": "AAPL", "date": days.tz_localize(zone) if zone else days, "close": 1.0})


ZONES = {"AAPL": "Europe/London", "0700.HK": "Asia/Hong_Kong", "MSFT": "America/New_York", "NVDA": "UTC", "TSLA": None}


@pytest.mark.usefixtures("_machine_zone")
def test_midnight_of_its_own_zone_is_that_day(export: Export) -> None:
    """In winter and in summer, whatever the zone of the machine; without a zone too."""
    days = ["2025-01-06", "2025-06-06"]
    content = {
        f"prices/{symbol}.parquet": moments(zone, *days).drop(columns="symbol") for symbol, zone in ZONES.items()
    }
    extract = prices(export(content, "2025-07-01"), *ZONES, window=Window(None, date(2025, 6, 30)))
    assert sorted(cells(extract, "symbol", "date")) == [
        (symbol, date.fromisoformat(day)) for symbol in sorted(ZONES) for day in days
    ]


TEXTS = {
    "2025-03-06 00:00:00": date(2025, 3, 6),
    "2025-03-05T00:00:00.000Z": date(2025, 3, 5),
    "2025-03-04 00:00:00-05:00": date(2025, 3, 4),
    "2025-03-03 00:00+0800": date(2025, 3, 3),
    "2025-03-06 16:00:00": None,
    "2025-03-06 05:00:00+00:00": None,
    "2025-03-06T16:00:00Z": None,
    "2025-05-02abc": None,
    "2025-02-30": None,
    "06/03/2025": None,
    "06.03.2025": None,
    "06032025": None,
    "45722": None,
    "infinity": None,
    "2025-03-06 (BC)": None,
}


@pytest.mark.usefixtures("_machine_zone")
def test_text_is_a_day_or_its_row_is_set_aside(export: Export) -> None:
    rows = [f"AAPL,{text},{number},USD" for number, text in enumerate(TEXTS, 1)]
    good = [f"MSFT,2025-02-{day:02},1,USD" for day in range(1, 20)]
    extract = prices(export({"prices.csv": lines(HEADER, *good, *rows)}), "AAPL")
    read = {close: (day, problem) for close, day, problem in cells(extract, "close", "date", "problem")}
    assert [day for day, _ in (read[number] for number in range(1, len(TEXTS) + 1))] == list(TEXTS.values())
    for number, (text, day) in enumerate(TEXTS.items(), 1):
        problem = read[number][1]
        assert problem is None if day else problem.startswith(f"date is '{text}', "), text
    assert extract.notes == [
        f"prices.csv, line 25 (AAPL): {read[5][1]}. This row and 10 more are set aside, the others count. "
        "Correct the export."
    ]


@pytest.mark.parametrize("moment", ["2025-06-05 23:00", "2025-03-06 21:00"])
def test_a_moment_that_is_no_midnight_is_refused(export: Export, moment: str) -> None:
    """Midnights of London that were written in UTC; closes. Which day is meant only their author knows."""
    source = export({"prices.parquet": moments("UTC", moment, "2025-03-05", "2025-03-06")}, "2025-07-01")
    ((symbol, problem),) = set_aside(source, "AAPL")
    assert (symbol, problem[:20]) == ("AAPL", f"date is '{moment}"[:20])
    assert "a time of day and not a day: export midnights in the time zone of the exchange" in problem
    with pytest.raises(TitansError, match=r"prices\.parquet, line 1: date is .* a time of day .* 1 more of 2 rows"):
        prices(export({"prices.parquet": moments("UTC", moment, moment)}, "2025-07-02"), "AAPL")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("AAPL,2025-03-06,five,USD,1", "close is 'five', which is not a number such as 1101.5"),
        ('AAPL,2025-03-06,"1,101.50",USD,1', "close is '1,101.50', which is not a number such as 1101.5"),
        ('AAPL,2025-03-06,"101,5",USD,1', "close is '101,5', which is not a number such as 1101.5"),
        ("AAPL,2025-03-06,inf,USD,1", "close is 'inf', which is not a number such as 1101.5"),
        ("AAPL,2025-03-06,239,USD,many", "Volume is 'many', which is not a number such as 1101.5"),
        ("AAPL,2025-03-06,239,USD", "the line has 4 values, and the header has 5"),
        ("AAPL,2025-03-06,239,USD,1,2", "the line has 6 values, and the header has 5"),
    ],
)
def test_a_bad_row_costs_no_other(export: Export, row: str, problem: str) -> None:
    good = ("AAPL,2025-03-05,238,USD,1000.0", "0700.HK,2025-03-06,544,HKD,")
    source = export({"prices.csv": lines(f"{HEADER},Volume", good[0], row, good[1])})
    assert set_aside(source) == [("AAPL", problem)]
    assert [row for row in cells(prices(source), "symbol", "close", "volume", "problem") if not row[3]] == [
        ("0700.HK", 544.0, None, None),
        ("AAPL", 238.0, 1000, None),
    ]


def test_a_problem_names_its_line(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of the wrong length before it and blocks that end between them count."""
    monkeypatch.setattr("include.sources.files.sheet._BLOCK_BYTES", 128)
    good = [f"0700.HK,2025-02-{day:02},544,HKD" for day in range(1, 21)]
    broken = "MSFT,2025-03-06"
    rows = [
        *good[:4],
        broken,
        broken,
        *good[4:12],
        broken,
        *good[12:],
        broken,
        "AAPL,2025-03-06,five,USD",
        broken,
        *TWO,
    ]
    (note,) = prices(export({"prices.csv": lines("", HEADER, *rows)}), "AAPL").notes
    line = rows.index("AAPL,2025-03-06,five,USD") + 3
    assert note.startswith(f"prices.csv, line {line} (AAPL): close is 'five'")


def test_a_volume_may_be_a_fraction(export: Export) -> None:
    """Vendors divide volumes by the splits since. Half of a share is one."""
    volumes = {"10.4": 10, "10.5": 11, "1e3": 1000, "0": 0}
    rows = [f"AAPL,2025-02-{day:02},239,{volume}" for day, volume in enumerate(volumes, 3)]
    source = export({"prices.csv": lines("symbol,date,close,volume", *rows)})
    assert cells(prices(source, "AAPL"), "volume", "problem") == [(volume, None) for volume in volumes.values()]


def test_words_of_estimates_count_in_any_case(export: Export) -> None:
    estimates = lines(
        "symbol,as_of,metric,period,period_end,mean,currency", "aapl,2025-03-01,EPS,+1Y ,2025-12-31,7,usd"
    )
    source = export({"prices.csv": lines(HEADER, *TWO), "estimates.csv": estimates})
    extract = source.estimates([row for row in REFERENCE.securities if row.symbol == "AAPL"], WINDOW)
    assert cells(extract, "symbol", "metric", "period_type", "period_label", "currency") == [
        ("AAPL", "eps", "annual", "+1y", "USD")
    ]


def test_a_table_of_thirty_thousand_columns_costs_no_minute() -> None:
    """It took 90 s: each column was compared with each other one."""
    names = ["date", "AAPL", *(f"X{number}" for number in range(30_000))]
    file = ExportFile(Dataset.PRICES, Path("prices.csv"), "prices.csv")
    sheet = Sheet(file, [names], [pa.string()] * len(names), [1])
    began = time.process_time()
    layout = layout_of(Dataset.PRICES, sheet, Units(Dataset.PRICES, REFERENCE))
    assert len(layout.cells) == len(names) - 1
    assert time.process_time() - began < 10


def test_no_value_is_no_mistake(export: Export) -> None:
    words = ["", "NaN", "n/a", "#N/A", "null", "None", "-"]
    rows = [f"AAPL,2025-02-{day:02},239,{word}" for day, word in enumerate(words, 3)]
    source = export({"prices.csv": lines("symbol,date,close,open", *rows)})
    assert cells(prices(source, "AAPL"), "close", "open", "problem") == [(239.0, None, None)] * len(words)


def test_a_bad_file_of_one_symbol_costs_no_other(export: Export) -> None:
    source = export(
        {
            "prices/0700.HK.csv": lines("date,close", "2025-03-06,544"),
            "prices/AAPL.csv": lines("date,close", "06/03/2025,239"),
            "prices/MSFT.csv": "",
            "prices/NVDA.parquet": b"PAR1",
        }
    )
    extract = prices(source, "0700.HK", "AAPL", "MSFT", "NVDA")
    assert cells(extract, "symbol", "close") == [("0700.HK", 544.0)]
    reasons = {failure.symbol: failure.reason for failure in extract.failures}
    assert "prices/AAPL.csv, line 2: date is '06/03/2025'" in reasons["AAPL"]
    assert "prices/MSFT.csv has no row, not even a header" in reasons["MSFT"]
    assert "prices/NVDA.parquet cannot be read as PARQUET" in reasons["NVDA"]


def test_the_file_of_another_symbol_is_not_blamed(export: Export) -> None:
    (failure,) = prices(export({"prices/0700.HK.csv": lines("date,close", "2025-03-06,544")})).failures
    assert failure.reason == "prices/ has no row for AAPL in the window"


def test_what_is_left_out_of_a_folder_is_named(export: Export) -> None:
    """Of AAPL one file is left; the other symbol is not in the seeds, but its file counted against all."""
    content = {
        "prices/2024/AAPL.csv": "", "prices/2025/AAPL.csv": lines("date,close", "2025-03-07,239"), "prices/TSM.csv": "",
    }  # fmt: skip
    first = REFERENCE.securities[0].symbol
    extract = prices(export(content), "AAPL", first)
    assert cells(extract, "symbol", "close") == [("AAPL", 239.0)]
    assert [re.sub(".*/export/", "", note) for note in extract.notes] == [
        f"prices/{name} has no row, not even a header: export it again. The other files count."
        for name in ("2024/AAPL.csv", "TSM.csv")
    ]


def test_two_files_of_one_symbol_may_overlap_but_not_contradict(export: Export) -> None:
    """Of the day on which they differ neither counts, and each row names the other file."""
    header = "date,close,volume"
    first = ("2025-03-04,235,10", "2025-03-05,236,20")
    source = export(
        {
            "prices/old/AAPL.csv": lines(header, *first, "2025-03-06,237,30"),
            "prices/new/AAPL.csv": lines(header, *first, "2025-03-06,238,30", "2025-03-07,239,40"),
        }
    )
    extract = prices(source, "AAPL")
    good = [row for row in cells(extract, "date", "close", "problem") if not row[2]]
    assert sorted(set(good)) == [
        (date(2025, 3, 4), 235.0, None),
        (date(2025, 3, 5), 236.0, None),
        (date(2025, 3, 7), 239.0, None),
    ]
    assert extract.notes == [
        f"prices/{one}/AAPL.csv, line 4 (AAPL): prices/{other}/AAPL.csv, another file of the export, has other values of "
        "that day. This row is set aside, the others count. Correct the export."
        for one, other in (("new", "old"), ("old", "new"))
    ]


def test_folders_behind_links_are_read(export: Export, tmp_path: Path) -> None:
    source = export({"prices/a.csv": lines(HEADER, TWO[0])})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.csv").write_text(lines(HEADER, TWO[1]))
    (tmp_path / "export" / "prices" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "export" / "prices")
    assert closes(source) == GOOD


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"prices.csv": ""}, r"prices\.csv has no row, not even a header"),
        ({"prices.csv": HEADER}, r"prices\.csv has no row that could be used"),
        ({"prices.csv": b"\xef\xbb\xbf\r\n"}, r"prices\.csv has no row, not even a header"),
        ({"prices.csv": lines(",,,", ",,,")}, r"prices\.csv has no row, not even a header"),
        ({"prices.csv": "sep=;\n"}, r"prices\.csv has no row, not even a header"),
        ({"prices.csv": lines(HEADER, *TWO).encode("utf-16")}, r"prices\.csv cannot be read as CSV .*UTF-16.* as UTF-8 text"),
        ({"prices.csv": lines(HEADER, *TWO).encode() + b"AAPL\xe9,2025-03-06,1,USD\n"}, r"prices\.csv cannot be read as CSV \(line 4 is not UTF-8\)"),
        ({"prices.csv.gz": lines(HEADER, *TWO)}, r"prices\.csv\.gz cannot be read as CSV"),
        ({"prices.csv.gz": gzip.compress(lines(HEADER, *TWO).encode())[:40]}, r"prices\.csv\.gz cannot be read as CSV"),
        ({"prices.csv": lines("symbol,date,close,Close", "AAPL,2025-03-06,1,2")}, r"column close 2 times \(close, Close\): keep one"),
        ({"prices.csv": lines("symbol,date,close,dividend,Dividends", "AAPL,2025-03-06,1,,0.5")}, r"column dividend 2 times \(dividend, Dividends\): keep one"),
        ({"prices.csv": lines(HEADER, TWO[0], 'AAPL,2025-03-06,"2,USD', *[TWO[1]] * 9000)}, r"prices\.csv, line 3: a quotation mark opens and is not closed"),
        ({"prices.parquet": pa.table({"symbol": ["AAPL"], "date": pa.array([0], pa.timestamp("us", "Nowhere/Land")), "close": [1.0]})}, r"column date in the time zone 'Nowhere/Land', which no time zone database has"),
        ({"prices.parquet": pa.table({"symbol": ["AAPL"], "date": ["2025-03-06"], "close": [True]})}, r"close is 'true', which is not a number"),
        ({"prices.csv": lines("Date,AAPL,AAPL", "2025-03-06,1,2")}, r"has close of AAPL in 2 columns: keep one"),
        ({"prices.csv": lines(HEADER, 'AAPL,2025-03-06,"239,USD', *TWO)}, r"prices\.csv, line 2: a quotation mark opens and is not closed"),
        ({"prices.csv": lines("symbol,date,close", "AAPL,45722,239", "AAPL,45723,240")}, r"line 2: date is '45722', a day as Excel counts them: give the column the format yyyy-mm-dd\. 1 more of 2"),
        ({"prices.csv": lines(*TWO)}, r"prices\.csv has no column symbol: it must have symbol, date, close"),
        ({"prices.csv": lines("date,close", "2025-03-06,1")}, r"prices\.csv has no column symbol"),
        ({"prices.csv": lines(HEADER, *TWO).replace(",", ";").replace("544", "544,5").replace("239", "2,5")}, r"prices\.csv, line 2: close is '544,5', which is not a number"),
        ({"prices.csv": lines(HEADER, *(row + "," for row in TWO))}, r"prices\.csv, line 2: the line has 5 values, and the header has 4\. 1 more of 2 rows cannot be read either"),
        ({"prices.csv": HEADER, "prices.parquet": b""}, r"holds prices\.csv and prices\.parquet, .* remove one"),
        ({"prices.xlsx": b"PK"}, r"holds no prices\.csv or prices\.parquet \(prices\.xlsx is neither\)"),
        ({"prices/AAPL.xlsx": b"PK"}, r"holds no prices\.csv or prices\.parquet, and no such file in its folder prices: export"),
        ({"prices.parquet": pa.table({})}, r"prices\.parquet has no column: export it again"),
        ({"prices/symbol=AAPL/data.csv": lines("date,close", "2025-03-06,1")}, r"no row of a symbol of securities\.csv, but of data: .* named after"),
        ({"prices.csv": lines(HEADER, "700.HK,2025-03-06,544,HKD")}, r"but of 700\.HK \(did you mean 0700\.HK\?\)"),
    ],
    ids=["no byte", "only a header", "only a byte order mark", "only commas", "only a separator", "UTF-16", "Latin-1", "not packed", "half of a packed file", "a column twice", "a column in two spellings", "an open quotation in a long file", "an unknown time zone", "truth for a price", "a symbol twice", "an open quotation", "days of Excel", "no header", "no symbol", "decimal commas", "commas at the ends", "two files", "a workbook", "a folder of workbooks", "no column", "a symbol in a folder name", "only unknown symbols"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(export: Export, content: dict[str, Content], words: str) -> None:
    with pytest.raises(TitansError, match=words):
        export(content).coverage()


def test_rates_of_a_central_bank_are_refused(export: Export) -> None:
    """A column named by one currency does not say of which other one a unit is quoted."""
    source = export({"prices.csv": lines(HEADER, *TWO), "fx_rates.csv": lines("Date,USD,HKD", "2025-03-06,1.08,8.4")})
    with pytest.raises(TitansError, match=r"fx_rates\.csv has no column base_currency"):
        source.coverage()


def test_a_misspelt_symbol_is_asked_about(export: Export) -> None:
    source = export({"prices.csv": lines(HEADER, "700.HK,2025-03-06,544,HKD", TWO[1])})
    (failure,) = prices(source).failures
    assert failure.reason == ("prices.csv has no row for 0700.HK in the window, but of '700.HK': did you mean 0700.HK?")
    first = REFERENCE.securities[0].symbol
    assert ("700.HK", "did you mean 0700.HK?") in set_aside(source, first)


def test_symbols_with_signs_are_read(export: Export, tmp_path: Path) -> None:
    """A file name cannot hold a slash; a row and a column can."""
    securities = [row.model_copy(update={"symbol": name}) for row, name in zip(REFERENCE.securities, ["BRK/B", "M&M.NS"], strict=False)]  # fmt: skip
    reference = replace(REFERENCE, securities=tuple(securities))
    for content in (
        {"prices/BRK%2FB.csv": lines("date,close", "2025-03-06,1"), "prices/M&M.NS.csv": lines("date,close", "2025-03-06,2")},
        {"prices.csv": lines("symbol,date,close", "BRK/B,2025-03-06,1", "M&M.NS,2025-03-06,2")},
        {"prices.csv": lines("date,BRK/B,M&M.NS", "2025-03-06,1,2")},
    ):  # fmt: skip
        export(content)
        source = FilesSource(tmp_path / "export", None, reference, tmp_path / "copies")
        extract = source.prices(securities, WINDOW)
        assert cells(extract, "symbol", "close") == [("BRK/B", 1.0), ("M&M.NS", 2.0)]
        for name in content:
            (tmp_path / "export" / name).unlink()
        if "prices.csv" not in content:
            (tmp_path / "export" / "prices").rmdir()


def test_guesses_are_near() -> None:
    known = ["0700.HK", "9988.HK", "AAPL", "BRK/B", "M&M.NS", "^GSPC"]
    guessed = {
        "700.HK": "0700.HK", "00700.HK": "0700.HK", "700 HK Equity": "0700.HK", "700": "0700.HK", "aapl": "AAPL",
        "AAPL US Equity": "AAPL", "AAPL.US": "AAPL", "BRK-B": "BRK/B", "BRK.B": "BRK/B", "m&m.ns": "M&M.NS",
    }  # fmt: skip
    assert meant([*guessed, "GSPC.INDX", "TSM", "1.HK"], known) == guessed


def test_a_session_that_had_not_closed_bounds_nothing(export: Export) -> None:
    """Five past ten in New York: Hong Kong has closed. The row is delivered, so that raw rejects it by name."""
    rows = ("0700.HK,2026-03-26,544,HKD", "AAPL,2026-03-25,238,USD", "AAPL,2026-03-26,239,USD")
    source = export({"prices.csv": lines(HEADER, *rows)}, "2026-03-26T14:05:00+00:00")
    spans = [source.coverage([symbol]) for symbol in ("0700.HK", "AAPL")]
    assert [span and span.last for span in spans] == [date(2026, 3, 26), date(2026, 3, 25)]
    delivered = prices(source, "AAPL", window=Window(None, date(2026, 3, 25)))
    assert delivered.table["date"].to_pylist() == [date(2026, 3, 25), date(2026, 3, 26)]


def test_an_export_is_read_once_until_it_changes(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def count(
        connection: duckdb.DuckDBPyConnection, dataset: Dataset, file: ExportFile, reference: Reference
    ) -> Layout:
        read.append(file.name)
        return read_file(connection, dataset, file, reference)

    monkeypatch.setattr("include.sources.files.copy.read_file", count)
    content: dict[str, Content] = {"prices.csv": lines(HEADER, *TWO)}
    planned = export(content)
    next_batch = FilesSource(tmp_path / "export", None, REFERENCE, tmp_path / "copies")
    assert closes(planned) == closes(next_batch) == GOOD
    assert sorted(read) == ["fx_rates.csv", "prices.csv"]
    changed = export({"prices.csv": lines(HEADER, TWO[0])})
    later_batch = FilesSource(tmp_path / "export", None, REFERENCE, tmp_path / "copies", planned.copy_name)
    assert closes(later_batch) == GOOD, "a run keeps to the export that it began with"
    assert closes(changed) == GOOD[:1]
    assert len(read) == 4


def test_a_damaged_copy_is_refused(export: Export, tmp_path: Path) -> None:
    source = export({"prices.csv": lines(HEADER, *TWO)})
    name = source.copy_name
    path = tmp_path / "copies" / str(name) / "prices.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(TitansError, match=r"prices\.parquet, a copy of the export, .* remove .* made anew"):
        prices(FilesSource(tmp_path / "export", None, REFERENCE, tmp_path / "copies", name))
    contents = path.parent / "contents.json"
    for damaged in (b"{", contents.read_bytes().replace(b"prices.csv", b"prices.csw")):
        contents.write_bytes(damaged)
        assert closes(FilesSource(tmp_path / "export", None, REFERENCE, tmp_path / "copies")) == GOOD
        assert b"prices.csv" in contents.read_bytes(), "the copy is made anew"


def test_copies_that_no_run_needs_go(export: Export, tmp_path: Path) -> None:
    for close in range(5):
        export({"prices.csv": lines(HEADER, f"AAPL,2025-03-06,{close + 1},USD")}).coverage()
    assert len([path for path in (tmp_path / "copies").iterdir() if path.is_dir()]) == 3


READERS = {r"\bread_(parquet|csv)\(": "hive_partitioning = false", r"\bpq\.read_table\(": "partitioning=None"}
"""Calls that would read names of folders, such as rate=7.5, as columns, and what keeps them from it."""


@pytest.mark.parametrize("pattern", READERS)
def test_no_reader_takes_names_of_folders_for_columns(pattern: str) -> None:
    calls = [
        call[0]
        for path in (PROJECT_ROOT / "include").rglob("*.py")
        for call in re.finditer(pattern + r"[^()]*(\([^()]*\)[^()]*)*\)", path.read_text(encoding="utf-8"))
        if "BufferReader" not in call[0]  # bytes have no folder
    ]
    assert [call for call in calls if READERS[pattern] not in call] == []

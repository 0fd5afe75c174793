"""Seeds that the marts could not follow are refused, with the row and what to do."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from include.errors import TitansError
from include.seeds.read import load_reference
from include.seeds.schedules import ingest_schedules


@pytest.fixture
def seeds(project_copy: Path) -> Path:
    return project_copy / "seeds"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("c,2025-03-07,nobody,return_1d,about,0.1,0.01,ratio,A claim", ["(c)", "nobody", "no basket", "no symbol"]),
        ("c,2025-03-07,china_titans vs nobody,forward_pe_discount,about,0.1,0.01,ratio,A claim", ["(c)", "china_titans vs nobody", "no pair"]),
        ("c,2025-03-07,china_titans vs china_titans,forward_pe_discount,about,0.1,0.01,ratio,A claim", ["(c)", "no pair"]),
        ("c,2025-03-07,NVDA vs AAPL,excess_return_1d,about,0.1,0.01,ratio,A claim", ["(c)", "NVDA vs AAPL", "no pair"]),
        ("c,2025-03-07,magnificent_seven vs china_titans,excess_return_ytd,about,0.1,0.01,ratio,A claim", ["(c)", "not compared", "add the row magnificent_seven,china_titans to basket_pairs.csv"]),
        ("c,2025-03-07,china_titans,beauty,about,0.1,0.01,ratio,A claim", ["(c)", "beauty", "china_titans does not have", "return_ytd"]),
        ("c,2025-03-07,china_titans,highest_since,in_year,2021,0,year,A claim", ["(c)", "highest_since", "china_titans does not have"]),
        ("c,2025-03-07,^NDX,forward_pe,about,20,1,times,A claim", ["(c)", "forward_pe", "^NDX does not have", "highest_since"]),
        ("c,2025-03-07,china_titans,forward_pe,about,18,1,ratio,A claim", ["(c)", "forward_pe in ratio", "times"]),
        ("c,2025-03-07,china_titans,return_1d,about,10,1,percent,A claim", ["line 17", "unit='percent'", "'ratio'"]),
        ("c,2025-03-07,china_titans,return_1d,nearly,0.1,0.01,ratio,A claim", ["line 17", "comparison='nearly'", "'about'"]),
        ("c,2025-03-07,^NDX,highest_since,about,2021,0,year,A claim", ["(c)", "highest_since with about", "in_year"]),
        ("c,2025-03-07,^NDX,return_1d,in_year,0.1,0,ratio,A claim", ["(c)", "return_1d with in_year", "highest_since"]),
        ("c,2025-03-07,^NDX,highest_since,in_year,2021.5,0,year,A claim", ["(c)", "2021.5", "2021"]),
        ("c,2025-03-07,^NDX,return_1d,about,0.1,-0.01,ratio,A claim", ["line 17", "tolerance='-0.01'"]),
        ("c,2025-03-07,^NDX,return_1d,about,nan,0.01,ratio,A claim", ["line 17", "claimed_value='nan'", "finite"]),
        ("c,2025-03-07,^NDX,return_1d,about,,0.01,ratio,A claim", ["line 17", "claimed_value=None"]),
        ("c,7 March 2025,^NDX,return_1d,about,0.1,0.01,ratio,A claim", ["line 17", "claim_date='7 March 2025'"]),
        ("titans_ytd,2025-03-07,^NDX,return_1d,about,0.1,0.01,ratio,A claim", ["press_claims.csv", "titans_ytd", "twice"]),
    ],
)  # fmt: skip
def test_claims_that_cannot_be_held_against_the_marts(seeds: Path, row: str, words: list[str]) -> None:
    with (seeds / "press_claims.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(TitansError) as refusal:
        load_reference(seeds)
    for word in ["press_claims.csv", *words]:
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("magnificent_seven,nobody", ["(magnificent_seven,nobody)", "nobody", "baskets.csv"]),
        ("magnificent_seven,magnificent_seven", ["magnificent_seven with itself"]),
        ("magnificent_seven,", ["line 2", "comparator_basket_id=None"]),
        ("magnificent_seven,china_titans\nmagnificent_seven,china_titans", ["twice"]),
    ],
)
def test_pairs_that_cannot_be_compared(seeds: Path, row: str, words: list[str]) -> None:
    with (seeds / "basket_pairs.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(TitansError) as refusal:
        load_reference(seeds)
    for word in ["basket_pairs.csv", *words]:
        assert word in str(refusal.value)


def test_a_claim_may_speak_of_a_pair_that_is_added(seeds: Path) -> None:
    with (seeds / "basket_pairs.csv").open("a") as file:
        file.write("magnificent_seven,china_titans\n")
    with (seeds / "press_claims.csv").open("a") as file:
        file.write("c,2025-03-07,magnificent_seven vs china_titans,excess_return_ytd,about,-0.5,0.1,ratio,A claim\n")
    assert ("magnificent_seven", "china_titans") in load_reference(seeds).compared


@pytest.mark.parametrize(
    ("benchmark", "words"),
    [
        ("^N225", ["exchanges.csv (XHKG)", "^N225", "securities.csv"]),
        ("0700.HK", ["XHKG", "0700.HK", "no index of market hk"]),
        ("^GSPC", ["XHKG", "^GSPC", "no index of market hk"]),
    ],
    ids=["unknown", "an equity", "of another market"],
)
def test_benchmarks_that_are_no_index_of_the_market(seeds: Path, benchmark: str, words: list[str]) -> None:
    path = seeds / "exchanges.csv"
    path.write_text(path.read_text().replace("^HSI", benchmark))
    with pytest.raises(TitansError) as refusal:
        load_reference(seeds)
    for word in words:
        assert word in str(refusal.value)


def test_a_file_of_an_earlier_version_and_rows_that_end_early_are_read(seeds: Path) -> None:
    path = seeds / "securities.csv"
    lines = path.read_text().splitlines()
    first = [",".join(line.split(",")[:6]) for line in lines]
    path.write_text("\n".join([lines[0], *first[1:]]) + "\n")
    ended_early = load_reference(seeds).securities
    path.write_text("\n".join(first) + "\n")
    assert load_reference(seeds).securities == ended_early
    assert {row.sector for row in ended_early} == {None}


def test_an_exchange_may_have_no_benchmark(seeds: Path) -> None:
    path = seeds / "exchanges.csv"
    path.write_text(path.read_text().replace("^HSI", ""))
    assert [exchange.benchmark_symbol for exchange in load_reference(seeds).exchanges] == [None, "^GSPC"]


@pytest.mark.parametrize(("zone", "is_refused"), [("Europe/Zurich", False), ("Europe/London", True)])
def test_the_exchanges_of_a_market_are_on_one_clock(seeds: Path, zone: str, is_refused: bool) -> None:
    with (seeds / "exchanges.csv").open("a") as file:
        file.write("XFRA,eu,Frankfurt,XFRA,Europe/Berlin,30 18 * * 1-5,\n")
        file.write(f"XSWX,eu,Zurich,XSWX,{zone},0 18 * * 1-5,\n")
    if is_refused:
        with pytest.raises(TitansError, match=r"XFRA \(Europe/Berlin\) and XSWX \(Europe/London\) into market eu"):
            load_reference(seeds)
    else:
        assert {row.market for row in load_reference(seeds).exchanges} == {"hk", "us", "eu"}


def test_a_market_is_due_whenever_one_of_its_exchanges_is(seeds: Path) -> None:
    with (seeds / "exchanges.csv").open("a") as file:
        file.write("XFRA,eu,Frankfurt,XFRA,Europe/Berlin,30 18 * * 1-5,\n")
        file.write("XSWX,eu,Zurich,XSWX,Europe/Zurich,0 18 * * 1-5,\n")
    due = [each.cron for each in ingest_schedules(load_reference(seeds)) if each.dag_id == "ingest_prices_eu"]
    assert due == ["30 18 * * 1-5", "0 18 * * 1-5"]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("exchanges", "30 17 * * 1-5", "30 17 31 2 *", "no day fits this cron line"),
        ("exchanges", "30 17 * * 1-5", "30 17 * * 1-5 0", "write five fields"),
        ("exchanges", "30 17 * * 1-5", "@daily", "write five fields"),
        ("market_events", "2025-01-24", "20250124", "date='20250124': .* write it as 2025-03-07"),
        ("market_events", "2025-01-24", "2025-W04-5", "date='2025-W04-5': .* write it as 2025-03-07"),
        ("securities", "US0378331005", "US0378331006", "isin='US0378331006': .* its check digit is wrong"),
        ("securities", ",US,US0378331005", ",USA,US0378331005", "country='USA'"),
        ("securities", "reporting_currency", "currency", "has the column currency 2 times: keep one"),
        ("securities", "AAPL,", 'AAPL,"' + "x" * 140_000, "a quotation mark may open and not close"),
    ],
)
def test_what_a_later_step_could_not_read_is_refused(seeds: Path, name: str, old: str, new: str, words: str) -> None:
    path = seeds / f"{name}.csv"
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")
    before = csv.field_size_limit(131_072)
    try:
        with pytest.raises(TitansError, match=words):
            load_reference(seeds)
    finally:
        csv.field_size_limit(before)


def test_a_basket_may_not_bear_the_symbol_of_a_security(seeds: Path) -> None:
    """Event windows and claims name baskets and securities in one column."""
    with (seeds / "securities.csv").open("a") as file:
        file.write("china_titans,A listed fund,equity,XHKG,HKD,HKD\n")
    with pytest.raises(TitansError, match=r"china_titans.*symbol of a security"):
        load_reference(seeds)


@pytest.mark.parametrize("name", ["exchanges", "securities", "baskets", "market_events", "press_claims", "minor_units"])
def test_a_key_that_occurs_twice_is_refused(seeds: Path, name: str) -> None:
    """dbt relies on it: it does not test the keys of seeds."""
    path = seeds / f"{name}.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.splitlines()[-1] + "\n", encoding="utf-8")
    with pytest.raises(TitansError, match=rf"{name}\.csv lists .* twice"):
        load_reference(seeds)

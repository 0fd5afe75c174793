"""When a mart counts as changed: rows in any order, other last digits and a return rounded the other way are no change.

And which headlines changed, with the values that made them so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest

from include.dbt_facts import dbt_vars
from include.publishing.changes import RETURN_FLOOR, changed_headlines, changed_tables
from include.settings import PROJECT_ROOT

PUBLISHED = (
    "('A', date '2025-03-06', 100.0, 0.25), ('A', date '2025-03-07', 90.0, -0.1), ('B', date '2025-03-07', 0.5, null)"
)


@pytest.mark.parametrize(
    ("rows", "is_changed"),
    [
        (PUBLISHED, False),
        ("('B', date '2025-03-07', 0.5, null), ('A', date '2025-03-07', 90.0, -0.1), ('A', date '2025-03-06', 100.0, 0.25)", False),
        (PUBLISHED.replace("90.0", "90.00000005"), False),
        (PUBLISHED.replace("90.0", "90.0000005"), True),
        (PUBLISHED.replace("-0.1", "-0.100000001"), False),
        (PUBLISHED.replace("-0.1", "-0.100000002"), True),
        (PUBLISHED.replace("null", "0.0"), True),
        (PUBLISHED.replace("0.25", "null"), True),
        (PUBLISHED.replace("'B'", "'C'"), True),
        (PUBLISHED.replace("03-06", "03-05"), True),
        (PUBLISHED + ", ('C', date '2025-03-07', 1.0, null)", True),
        ("('A', date '2025-03-06', 100.0, 0.25), ('A', date '2025-03-06', 100.0, 0.25), ('B', date '2025-03-07', 0.5, null)", True),
    ],
    ids=["same", "another order", "last digits", "a close", "rounded the other way", "a return", "no NULL any more", "a new NULL",
         "another symbol", "another day", "a row more", "one row twice, another gone"],
)  # fmt: skip
def test_what_counts_as_a_change(tmp_path: Path, rows: str, is_changed: bool) -> None:
    columns = "(symbol, date, close, return_1d)"
    for name, content in (("warehouse", rows), ("published", PUBLISHED)):
        with duckdb.connect(str(tmp_path / f"{name}.duckdb")) as connection:
            connection.execute("create schema marts")
            connection.execute(
                "create table marts.daily as select symbol, date, close::double as close, return_1d::double as return_1d "
                f"from (values {content}) as rows{columns}"
            )
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        assert changed_tables(connection, tmp_path / "published.duckdb") == (["daily"] if is_changed else [])


@pytest.mark.parametrize(
    ("marts", "reports", "changed"),
    [("1", "1", []), ("1", "2", ["reports.sheet"]), ("2", "2", ["daily"])],
    ids=["same", "a report", "a mart, and with it a report"],
)
def test_a_report_counts_where_no_mart_changed(tmp_path: Path, marts: str, reports: str, changed: list[str]) -> None:
    """Such as the first one, of a generation that an earlier version published without."""
    for name, content in (("warehouse", (marts, reports)), ("published", ("1", "1"))):
        with duckdb.connect(str(tmp_path / f"{name}.duckdb")) as connection:
            connection.execute("create schema marts; create schema reports")
            connection.execute(f"create table marts.daily as select {content[0]} as value")
            connection.execute(f"create table reports.sheet as select {content[1]} as value")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        assert changed_tables(connection, tmp_path / "published.duckdb") == changed


def test_the_last_decimal_is_that_of_the_models() -> None:
    step = 10 ** -dbt_vars(PROJECT_ROOT / "dbt_project").return_decimals
    assert step < RETURN_FLOOR < 1.01 * step


CLOSE = ("AAPL", "close", "")
DIVIDEND = ("AAPL", "dividend", "")
EPS = ("AAPL", "eps", "annual 2025-12-31, mean")


@dataclass(frozen=True)
class Version:
    """A version of a value of 3 March, fetched on a day of March and landed at an hour of it.

    Attributes:
        factor: what brings it to the latest split basis.
    """

    value: float | None
    day: int
    hour: int = 12
    currency: str | None = None
    factor: float = 1.0

    @property
    def batch_id(self) -> str:
        return f"{self.day}-{self.hour}"


Value: TypeAlias = tuple[str, str, str]
History: TypeAlias = list[Version]


def march(day: int, hour: int | None = None) -> str:
    return f"2025-03-{day:02}" + (f" {hour:02}:00" if hour is not None else "")


def steps(history: History, value: Value = CLOSE) -> list[tuple[object, ...]]:
    """Rows of ``ops.restatements`` of one value."""
    symbol, field, detail = value
    versions = sorted(history, key=lambda version: (version.day, version.hour))
    return [
        (
            symbol, march(3), field, detail or None, number, was.value, now.value, was.currency, now.currency,
            was.factor, now.factor, 0.01, march(now.day), march(now.day, now.hour),
        )
        for number, (was, now) in enumerate(pairwise(versions), 2)
    ]  # fmt: skip


def origin(version: Version, value: Value = CLOSE) -> tuple[object, ...]:
    """The row of ``ops.row_origins`` for it, which reaches over the days around."""
    symbol, field, detail = value
    item = {"split_ratio": "split", "eps": f"eps {detail.split(',')[0]}"}.get(field, field)
    return symbol, item, march(1), march(5), version.batch_id, march(version.day)


def headline(value: str, name: str = "two_return_ytd", subject: str = "two", day: int = 7) -> tuple[object, ...]:
    return march(day), name, subject, value


def changed(
    folder: Path,
    origins: Sequence[tuple[object, ...]],
    now: Sequence[tuple[object, ...]],
    was: Sequence[tuple[object, ...]] = (headline("1.0%"),),
    says: Sequence[tuple[object, ...]] = (headline("1.1%"),),
) -> list[str]:
    """The headlines that changed between a generation and the warehouse. Basket two holds AAPL and MSFT.

    Args:
        origins: rows of ``ops.row_origins`` of the generation.
        now: rows of ``ops.restatements`` of the warehouse.
        was, says: rows of ``fct_headlines``.
    """
    rows = {
        "published": {"marts.fct_headlines": was, "ops.row_origins": origins},
        "warehouse": {"marts.fct_headlines": says, "ops.restatements": now},
    }
    for name, tables in rows.items():
        (folder / f"{name}.duckdb").unlink(missing_ok=True)
        with duckdb.connect(str(folder / f"{name}.duckdb")) as connection:
            connection.execute(
                """create schema marts; create schema ops; create schema raw;
                create table ops.publications as select date '2025-03-07' as as_of, timestamp '2025-03-08' as published_at;
                create table marts.dim_basket_members as
                    from (values ('two', 'AAPL'), ('two', 'MSFT'), ('other', 'TSM')) as rows(basket_id, symbol);
                create table marts.fct_headlines (as_of date, headline_id varchar, subject varchar, value_text varchar);
                create table ops.row_origins (symbol varchar, item varchar, from_date date, to_date date,
                    batch_id varchar, fetched_at timestamp);
                create table raw.fetch_windows as
                    select day || '-' || hour as batch_id, make_timestamp(2025, 3, day, hour, 0, 0) as landed_at
                    from range(1, 15) as days(day), range(24) as hours(hour);
                create table ops.restatements (symbol varchar, date date, field varchar, detail varchar,
                    version_number bigint, value_before double, value_after double, currency_before varchar,
                    currency_after varchar, basis_factor_before double, basis_factor_after double,
                    basket_effect double, known_at timestamp, landed_at timestamp)"""
            )
            for table, given in tables.items():
                if given:
                    connection.executemany(
                        f"insert into {table} values ({', '.join('?' * len(given[0]))})", [list(row) for row in given]
                    )
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        return changed_headlines(connection, folder / "published.duckdb")


TOLD = "two_return_ytd of 2025-03-07 was 1.0% and is 1.1%"
FIRST = Version(100, 3)
OLD_BASIS = Version(400, 3, factor=0.25)
NO_DIVIDEND = Version(0, 3)
USD, HKD = Version(2, 3, currency="USD"), Version(2, 4, currency="HKD")
CASES: dict[str, tuple[str, Version | None, History, str]] = {
    "a change": ("close", FIRST, [FIRST, Version(101, 4)], "from 100.0 to 101.0"),
    "and back": ("close", Version(101, 4), [FIRST, Version(101, 4), Version(100, 5)], "from 101.0 to 100.0"),
    "and there again": ("close", Version(100, 5), [FIRST, Version(101, 4), Version(100, 5), Version(101, 6)], "from 100.0 to 101.0"),
    "none since": ("close", Version(101, 4), [FIRST, Version(101, 4)], ""),
    "there and back since": ("close", FIRST, [FIRST, Version(101, 4), Version(100, 5)], ""),
    "two steps since": ("close", FIRST, [FIRST, Version(101, 4), Version(103, 5)], "from 100.0 to 103.0"),
    "two at one time": ("close", FIRST, [FIRST, Version(102, 4, 13), Version(103, 4, 14)], "from 100.0 to 103.0"),
    "one of two at one time was published":
        ("close", Version(102, 4, 13), [FIRST, Version(102, 4, 13), Version(103, 4, 14)], "from 102.0 to 103.0"),
    "both of one time were published": ("close", Version(103, 4, 14), [FIRST, Version(102, 4, 13), Version(103, 4, 14)], ""),
    "there and back at one time": ("close", FIRST, [FIRST, Version(102, 4, 13), Version(100, 4, 14)], ""),
    "an older one came late": ("close", FIRST, [Version(99, 2), FIRST], ""),
    "an older one came late, and a change": ("close", FIRST, [Version(99, 2), FIRST, Version(101, 4)], "from 100.0 to 101.0"),
    "one that came late from in between": ("close", Version(101, 4), [FIRST, Version(99, 3, 13), Version(101, 4)], ""),
    "the one before was let go": ("close", Version(101, 4), [Version(101, 4), Version(103, 5)], "from 101.0 to 103.0"),
    "the published one equals one that came late":
        ("close", Version(101, 4), [FIRST, Version(101, 3, 13), Version(103, 5)], "from 101.0 to 103.0"),
    "the batch of the published one was let go":
        ("close", Version(101, 4, 24), [FIRST, Version(101, 4), Version(103, 5)], "from 101.0 to 103.0"),
    "rounding": ("close", FIRST, [FIRST, Version(100.00001, 4)], "from 100.0 to 100.00001 (rounding)"),
    "a split": ("close", OLD_BASIS, [OLD_BASIS, Version(100, 4)], "from 400.0 to 100.0 (split)"),
    "a split, and a change back to the number of before":
        ("close", OLD_BASIS, [OLD_BASIS, Version(100, 4), Version(400, 5)], "from 100.0 to 400.0"),
    "a change of before a split": ("close", OLD_BASIS, [OLD_BASIS, Version(404, 4, factor=0.25)], "from 400.0 to 404.0"),
    "a value that was not published": ("close", None, [FIRST, Version(101, 4)], ""),
    "a late dividend": ("dividend", None, [NO_DIVIDEND, Version(2, 4)], "from 0.0 to 2.0"),
    "withdrawn": ("dividend", Version(2, 4), [NO_DIVIDEND, Version(2, 4), Version(0, 5)], "from 2.0 to none"),
    "withdrawn before, and back": ("dividend", None, [Version(2, 3), Version(0, 4), Version(2, 5)], "from 0.0 to 2.0"),
    "there and gone since": ("dividend", None, [NO_DIVIDEND, Version(2, 4), Version(0, 5)], ""),
    "another currency": ("dividend", USD, [USD, HKD], "from 2.0 to 2.0 (USD to HKD)"),
    "another currency and back": ("dividend", USD, [USD, HKD, replace(USD, day=5)], ""),
    "another currency and amount": ("dividend", USD, [USD, HKD, Version(2.1, 5, currency="HKD")], "from 2.0 to 2.1 (USD to HKD)"),
    "a split ratio": ("split_ratio", Version(4, 3), [Version(4, 3), Version(2, 4)], "from 4.0 to 2.0"),
    "a late split": ("split_ratio", None, [Version(0, 3), Version(4, 4)], "from 0.0 to 4.0"),
    "an estimate": ("eps", FIRST, [FIRST, Version(101, 4)], "from 100.0 to 101.0 (annual 2025-12-31, mean)"),
    "an estimate without a number":
        ("eps", Version(None, 3, currency="CNY"), [Version(None, 3, currency="CNY"), Version(None, 4, currency="HKD")], ""),
}  # fmt: skip
"""Kind of value, the version that was published, those that are there now, and the cause that is named."""


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The sentence about the headline of each case, which is about a symbol of its own."""
    origins, now = [], []
    for case, (field, published, history, _) in CASES.items():
        value = (case, field, EPS[2] if field == "eps" else "")
        origins += [origin(published, value)] if published else []
        now += steps(history, value)
    was, says = ([headline(text, case, case) for case in CASES] for text in ("1.0%", "1.1%"))
    texts = changed(tmp_path_factory.mktemp("cases"), origins, now, was, says)
    return {text.split(" of 2025-03-07 ")[0]: text for text in texts}


@pytest.mark.parametrize("case", CASES)
def test_a_headline_that_changed_names_what_changed_since(sentences: dict[str, str], case: str) -> None:
    """From the version that was published to the one that counts now, whatever came between them or late."""
    field, _, _, cause = CASES[case]
    sentence = f"{case} of 2025-03-07 was 1.0% and is 1.1%"
    assert sentences[case] == (f"{sentence}: {case} {field} of 2025-03-03 {cause}" if cause else sentence)


@pytest.mark.parametrize(
    ("symbol", "field", "cause"),
    [("USDHKD", "rate", "USDHKD rate of 2025-03-03 from 7.0 to 8.0"), ("TSM", "close", "")],
    ids=["a rate", "of another basket"],
)
def test_a_rate_moves_every_basket_and_a_close_those_that_hold_it(
    tmp_path: Path, symbol: str, field: str, cause: str
) -> None:
    value, history = (symbol, field, ""), [Version(7, 3), Version(8, 4)]
    assert changed(tmp_path, [origin(history[0], value)], steps(history, value)) == [
        f"{TOLD}: {cause}" if cause else TOLD
    ]


def test_rounding_and_splits_are_named_only_where_nothing_else_changed(tmp_path: Path) -> None:
    apple, microsoft = [Version(400, 3, factor=0.25), Version(100, 4)], [Version(8, 3), Version(9, 4)]
    of_microsoft = ("MSFT", "close", "")
    assert changed(
        tmp_path,
        [origin(apple[0]), origin(microsoft[0], of_microsoft)],
        [*steps(apple), *steps(microsoft, of_microsoft)],
    ) == [f"{TOLD}: MSFT close of 2025-03-03 from 8.0 to 9.0"]


def test_what_is_later_than_the_headline_is_no_cause(tmp_path: Path) -> None:
    """The dividend of a session that was not published yet."""
    late = [(*row[:1], march(10), *row[2:]) for row in steps([NO_DIVIDEND, Version(2, 11)], DIVIDEND)]
    assert changed(tmp_path, [], late) == [TOLD]


def test_a_headline_that_is_gone_or_new_is_named(tmp_path: Path) -> None:
    """Of the last published day: a later day has had no headlines yet, and so none that changed."""
    was = [headline("1.0%"), headline("5.0%", "two_return_1d")]
    says = [headline("1.0%"), headline("20.1", "aapl_forward_pe", "AAPL"), headline("0.9%", day=10)]
    cause = "AAPL close of 2025-03-03 from 100.0 to 101.0"
    assert changed(tmp_path, [origin(FIRST)], steps([FIRST, Version(101, 4)]), was, says) == [
        f"aapl_forward_pe of 2025-03-07 is new: 20.1: {cause}",
        f"two_return_1d of 2025-03-07 was 5.0% and is gone: {cause}",
    ]


def test_five_causes_are_named_and_the_others_counted(tmp_path: Path) -> None:
    values = [("AAPL", "eps", f"annual {number}, mean") for number in range(7)]
    origins = [origin(FIRST, value) for value in values]
    (text,) = changed(tmp_path, origins, [row for value in values for row in steps([FIRST, Version(101, 4)], value)])
    assert "AAPL eps of 2025-03-03 from 100.0 to 101.0 (annual 0, mean), " in text
    assert text.endswith(", and 2 more in ops.restatements")

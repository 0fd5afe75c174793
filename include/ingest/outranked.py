"""What a delivery does not change, since what is stored of its symbols was fetched later."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime

import duckdb
import pyarrow as pa

from include.landing.batches import DamagedLandingError, checked_rows, rows_by_symbol
from include.landing.index import LandedBatch, LandingIndex
from include.limits import Limits
from include.publishing.changes import SAME_VALUE
from include.runs.facts import Outranked
from include.seeds.rows import VendorCorrection
from include.sources.base import KEY_COLUMNS, SCHEMAS, Dataset, Extract

_NO_VALUE = {"basis_date", "note"}
_MEANING = {
    "dividend": "coalesce({row}.dividend, 0)",
    "dividend_currency": "case when {row}.dividend > 0 then {row}.dividend_currency end",
    "split_ratio": "coalesce(nullif({row}.split_ratio, 1), 0)",
}
"""Where two values say the same: no dividend is one of 0, and no split one of 1 to 1."""
_MAIN_VALUE = {
    Dataset.PRICES: "close",
    Dataset.FX_RATES: "rate",
    Dataset.SHARES: "shares_outstanding",
    Dataset.ESTIMATES: "mean",
    Dataset.RISK_FREE: "rate",
}
"""A row without it is rejected, and so ranks above nothing."""
_ABOVE_ZERO = (Dataset.PRICES, Dataset.FX_RATES, Dataset.SHARES)
"""Elsewhere the main value may be zero or less."""
_PER_SHARE = {"open", "high", "low", "close", "dividend", "mean"}
_IN_SHARES = {"volume", "shares_outstanding"}


def outranked(
    landing: LandingIndex,
    dataset: Dataset,
    extract: Extract,
    landed_at: datetime,
    symbols: Collection[str],
    kept_out: Callable[[], Collection[tuple[str, str]]],
    corrections: Sequence[VendorCorrection],
    limits: Limits,
) -> Outranked | None:
    """How a delivery that lands at ``landed_at`` ranks below deliveries of the same symbols; None if it does not.

    Values are compared on one split basis. Read from landing files: an ingest task does not open the warehouse.

    Args:
        symbols: those that the delivery answers.
        kept_out: gives the units (batch and symbol) in quarantine, which rank above nothing. It reads the records of all
            builds, so it is asked only if there is a later batch.
        corrections: of splits, they come before what the vendor says.
    """
    version = (extract.fetched_at, landed_at)
    newer = [batch for batch in landing.batches(dataset) if batch.manifest.version > version]
    if not newer:
        return None
    out = kept_out()
    usable = [(batch, wanted) for batch in newer if (wanted := _usable(batch, symbols, out))]
    later = [(batch, rows) for batch, wanted in usable if (rows := _rows(batch, wanted)) is not None]
    if not later:
        return None
    connection = limits.in_memory()
    connection.register("mine", extract.table)
    stored = _union(connection, "theirs", [rows for _, rows in later])
    if "basis_date" not in SCHEMAS[dataset].names:
        connection.execute("create table splits (symbol varchar, date date, ratio double)")
    else:
        prices = [
            (batch.manifest.version, rows)
            for batch in landing.batches(Dataset.PRICES)
            if (rows := _rows(batch, _usable(batch, symbols, out))) is not None
        ]
        prices.append((version, extract.table if dataset is Dataset.PRICES else SCHEMAS[Dataset.PRICES].empty_table()))
        by_version = [rows for _, rows in sorted(prices, key=lambda each: each[0])]
        _tabulate_splits(
            connection, [rows.select(["symbol", "date", "split_ratio"]) for rows in by_version], corrections
        )
    (rows,) = connection.execute(_count_of_different(dataset, stored)).fetchone() or (0,)
    newest = max(batch.manifest.fetched_at for batch, _ in later)
    return Outranked(fetched_at=extract.fetched_at, stored=newest, rows=rows)


def _usable(batch: LandedBatch, symbols: Collection[str], kept_out: Collection[tuple[str, str]]) -> list[str]:
    """Those of ``symbols`` that a batch has rows of, which are not in quarantine."""
    manifest = batch.manifest
    return [
        window.symbol
        for window in manifest.windows
        if window.rows and window.symbol in symbols and (manifest.batch_id, window.symbol) not in kept_out
    ]


def _rows(batch: LandedBatch, symbols: Collection[str]) -> pa.Table | None:
    """The rows of these symbols; None where there are none, or the file is damaged: the next build names it."""
    if symbols:
        with suppress(DamagedLandingError):
            table = checked_rows(batch.path, batch.manifest)
            dataset = batch.manifest.dataset
            # An early file lacks the columns that came after its version.
            of_symbols = [SCHEMAS[dataset].empty_table(), *rows_by_symbol(dataset, table, symbols).values()]
            return pa.concat_tables(of_symbols, promote_options="default")
    return None


def _union(connection: duckdb.DuckDBPyConnection, name: str, tables: Sequence[pa.Table]) -> str:
    """A query of all rows of ``tables``, with the ``place`` of the table that each is of."""
    for place, table in enumerate(tables):
        connection.register(f"{name}_{place}", table)
    return " union all by name ".join(f"select *, {place} as place from {name}_{place}" for place in range(len(tables)))


def _tabulate_splits(
    connection: duckdb.DuckDBPyConnection, prices: Sequence[pa.Table], corrections: Sequence[VendorCorrection]
) -> None:
    """Fill the table ``splits`` with those that count.

    Args:
        prices: rows with symbol, date and split_ratio, in the order of versions.
    """
    connection.execute("create table corrections (symbol varchar, date date, ratio double)")
    for row in corrections:
        if row.field == "split_ratio":
            connection.execute("insert into corrections values (?, ?, ?)", [row.symbol, row.date, row.value])
    connection.execute(f"""
        create table splits as
        with latest as (
            select symbol, date, split_ratio as ratio from ({_union(connection, "prices", prices)})
            qualify row_number() over (partition by symbol, date order by place desc) = 1
        )
        select * from (
            from corrections union all from latest where (symbol, date) not in (select (symbol, date) from corrections))
        where ratio > 0 and ratio <> 1""")


def _count_of_different(dataset: Dataset, stored: str) -> str:
    """The query of how many rows of ``mine`` say something else than the stored row of their key that counts."""
    key = ", ".join(KEY_COLUMNS[dataset])
    main = _MAIN_VALUE[dataset]
    counts = f"{main} is not null and isfinite({main})" + (f" and {main} > 0" if dataset in _ABOVE_ZERO else "")
    factor = "1.0"
    if "basis_date" in SCHEMAS[dataset].names:
        factor = """coalesce((
            select product(ratio) from splits where splits.symbol = stated.symbol and splits.date > stated.basis_date), 1.0)"""
    names = [name for name in SCHEMAS[dataset].names if name not in {*KEY_COLUMNS[dataset], *_NO_VALUE}]
    return f"""
        with theirs as (
            from ({stored})
            where {counts}
            qualify row_number() over (partition by {key} order by place desc) = 1
        ),
        one as (select *, {factor} as factor from mine as stated where {counts}),
        two as (select *, {factor} as factor from theirs as stated)
        select count(*) from one inner join two using ({key}) where {" or ".join(map(_differs, names))}"""


def _differs(name: str) -> str:
    """Whether a value of ``one`` is another than that of ``two``, both on the basis of after the last split."""
    one, two = (_MEANING.get(name, f"{{row}}.{name}").format(row=row) for row in ("one", "two"))
    if name not in _PER_SHARE | _IN_SHARES | {"rate"}:
        return f"{one} is distinct from {two}"
    rounded = "0"
    if name in _PER_SHARE:
        one, two = f"{one} / one.factor", f"{two} / two.factor"
    elif name in _IN_SHARES:
        one, two = f"{one} * one.factor", f"{two} * two.factor"
        rounded = "abs(one.factor - two.factor)"  # whole shares
    return f"""(({one}) is null) <> (({two}) is null)
            or abs({one} - {two}) > greatest({SAME_VALUE} * abs({two}), {rounded})"""

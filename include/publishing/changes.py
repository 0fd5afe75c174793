"""Whether marts, or what they were built from, differ from a published generation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb

from include.errors import Runbook, TitansError, refused_in
from include.paths import PublishedPaths
from include.publishing.generations import whole_of_source
from include.publishing.manifest import Manifest
from include.sources.base import Dataset

_Read = TypeVar("_Read")

TOLERANCE = 1e-9
"""Relative: sums over many rows may end in another last digit when threads add in another order."""
FLOOR = 1e-12
"""Absolute: the difference of two such sums, where it should be nothing."""
RETURN_FLOOR = 1.001e-9
"""Absolute: the last decimal of a return, which is rounded to ``return_decimals`` and may go either way at a half."""
SAME_VALUE = 1e-6
"""Relative, as in ``ops.restatements``: a value of a vendor that differs by less differs by rounding."""


_STORED = (*Dataset, "corporate_actions", "rejected_rows")


def raw_state(connection: duckdb.DuckDBPyConnection) -> str:
    """A hash of what deliveries stored, of rows that were rejected, and of units in quarantine or released.

    A delivery that stores nothing and is accepted does not change it, nor does a rebuild from landing.
    """
    rows = " union all ".join(
        f"select concat_ws('|', '{table}', batch_id, count(*)) as part from raw.{table} group by batch_id"
        for table in _STORED
    )
    (state,) = connection.execute(
        f"""select md5(coalesce(string_agg(part, chr(10) order by part), '')) from (
            {rows} union all
            select concat_ws('|', verdict, batch_id, symbol) from raw.current_verdicts where verdict <> 'accepted')"""
    ).fetchone() or ("",)
    return str(state)


def read_last(published: PublishedPaths, source: str, read: Callable[[Path], _Read]) -> tuple[Manifest, _Read] | None:
    """The newest generation of ``source`` that is whole, and what ``read`` made of its file; None where there is none.

    A damaged one is passed over: it must not block the one that takes its place.

    Raises:
        TitansError, duckdb.OutOfMemoryException, duckdb.InterruptException: it cannot be read now, whatever is in it.
    """
    for manifest in whole_of_source(published, source):
        file = published.file(manifest.generation)
        try:
            return manifest, read(file)
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except duckdb.Error as error:
            if reason := refused_in(str(error)):
                raise TitansError(
                    f"{file}, the last generation, cannot be read now ({reason}), and the new one must be compared with "
                    "it. What was published is untouched. Mend that, then run again.",
                    Runbook.PUBLISH_FAILED,
                ) from error
    return None


def changes_since(connection: duckdb.DuckDBPyConnection, generation: Path) -> tuple[list[str], list[str]]:
    """Tables that differ from those of ``generation``, and headlines that it says otherwise."""
    tables = changed_tables(connection, generation)
    if "fct_headlines" not in tables:
        return tables, []
    try:
        return tables, changed_headlines(connection, generation)
    except (duckdb.BinderException, duckdb.CatalogException):  # it is of an earlier version, and lacks columns of ops
        return tables, []


def changed_tables(connection: duckdb.DuckDBPyConnection, generation: Path) -> list[str]:
    """Tables of ``warehouse.marts`` whose columns or rows differ from those of ``generation``; of ``reports``, where no mart does.

    Reports are made from marts alone, so they differ by themselves only where the project has changed. Rows are compared
    without regard to order; floating-point values may differ by a relative 1e-9 or by 1e-12, returns by their last
    decimal.
    """
    literal = str(generation).replace("'", "''")
    connection.execute(f"attach '{literal}' as published (read_only)")
    try:
        marts = _changed_in(connection, "marts")
        return marts or [f"reports.{table}" for table in _changed_in(connection, "reports")]
    finally:
        connection.execute("detach published")


def _changed_in(connection: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    now, before = _columns(connection, "warehouse", schema), _columns(connection, "published", schema)
    different = sorted(
        set(now) ^ set(before) | {table for table in now.keys() & before.keys() if now[table] != before[table]}
    )
    same_shape = sorted(table for table in now.keys() & before.keys() if now[table] == before[table])
    return different + [table for table in same_shape if _rows_differ(connection, f'{schema}."{table}"', now[table])]


RESTATEMENT_TEXT = """concat_ws(' ', symbol, field, 'of', date,
    'from', coalesce((case when kind = 'split' or basis_factor_before = basis_factor_after then value_before
        else value_before * basis_factor_before / basis_factor_after end)::varchar, 'none'),
    'to', case when kind = 'withdrawn' then 'none' else coalesce(value_after::varchar, 'none') end,
    '(' || nullif(concat_ws(', ', detail,
        case when currency_before <> currency_after then currency_before || ' to ' || currency_after end,
        case when kind in ('rounding', 'split') then kind end), '') || ')')"""
"""A row of ``ops.restatements`` in words. Unless the split is the change, both values are on the split basis of the second."""

_CHANGED_HEADLINES = f"""
    with day as (select arg_max(as_of, published_at) as as_of from published.ops.publications),
    changed as (
        select headline_id, as_of, coalesce(now.subject, before.subject) as subject,
            case when before.subject is null then 'is new: ' || coalesce(now.value_text, 'none')
                else 'was ' || coalesce(before.value_text, 'none') || ' and is '
                    || case when now.subject is null then 'gone' else coalesce(now.value_text, 'none') end
            end as verdict
        from (from warehouse.marts.fct_headlines where as_of = (from day)) as now
        full outer join (from published.marts.fct_headlines where as_of = (from day)) as before using (as_of, headline_id)
        where now.subject is null or before.subject is null or now.value_text is distinct from before.value_text
    ),
    -- Of each value the version that was published, with its place in the order of versions.
    landed as (select batch_id, any_value(landed_at) as landed_at from warehouse.raw.fetch_windows group by batch_id),
    origins as (
        select origins.*, coalesce(landed.landed_at, 'infinity') as landed_at
        from published.ops.row_origins as origins left join landed using (batch_id)
    ),
    steps as (
        select *, case field when 'split_ratio' then 'split' else concat_ws(' ', field, split_part(detail, ',', 1)) end as item
        from warehouse.ops.restatements where date <= (from day)
    ),
    -- The steps after it. Of a dividend or split that was not published, which is one of 0, all.
    since as (
        select steps.*, coalesce(origins.to_date >= steps.date, false) as was_published
        from steps asof left join origins
            on steps.symbol = origins.symbol and steps.item = origins.item and steps.date >= origins.from_date
        where case when origins.to_date >= steps.date
            then (steps.known_at, steps.landed_at) > (origins.fetched_at, origins.landed_at)
            else steps.field in ('dividend', 'split_ratio') end
    ),
    ends as (
        select symbol, date, field, detail, max(basket_effect) as basket_effect,
            first(since order by version_number) as first_step, last(since order by version_number) as last_step
        from since group by symbol, date, field, detail
    ),
    -- From what was published to what counts now.
    ways as (
        select symbol, date, field, detail, basket_effect,
            case when first_step.was_published then first_step.value_before else 0 end as value_before,
            case when first_step.was_published then first_step.currency_before end as currency_before,
            first_step.basis_factor_before as basis_factor_before,
            last_step.value_after as value_after,
            last_step.currency_after as currency_after,
            last_step.basis_factor_after as basis_factor_after,
            abs(value_after * basis_factor_after - value_before * basis_factor_before)
                <= if(currency_before <> currency_after, -1, {SAME_VALUE} * abs(value_before * basis_factor_before)) as is_same
        from ends
    ),
    kinds as (
        select *,
            case when field in ('dividend', 'split_ratio') and value_after = 0 then 'withdrawn'
                when is_same and basis_factor_before <> basis_factor_after then 'split'
                when is_same then 'rounding' else 'restated' end as kind
        from ways where value_before is distinct from value_after or not is_same
    ),
    restated as (
        select symbol, field, basket_effect, kind in ('rounding', 'split') as is_slight, {RESTATEMENT_TEXT} as text
        from kinds
    ),
    causes as (
        select distinct changed.headline_id, restated.*
        from changed
        inner join warehouse.marts.dim_basket_members as members
            on list_contains(string_split(changed.subject, '_vs_'), members.basket_id)
        inner join restated on restated.symbol = members.symbol or restated.field = 'rate'
        union
        select changed.headline_id, restated.*
        from changed inner join restated on changed.subject = restated.symbol
    ),
    counted as (
        select headline_id,
            list(text order by basket_effect desc nulls last, text) filter (where not is_slight) as texts,
            list(text order by basket_effect desc nulls last, text) filter (where is_slight) as slight
        from causes group by headline_id
    )
    select headline_id, as_of, verdict, coalesce(texts, slight, []) from changed left join counted using (headline_id) order by 1
"""


def changed_headlines(connection: duckdb.DuckDBPyConnection, generation: Path) -> list[str]:
    """Headlines of the day of ``generation`` that it says otherwise, each with the values of its subject that vendors changed since.

    A headline that it does not have is new, and one that it alone has is gone. A value that changed may be of a member of
    the basket, of either basket of a pair, of the index, or a rate. Values that changed by rounding or a split alone are
    named where no other did. Where none did, the seeds or the models have changed.
    """
    literal = str(generation).replace("'", "''")
    connection.execute(f"attach '{literal}' as published (read_only)")
    try:
        rows = connection.execute(_CHANGED_HEADLINES).fetchall()
    finally:
        connection.execute("detach published")
    return [
        f"{headline} of {as_of} {verdict}" + (f": {_first(causes)}" if causes else "")
        for headline, as_of, verdict, causes in rows
    ]


def _first(texts: list[str], shown: int = 5) -> str:
    more = f", and {len(texts) - shown} more in ops.restatements" if len(texts) > shown else ""
    return ", ".join(texts[:shown]) + more


def _columns(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> dict[str, list[tuple[str, str]]]:
    rows = connection.execute(
        """select table_name, column_name, data_type from duckdb_columns()
        where database_name = ? and schema_name = ? order by table_name, column_index""",
        [database, schema],
    ).fetchall()
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, []).append((column, kind))
    return tables


def _rows_differ(connection: duckdb.DuckDBPyConnection, table: str, columns: list[tuple[str, str]]) -> bool:
    """Whether the tables have other numbers of rows, which costs nothing to see, or rows of which one has no equal.

    Exact columns, among which is the key, decide which rows belong together; the others of each pair are compared.
    """
    now, before = f"warehouse.{table}", f"published.{table}"
    sizes = connection.execute(f"select (select count(*) from {now}) = (select count(*) from {before})").fetchone()
    if sizes != (True,):
        return True
    exact = [f'"{name}"' for name, kind in columns if kind != "DOUBLE"]
    floats = [f'"{name}"' for name, kind in columns if kind == "DOUBLE"]
    if not floats:
        row = connection.execute(
            f"select count(*) from (from {now} except all from {before} union all (from {before} except all from {now}))"
        ).fetchone()
        return row != (0,)
    same = " and ".join(f"one.{name} is not distinct from two.{name}" for name in exact)
    unequal = " or ".join(
        f"(one.{name} is distinct from two.{name} and not coalesce(abs(one.{name} - two.{name}) "
        f"<= greatest({RETURN_FLOOR if 'return' in name else FLOOR}, {TOLERANCE} * greatest(abs(one.{name}), abs(two.{name}))), false))"
        for name in floats
    )
    row = connection.execute(
        f"select count(*) from (select true as is_there, * from {now}) as one "
        f"full outer join (select true as is_there, * from {before}) as two on {same} "
        f"where one.is_there is null or two.is_there is null or {unequal}"
    ).fetchone()
    return row != (0,)

"""Gate 2: may people see these marts? Keys, identities, ranges, and nothing lost against the last generation.

Every check in ``marts/`` returns the rows that should not be there. Each mart also has a check that its key is unique.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from include.dbt_facts import mart_keys
from include.gates.checks import Check, load_checks
from include.gates.result import CheckResult, refuse
from include.gates.sql_files import GATES

CHECKS = GATES / "marts"
_COUNTED_BY_MONTH = {
    "fct_security_daily": "date",
    "fct_index_daily": "date",
    "fct_estimate_snapshots": "as_of",
    "fct_shares_outstanding": "as_of",
    "fct_security_valuation_daily": "date",
}
"""Marts that must not lose rows, with the column of their day."""


def checks(dbt_project: Path) -> list[Check]:
    """The checks of this gate.

    Raises:
        TitansError: a file is no check, or the keys of the marts cannot be read.
    """
    keys = [_key_is_unique(table, key) for table, key in mart_keys(dbt_project).items()]
    return load_checks(CHECKS, dbt_project, keys)


def _key_is_unique(table: str, key: Sequence[str]) -> Check:
    columns = ", ".join(key)
    return Check(
        name=f"{table.split('.')[1]}_key_unique",
        table=table,
        severity="critical",
        why="Two rows of one key would count double in every sum.",
        query=f"select {columns}, count(*) as occurrences from {table} group by {columns} having count(*) > 1",
    )


def prepare(connection: duckdb.DuckDBPyConnection, last_generation: Path | None) -> None:
    """Count the rows of the last generation of this source, as ``quality.rows_before``, and of the new marts.

    Args:
        last_generation: published file of the same source, or None for the first one.
    """
    connection.execute("create schema if not exists quality")
    counts = " union all ".join(
        f"select '{table}' as table_name, symbol, strftime({day}, '%Y-%m') as month, count(*) as row_count "
        f"from {{database}}.marts.{table} group by all"
        for table, day in _COUNTED_BY_MONTH.items()
    )
    connection.execute(f"create or replace table quality.rows_now as {counts.format(database='warehouse')}")
    if last_generation is None:
        connection.execute("create or replace table quality.rows_before as select * from quality.rows_now where false")
        return
    literal = str(last_generation).replace("'", "''")
    connection.execute(f"attach '{literal}' as generation (read_only)")
    try:
        connection.execute(f"create or replace table quality.rows_before as {counts.format(database='generation')}")
    finally:
        connection.execute("detach generation")


def decide(results: Sequence[CheckResult], accept_loss: str | None) -> None:
    """Let the marts pass or not.

    Args:
        accept_loss: the reason why lost rows are meant to be lost: the result of ``nothing_lost`` becomes a warning.

    Raises:
        TitansError: a critical check failed or could not run; names each with some of its rows.
    """
    for result in results:
        if result.name == "nothing_lost" and result.status == "failed" and accept_loss:
            result.status = "warning"
            result.message = f"accepted: {accept_loss}"
    refuse([result for result in results if result.status in ("failed", "error")])

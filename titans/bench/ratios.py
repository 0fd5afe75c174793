"""The models of the five largest price marts beside SQL by hand that makes the same columns.

Both start from staging. A model counts for the first mart that needs it, and the SQL by hand of a mart reads what that
of the marts before it left, so nothing is counted twice on either side.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.dbt_facts import mart_keys
from include.raw.lock import writer_lock
from include.raw.store import open_warehouse
from include.settings import Settings
from include.transform import invoke_dbt, parsed_project

if TYPE_CHECKING:
    import duckdb
    from dbt.contracts.graph.manifest import Manifest

MARTS = (
    "fct_security_daily",
    "fct_index_daily",
    "fct_basket_daily",
    "fct_basket_member_daily",
    "fct_basket_market_value_daily",
)
_BY_HAND = Path(__file__).with_name("by_hand")
_TOLERANCE = 1.001e-9
"""Relative, and absolute too: returns are rounded to 9 decimals, and at a tie the last one may fall either way."""


def counted_models(manifest: Manifest) -> dict[str, list[str]]:
    """Of each mart the models that count for it, itself last: all between staging and it that no mart before needs."""
    parents = {
        node.name: [parent.rpartition(".")[2] for parent in node.depends_on.nodes]
        for node in manifest.nodes.values()
        if node.resource_type == "model" and not node.original_file_path.startswith("models/staging/")
    }
    counted: dict[str, list[str]] = {}
    seen: set[str] = set()

    def visit(name: str) -> list[str]:
        if name in seen or name not in parents:
            return []
        seen.add(name)
        return [*(model for parent in parents[name] for model in visit(parent)), name]

    for mart in MARTS:
        counted[mart] = visit(mart)
    return counted


def run_models(settings: Settings) -> dict[str, Any]:
    """Build the counted models again, one at a time, so that each has the processors and its CPU for itself.

    Returns:
        Of each mart its models and the seconds of CPU that they took, dbt's own work on them included.
    """
    counted = counted_models(parsed_project(settings))
    clock = _Clock()
    names = [name for models in counted.values() for name in models]
    with writer_lock(settings.store.warehouse, "the bench"):
        invoke_dbt(settings, ["run", "--threads", "1", "--select", *names], listener=clock.listen)
    return {
        mart: {"models": models, "cpu": sum(clock.seconds[name] for name in models)} for mart, models in counted.items()
    }


def run_by_hand(settings: Settings) -> dict[str, Any]:
    """Make the same marts by hand, in a database of their own, on a connection as the build has it.

    Returns:
        Of each mart the seconds of CPU and whether it equals the model's to 1e-9, and the limits of the connection.
    """
    path = settings.store.root / "by_hand.duckdb"
    path.unlink(missing_ok=True)
    seconds = {}
    with writer_lock(settings.store.warehouse, "the bench"), open_warehouse(settings.store) as connection:
        literal = str(path).replace("'", "''")
        connection.execute(f"attach '{literal}' as by_hand")
        connection.execute("create schema by_hand.steps; create schema by_hand.marts")
        for mart in MARTS:
            sql = (_BY_HAND / f"{mart}.sql").read_text(encoding="utf-8")
            started = time.process_time()
            connection.execute(sql)
            connection.execute("checkpoint by_hand")
            seconds[mart] = time.process_time() - started
        keys = mart_keys(settings.dbt_project_dir)
        different = [mart for mart in MARTS if _differs(connection, mart, keys[f"marts.{mart}"])]
        threads, memory = connection.execute(
            "select current_setting('threads'), current_setting('memory_limit')"
        ).fetchone() or ("", "")
    path.unlink()
    return {
        "limits": f"{threads} threads, {memory}",
        "marts": {mart: {"cpu": seconds[mart], "is_equal": mart not in different} for mart in MARTS},
    }


def _differs(connection: duckdb.DuckDBPyConnection, mart: str, key: Sequence[str]) -> bool:
    """Whether the mart of the models and that by hand have other columns, rows or values."""
    columns = [
        connection.execute(
            """select column_name, data_type from duckdb_columns()
            where database_name = ? and schema_name = 'marts' and table_name = ? order by column_index""",
            [database, mart],
        ).fetchall()
        for database in ("warehouse", "by_hand")
    ]
    if columns[0] != columns[1]:
        return True
    unequal = []
    for name, kind in columns[0]:
        one, other = f'one."{name}"', f'other."{name}"'
        near = f"abs({one} - {other}) <= {_TOLERANCE} * greatest(1, abs({one}), abs({other}))"
        is_near = f"and not coalesce({near}, false)" if kind == "DOUBLE" else ""
        unequal.append(f"({one} is distinct from {other} {is_near})")
    (rows,) = connection.execute(
        f"""select count(*) from warehouse.marts.{mart} as one
        full outer join by_hand.marts.{mart} as other using ({", ".join(key)})
        where {" or ".join(unequal)}"""
    ).fetchone() or (1,)
    return bool(rows)


class _Clock:
    """CPU of this process from the start of each dbt node until what it made is in the file."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started: dict[str, float] = {}

    def listen(self, event: Any) -> None:
        if event.info.name == "NodeStart":
            self._started[event.data.node_info.node_name] = time.process_time()
        elif event.info.name == "NodeFinished":
            from dbt.adapters.duckdb.connections import DuckDBConnectionManager

            # DuckDB writes large tables out at the commit of the next one, which would pay for them.
            handle = DuckDBConnectionManager.env().handle()
            handle.cursor().execute("checkpoint")
            handle.close()
            name = event.data.node_info.node_name
            self.seconds[name] = time.process_time() - self._started[name]

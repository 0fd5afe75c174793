"""A SQLAlchemy dialect ``duckdb+readonly`` on which Great Expectations can read a DuckDB file.

Two things of duckdb-engine stand in its way. GX fetches rows after it has handed the connection back to the pool, and
the rollback that follows discards a pending DuckDB result: a read-only connection has no transaction to end, so the
transaction calls do nothing here. And the reflection of columns asks PostgreSQL's catalog for things that DuckDB does
not have: here it asks ``duckdb_columns()``.
"""

from __future__ import annotations

import weakref
from typing import Any

from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy import text, types
from sqlalchemy.dialects import registry
from sqlalchemy.engine import reflection

DRIVER = "duckdb+readonly"

_open_connections: weakref.WeakSet[Any] = weakref.WeakSet()

_TYPES: dict[str, Any] = {
    "BIGINT": types.BIGINT,
    "HUGEINT": types.BIGINT,
    "INTEGER": types.INTEGER,
    "DOUBLE": types.DOUBLE,
    "VARCHAR": types.VARCHAR,
    "DATE": types.DATE,
    "BOOLEAN": types.BOOLEAN,
    "TIMESTAMP": types.TIMESTAMP,
}


def close_connections() -> None:
    """Close every handle that GX still pools, so that the file can be opened for writing."""
    for connection in list(_open_connections):
        connection.close()
    _open_connections.clear()


class ReadOnlyDialect(DuckDBDialect):  # type: ignore[misc]  # duckdb-engine is not typed
    """See the module."""

    supports_statement_cache = False

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        connection = super().connect(*args, **kwargs)
        _open_connections.add(connection)
        return connection

    def do_begin(self, dbapi_connection: Any) -> None:
        """No transaction: see the module."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """No transaction: see the module."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """No transaction: see the module."""

    @reflection.cache
    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        rows = connection.execute(
            text(
                "select column_name, data_type, is_nullable from duckdb_columns() "
                "where database_name = current_database() and schema_name = coalesce(:schema, current_schema()) "
                "and table_name = :name order by column_index"
            ),
            {"schema": schema, "name": table_name},
        ).fetchall()
        return [
            {
                "name": name,
                "type": _TYPES.get(kind, types.NullType)(),
                "nullable": nullable,
                "default": None,
                "autoincrement": False,
            }
            for name, kind, nullable in rows
        ]

    def get_multi_columns(
        self, connection: Any, *, schema: str | None = None, filter_names: Any = None, **kw: Any
    ) -> list[Any]:
        cache = {key: value for key, value in kw.items() if key == "info_cache"}
        return [((schema, name), self.get_columns(connection, name, schema, **cache)) for name in filter_names or []]


registry.register("duckdb.readonly", __name__, "ReadOnlyDialect")

"""Changes of the warehouse that are made as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keep all of the block's changes, or none where it raises or they cannot be written. What is raised says why."""
    connection.execute("begin")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # a commit that fails rolls back by itself, and a second time is an error
            connection.execute("rollback")
        raise

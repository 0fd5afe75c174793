"""The published file that a report is made from, and the day of its figures."""

from __future__ import annotations

from datetime import date

import duckdb

from include.publishing.report.figures import Row


class Published:
    """A published file with its newest generation.

    Attributes:
        publication: the generation's row of ``ops.publications``.
        session: the last day up to which the data of all exchanges are complete.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        # The file lists its own generation last: a new one is later than all that are there.
        self.publication = self.rows("from ops.publications order by generation desc limit 1")[0]
        self.session: date = self.publication["as_of"]

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        """The rows of a query, in which ``$session`` is the day of the figures."""
        if "$session" in sql:
            parameters["session"] = self.session
        cursor = self._connection.execute(sql, parameters)
        columns = [column[0] for column in cursor.description or []]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

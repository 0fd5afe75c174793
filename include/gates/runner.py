"""Running a gate: expectations over tables of the warehouse, each with a severity and the reason why it is there."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from include.gates import duckdb_dialect
from include.gates.result import CheckResult

if TYPE_CHECKING:
    import great_expectations as gx

Severity = Literal["critical", "warning"]
MAX_EXAMPLES = 20


@dataclass(frozen=True)
class Check:
    """One expectation.

    Attributes:
        name: what it is called in records and messages.
        table: ``schema.table`` that it reads.
        severity: what a failure does: ``critical`` stops (or quarantines), ``warning`` is shown.
        why: one line for whoever reads a red gate.
        query: SQL that returns the rows that should not be there. It may name ``{batch}``, the table.
        unique: columns whose combination must be unique, instead of a query.
    """

    name: str
    table: str
    severity: Severity
    why: str
    query: str = ""
    unique: tuple[str, ...] = ()

    def expectation(self) -> gx.expectations.Expectation:
        import great_expectations as gx

        if self.unique:
            return gx.expectations.ExpectCompoundColumnsToBeUnique(
                column_list=list(self.unique), severity=self.severity
            )
        return gx.expectations.UnexpectedRowsExpectation(unexpected_rows_query=self.query, severity=self.severity)


def run_checks(gate: str, warehouse: Path, checks: Sequence[Check]) -> list[CheckResult]:
    """Validate with Great Expectations on a read-only connection; closes it again.

    Returns:
        One result a check, in the order given. A check that could not run has status ``error``.
    """
    context = _context()
    results: dict[str, CheckResult] = {}
    try:
        source = context.data_sources.add_sql(
            name=gate,
            connection_string=f"{duckdb_dialect.DRIVER}:///{warehouse}",
            create_temp_table=False,
            kwargs={"connect_args": {"read_only": True}},
        )
        for table, group in groupby(sorted(checks, key=lambda check: check.table), key=lambda check: check.table):
            results.update(_validate_table(context, source, gate, table, list(group)))
    finally:
        duckdb_dialect.close_connections()
    return [results[check.name] for check in checks]


def _context() -> Any:
    """An ephemeral context that reports to nobody and draws no progress bars."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _validate_table(context: Any, source: Any, gate: str, table: str, checks: list[Check]) -> dict[str, CheckResult]:
    import great_expectations as gx

    schema, name = table.split(".")
    try:
        asset = source.add_table_asset(name=table, schema_name=schema, table_name=name)
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
    except Exception as error:
        return {check.name: _error(gate, check, error) for check in checks}
    results = {}
    suite = context.suites.add(gx.ExpectationSuite(name=f"{gate} {table}"))
    by_id = {}
    for check in checks:
        by_id[suite.add_expectation(check.expectation()).id] = check
    for result in batch.validate(suite, result_format="COMPLETE").results:
        check = by_id[result.expectation_config.id]
        results[check.name] = _read(gate, check, result)
    return results


def _read(gate: str, check: Check, result: Any) -> CheckResult:
    raised = [info for info in _infos(result.exception_info) if info.get("raised_exception")]
    if raised:
        return _error(gate, check, raised[0].get("exception_message") or "unknown")
    details = result.result
    if check.unique:
        count = int(details.get("unexpected_count") or 0)
        examples = [
            dict(row) for row in (details.get("partial_unexpected_list") or [])[:MAX_EXAMPLES] if isinstance(row, dict)
        ]
    else:
        rows = (details.get("details") or {}).get("unexpected_rows") or []
        count = int(details.get("observed_value") or 0)
        examples = [dict(row) for row in rows]
    status: Literal["passed", "warning", "failed"] = (
        "passed" if result.success else "failed" if check.severity == "critical" else "warning"
    )
    return CheckResult(
        gate=gate,
        name=check.name,
        table=check.table,
        severity=check.severity,
        status=status,
        why=check.why,
        failing_rows=count,
        examples=[{key: _plain(value) for key, value in row.items()} for row in examples],
    )


def _infos(exception_info: dict[str, Any]) -> list[dict[str, Any]]:
    """GX gives either one info or one for each metric."""
    return (
        [exception_info]
        if "raised_exception" in exception_info
        else [info for info in exception_info.values() if isinstance(info, dict)]
    )


def _error(gate: str, check: Check, error: object) -> CheckResult:
    message = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CheckResult(
        gate=gate,
        name=check.name,
        table=check.table,
        severity="critical",
        status="error",
        why=check.why,
        message=f"could not run: {message}",
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value

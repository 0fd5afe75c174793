"""Running a gate: expectations over tables of the warehouse, each with a severity and the reason why it is there."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from include.gates.checks import Check
from include.gates.result import CheckResult
from include.limits import Config

if TYPE_CHECKING:
    import great_expectations as gx


def run_checks(gate: str, warehouse: Path, checks: Sequence[Check], config: Config | None = None) -> list[CheckResult]:
    """Validate with Great Expectations on a read-only connection; closes it again.

    Args:
        config: of the connection.

    Returns:
        One result a check, in the order given. A check that could not run has status ``error``.
    """
    from include.gates import duckdb_dialect  # SQLAlchemy costs a step that runs no check a third of a second

    context = _context()
    try:
        source = context.data_sources.add_sql(
            name=gate,
            connection_string=f"{duckdb_dialect.DRIVER}:///{warehouse}",
            create_temp_table=False,
            kwargs={"connect_args": {"read_only": True, "config": config or {}}},
        )
        # GX wants a batch, though a check names its tables itself; for each asset more it saves its configuration anew.
        asset = source.add_query_asset(name=gate, query="select 1")
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        # One at a time: beside one that cannot run, GX would run all others again.
        return [_read(gate, check, batch.validate(_expectation(check), result_format="COMPLETE")) for check in checks]
    finally:
        duckdb_dialect.close_connections()


def _context() -> Any:
    """An ephemeral context that sends no statistics and draws no progress bars."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _expectation(check: Check) -> gx.expectations.Expectation:
    """The check's query. GX would fill its braces, and prints a line about a query that does not name {batch}."""
    import great_expectations as gx

    query = check.query.replace("{", "{{").replace("}", "}}")
    return gx.expectations.UnexpectedRowsExpectation(
        unexpected_rows_query=f"/* {{batch}} */ {query}", severity=check.severity
    )


def _read(gate: str, check: Check, result: Any) -> CheckResult:
    raised = [info for info in _infos(result.exception_info) if info.get("raised_exception")]
    if raised:
        return _error(gate, check, raised[0].get("exception_message") or "unknown")
    details = result.result
    rows = (details.get("details") or {}).get("unexpected_rows") or []
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
        failing_rows=int(details.get("observed_value") or 0),
        examples=[{key: _plain(value) for key, value in row.items()} for row in rows],
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

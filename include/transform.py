"""Raw to marts: one ``dbt build`` in this process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from include.errors import Runbook, TitansError
from include.settings import Settings


def dbt_build(settings: Settings) -> dict[str, Any]:
    """Build every model and run the data tests. The caller holds the writer lock.

    Returns:
        Counts of nodes by status (``success``, ``pass``, ``warn``), and the texts of warnings.

    Raises:
        TitansError: a model, seed or test failed; names each and its first line.
    """
    # Unit tests judge the code, not the data: make test runs them.
    return invoke_dbt(settings, ["build", "--exclude-resource-type", "unit_test"])


def invoke_dbt(settings: Settings, command: list[str]) -> dict[str, Any]:
    """Run one dbt command on the warehouse of ``settings`` and give its DuckDB handle back, which dbt would keep for the life of the process."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    os.environ["DBT_TITANS_WAREHOUSE"] = str(settings.warehouse_path)
    os.environ.setdefault("DO_NOT_TRACK", "1")
    work = settings.warehouse_path.parent / "dbt"
    arguments = [
        "--quiet",
        "--no-use-colors",
        "--no-version-check",
        "--log-path",
        str(work / "logs"),
        *command,
        "--project-dir",
        str(settings.dbt_project_dir),
        "--profiles-dir",
        str(settings.dbt_project_dir),
        "--target-path",
        str(work / "target"),
        "--vars",
        json.dumps({"source": settings.source, "known_at": str(settings.known_at or "")}),
    ]
    try:
        result = dbtRunner().invoke(arguments)
    finally:
        DuckDBConnectionManager.close_all_connections()
    if result.exception is not None:
        raise TitansError(
            f"dbt could not run: {_first_line(str(result.exception))}. Nothing was published. Its log is {work / 'logs' / 'dbt.log'}; "
            f"what to do is in {Runbook.TRANSFORM_FAILED.path}."
        )
    return _summary(result.result, work / "logs" / "dbt.log")


def _summary(result: Any, log: Path) -> dict[str, Any]:
    counts: dict[str, int] = {}
    failures, warnings = [], []
    for node in getattr(result, "results", []):
        status = str(node.status)
        counts[status] = counts.get(status, 0) + 1
        if status in ("error", "fail"):
            failures.append(f"{node.node.name}: {_first_line(node.message or status)}")
        elif status == "warn":
            warnings.append(f"{node.node.name}: {_first_line(node.message or status)}")
    if failures:
        shown = "; ".join(failures[:5])
        raise TitansError(f"dbt failed on {len(failures)} nodes: {shown}. Nothing was published. The log is {log}.")
    return {"nodes": counts, "warnings": warnings}


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else ""

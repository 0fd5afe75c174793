"""The outcome of one check of a gate, and the sentence that stops a build on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from include.errors import Runbook, TitansError


class CheckResult(BaseModel):
    """One expectation of a gate, as it came out.

    ``status`` is ``passed``, ``warning`` (failed, of severity warning), ``failed`` (of severity critical) or ``error``
    (it could not run, which counts as critical).
    """

    gate: str
    name: str
    table: str
    severity: Literal["critical", "warning"]
    status: Literal["passed", "warning", "failed", "error"]
    why: str
    failing_rows: int = 0
    examples: list[dict[str, Any]] = Field(default_factory=list)
    message: str = ""

    @property
    def rows_text(self) -> str:
        """How many rows failed, in words."""
        return f"{self.failing_rows} row" if self.failing_rows == 1 else f"{self.failing_rows} rows"

    @property
    def examples_text(self) -> str:
        """The first three of them."""
        return "; ".join(", ".join(f"{key}={value}" for key, value in row.items()) for row in self.examples[:3])


def refuse(results: Sequence[CheckResult]) -> None:
    """Stop the build on these checks, where there are any.

    Raises:
        TitansError: names the first five, each with what went wrong or its first row.
    """
    if not results:
        return
    shown = "; ".join(f"{result.name} ({result.message or _rows_of(result)})" for result in results[:5])
    raise TitansError(
        f"{len(results)} critical {'check' if len(results) == 1 else 'checks'} failed: {shown}. "
        "What was published before is untouched. make status shows the rows.",
        Runbook.ROWS_LOST
        if any(result.name == "nothing_lost" and result.status == "failed" for result in results)
        else Runbook.GATE_2_FAILED,
    )


def _rows_of(result: CheckResult) -> str:
    first = ", ".join(f"{key}={value}" for key, value in result.examples[0].items()) if result.examples else ""
    return f"{result.rows_text}, first {first}" if first else result.rows_text

"""The outcome of one check of a gate."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class CheckResult(BaseModel):
    """One expectation of a gate, as it came out.

    ``status`` is ``passed``, ``warning`` (failed, of severity warning), ``failed`` (of severity critical) or ``error`` (it could not run,
    which counts as critical).
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

"""Gate 1: which units (batch and symbol) are fit to build on.

Every check in ``raw/`` returns one row for each unit that fails, with ``batch_id``, ``symbol`` and ``detail``. It reads
the tables of ``raw_steps/``: what has been fetched and not judged yet, next to what is already accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from include.errors import Runbook, TitansError
from include.gates.checks import Check, load_checks
from include.gates.result import CheckResult
from include.gates.sql_files import GATES, renderer
from include.raw.load import register_securities
from include.raw.settle import settle
from include.raw.transactions import transaction
from include.raw.units import QuarantinedUnit
from include.seeds.rows import Reference

MAX_QUARANTINED_SHARE = 0.2
"""More than this share of the expected symbols in quarantine stops the run: the vendor as a whole cannot be trusted."""
CHECKS = GATES / "raw"
STEPS = GATES / "raw_steps"

Unit = tuple[str, str, str]
"""Batch, dataset and symbol."""


def checks(dbt_project: Path) -> list[Check]:
    """The checks of this gate.

    Raises:
        TitansError: a file is no check.
    """
    return load_checks(CHECKS, dbt_project)


def prepare(connection: duckdb.DuckDBPyConnection, reference: Reference, dbt_project: Path) -> list[Unit]:
    """Make the steps in the order of their numbers, as tables where several checks read them; returns the units that no verdict exists for."""
    register_securities(connection, reference)
    connection.execute(
        "drop schema if exists quality cascade; create schema quality; "
        "create or replace table quality.securities as select * from seed_securities; "
        "create or replace table quality.corrections (symbol varchar, date date, field varchar, value double)"
    )
    if reference.vendor_corrections:
        connection.executemany(
            "insert into quality.corrections values (?, ?, ?, ?)",
            [[row.symbol, row.date, row.field, row.value] for row in reference.vendor_corrections],
        )
    render = renderer(dbt_project)
    for path in sorted(STEPS.glob("*.sql")):
        connection.execute(render(path))
    return connection.execute("select batch_id, dataset, symbol from quality.pending_units").fetchall()


def record_verdicts(
    connection: duckdb.DuckDBPyConnection, pending: Sequence[Unit], results: Sequence[CheckResult]
) -> list[QuarantinedUnit]:
    """Record a verdict for each pending unit and settle what is stored; returns all units in quarantine, of this gate or an earlier one.

    One transaction: with half of the verdicts the next build would go on where this one stops.

    Raises:
        TitansError: more units fail than a result names.
    """
    failed = _failed_units(results)
    now = datetime.now(UTC).replace(tzinfo=None)
    verdicts = []
    for batch, dataset, symbol in pending:
        reasons = failed.get((batch, symbol), [])
        verdicts.append([batch, dataset, symbol, "quarantined" if reasons else "accepted", reasons, now])
    if verdicts:
        with transaction(connection):
            connection.executemany("insert into raw.unit_verdicts values (?, ?, ?, ?, ?, ?)", verdicts)
            settle(connection, [(batch, symbol) for batch, _, symbol in pending])
    rows = connection.execute("select batch_id, dataset, symbol, reasons from raw.unhealed_units").fetchall()
    return [
        QuarantinedUnit(batch_id=batch, dataset=dataset, symbol=symbol, reasons=reasons)
        for batch, dataset, symbol, reasons in rows
    ]


def _failed_units(results: Sequence[CheckResult]) -> dict[tuple[str, str], list[str]]:
    """Reasons by unit, of the critical checks that failed."""
    failed: dict[tuple[str, str], list[str]] = {}
    for result in results:
        if result.status == "failed":
            if result.failing_rows > len(result.examples):
                raise TitansError(
                    f"{result.failing_rows} units fail {result.name}, more than can be listed: nothing was built. "
                    f"{result.why}"
                )
            for row in result.examples:
                failed.setdefault((row["batch_id"], row["symbol"]), []).append(f"{result.name}: {row['detail']}")
    return failed


def stop_if_too_many(quarantined: Sequence[QuarantinedUnit], symbols: Collection[str], pairs: Collection[str]) -> None:
    """Stop while the quarantine holds too much of what is expected.

    Args:
        symbols: those whose prices are expected.
        pairs: the currency pairs in use.

    Raises:
        TitansError: an FX pair in use, or more than a fifth of the symbols, is in quarantine.
    """
    lost_prices = sorted({unit.symbol for unit in quarantined if unit.dataset == "prices"} & set(symbols))
    lost_pairs = sorted({unit.symbol for unit in quarantined if unit.dataset == "fx_rates"} & set(pairs))

    def reasons_of(lost: list[str]) -> str:
        reasons = {unit.symbol: unit.reasons for unit in reversed(quarantined)}
        return "; ".join(f"{symbol}: {reasons[symbol][0]}" for symbol in lost[:5])

    if lost_pairs:
        raise TitansError(
            f"FX pair {', '.join(lost_pairs)} is quarantined ({reasons_of(lost_pairs)}), "
            "and every price in that currency needs it. Nothing was published. "
            "Repair the rate at the source, or let it in with make release.",
            Runbook.FX_PAIR_QUARANTINED,
        )
    if len(lost_prices) > MAX_QUARANTINED_SHARE * len(symbols):
        raise TitansError(
            f"{len(lost_prices)} of {len(symbols)} symbols are quarantined ({reasons_of(lost_prices)}), "
            f"more than {MAX_QUARANTINED_SHARE:.0%}. Nothing was published. "
            "make status lists them; make release lets one in.",
            Runbook.TOO_MANY_QUARANTINED,
        )

"""What an entry of the catalogue says, and how it is held against what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

import duckdb

Vendor = TypeVar("Vendor")


class Outcome(StrEnum):
    """What the pipeline makes of a wrong delivery."""

    HARMLESS = "it makes no difference"
    KEPT = "what is missing is missing, what was there stays"
    NOT_FETCHED = "the symbol fails, with a reason, and keeps what it had"
    REJECTED = "the row is rejected, with a reason"
    QUARANTINED = "the unit is kept out, with a reason"
    WARNED = "it is published, marked and told"
    RESTATED = "the vendor's newer word counts, with the old one beside it"
    STOPPED = "nothing is published, and a sentence says why"


@dataclass(frozen=True)
class Mishap(Generic[Vendor]):
    """One way to be wrong.

    Attributes:
        name: unique, as in ``nan_last_bar``.
        happens: what the vendor does, in words.
        damage: does it to the vendor's answers for one symbol.
        outcome: what comes of it.
        tells: part of the reason that a person reads there.
        check: the warning that tells it, for ``WARNED``.
        on: whose answers can be damaged so: ``hk`` or ``us`` equities, either, or ``*``, the whole delivery.
        is_alone: nothing else can be judged beside it.
        told_of: whom the reason names, where that is not the symbol.
    """

    name: str
    happens: str
    damage: Callable[[Vendor, str], None]
    outcome: Outcome
    tells: str = ""
    check: str = ""
    on: str = "equity"
    is_alone: bool = False
    told_of: str = ""

    def evidence(self, database: Path, symbol: str) -> list[str]:
        """What is missing of the promised evidence in ``ops`` of a published file, or of a warehouse."""
        subject = self.told_of or symbol
        queries: dict[Outcome, tuple[str, list[Any]]] = {
            Outcome.NOT_FETCHED: ("select reason from ops.fetches where outcome = 'failed' and symbol = ?", [subject]),
            Outcome.REJECTED: ("select reasons from ops.rejected_rows where symbol = ?", [subject]),
            Outcome.QUARANTINED: (
                "select reasons from ops.quarantined_units where verdict = 'quarantined' and symbol = ?",
                [subject],
            ),
            Outcome.WARNED: (
                "select examples::varchar from ops.validation_results where status = 'warning' and name = ?",
                [self.check],
            ),
            Outcome.RESTATED: (
                "select concat_ws(' ', field, value_before, value_after) from ops.restatements where symbol = ?",
                [subject],
            ),
        }
        if self.outcome not in queries:
            return []
        sql, parameters = queries[self.outcome]
        with duckdb.connect(str(database), read_only=True) as reader:
            told = [str(row[0]) for row in reader.execute(sql, parameters).fetchall()]
        wanted = [self.tells] + ([subject] if self.outcome is Outcome.WARNED else [])
        if any(all(words in text for words in wanted) for text in told):
            return []
        return [f"{self.name} on {symbol}: nobody is told {wanted} as '{self.outcome}', only {told}"]


EVIDENCE = {
    Outcome.NOT_FETCHED: "fetches",
    Outcome.REJECTED: "rejected_rows",
    Outcome.QUARANTINED: "quarantined_units",
    Outcome.RESTATED: "restatements",
}
"""The model of ``ops`` that a mishap is looked for in."""
VALUES = {
    "fct_security_daily": ("symbol, date", "close", "not is_traded or is_suspect or is_corrected"),
    "fct_index_daily": ("symbol, date", "level", "false"),
    "fct_fx_daily": ("currency_pair, date", "rate", "false"),
    "fct_corporate_actions": ("symbol, date, action", "value", "false"),
    "fct_shares_outstanding": ("symbol, as_of", "shares_outstanding", "false"),
    "fct_estimate_snapshots": ("symbol, as_of, period_type, period_end", "mean", "false"),
}
"""Key, value, and what marks a value that is not the vendor's of the day, of each table that holds what was delivered."""


def wrong_values(reference: Path, published: Path, told: list[str]) -> list[str]:
    """Values in the marts that an undisturbed run does not have, nothing marks, and no evidence of a ``told`` symbol explains."""
    found = []
    with duckdb.connect() as connection:
        connection.execute(
            f"attach '{reference}' as right_one (read_only); attach '{published}' as this_one (read_only)"
        )
        for table, (key, value, mark) in VALUES.items():
            name = "currency_pair" if table == "fct_fx_daily" else "symbol"
            rows = connection.execute(
                f"""select this.{name}, {", ".join(f"this.{column.strip()}" for column in key.split(",")[1:])}, this.{value}, right_row.{value}
                from (select * from this_one.marts.{table} where not ({mark})) as this
                left join right_one.marts.{table} as right_row using ({key})
                where (right_row.{value} is null or abs(this.{value} / right_row.{value} - 1) > 1e-9) and not list_contains(?, this.{name})""",
                [told],
            ).fetchall()
            found += [f"{table} tells {row} unmarked" for row in rows[:3]]
    return found


def symbols_that_lost(reference: Path, published: Path, damaged: list[str]) -> list[str]:
    """Symbols that nobody damaged, and that have not the same prices, actions, estimates and shares as in an undisturbed run."""
    found = []
    with duckdb.connect() as connection:
        connection.execute(
            f"attach '{reference}' as right_one (read_only); attach '{published}' as this_one (read_only)"
        )
        for table, (key, value, _) in VALUES.items():
            name = "currency_pair" if table == "fct_fx_daily" else "symbol"
            columns = f"{key}, round({value}, 9) as value"
            rows = connection.execute(
                f"""(select {columns} from right_one.marts.{table} except select {columns} from this_one.marts.{table})
                union all (select {columns} from this_one.marts.{table} except select {columns} from right_one.marts.{table})"""
            ).fetchall()
            lost = sorted({str(row[0]) for row in rows} - set(damaged))
            found += [f"{table} of {symbol}, which was healthy, differs ({name})" for symbol in lost]
    return found

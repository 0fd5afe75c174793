"""What is stored once verdicts are there: the same versions, whether files are loaded one a build or all at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import duckdb

from include.raw.rules import REMOVE_UNCHANGED_ACTIONS, RULES, date_first_versions, remove_unchanged
from include.raw.versions import version_order
from include.sources.base import Dataset


def settle(connection: duckdb.DuckDBPyConnection, units: Collection[tuple[str, str]]) -> None:
    """Remove what later batches repeat of these units (batch and symbol), whose verdicts have just been given.

    Loading stores a row that equals one of a unit without a verdict, since it would be lost with the other. With the
    verdict it is a version of its own, or nothing new. Nothing is read where no later batch has the same symbols, as in
    a build that loads one delivery. The caller holds the transaction.
    """
    connection.execute("create or replace temp table judged_units (batch_id varchar, symbol varchar)")
    if units:
        batches, symbols = zip(*units, strict=True)
        connection.execute("insert into judged_units select unnest(?), unnest(?)", [list(batches), list(symbols)])
    later = connection.execute(
        f"""with earliest as (
            select dataset, symbol, min({version_order()}) as version
            from raw.fetch_windows inner join judged_units using (batch_id, symbol)
            group by dataset, symbol
        )
        select windows.batch_id, windows.dataset, windows.fetched_at, windows.landed_at
        from raw.fetch_windows as windows
        inner join earliest
            on windows.dataset = earliest.dataset and windows.symbol = earliest.symbol
                and {version_order("windows")} > earliest.version
        group by windows.batch_id, windows.dataset, windows.fetched_at, windows.landed_at
        order by {version_order("windows")}"""
    ).fetchall()
    settled: dict[Dataset, list[str]] = defaultdict(list)
    for batch_id, name, fetched_at, landed_at in later:
        dataset = Dataset(name)
        settled[dataset].append(batch_id)
        version = {"batch_id": batch_id, "fetched_at": fetched_at, "landed_at": landed_at}
        statements = [remove_unchanged(dataset, RULES[dataset])]
        if dataset is Dataset.PRICES:
            statements.insert(0, REMOVE_UNCHANGED_ACTIONS)
        for sql in statements:
            connection.execute(sql, {key: value for key, value in version.items() if f"${key}" in sql})
    for dataset, batch_ids in settled.items():
        connection.execute(date_first_versions(dataset, RULES[dataset]), {"batches": batch_ids})

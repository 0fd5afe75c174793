"""What a delivery does not change, since what is stored of its symbols was fetched later."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime

from include.landing.batches import DamagedLandingError, checked_rows
from include.landing.index import LandingIndex
from include.limits import Limits
from include.runs.facts import Outranked
from include.sources.base import KEY_COLUMNS, SCHEMAS, Dataset, Extract

_NO_VALUE = {"basis_date", "note"}


def outranked(
    landing: LandingIndex,
    dataset: Dataset,
    extract: Extract,
    landed_at: datetime,
    symbols: Collection[str],
    limits: Limits,
) -> Outranked | None:
    """How a delivery that lands at ``landed_at`` ranks below deliveries of the same symbols; None if it does not.

    Read from landing files: an ingest task does not open the warehouse.

    Args:
        symbols: those that the delivery answers.
    """
    later = [
        batch
        for batch in landing.batches(dataset)
        if batch.manifest.version > (extract.fetched_at, landed_at)
        and any(window.rows and window.symbol in symbols for window in batch.manifest.windows)
    ]
    tables = []
    for batch in later:
        with suppress(DamagedLandingError):  # the next build names it
            tables.append(checked_rows(batch.path, batch.manifest))
    if not tables:
        return None
    key = KEY_COLUMNS[dataset]
    values = [name for name in SCHEMAS[dataset].names if name not in {*key, *_NO_VALUE}]
    differs = " or ".join(f"mine.{name} is distinct from theirs.{name}" for name in values)
    connection = limits.in_memory()
    connection.register("mine", extract.table)
    for place, table in enumerate(tables):
        connection.register(f"batch_{place}", table)
    theirs = " union all by name ".join(
        f"select *, {place} as place from batch_{place}" for place in range(len(tables))
    )
    (rows,) = connection.execute(
        f"""with theirs as (
            from ({theirs})
            qualify row_number() over (partition by {", ".join(key)} order by place desc) = 1
        )
        select count(*) from mine inner join theirs using ({", ".join(key)}) where {differs}"""
    ).fetchone() or (0,)
    return Outranked(fetched_at=extract.fetched_at, stored=max(batch.manifest.fetched_at for batch in later), rows=rows)

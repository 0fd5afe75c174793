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
_MEANING = {
    "dividend": "coalesce({row}.dividend, 0)",
    "dividend_currency": "case when {row}.dividend > 0 then {row}.dividend_currency end",
    "split_ratio": "coalesce(nullif({row}.split_ratio, 1), 0)",
}
"""Where two values say the same: no dividend is one of 0, and no split one of 1 to 1."""
_MAIN_VALUE = {
    Dataset.PRICES: "close",
    Dataset.FX_RATES: "rate",
    Dataset.SHARES: "shares_outstanding",
    Dataset.ESTIMATES: "mean",
}
"""A row without it is rejected, and so ranks above nothing. Only estimates may be zero or less."""


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
    meanings = [_MEANING.get(name, "{row}." + name) for name in values]
    differs = " or ".join(
        f"{text.format(row='mine')} is distinct from {text.format(row='theirs')}" for text in meanings
    )
    main = _MAIN_VALUE[dataset]
    counts = (
        f"{main} is not null" + ("" if dataset is Dataset.ESTIMATES else f" and {main} > 0") + f" and isfinite({main})"
    )
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
            where {counts}
            qualify row_number() over (partition by {", ".join(key)} order by place desc) = 1
        )
        select count(*) from (from mine where {counts}) as mine inner join theirs using ({", ".join(key)}) where {differs}"""
    ).fetchone() or (0,)
    return Outranked(fetched_at=extract.fetched_at, stored=max(batch.manifest.fetched_at for batch in later), rows=rows)

"""What the report shows: rows of the marts, unrounded, and a sentence for what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

Row = dict[str, Any]
"""One row by its column names."""


@dataclass(frozen=True)
class Section:
    """Rows of one section, and a sentence on what is missing and why: all of it where there are no rows."""

    rows: list[Row]
    missing: str | None = None

    @property
    def first(self) -> Row:
        return self.rows[0]


@dataclass(frozen=True)
class Line:
    """One line of the chart: levels by day, without gaps."""

    name: str
    days: list[date]
    levels: list[float]


@dataclass(frozen=True)
class BasketFigures:
    """The page of one basket.

    Attributes:
        basket: its row of ``dim_baskets``, with ``comparator_name``, ``as_of``, ``currencies``, ``exchanges`` and
            ``member_count``.
        sentences: kind of headline to its sentences, or to why there is none.
        lines: the basket, its comparator and the index of its market, all 100 on their first common day.
        returns: one row a kind of return, with ``label``.
        record: how far below its record the basket closed, and the record's day.
    """

    basket: Row
    markets: list[Row]
    caveats: list[str]
    sentences: dict[str, str]
    lines: list[Line]
    events: Section
    returns: Section
    years: Section
    members: Section
    exposures: Section
    valuation: Section
    trailing_notes: list[str]
    record: Row
    risk: Section
    benchmarks: Section
    drawdowns: Section
    value_gained: Section
    press: Section


@dataclass(frozen=True)
class Report:
    """All pages of a generation.

    Attributes:
        publication: the generation's row of ``ops.publications``.
        session: the day of the headlines: the last one up to which the data of all exchanges are complete.
        overview: one row a basket.
        indices: one row an index.
        headlines: sentences on indices that closed as high as not for long.
        press: every claim on its day.
        late: symbols whose prices do not reach their exchange's last session.
    """

    publication: Row
    session: date
    overview: list[Row]
    indices: list[Row]
    headlines: list[str]
    press: Section
    late: list[Row]
    restatements: int
    baskets: list[BasketFigures]

"""Falls from a record, found a second way with pandas on the vendor's own files."""

from __future__ import annotations

import pandas as pd
import pytest

from include.settings import Settings
from tests.integration.test_marts_recomputed import MAG7, TITANS, annual_levels
from tests.integration.test_marts_recomputed import closes as closes
from tests.pipeline import ask

INDICES = ["^NDX", "^GSPC", "^HSI", "HSTECH.HK"]


def episodes(levels: pd.Series) -> list[tuple[object, ...]]:
    """Peak, trough, recovery (None while open) and depth of each fall of 5% or more: walks through the level days."""
    below = levels / levels.cummax() - 1
    found: list[tuple[object, ...]] = []
    days = list(levels.index)
    position = 0
    while position < len(days):
        if below.iloc[position] >= 0:
            position += 1
            continue
        end = position
        while end < len(days) and below.iloc[end] < 0:
            end += 1
        fall = below.iloc[position:end]
        if round(fall.min(), 12) <= -0.05:
            recovery = days[end].date() if end < len(days) else None
            found.append(
                (days[position - 1].date(), fall.idxmin().date(), recovery, pytest.approx(fall.min(), rel=1e-9))
            )
        position = end
    return found


@pytest.fixture(scope="module")
def levels(closes: pd.DataFrame) -> dict[str, pd.Series]:
    found = {symbol: closes[symbol].dropna() for symbol in [*TITANS, *MAG7, *INDICES]}
    return found | {
        "china_titans": annual_levels(closes[TITANS].dropna()),
        "magnificent_seven": annual_levels(closes[MAG7].dropna()),
    }


def test_episodes_of_every_subject(built_real_store: Settings, levels: dict[str, pd.Series]) -> None:
    rows = ask(
        built_real_store,
        "select subject_id, peak_date, trough_date, recovery_date, depth from marts.fct_drawdown_episodes "
        "where currency_basis = 'local' and return_type = 'price' order by all",
    )
    assert {subject: [row[1:] for row in rows if row[0] == subject] for subject in levels} == {
        subject: episodes(series) for subject, series in levels.items()
    }
    assert {row[0] for row in rows} <= levels.keys()


def test_the_fall_of_the_hang_seng_tech_index(built_real_store: Settings) -> None:
    """The story's: the record of February 2021, the low of October 2022, and no return by March 2025."""
    rows = ask(
        built_real_store,
        "select peak_date::varchar, trough_date::varchar, recovery_date, days_up from marts.fct_drawdown_episodes "
        "where subject_id = 'HSTECH.HK' order by depth limit 1",
    )
    assert rows == [("2021-02-17", "2022-10-24", None, None)]


def test_every_series_of_a_basket_has_its_own_episodes(built_sample_store: Settings) -> None:
    """Levels and days of an episode are those of the basket's own series."""
    rows = ask(
        built_sample_store,
        """select episodes.subject_id, episodes.peak_date
        from marts.fct_drawdown_episodes as episodes
        left join marts.fct_basket_daily as peak
            on episodes.subject_id = peak.basket_id and episodes.peak_date = peak.date
            and episodes.currency_basis = peak.currency_basis and episodes.return_type = peak.return_type
        left join marts.fct_basket_daily as trough
            on episodes.subject_id = trough.basket_id and episodes.trough_date = trough.date
            and episodes.currency_basis = trough.currency_basis and episodes.return_type = trough.return_type
        where episodes.subject_kind = 'basket' and not coalesce(
            peak.drawdown = 0 and peak.level = episodes.peak_level and trough.level = episodes.trough_level
            and abs(trough.drawdown - episodes.depth) < 1e-12, false)""",
    )
    assert rows == []
    series = ask(
        built_sample_store,
        "select distinct currency_basis, return_type from marts.fct_drawdown_episodes where subject_id = 'magnificent_seven'",
    )
    assert len(series) == 4

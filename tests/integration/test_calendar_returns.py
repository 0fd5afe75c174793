"""Returns of months, quarters and years, and of several years a year, found a second way with pandas on the vendor's own files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from include.settings import Settings
from tests.integration.test_marts_recomputed import MAG7, TITANS, annual_levels
from tests.integration.test_marts_recomputed import closes as closes
from tests.pipeline import ask

TOLERANCE = 1e-9
FREQUENCIES = {"month": "M", "quarter": "Q", "year": "Y"}
SERIES = "currency_basis = 'local' and return_type = 'price'"


@pytest.fixture(scope="module")
def levels(closes: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "china_titans": annual_levels(closes[TITANS].dropna()),
        "magnificent_seven": annual_levels(closes[MAG7].dropna()),
    }


def calendar_returns(levels: pd.Series, comparator: pd.Series | None, frequency: str) -> pd.DataFrame:
    """Each period with at least one day after the level that it counts from."""
    found = {}
    for period, days in levels.groupby(levels.index.to_period(frequency)):
        before = levels[: period.start_time - pd.Timedelta(days=1)]
        path = pd.concat([before.tail(1), days])
        if len(path) < 2:
            continue
        first, last = path.index[0], path.index[-1]
        daily = path.pct_change().iloc[1:]
        # No level is carried to a day before the comparator's first one.
        other = np.nan if comparator is None else comparator.asof(last) / comparator.asof(first) - 1
        found[period.start_time.date()] = {
            "period_return": path.iloc[-1] / path.iloc[0] - 1,
            "comparator_return": other,
            "excess_return": path.iloc[-1] / path.iloc[0] - 1 - other,
            "max_drawdown": (path / path.cummax() - 1).min(),
            "best_day_return": daily.max(),
            "worst_day_return": daily.min(),
            "counted_from": first.date(),
            "counted_to": last.date(),
            "best_day": daily.idxmax().date(),
            "worst_day": daily.idxmin().date(),
            "is_partial": before.empty or (period.end_time.date() > levels.index[-1].date()),
        }
    return pd.DataFrame(found).T


@pytest.mark.parametrize("period_type", FREQUENCIES)
@pytest.mark.parametrize(("basket", "comparator"), [("china_titans", "magnificent_seven"), ("magnificent_seven", None)])
def test_every_period_of_a_basket(
    built_real_store: Settings, levels: dict[str, pd.Series], basket: str, comparator: str | None, period_type: str
) -> None:
    expected = calendar_returns(levels[basket], levels[comparator] if comparator else None, FREQUENCIES[period_type])
    rows = ask(
        built_real_store,
        f"select period_start, {', '.join(expected.columns)} from marts.fct_basket_calendar_returns "
        f"where basket_id = ? and period_type = ? and {SERIES} order by period_start",
        [basket, period_type],
    )
    actual = pd.DataFrame(rows, columns=["period_start", *expected.columns]).set_index("period_start")
    assert list(actual.index) == list(expected.index)
    for column in expected.columns[:6]:
        np.testing.assert_allclose(
            actual[column].astype(float), expected[column].astype(float), rtol=0, atol=TOLERANCE, err_msg=column
        )
    for column in expected.columns[6:]:
        assert list(actual[column]) == list(expected[column]), column


def test_the_titans_of_the_story_in_calendar_years(built_real_store: Settings) -> None:
    """The year of the story is not over, the one in which the basket began is partial, those between are whole."""
    rows = ask(
        built_real_store,
        f"select year(period_start), is_partial from marts.fct_basket_calendar_returns where basket_id = 'china_titans' "
        f"and period_type = 'year' and {SERIES} order by 1",
    )
    assert rows == [(2020, True), (2021, False), (2022, False), (2023, False), (2024, False), (2025, True)]


@pytest.mark.parametrize("basket", ["china_titans", "magnificent_seven"])
def test_returns_of_several_years_a_year(built_real_store: Settings, levels: dict[str, pd.Series], basket: str) -> None:
    """pandas finds the bases; the growth a year is taken through logarithms."""
    series = levels[basket]
    days = series.index
    rows = ask(
        built_real_store,
        "select return_since_base, return_3y_annualised, return_5y_annualised, return_since_base_annualised, return_ytd, "
        f"is_ytd_since_base from marts.fct_basket_daily where basket_id = ? and {SERIES} order by date",
        [basket],
    )
    actual = pd.DataFrame(rows, index=days).astype(float)
    np.testing.assert_allclose(actual[0], series / 100 - 1, atol=TOLERANCE)
    for column, years in ((1, 3), (2, 5)):
        bases = series.asof(days - pd.DateOffset(years=years)).to_numpy()
        expected = np.expm1(np.log(series.to_numpy() / bases) / years)
        np.testing.assert_allclose(actual[column], expected, atol=TOLERANCE)
    elapsed = (days - days[0]).days.to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        since_base = np.expm1(np.log(series.to_numpy() / 100) * 365.25 / elapsed)
    since_base[days < days[0] + pd.DateOffset(years=1)] = np.nan
    np.testing.assert_allclose(actual[3], since_base, atol=TOLERANCE)
    in_first_year = days.year == days[0].year
    np.testing.assert_allclose(actual[4][in_first_year], series[in_first_year] / 100 - 1, atol=TOLERANCE)
    assert list(actual[5].astype(bool)) == list(in_first_year)


def test_contributions_of_the_first_year_add_up_to_its_return(built_real_store: Settings) -> None:
    rows = ask(
        built_real_store,
        f"""select max(daily.return_ytd), sum(members.contribution_ytd)
        from marts.fct_basket_daily as daily
        inner join marts.fct_basket_member_daily as members using (basket_id, date, currency_basis, return_type)
        where daily.is_ytd_since_base and {SERIES.replace("currency", "daily.currency").replace("return_type", "daily.return_type")}
            and daily.basket_id = 'china_titans' and daily.date > '2020-06-18'
        group by daily.date""",
    )
    assert len(rows) > 100
    np.testing.assert_allclose([row[0] for row in rows], [row[1] for row in rows], atol=TOLERANCE)

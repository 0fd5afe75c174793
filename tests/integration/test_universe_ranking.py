"""The ranking of a universe a second way with pandas, from closes, rates, share counts and estimates, on real and simulated prices."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from include.seeds.read import load_reference
from include.settings import Settings
from tests.pipeline import ask_warehouse

TOLERANCE = 1e-9


@pytest.fixture(params=["built_real_store", "built_sample_store"])
def store(request: pytest.FixtureRequest) -> Settings:
    settings: Settings = request.getfixturevalue(request.param)
    return settings


def frame(settings: Settings, sql: str, columns: str, *days: str) -> pd.DataFrame:
    table = pd.DataFrame(ask_warehouse(settings, sql), columns=columns.split())
    for day in days:
        table[day] = pd.to_datetime(table[day])
    return table


def figures(settings: Settings, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Market value in US dollars and expected growth of each member that has data, on each of ``days``."""
    closes = frame(
        settings,
        "select symbol, date, close, currency from marts.fct_security_daily order by date",
        "symbol date close currency",
        "date",
    )
    counts = frame(
        settings,
        "select symbol, as_of, shares_outstanding from marts.fct_shares_outstanding order by as_of",
        "symbol as_of shares",
        "as_of",
    )
    rates = frame(
        settings,
        "select quote_currency, date, rate from marts.fct_fx_daily order by date",
        "currency date rate",
        "date",
    )
    estimates = frame(
        settings,
        "select symbol, as_of, period_end, mean, currency from marts.fct_estimate_snapshots "
        "where metric = 'eps' and period_type = 'annual' order by as_of, period_end",
        "symbol as_of end mean currency",
        "as_of",
        "end",
    )
    found = []
    for symbol in (row.symbol for row in load_reference(settings.seeds_dir).universe_members):
        own = closes[closes["symbol"] == symbol].set_index("date")
        known = counts[counts["symbol"] == symbol].set_index("as_of")["shares"]
        snapshots = estimates[estimates["symbol"] == symbol]
        for day in days:
            until = own.loc[:day]
            if until.empty:
                continue
            session, close, currency = until.index[-1], until["close"].iloc[-1], until["currency"].iloc[-1]
            own_rates = rates[rates["currency"] == currency].set_index("date")["rate"]
            per_dollar = 1.0 if currency == "USD" else own_rates.loc[:session].iloc[-1]
            shares = known.loc[:session]
            value = None if shares.empty else close * shares.iloc[-1] / per_dollar
            growth = None
            told = snapshots[(snapshots["as_of"] <= session) & (snapshots["as_of"] >= session - pd.Timedelta(days=100))]
            if len(told):
                years = told[(told["as_of"] == told["as_of"].max()) & (told["end"] >= session)]
                if len(years) > 1 and years["mean"].iloc[0] > 0:
                    growth = years["mean"].iloc[1] / years["mean"].iloc[0] - 1
            found.append((symbol, day, value, growth))
    return pd.DataFrame(found, columns=["symbol", "date", "value", "growth"]).astype({"value": float, "growth": float})


def test_every_rank_of_every_day(store: Settings) -> None:
    actual = frame(
        store,
        "select symbol, date, market_value_usd, expected_growth, rank_by_market_value, rank_by_growth, rule_score, rank_by_rule "
        "from marts.fct_universe_ranking where rule_id = 'size_and_growth' order by all",
        "symbol date value growth by_value by_growth score by_rule",
        "date",
    )
    days = pd.DatetimeIndex(sorted(actual["date"].unique()))
    quarters = days.to_period("Q")
    assert list(quarters) == list(pd.period_range(quarters[0], quarters[-1], freq="Q"))
    wanted = actual[["symbol", "date"]].merge(figures(store, days), how="left")
    by_day = wanted.groupby("date")
    wanted["by_value"] = by_day["value"].rank(ascending=False, method="min")
    wanted["by_growth"] = by_day["growth"].rank(ascending=False, method="min")
    wanted["score"] = (wanted["by_value"] + wanted["by_growth"]) / 2
    wanted["by_rule"] = wanted.groupby("date")["score"].rank(method="min")
    assert wanted["value"].notna().sum() >= 14
    assert wanted["growth"].notna().sum() >= 1
    for column in ("value", "growth", "by_value", "by_growth", "score", "by_rule"):
        pd.testing.assert_series_equal(
            actual[column].astype(float), wanted[column].astype(float), rtol=TOLERANCE, atol=TOLERANCE
        )


def test_a_member_that_did_not_exist_yet_says_so(built_real_store: Settings) -> None:
    """JD.com is listed in Hong Kong since 18 June 2020; share counts are of the end of 2024 and not carried back."""
    rows = ask_warehouse(
        built_real_store,
        "select date::varchar, ranking_outcome, missing, members_with_value from marts.fct_universe_ranking "
        "where symbol = '9618.HK' and date in ('2020-03-31', '2024-09-30', '2024-12-31') order by 1",
    )
    no_estimates = "no estimates of the last 100 days"
    assert rows == [
        ("2020-03-31", "not_computable", "its prices begin on 2020-06-18; no estimates", 0),
        ("2024-09-30", "not_computable", f"its share counts begin on 2024-12-31; {no_estimates}", 0),
        ("2024-12-31", "not_computable", no_estimates, 7),
    ]
    ((joined, first),) = ask_warehouse(
        built_real_store,
        "select min(date)::varchar, any_value(missing) from marts.fct_universe_ranking where symbol = '1024.HK'",
    )
    assert (joined, first) == ("2021-03-31", "it is not in securities.csv; no estimates")


def test_default_universe_holds_the_titans(built_real_store: Settings) -> None:
    reference = load_reference(Path(built_real_store.seeds_dir))
    titans = {row.symbol for row in reference.basket_members if row.basket_id == "china_titans"}
    assert titans < {row.symbol for row in reference.universe_members}

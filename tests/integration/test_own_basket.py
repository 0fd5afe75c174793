"""A basket of one's own: rows in two seeds in, every mart filled; rows out, and it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.settings import Settings
from tests.conftest import CopyStore
from tests.pipeline import ask, build_all

BASKET_MARTS = [
    "dim_baskets", "dim_basket_members", "fct_basket_daily", "fct_basket_member_daily", "fct_basket_comparison_daily",
    "fct_basket_market_value_daily", "fct_basket_valuation_daily",
]  # fmt: skip


def test_global_pair_mixes_exchanges_and_currencies(
    built_sample_store: Settings, copy_store: CopyStore, project_copy: Path
) -> None:
    settings = copy_store(built_sample_store, dbt_project_dir=project_copy)
    baskets, members = project_copy / "seeds" / "baskets.csv", project_copy / "seeds" / "basket_members.csv"
    original = baskets.read_text(), members.read_text()

    baskets.write_text(
        original[0]
        + "chips,Chips of two worlds,equal,annual,,magnificent_seven\nlarge,Two large ones,market_value,annual,,\n"
    )
    members.write_text(original[1] + "chips,0981.HK,,\nchips,NVDA,,\nlarge,AAPL,,\nlarge,TSLA,,\n")
    assert build_all(settings).outcome == "success"
    for mart in BASKET_MARTS:
        assert ask(settings, f"select count(*) > 0 from marts.{mart} where basket_id = 'chips'") == [(True,)], mart
    headlines = {
        row[0]
        for row in ask(
            settings, "select measure from marts.fct_headlines where subject like 'chips%' and as_of = '2025-03-07'"
        )
    }
    assert headlines == {
        "return_ytd", "market_value_change_ytd_usd", "forward_pe", "excess_return_ytd", "forward_pe_discount",
        "return_since_deepseek_moment", "return_since_china_stimulus", "return_since_nasdaq_record",
    }  # fmt: skip
    # Half in each since the last common session of 2024: SMIC 31.8 to 54.6, Nvidia 134.29 to 112.69.
    ((ytd,),) = ask(
        settings,
        "select return_ytd from marts.fct_basket_daily where basket_id = 'chips' and date = '2025-03-07' and currency_basis = 'local' and return_type = 'price'",
    )
    assert ytd == pytest.approx((54.6 / 31.8 + 112.69 / 134.29) / 2 - 1, rel=1e-9)
    # By market value, Apple is many times Tesla: the basket's year is near Apple's own.
    ((large, apple),) = ask(
        settings,
        "select basket.return_ytd, apple.return_ytd from marts.fct_basket_daily as basket inner join marts.fct_security_daily as apple "
        "on apple.symbol = 'AAPL' and apple.date = basket.date "
        "where basket_id = 'large' and basket.date = '2025-03-07' and currency_basis = 'local' and return_type = 'price'",
    )
    shares = dict(
        ask(
            settings,
            "select symbol, arg_max(shares_outstanding, as_of) from marts.fct_shares_outstanding where as_of <= '2024-12-31' group by symbol",
        )
    )
    values = {"AAPL": (shares["AAPL"] * 250.42, 239.07 / 250.42), "TSLA": (shares["TSLA"] * 403.84, 262.67 / 403.84)}
    assert large == pytest.approx(
        sum(value * growth for value, growth in values.values()) / sum(value for value, _ in values.values()) - 1,
        rel=1e-9,
    )
    assert abs(large - apple) < 0.15
    # 17 February 2025: New York is closed, Hong Kong is not; the basket has a day and Nvidia's close is carried.
    ((day_return,),) = ask(
        settings,
        "select return_1d from marts.fct_basket_daily where basket_id = 'chips' and date = '2025-02-17' and currency_basis = 'local' and return_type = 'price'",
    )
    assert day_return is not None

    baskets.write_text(original[0])
    members.write_text(original[1])
    assert build_all(settings).outcome == "success"
    for mart in BASKET_MARTS:
        assert ask(settings, f"select count(*) from marts.{mart} where basket_id = 'chips'") == [(0,)], mart
    assert ask(settings, "select count(*) from marts.dim_baskets") == [(2,)]


def test_baskets_that_cannot_start_as_wanted_are_told(
    built_sample_store: Settings, copy_store: CopyStore, project_copy: Path
) -> None:
    """The others are published; the gate names each basket, and the member or the date that is in its way."""
    settings = copy_store(built_sample_store, dbt_project_dir=project_copy)
    for seed, lines in {
        "securities": ["NOWHERE,Listed nowhere,equity,XNYS,USD,"],
        "baskets": [
            "early,Early,equal,annual,2015-01-02,",
            "empty,Empty,equal,annual,,",
            "future,Future,equal,annual,2025-06-02,",
            "waiting,Waiting,equal,annual,,",
        ],
        "basket_members": [
            "early,AAPL,,",
            "empty,AAPL,,",
            "empty,NOWHERE,,",
            "future,AAPL,,",
            "waiting,AAPL,,",
            "waiting,NOWHERE,2023-06-01,",
        ],
    }.items():
        with (project_copy / "seeds" / f"{seed}.csv").open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))
    checks = {check.name: check for check in build_all(settings).checks}
    assert (
        checks["baskets_start_when_wanted"].examples_text
        == "basket_id=early, wanted_date=2015-01-02, base_date=2020-12-31"
    )
    assert checks["every_basket_filled"].examples_text == (
        "basket_id=empty, detail=no level yet: no price of NOWHERE; "
        "basket_id=future, detail=no level yet: its base date 2025-06-02 is after the data"
    )
    assert checks["members_bought"].examples_text == "basket_id=waiting, symbol=NOWHERE, rebalance_date=2024-12-31"
    assert {checks[name].status for name in ("baskets_start_when_wanted", "every_basket_filled", "members_bought")} == {
        "warning"
    }
    assert ask(settings, "select distinct basket_id from marts.fct_basket_daily order by 1") == [
        ("china_titans",), ("early",), ("magnificent_seven",), ("waiting",),
    ]  # fmt: skip
    assert ask(settings, "select max(members) from marts.fct_basket_daily where basket_id = 'waiting'") == [(1,)]

"""Seeds of one's own: rows in two seeds in, every mart filled; rows out, and they are gone. A rollback in between holds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from include.publishing import generations
from include.publishing.rollback import release_hold, roll_back
from include.runs.facts import PublishFacts
from include.runs.records import RunRecord
from include.settings import Settings
from tests.end_to_end.test_three_deliveries import are_same
from tests.pipeline import ask, build_all, copy_project, own_build

pytestmark = own_build
BASKET_MARTS = [
    "dim_baskets", "dim_basket_members", "fct_basket_daily", "fct_basket_member_daily", "fct_basket_comparison_daily",
    "fct_basket_market_value_daily", "fct_basket_valuation_daily",
]  # fmt: skip


@dataclass(frozen=True)
class Story:
    """What two builds on edited seeds made of the sample's store; the link was rolled back in between.

    The first has two baskets more and another name for China's. The second has neither of the two any more, a third
    name, and baskets that cannot start.
    """

    settings: Settings
    before: str | None
    first: RunRecord
    rolled_back: tuple[str, str]
    second: RunRecord
    held: str | None
    released: str

    def ask(self, record: RunRecord, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the generation that a build made."""
        path = self.settings.published.file(record.facts(PublishFacts).generation)
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def story(built_sample_store: Settings, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("own_basket")
    shutil.copytree(built_sample_store.data_dir, folder / "data", symlinks=True)
    seeds = copy_project(folder / "dbt_project") / "seeds"
    settings = built_sample_store.model_copy(
        update={"data_dir": folder / "data", "dbt_project_dir": folder / "dbt_project"}
    )
    names = ("securities", "baskets", "basket_members")
    original = {name: (seeds / f"{name}.csv").read_text() for name in names}

    def edit(name_of_titans: str, more: dict[str, str]) -> None:
        for name, text in original.items():
            text = text.replace("China's seven tech titans", name_of_titans) if name == "baskets" else text
            (seeds / f"{name}.csv").write_text(text + more.get(name, ""))

    before = generations.linked_generation(settings.published)
    edit(
        "The seven titans",
        {
            "baskets": "chips,Chips of two worlds,equal,annual,,magnificent_seven\nlarge,Two large ones,market_value,annual,,\n",
            "basket_members": "chips,0981.HK,,\nchips,NVDA,,\nlarge,AAPL,,\nlarge,TSLA,,\n",
        },
    )
    first = build_all(settings)
    rolled_back = roll_back(settings.published, None)
    edit(
        "Seven titans",
        {
            "securities": "NOWHERE,Listed nowhere,equity,XNYS,USD,\n",
            "baskets": "early,Early,equal,annual,2015-01-02,\nempty,Empty,equal,annual,,\n"
            "future,Future,equal,annual,2025-06-02,\nwaiting,Waiting,equal,annual,,\n",
            "basket_members": "early,AAPL,,\nempty,AAPL,,\nempty,NOWHERE,,\nfuture,AAPL,,\nwaiting,AAPL,,\n"
            "waiting,NOWHERE,2023-06-01,\n",
        },
    )
    second = build_all(settings)
    held = generations.linked_generation(settings.published)
    return Story(settings, before, first, rolled_back, second, held, release_hold(settings.published))


def name_of_titans(story: Story, record: RunRecord) -> str:
    ((name,),) = story.ask(record, "select basket_name from marts.dim_baskets where basket_id = 'china_titans'")
    return str(name)


def test_a_changed_seed_is_news_and_a_rollback_holds(story: Story, built_sample_store: Settings) -> None:
    first, second = story.first.facts(PublishFacts), story.second.facts(PublishFacts)
    assert story.first.outcome == story.second.outcome == "success"
    assert first.is_new is True
    assert first.generation != story.before
    assert name_of_titans(story, story.first) == "The seven titans"
    assert story.rolled_back == (first.generation, story.before)
    assert ask(built_sample_store, "select basket_name from marts.dim_baskets where basket_id = 'china_titans'") == [
        ("China's seven tech titans",)
    ]
    assert second.is_held is True
    assert story.held == story.before, "a build must not undo a rollback"
    assert story.released == second.generation == generations.linked_generation(story.settings.published)
    assert ask(story.settings, "select basket_name from marts.dim_baskets where basket_id = 'china_titans'") == [
        ("Seven titans",)
    ]


def test_global_pair_mixes_exchanges_and_currencies(story: Story) -> None:
    def ask(sql: str) -> list[tuple[Any, ...]]:
        return story.ask(story.first, sql)

    for mart in BASKET_MARTS:
        assert ask(f"select count(*) > 0 from marts.{mart} where basket_id = 'chips'") == [(True,)], mart
    headlines = {
        row[0]
        for row in ask("select measure from marts.fct_headlines where subject like 'chips%' and as_of = '2025-03-07'")
    }
    assert headlines == {
        "return_ytd", "market_value_change_ytd_usd", "forward_pe", "excess_return_ytd", "forward_pe_discount",
        "return_since_deepseek_moment", "return_since_china_stimulus", "return_since_nasdaq_record",
    }  # fmt: skip
    # Half in each since the last common session of 2024: SMIC 31.8 to 54.6, Nvidia 134.29 to 112.69.
    ((ytd,),) = ask(
        "select return_ytd from marts.fct_basket_daily where basket_id = 'chips' and date = '2025-03-07' and currency_basis = 'local' and return_type = 'price'",
    )
    assert ytd == pytest.approx((54.6 / 31.8 + 112.69 / 134.29) / 2 - 1, rel=1e-9, abs=1e-9)
    # By market value, Apple is many times Tesla: the basket's year is near Apple's own.
    ((large, apple),) = ask(
        "select basket.return_ytd, apple.return_ytd from marts.fct_basket_daily as basket inner join marts.fct_security_daily as apple "
        "on apple.symbol = 'AAPL' and apple.date = basket.date "
        "where basket_id = 'large' and basket.date = '2025-03-07' and currency_basis = 'local' and return_type = 'price'",
    )
    shares = dict(
        ask(
            "select symbol, arg_max(shares_outstanding, as_of) from marts.fct_shares_outstanding where as_of <= '2024-12-31' group by symbol",
        )
    )
    values = {"AAPL": (shares["AAPL"] * 250.42, 239.07 / 250.42), "TSLA": (shares["TSLA"] * 403.84, 262.67 / 403.84)}
    assert large == pytest.approx(
        sum(value * growth for value, growth in values.values()) / sum(value for value, _ in values.values()) - 1,
        rel=1e-9,
        abs=1e-9,
    )
    assert abs(large - apple) < 0.15
    # 17 February 2025: New York is closed, Hong Kong is not; the basket has a day and Nvidia's close is carried.
    ((day_return,),) = ask(
        "select return_1d from marts.fct_basket_daily where basket_id = 'chips' and date = '2025-02-17' and currency_basis = 'local' and return_type = 'price'",
    )
    assert day_return is not None


REPORTS_OF_A_BASKET = ["factsheet", "members", "rebased_levels", "calendar_years", "drawdowns"]


@pytest.mark.parametrize("table", [*REPORTS_OF_A_BASKET, "latest_headlines", "press_check"])
def test_a_new_basket_changes_no_chart_of_another(story: Story, built_sample_store: Settings, table: str) -> None:
    """Of the seven titans only the name, which the seed changed as well."""
    others = f"select columns(* exclude (basket_name)) from reports.{table} where basket_id = 'magnificent_seven' order by all"
    before = ask(built_sample_store, others)
    assert before
    assert are_same(story.ask(story.first, others), before)
    figures = (
        f"select columns(c -> not regexp_matches(c, 'name|sentence|statement|explanation')) from reports.{table} "
        "where basket_id = 'china_titans' order by all"
    )
    before = ask(built_sample_store, figures)
    assert before
    assert are_same(story.ask(story.first, figures), before)


@pytest.mark.parametrize("table", REPORTS_OF_A_BASKET)
def test_a_new_basket_has_its_own_charts(story: Story, table: str) -> None:
    assert story.ask(story.first, f"select count(*) > 0 from reports.{table} where basket_id = 'chips'") == [(True,)]
    lines = story.ask(story.first, "select distinct line_id from reports.rebased_levels where basket_id = 'chips' order by 1")  # fmt: skip
    assert lines == [("chips",), ("magnificent_seven",)]


def test_a_basket_without_a_day_has_an_empty_factsheet(story: Story) -> None:
    sheets = story.ask(
        story.second,
        "select basket_id, basket_name, as_of, members from reports.factsheet where as_of is null order by 1",
    )
    assert sheets == [("empty", "Empty", None, None), ("future", "Future", None, None)]


def test_a_basket_taken_out_of_the_seeds_is_gone(story: Story) -> None:
    for mart in BASKET_MARTS:
        rows = story.ask(story.second, f"select count(*) from marts.{mart} where basket_id in ('chips', 'large')")
        assert rows == [(0,)], mart
    assert story.ask(story.second, "select count(*) from marts.dim_baskets") == [(2 + 4,)]


def test_baskets_that_cannot_start_as_wanted_are_told(story: Story) -> None:
    """The others are published; the gate names each basket, and the member or the date that is in its way."""
    checks = {check.name: check for check in story.second.checks}
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
    assert story.ask(story.second, "select distinct basket_id from marts.fct_basket_daily order by 1") == [
        ("china_titans",), ("early",), ("magnificent_seven",), ("waiting",),
    ]  # fmt: skip
    assert story.ask(story.second, "select max(members) from marts.fct_basket_daily where basket_id = 'waiting'") == [
        (1,)
    ]

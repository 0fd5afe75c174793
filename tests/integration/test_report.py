"""The report: its figures are those of the marts, it needs nothing but itself, and no basket breaks it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lxml import html  # type: ignore[import-untyped]  # it brings no types

from include.dbt_facts import dbt_vars
from include.errors import TitansError
from include.limits import Limits
from include.publishing import generations
from include.publishing.publish import _write_report
from include.publishing.report import texts
from include.publishing.report.pages import make_report
from include.publishing.report.risk import SMALLEST_FALL
from include.settings import Settings, load_settings
from tests.dbt_project import DBT_PROJECT
from tests.pipeline import AS_OF
from tests.published_folder import add_generation
from titans.commands.report import report_page

Cells = dict[str, list[float | str | None]]
PERIODS = (
    "return_1d, return_wtd, return_1m, return_3m, return_ytd, return_1y, return_3y_annualised, return_5y_annualised, "
    "return_since_base_annualised"
)
HOSTILE = "<script>alert(1)</script>&\"'{{ 7 * 7 }}"
LONG = "LongNameWithoutAnySpace".ljust(80, "x")


@pytest.fixture(params=["sample", "real"])
def published(request: pytest.FixtureRequest) -> Settings:
    settings: Settings = request.getfixturevalue(f"built_{request.param}_store")
    return settings


@pytest.fixture
def marts(published: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(published.published.link), read_only=True) as connection:
        yield connection


@pytest.fixture
def copied(built_sample_store: Settings, tmp_path: Path) -> Path:
    """A copy of the sample's published file, for a test that changes it."""
    return copy_of(built_sample_store, tmp_path)


def copy_of(settings: Settings, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return Path(shutil.copyfile(settings.published.link, folder / "titans.duckdb"))


def made_after(file: Path, *changes: str) -> Path:
    """The pages of a file after changes to its marts."""
    with duckdb.connect(str(file)) as connection:
        for change in changes:
            connection.execute(change)
    return make_report(file, Limits())


def page_of(folder: Path, name: str) -> Any:
    return html.fromstring((folder / f"{name}.html").read_text(encoding="utf-8"))


def text_of(page: Any, section: str) -> str:
    return " ".join(page.xpath(f"//*[@id='{section}']")[0].text_content().split())


def cells(page: Any, section: str) -> Cells:
    """Figures by the name of their row, unrounded, or the text of a cell that has none."""
    rows = page.xpath(f"//*[@id='{section}']//tbody/tr")
    return {" ".join(row[0].text_content().split()): [_value(cell) for cell in row[1:]] for row in rows}


def _value(cell: Any) -> float | str | None:
    if numbers := cell.xpath(".//data/@value"):
        return float(numbers[0])
    if days := cell.xpath(".//time/@datetime"):
        return str(days[0])
    text = str(cell.text_content()).strip()
    return None if text == "n/a" else text


def expected(connection: duckdb.DuckDBPyConnection, sql: str) -> Cells:
    """Rows of a query, the first column of which names them; days as text."""
    rows = connection.execute(sql).fetchall()
    return {str(row[0]): [str(value) if isinstance(value, date) else value for value in row[1:]] for row in rows}


@pytest.mark.parametrize("basket", ["china_titans", "magnificent_seven"])
def test_the_figures_are_those_of_the_marts(published: Settings, marts: duckdb.DuckDBPyConnection, basket: str) -> None:
    page = page_of(published.published.report, basket)
    of_day = f"basket_id = '{basket}' and date = '{AS_OF}'"
    plain = "currency_basis = 'local' and return_type = 'price'"
    returns = cells(page, "returns")
    names = {"china_titans": "China's seven tech titans", "magnificent_seven": "The Magnificent Seven"}
    in_dollars = [("In US dollars", "usd", "price"), ("In US dollars, with dividends", "usd", "total")]
    # A basket of members in dollars has the same returns in local currency.
    assert ("In US dollars" in returns) == (basket == "china_titans")
    for label, basis, kind in (
        (names[basket], "local", "price"),
        ("With dividends", "local", "total"),
        *(in_dollars if basket == "china_titans" else []),
    ):
        (wanted,) = marts.execute(
            f"select {PERIODS} from marts.fct_basket_daily where {of_day} and currency_basis = ? and return_type = ?",
            [basis, kind],
        ).fetchall()
        assert returns[label] == list(wanted)
    assert cells(page, "members") == expected(
        marts,
        f"""select members.security_name || ' ' || members.symbol, dim_securities.sector, (
                select arg_min(starts.weight_open, starts.date) from marts.fct_basket_member_daily as starts
                where starts.basket_id = '{basket}' and starts.symbol = members.symbol and starts.date >= '2025-01-01'
                    and {plain}),
                weight_close, securities.return_ytd, contribution_ytd, valuations.forward_pe,
                valuations.eps_fy2 / nullif(greatest(valuations.eps_fy1, 0), 0) - 1
            from marts.fct_basket_member_daily as members
            inner join marts.dim_securities as dim_securities using (symbol)
            inner join marts.fct_security_daily as securities using (symbol, date)
            left join marts.fct_security_valuation_daily as valuations using (symbol, date)
            where {of_day} and {plain} order by weight_close desc""",
    )
    total = [_value(cell) for cell in page.xpath("//*[@id='members']//tfoot/tr/*")]
    assert total[3:6] == [pytest.approx(1), returns[names[basket]][4], pytest.approx(returns[names[basket]][4])]
    (parts,) = marts.execute(
        f"""select price_effect_usd, fx_effect_usd, nullif(issuance_effect_usd, 0), membership_effect_usd, change_ytd_usd
        from marts.fct_basket_market_value_daily where {of_day}"""
    ).fetchall()
    assert [value for (value,) in cells(page, "value").values()] == list(parts)
    assert ("issues and buybacks are not" in text_of(page, "value")) == (parts[2] is None)
    windows = """case window_length when '1y' then '1 year, weekly' when '3y' then '3 years, monthly'
        else replace(window_length, 'd', ' sessions') end"""
    volatility = cells(page, "volatility")
    assert {name: [row[0], row[2]] for name, row in volatility.items()} == expected(
        marts,
        f"""select {windows}, volatility, max_drawdown
        from marts.fct_basket_risk
        where {of_day} and {plain} and benchmark_id is null
        order by list_position(['30d', '90d', '1y', '3y'], window_length)""",
    )
    assert {name: [row[1]] for name, row in volatility.items() if row[1] != ""} == expected(
        marts,
        f"""select {windows}, sharpe_ratio
        from marts.fct_basket_risk
        where {of_day} and currency_basis = 'local' and return_type = 'total' and benchmark_id is null
            and window_length in ('1y', '3y') order by window_length""",
    )
    assert cells(page, "benchmarks") == expected(
        marts,
        f"""select benchmark_name || case window_length when '1y' then ', 1 year' else ', 3 years' end
                || case currency_basis when 'usd' then ', US dollars' else '' end,
            beta, beta_standard_error, correlation, tracking_error, information_ratio
        from marts.fct_basket_risk
        where {of_day} and return_type = 'price' and beta is not null
            and (currency_basis = 'local' or benchmark_id not in (
                select benchmark_id from marts.fct_basket_risk
                where {of_day} and currency_basis = 'local' and beta is not null))
        order by benchmark_name, window_length desc""",
    )
    years = marts.execute(
        f"""select period_return, max_drawdown from marts.fct_basket_calendar_returns
        where basket_id = '{basket}' and period_type = 'year' and {plain} and period_start >= '2020-01-01'
        order by period_start"""
    ).fetchall()
    found = list(cells(page, "years").values())
    assert found[0] == [year[0] for year in years]
    assert found[-1] == [year[1] for year in years]
    unmeasured = marts.execute(
        f"""select distinct benchmark_name from marts.fct_basket_risk
        where {of_day} and benchmark_id is not null group by benchmark_name having max(beta) is null"""
    ).fetchall()
    assert ("Too few common weeks" in text_of(page, "benchmarks")) == bool(unmeasured)
    assert all(name in text_of(page, "benchmarks") for (name,) in unmeasured)
    depths = marts.execute(
        f"""select depth from marts.fct_drawdown_episodes
        where subject_id = '{basket}' and {plain} order by depth limit 5"""
    ).fetchall()
    names = page.xpath("//*[@id='falls']//tbody/tr/th//data/@value")
    assert [float(name) for name in names] == [depth[0] for depth in depths]
    sentences = marts.execute(
        f"""select string_agg(replace(sentence, 'Simulated: ', ''), ' ' order by measure desc) from marts.fct_headlines
        where as_of = '{AS_OF}' and (subject = '{basket}' or subject = '{basket}_vs_magnificent_seven')
            and measure in ('return_ytd', 'excess_return_ytd', 'forward_pe', 'market_value_change_ytd_usd')
        group by replace(measure, 'excess_', '')"""
    ).fetchall()
    assert {each.text_content() for each in page.xpath("//*[@id='summary']//dd")} == {row[0] for row in sentences}
    (record,) = marts.execute(
        f"""select drawdown, (select arg_max(date, level) from marts.fct_basket_daily
            where basket_id = '{basket}' and {plain} and date <= '{AS_OF}')
        from marts.fct_basket_daily where {of_day} and {plain}"""
    ).fetchall()
    (below,) = page.xpath("//*[@id='risk']/p[1]//data/@value")
    assert (-float(below), page.xpath("//*[@id='risk']/p[1]//time/@datetime")[-1]) == (record[0], str(record[1]))


def test_the_comparator_and_the_valuation_are_those_of_the_marts(built_sample_store: Settings) -> None:
    page = page_of(built_sample_store.published.report, "china_titans")
    with duckdb.connect(str(built_sample_store.published.link), read_only=True) as marts:
        (comparison,) = marts.execute(
            f"""select excess_return_1d, excess_return_wtd, excess_return_1m, excess_return_3m, excess_return_ytd,
                excess_return_1y, forward_pe_discount, level_rebased, comparator_level_rebased, base_date
            from marts.fct_basket_comparison_daily inner join marts.dim_baskets using (basket_id)
            where basket_id = 'china_titans' and date = '{AS_OF}' and currency_basis = 'local' and return_type = 'price'"""
        ).fetchall()
        (multiples,) = marts.execute(
            f"""select forward_pe_basket_weighted, forward_pe_aggregate, forward_pe_aggregate_profitable,
                forward_pe_equal_weight, forward_pe_median, trailing_pe, trailing_pe_weight_covered, price_to_book,
                price_to_book_weight_covered, dividend_yield_ttm, dividend_weight_covered
            from marts.fct_basket_valuation_daily where basket_id = 'china_titans' and date = '{AS_OF}'"""
        ).fetchall()
    titans, seven, gap = list(cells(page, "returns").values())[:3]
    assert gap[:6] == list(comparison[:6])
    assert gap[6:] == [
        pytest.approx(one - other) if isinstance(one, float) and isinstance(other, float) else None
        for one, other in zip(titans[6:], seven[6:], strict=True)
    ]
    years = (AS_OF - comparison[9]).days / 365.25
    assert seven[8] == pytest.approx((comparison[8] / 100) ** (1 / years) - 1, abs=1e-9)
    forward = list(cells(page, "valuation").values())
    assert [values[0] for values in forward[:6]] == [*multiples[:5], comparison[6]]
    assert cells(page, "trailing") == {
        name: list(multiples[at : at + 2]) for name, at in (("P/E", 5), ("P/B", 7), ("Dividend yield", 9))
    }
    ends = [float(value) for value in page.xpath("//*[@id='levels']//figcaption//data/@value")]
    assert ends[:2] == list(comparison[7:9])


def test_the_index_of_the_market_stands_beside_the_basket(
    built_real_store: Settings, built_sample_store: Settings
) -> None:
    page = page_of(built_real_store.published.report, "china_titans")
    with duckdb.connect(str(built_real_store.published.link), read_only=True) as marts:
        (index,) = marts.execute(
            f"""select return_1d, return_wtd, return_1m, return_3m, return_ytd, return_1y, return_3y, level / (
                select level from marts.fct_index_daily where symbol = '^HSI' and date = '2020-06-18')
            from marts.fct_index_daily where symbol = '^HSI' and date = '{AS_OF}'"""
        ).fetchall()
    row = cells(page, "returns")["Hang Seng Index, price index"]
    assert row[:6] == list(index[:6])
    assert row[6] == pytest.approx((1 + index[6]) ** (1 / 3) - 1, abs=1e-9)
    years = (AS_OF - date(2020, 6, 18)).days / 365.25
    assert row[8] == pytest.approx(index[7] ** (1 / years) - 1, abs=1e-9)
    ends = [float(value) for value in page.xpath("//*[@id='levels']//figcaption//data/@value")]
    assert ends[2] == pytest.approx(100 * index[7])
    # The sample has no index of Hong Kong's whole market: a basket without one has two lines.
    without = page_of(built_sample_store.published.report, "china_titans")
    assert len(without.xpath("//*[@id='levels']//figcaption//data")) == 2


def test_the_press_check_shows_every_claim_with_its_verdict(
    published: Settings, marts: duckdb.DuckDBPyConnection
) -> None:
    rows = marts.execute(
        """select claim_id, subject, value, verdict, explanation, exists(
            from marts.fct_press_reconciliation as earlier
            where earlier.claim_id = claims.claim_id and evaluated_at = 'session_before' and verdict = 'agrees')
        from marts.fct_press_reconciliation as claims where evaluated_at = 'claim_date'"""
    ).fetchall()
    index, titans = (page_of(published.published.report, name) for name in ("index", "china_titans"))
    assert len(rows) == 15
    for claim_id, subject, value, verdict, explanation, fits_before in rows:
        (row,) = index.xpath(f"//*[@id='claim-{claim_id}']")
        fits = "; fits the session before" if verdict == "differs" and fits_before else ""
        assert row[-2].text_content() == verdict.replace("_", " ") + fits
        assert row[-1].text_content() == explanation
        assert _value(row[2]) == value
        found = titans.xpath(f"//*[@id='claim-{claim_id}']")
        assert len(found) == ("china_titans" in subject)
        assert all(verdict.replace("_", " ") in each.text_content() for each in found)
        assert all(_value(each) == value for each in found if value is not None)


def test_what_is_shown_is_the_value_rounded(published: Settings) -> None:
    shown = 0
    for path in published.published.report.glob("*.html"):
        for figure in html.fromstring(path.read_text(encoding="utf-8")).xpath("//td//data"):
            text, value = figure.text_content(), float(figure.get("value"))
            mark = re.search(r"%|billion|million", text)
            # Without a mark it is a multiple or percentage points.
            marked: dict[str, list[float]] = {"%": [100], "billion": [1e-9], "million": [1e-6]}
            factors = marked[mark[0]] if mark else [1, 100]
            shape = re.search(r"(-?)[^\d]*([\d,]+)(?:\.(\d+))?", text)
            assert shape, (path, text)
            sign, digits, decimals = shape.groups(default="")
            number = float(f"{sign}{digits.replace(',', '')}.{decimals}")
            assert number in [round(value * factor, len(decimals)) for factor in factors], (path, text, value)
            shown += 1
    assert shown > 100


def test_every_page_says_whether_its_data_are_real(built_sample_store: Settings, built_real_store: Settings) -> None:
    for settings, label in ((built_sample_store, "SIMULATED"), (built_real_store, "REAL")):
        for path in settings.published.report.iterdir():
            page = html.fromstring(path.read_text(encoding="utf-8"))
            (badge,) = page.xpath("//header//*[contains(@class, 'badge')]")
            assert badge.text_content() == label
            assert "as of" in page.text_content().lower()


def test_a_report_needs_nothing_but_itself(published: Settings) -> None:
    folder = published.published.report
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?:|//[a-z]|src=|<script|url\((?!#)|@import|javascript:", text, re.IGNORECASE)
        for link in html.fromstring(text).xpath("//@href"):
            assert link.startswith("#") or link == "data:," or (folder / link.partition("#")[0]).is_file()
        assert path.stat().st_size <= (1_500_000 if path.name == "index.html" else 300_000)
        assert path.stat().st_mode & 0o777 == 0o444


def test_a_page_can_be_read_by_a_screen_reader(published: Settings) -> None:
    for path in published.published.report.iterdir():
        page = html.fromstring(path.read_text(encoding="utf-8"))
        assert page.get("lang") == "en"
        assert [heading.tag for heading in page.xpath("//h1 | //h2 | //h3")][:2] == ["h1", "h2"]
        assert page.xpath("//h1[2] | //h3") == []
        assert page.xpath("//th[not(@scope)]") == []
        assert page.xpath("//svg[not(@role='img') or string-length(@aria-label) < 20]") == []
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids))
        assert set(page.xpath("//@aria-labelledby")) <= set(ids)


def test_the_same_file_gives_the_same_bytes(built_sample_store: Settings, copied: Path) -> None:
    made = make_report(copied, Limits())
    published = built_sample_store.published.report
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        path.name: path.read_bytes() for path in published.iterdir()
    }


def test_no_name_is_markup(copied: Path) -> None:
    quoted = HOSTILE.replace("'", "''")
    folder = made_after(
        copied,
        f"update marts.dim_baskets set basket_name = '{quoted}' where basket_id = 'china_titans'",
        f"update marts.dim_baskets set basket_name = '{LONG}' where basket_id = 'magnificent_seven'",
        f"update marts.fct_basket_member_daily set security_name = '{quoted}' where symbol = '0700.HK'",
        f"update marts.fct_headlines set sentence = '{quoted}' where subject = 'china_titans'",
        f"update marts.fct_press_reconciliation set statement = '{quoted}', explanation = '{quoted}'",
        f"update marts.fct_event_windows set event_name = '{quoted}'",
    )
    for name in ("index", "china_titans", "magnificent_seven"):
        page = page_of(folder, name)
        assert page.xpath("//script") == []
        assert HOSTILE in page.text_content()
    assert page_of(folder, "china_titans").xpath("//h1")[0].text_content() == HOSTILE
    assert page_of(folder, "magnificent_seven").xpath("//h1")[0].text_content() == LONG


def test_what_is_missing_is_said(copied: Path) -> None:
    """One member, no comparator, no estimates, no share counts, no event and no fall: a sentence each."""
    folder = made_after(
        copied,
        "update marts.dim_baskets set comparator_basket_id = null",
        "delete from marts.fct_basket_comparison_daily",
        "delete from marts.dim_basket_members where symbol <> 'AAPL'",
        "delete from marts.fct_basket_member_daily where symbol <> 'AAPL'",
        "delete from marts.fct_event_windows",
        "delete from marts.fct_drawdown_episodes",
        "delete from marts.fct_basket_risk",
        "delete from marts.fct_press_reconciliation",
        "update marts.fct_security_valuation_daily set forward_pe = null",
        "update marts.fct_basket_market_value_daily set change_ytd_usd = null",
        """update marts.fct_headlines set value = null, sentence = 'It cannot be computed.'
        where measure in ('forward_pe', 'market_value_change_ytd_usd')""",
    )
    page = page_of(folder, "magnificent_seven")
    assert list(cells(page, "members")) == ["Apple AAPL"]
    assert cells(page, "members")["Apple AAPL"][-2] is None
    assert len(page.xpath("//svg[contains(@class, 'wide')]")) == 1
    assert "Difference, percentage points" not in cells(page, "returns")
    assert "no comparator" in page.xpath("//*[@class='caveats']")[0].text_content()
    for section in ("valuation", "value"):
        assert "It cannot be computed." in text_of(page, section)
    # Results and dividends of the last twelve months need no estimates.
    assert list(cells(page, "valuation")) == ["P/E", "P/B", "Dividend yield"]
    assert cells(page, "value") == {}
    assert "No market event" in text_of(page, "levels")
    assert "has not fallen by 5%" in text_of(page, "risk")
    assert "too short for a volatility" in text_of(page, "risk")
    assert "to measure this basket against" in text_of(page, "benchmarks")
    assert "has no claim on this basket" in text_of(page, "press")
    assert "1 share (New York exchanges), equal weight" in page.xpath("//header")[0].text_content()


def test_a_basket_without_a_day_has_a_page(copied: Path) -> None:
    folder = made_after(
        copied,
        *(
            f"delete from marts.{mart} where basket_id = 'china_titans'"
            for mart in (
                "fct_basket_daily", "fct_basket_member_daily", "fct_basket_comparison_daily", "fct_basket_exposures",
                "fct_basket_calendar_returns", "fct_basket_valuation_daily", "fct_basket_market_value_daily",
            )
        ),
        "delete from marts.fct_headlines where subject = 'china_titans'",
    )  # fmt: skip
    page = page_of(folder, "china_titans")
    assert page.xpath("//svg") == []
    for section in ("summary", "returns", "years", "members", "valuation", "value"):
        assert "no day of this basket yet" in text_of(page, section)


def test_a_market_that_is_ahead_counts_up_to_the_day_of_all(copied: Path) -> None:
    """The figures are of Thursday, though Hong Kong has a Friday too: no later day shows, and what stands at month ends
    alone says its day."""
    folder = made_after(
        copied,
        "update ops.publications set as_of = '2025-03-06'",
        "delete from marts.fct_basket_comparison_daily where date > '2025-03-06'",
        """update marts.fct_basket_calendar_returns set comparator_return = null, excess_return = null, period_return = -0.9,
            max_drawdown = -0.9, best_day = counted_to, best_day_return = 0.9, worst_day = counted_to, worst_day_return = -0.9
        where counted_to > '2025-03-06'""",
        "update marts.fct_drawdown_episodes set recovery_date = '2025-03-07' where subject_id = 'china_titans'",
    )
    page = page_of(folder, "china_titans")
    assert "6 Mar 2025" in page.xpath("//dl[@class='facts']")[0].text_content()
    assert "7 Mar 2025" not in page.xpath("//dl[@class='facts']")[0].text_content()
    with duckdb.connect(str(copied), read_only=True) as connection:
        levels = connection.execute(
            """select level, return_ytd, excess_return_ytd from marts.fct_basket_daily
            inner join marts.fct_basket_comparison_daily using (basket_id, date, currency_basis, return_type)
            where basket_id = 'china_titans' and currency_basis = 'local' and return_type = 'price'
                and is_default_comparator and date between '2024-12-31' and '2025-03-06' order by date"""
        ).fetchall()
        volatility = expected(
            connection,
            """select '30 sessions', volatility, '', max_drawdown from marts.fct_basket_risk
            where basket_id = 'china_titans' and date = '2025-02-28' and currency_basis = 'local' and return_type = 'price'
                and window_length = '30d' and benchmark_id is null""",
        )
    assert cells(page, "volatility")["30 sessions"] == volatility["30 sessions"]
    assert "To 28 Feb 2025." in text_of(page, "risk")
    assert "As of 28 Feb 2025." in text_of(page, "members")
    own, excess = levels[-1][1:]
    years = list(cells(page, "years").values())
    assert [row[-1] for row in years] == pytest.approx(
        [own, own - excess, excess, min(to[0] / top[0] - 1 for at, to in enumerate(levels) for top in levels[: at + 1])]
    )
    assert "2025 to 6 Mar" in text_of(page, "years")
    for section in ("years", "risk"):
        assert not re.search(r"\b7 Mar(ch)? 2025", text_of(page, section))
        assert "90.0%" not in text_of(page, section)
    assert [fall[-1] for fall in cells(page, "falls").values()] == ["not yet"]
    assert dbt_vars(DBT_PROJECT).min_episode_depth == SMALLEST_FALL


def test_numbers_of_events_touch_no_other(published: Settings) -> None:
    """Six of seven events lie within seven weeks of five years."""
    page = page_of(published.published.report, "china_titans")
    for chart in page.xpath("//svg"):
        found = [text for text in chart.xpath(".//text") if text.text_content().strip() in set("1234567")]
        places = [(float(text.get("x")), float(text.get("y"))) for text in found]
        assert len(places) == 7
        for number, (x, y) in enumerate(places):
            assert not [other for other in places[:number] if abs(other[0] - x) < 7 and abs(other[1] - y) < 9]


def test_sharpe_ratios_name_their_rates_or_say_why_they_are_missing(
    built_sample_store: Settings, built_real_store: Settings
) -> None:
    simulated, real = (
        text_of(page_of(store.published.report, "china_titans"), "risk")
        for store in (built_sample_store, built_real_store)
    )
    assert "Sharpe ratio: with dividends, over the risk-free rate HKD 3m." in simulated
    assert "No Sharpe ratio: there are no risk-free rates of HKD." in real


def test_a_member_that_left_says_so(copied: Path) -> None:
    folder = made_after(
        copied,
        "update marts.fct_basket_member_daily set weight_close = 0 where symbol = 'AAPL' and date = '2025-03-07'",
    )
    rows = cells(page_of(folder, "magnificent_seven"), "members")
    assert (list(rows)[-1], rows["Apple AAPL"][2]) == ("Apple AAPL", "left")


def test_a_member_that_left_in_an_earlier_year_is_not_shown(copied: Path) -> None:
    folder = made_after(
        copied,
        "update marts.fct_basket_member_daily set weight_close = 0, contribution_ytd = 0 "
        "where symbol = 'AAPL' and date = '2025-03-07'",
    )
    assert "Apple" not in cells(page_of(folder, "magnificent_seven"), "members")


def test_a_figure_without_a_headline_says_why_and_takes_none_of_another_day(copied: Path) -> None:
    folder = made_after(
        copied,
        "update marts.fct_basket_market_value_daily set change_ytd_usd = null where date = '2025-03-07'",
        "delete from marts.fct_headlines where measure = 'market_value_change_ytd_usd' and as_of = '2025-03-07'",
    )
    for section in ("summary", "value"):
        assert "no market value at the end of the year before" in text_of(page_of(folder, "china_titans"), section)


def test_years_to_date_that_begin_on_different_days_do_not_stand_side_by_side(copied: Path) -> None:
    folder = made_after(
        copied, "update marts.fct_basket_daily set is_ytd_since_base = true where basket_id = 'china_titans'"
    )
    returns = cells(page_of(folder, "china_titans"), "returns")
    assert returns["China's seven tech titans"][4] is not None
    assert returns["The Magnificent Seven"][4] is None


def test_late_prices_are_a_caveat(copied: Path) -> None:
    folder = made_after(
        copied,
        """update ops.freshness set is_late = true, sessions_behind = 3, last_date = '2025-03-04'
        where symbol = '9988.HK'""",
    )
    caveats = page_of(folder, "china_titans").xpath("//*[@class='caveats']")[0].text_content()
    assert "prices of Alibaba end on 4 March 2025, 3 sessions before" in caveats
    assert page_of(folder, "magnificent_seven").xpath("//*[@class='caveats']")[0].text_content().count("Alibaba") == 0


def test_a_basket_of_several_currencies_says_so(copied: Path) -> None:
    folder = made_after(copied, "update marts.dim_securities set currency = 'EUR' where symbol = '9988.HK'")
    page = page_of(folder, "china_titans")
    caveats = page.xpath("//*[@class='caveats']")[0].text_content()
    assert "Members trade in EUR, HKD: local currency returns leave exchange rates out." in caveats
    assert "In US dollars" in cells(page, "returns")


def test_an_edition_of_the_past_says_so(copied: Path) -> None:
    """That prices end long before the pages are made is no delay then."""
    for published_at, said in (("2025-03-10 09:00", False), ("2025-04-01 09:00", True)):
        folder = made_after(copied, f"update ops.publications set published_at = '{published_at}'")
        for name in ("index", "china_titans"):
            header = page_of(folder, name).xpath("//header")[0].text_content()
            assert ("historical, published 1 Apr 2025" in " ".join(header.split())) == said
        shutil.rmtree(folder)


def test_figures_are_published_without_pages_where_those_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "titans.duckdb"
    duckdb.connect(str(file)).close()
    problem = _write_report(file, tmp_path / "report", Limits())
    assert problem is not None
    assert "ops" in problem
    assert [path.name for path in tmp_path.iterdir()] == ["titans.duckdb"]


def test_make_report_makes_the_pages_that_a_generation_lacks(built_sample_store: Settings, tmp_path: Path) -> None:
    settings = load_settings(data_dir=str(tmp_path / "data"))
    generation = add_generation(settings.published, datetime(2025, 3, 8, tzinfo=UTC))
    shutil.copyfile(built_sample_store.published.link, settings.published.file(generation))
    assert not settings.published.report.exists()
    page = report_page(settings)
    assert page == settings.published.report / "index.html"
    assert page.read_bytes() == (built_sample_store.published.report / "index.html").read_bytes()
    assert {path.name for path in settings.published.file(generation).parent.iterdir()} == {
        "titans.duckdb", "manifest.json", "report",
    }  # fmt: skip


def test_a_folder_in_the_place_of_the_link_is_refused(tmp_path: Path) -> None:
    published = load_settings(data_dir=str(tmp_path / "data")).published
    generation = add_generation(published, datetime(2025, 3, 8, tzinfo=UTC))
    published.report.unlink()
    published.report.mkdir()
    with pytest.raises(TitansError, match=r"report is a folder, and must be a link"):
        generations.move_link(published, generation)
    assert published.link.read_text() == generation


def test_the_link_of_the_report_follows_the_generation(built_sample_store: Settings) -> None:
    published = built_sample_store.published
    assert str(published.report.readlink()) == "current/report"
    linked = generations.linked_generation(published)
    assert linked is not None
    assert published.report.resolve() == published.report_of(linked).resolve()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (texts.change(0.0004), "+0.0%"),
        (texts.change(-0.0004), "+0.0%"),
        (texts.change(-0.4306), "-43.1%"),
        (texts.dollars(-533.9e6), "-$0.5 billion"),
        (texts.dollars(439e9), "+$439.0 billion"),
        (texts.dollars(15.9e12, "-"), "$15,900.0 billion"),
        (texts.dollars(-53.9e6), "-$53.9 million"),
        (texts.dollars(0.0), "$0"),
        (texts.change(None), "n/a"),
    ],
)
def test_figures_are_rounded_for_readers(text: str, wanted: str) -> None:
    assert html.fromstring(text).text_content() == wanted


def test_a_basket_may_be_called_as_the_parts_of_a_page(copied: Path) -> None:
    tables = ("dim_baskets", "fct_basket_daily", "fct_basket_member_daily", "dim_basket_members")
    folder = made_after(
        copied,
        *(f"update marts.{table} set basket_id = 'index' where basket_id = 'china_titans'" for table in tables),
        *(f"update marts.{table} set basket_id = 'press' where basket_id = 'magnificent_seven'" for table in tables),
    )
    assert {path.name for path in folder.iterdir()} == {"index.html", "index-basket.html", "press.html"}
    ids = page_of(folder, "index").xpath("//@id")
    assert len(ids) == len(set(ids))
    assert page_of(folder, "index-basket").xpath("//h1")[0].text_content() == "China's seven tech titans"

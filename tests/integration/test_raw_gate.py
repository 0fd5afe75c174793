"""Gate 1, check by check: Great Expectations on a real warehouse, fed with a series that has one fault each."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include import build
from include.errors import TitansError
from include.gates import raw_gate
from include.landing.batches import BatchKey, FetchWindow, land
from include.runs.facts import CheckRawFacts
from include.runs.releases import record_release
from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.settings import Settings, load_settings
from include.sources.base import SCHEMAS, UNIT_COLUMNS, Dataset, Extract
from tests.pipeline import ask_warehouse, new_run

_runs = count(1)
LAST = date(2025, 3, 7)
Row = dict[str, Any]


@pytest.fixture
def settings(tmp_path: Path, project_copy: Path) -> Settings:
    """An empty store; no correction stands over its made-up prices."""
    return with_corrections(load_settings(data_dir=str(tmp_path / "data")), project_copy)


def sessions(first: date = date(2024, 9, 2), last: date = LAST) -> list[date]:
    calendar = load_calendars(load_reference(load_settings().seeds_dir), 2025)["XHKG"]
    return [session.date for session in calendar.between(first, last)]


def series(symbol: str = "0700.HK", start: float = 400.0, days: Sequence[date] | None = None) -> list[Row]:
    """A healthy series: small moves, another for each symbol, with volume."""
    rows, close = [], start
    for number, day in enumerate(days or sessions()):
        close *= 1 + ((number * 7 + len(symbol) + int(start)) % 11 - 5) / 1000
        rows.append({
            "symbol": symbol, "date": day, "open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1000 + number,
            "currency": "HKD", "basis_date": LAST,
        })  # fmt: skip
    return rows


def judge(
    settings: Settings, rows: list[Row], dataset: Dataset = Dataset.PRICES, end: date = LAST
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Load the rows as one batch and run gate 1.

    Returns:
        Reasons of the quarantined by symbol, and the status of each check.
    """
    by_symbol: dict[str, list[Row]] = {}
    for row in rows:
        by_symbol.setdefault("".join(row[name] for name in UNIT_COLUMNS[dataset]), []).append(row)
    windows = [
        FetchWindow(symbol=symbol, start=None, end=end, rows=len(own), first=date(2024, 9, 2), last=end)
        for symbol, own in by_symbol.items()
    ]
    fetched_at = datetime(2025, 3, 8, tzinfo=UTC) + timedelta(minutes=next(_runs))
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[dataset])
    land(settings.store, BatchKey(dataset, "hk", 1, f"run{next(_runs)}", 1), Extract(table, fetched_at), windows)
    run = new_run(settings)
    if dataset is not Dataset.PRICES:
        land_prices(settings, series("1810.HK", 50.0))  # a build without any price does not begin
    build.load(settings, run)
    try:
        build.check_raw(settings, run)
    except TitansError as error:
        assert "is quarantined" in str(error) or "are quarantined" in str(error)  # noqa: PT017  # whether it stops is another test's question
    (step,) = [step for step in run.steps() if step.step == "check_raw"]
    run.finish(end.isoformat())
    assert isinstance(step.facts, CheckRawFacts)
    quarantined = {unit.symbol: unit.reasons for unit in step.facts.quarantined}
    return quarantined, {check.name: check.status for check in step.checks}


def test_what_was_kept_out_stays_out_of_a_rebuilt_warehouse(settings: Settings) -> None:
    """A delivery in minor units between two good ones: the last good one hides it from a gate that judges all at once.

    The warehouse that is rebuilt holds the same versions and verdicts.
    """
    good = series() + series("9988.HK", 80.0) + series("1810.HK", 50.0)
    bad = [
        {**row, **{field: row[field] / 100 for field in ("open", "high", "low", "close")}}
        if (row["symbol"], row["date"]) == ("0700.HK", LAST)
        else row
        for row in good
    ]
    for rows, kept_out in ((good, []), (bad, ["0700.HK"]), (good, [])):
        assert list(judge(settings, rows)[0]) == kept_out

    def contents() -> list[list[tuple[Any, ...]]]:
        return [
            ask_warehouse(settings, "select * exclude (loaded_at) from raw.prices order by all"),
            ask_warehouse(settings, "select * exclude (decided_at) from raw.current_verdicts order by all"),
        ]

    before = contents()
    settings.store.warehouse.unlink()
    run = new_run(settings)
    build.load(settings, run)
    build.check_raw(settings, run)
    assert contents() == before


def test_healthy_series_pass_every_check(settings: Settings) -> None:
    quarantined, statuses = judge(settings, series() + series("9988.HK", 80.0))
    assert quarantined == {}
    # The days are real; half-days have volume here, so nothing warns.
    assert set(statuses.values()) == {"passed"}


def test_last_session_missing(settings: Settings) -> None:
    quarantined, _ = judge(settings, series()[:-1])
    assert quarantined == {"0700.HK": ["last_session_present: no price for the last session, 2025-03-07"]}


def test_three_percent_of_the_sessions_missing(settings: Settings) -> None:
    rows = series()
    quarantined, _ = judge(settings, [row for number, row in enumerate(rows) if number not in (20, 40, 60, 80)])
    assert quarantined["0700.HK"][0].startswith("sessions_complete: 4 of ")


def test_one_missing_session_warns_only(settings: Settings) -> None:
    rows = series()
    quarantined, statuses = judge(settings, rows[:50] + rows[51:])
    assert quarantined == {}
    assert statuses["no_missing_session"] == "warning"


def test_price_in_minor_units(settings: Settings) -> None:
    rows = series()
    rows[-1] = {**rows[-1], **{field: rows[-1][field] / 100 for field in ("open", "high", "low", "close")}}
    quarantined, _ = judge(settings, rows)
    assert quarantined["0700.HK"][0].startswith("no_jump_without_action: close ")


def test_split_in_events_and_not_in_prices(settings: Settings) -> None:
    rows = series()
    for row in rows[60:]:
        row.update({field: row[field] / 4 for field in ("open", "high", "low", "close")})
    rows[60]["split_ratio"] = 4.0
    quarantined, _ = judge(settings, rows)
    assert any(
        reason.startswith(f"prices_on_one_basis: the price moves with the split of {rows[60]['date']}")
        for reason in quarantined["0700.HK"]
    )


def test_split_in_events_and_prices_passes(settings: Settings) -> None:
    rows = series()
    rows[60]["split_ratio"] = 4.0
    assert judge(settings, rows)[0] == {}


def with_corrections(settings: Settings, project: Path, *rows: str) -> Settings:
    """The store with other corrections in its seeds: ``symbol,date,field,value``."""
    seed = project / "seeds" / "vendor_corrections.csv"
    header = seed.read_text().splitlines()[0]
    seed.write_text("\n".join([header, *(f"{row},,2025-03-07,the vendor has it wrong,me" for row in rows)]) + "\n")
    return settings.model_copy(update={"dbt_project_dir": project})


def test_a_corrected_close_is_judged_and_not_the_vendors(settings: Settings, project_copy: Path) -> None:
    """The row in minor units is kept out; the same row delivered again, with the close corrected, is let in."""
    rows = series()
    right = rows[-1]["close"]
    rows[-1] = {**rows[-1], **{field: rows[-1][field] / 100 for field in ("open", "high", "low", "close")}}
    assert set(judge(settings, rows)[0]) == {"0700.HK"}
    assert judge(with_corrections(settings, project_copy, f"0700.HK,{LAST},close,{right}"), rows)[0] == {}


def test_a_correction_is_on_the_basis_of_its_own_day(settings: Settings, project_copy: Path) -> None:
    """Prices are adjusted for a later split of 4 for 1; the close as it traded on an earlier day is four times as high, and no jump."""
    rows = series()
    rows[60]["split_ratio"] = 4.0
    day, right = rows[30]["date"], 4 * rows[30]["close"]
    assert judge(with_corrections(settings, project_copy, f"0700.HK,{day},close,{right}"), rows)[0] == {}


def test_a_split_that_the_vendor_lacks_is_cured_by_a_correction(settings: Settings, project_copy: Path) -> None:
    """Two fetches: closes of 400 before the split, of 100 after it, and no word of the split; the first rows stand on the basis of their own fetch."""
    rows = series()
    before = [
        {**row, **{field: 4 * row[field] for field in ("open", "high", "low", "close")}, "basis_date": rows[59]["date"]}
        for row in rows[:60]
    ]
    assert judge(settings, before, end=rows[59]["date"])[0] == {}
    assert judge(settings, rows[60:])[0]["0700.HK"][0].startswith("no_jump_without_action: close ")
    corrected = with_corrections(settings, project_copy, f"0700.HK,{rows[60]['date']},split_ratio,4")
    assert judge(corrected, rows[60:])[0] == {}


def test_a_split_that_the_vendor_has_wrong_is_cured_by_a_correction(settings: Settings, project_copy: Path) -> None:
    """A ratio of 40 for a split of 4: closes of before, on their own basis, would be divided by 40."""
    rows = series()
    before = [
        {**row, **{field: 4 * row[field] for field in ("open", "high", "low", "close")}, "basis_date": rows[59]["date"]}
        for row in rows[:60]
    ]
    assert judge(settings, before, end=rows[59]["date"])[0] == {}
    rows[60]["split_ratio"] = 40.0
    assert "0700.HK" in judge(settings, rows[60:])[0]
    assert (
        judge(with_corrections(settings, project_copy, f"0700.HK,{rows[60]['date']},split_ratio,4"), rows[60:])[0] == {}
    )


def test_one_series_under_two_names(settings: Settings) -> None:
    quarantined, _ = judge(
        settings, series() + [{**row, "symbol": "9988.HK"} for row in series()] + series("1810.HK", 50.0)
    )
    assert set(quarantined) == {"0700.HK", "9988.HK"}
    assert quarantined["9988.HK"][0].startswith("series_is_its_own: same closes as 0700.HK on ")


def test_flat_tail_without_volume(settings: Settings) -> None:
    rows = series()
    flat = rows[-7]["close"]
    for row in rows[-6:]:
        row.update(open=flat, high=flat, low=flat, close=flat, volume=0)
    assert judge(settings, rows)[0]["0700.HK"][0].startswith("not_stale: ")


def test_flat_half_day_warns_only(settings: Settings) -> None:
    rows = series()
    (half_day,) = [row for row in rows if row["date"] == date(2024, 12, 31)]
    half_day.update(open=half_day["close"], high=half_day["close"], low=half_day["close"], volume=0)
    quarantined, statuses = judge(settings, rows)
    assert quarantined == {}
    assert statuses["no_flat_half_day"] == "warning"


def estimate(period_end: date, **values: Any) -> Row:
    return {
        "symbol": "0700.HK", "as_of": LAST, "metric": "eps", "period_type": "annual", "period_end": period_end, "mean": 25.0,
        "analyst_count": 9, "currency": "CNY", "basis_date": LAST,
    } | values  # fmt: skip


def test_three_rejected_rows_of_four_do_not_cost_the_good_one(settings: Settings) -> None:
    bad = [estimate(date(2027 + number, 12, 31), currency=None) for number in range(3)]
    quarantined, statuses = judge(settings, [estimate(date(2025, 12, 31)), *bad], Dataset.ESTIMATES)
    assert quarantined == {}
    assert statuses["no_rejected_row"] == "warning"
    assert ask_warehouse(settings, "select period_end, mean from raw.estimates") == [(date(2025, 12, 31), 25.0)]


def test_bad_bars_in_a_window_of_a_known_symbol_do_not_cost_the_others(settings: Settings) -> None:
    judge(settings, series())
    window = series()[-4:]
    for row in window[:3]:
        row["high"] = row["low"] / 2
    window[3]["close"] = window[3]["open"] = window[3]["close"] * 1.001
    quarantined, _ = judge(settings, window)
    assert quarantined == {}
    assert ask_warehouse(settings, f"select count(*) from raw.prices where date = '{LAST}'") == [(2,)]


def test_a_unit_without_a_usable_row(settings: Settings) -> None:
    judge(settings, series())
    same = {**series()[-1], "currency": "CNY"}
    quarantined, _ = judge(settings, [{**row, "currency": "CNY"} for row in series()[-4:]] + [same])
    assert quarantined == {"0700.HK": ["some_row_usable: all 5 rows rejected"]}


def test_no_usable_row(settings: Settings) -> None:
    quarantined, _ = judge(settings, [{**row, "close": None} for row in series()] + series("9988.HK", 80.0))
    assert any(reason.startswith("prices_not_empty: no usable row among ") for reason in quarantined["0700.HK"])


def rates(last: float = 7.77, until: date = LAST) -> list[Row]:
    return [
        {"base_currency": "USD", "quote_currency": "HKD", "date": day, "rate": last if day == LAST else 7.77}
        for day in sessions()
        if day <= until
    ]


def test_exchange_rate_that_jumps(settings: Settings) -> None:
    assert judge(settings, rates(last=0.777), Dataset.FX_RATES)[0]["USDHKD"][0].startswith(
        "fx_no_jump: rate 7.77 to 0.777"
    )


def test_exchange_rate_that_stopped(settings: Settings) -> None:
    assert judge(settings, rates(until=date(2025, 2, 20)), Dataset.FX_RATES)[0]["USDHKD"][0].startswith(
        "fx_present: last rate 2025-02-20"
    )


def test_share_count_of_one_class_only(settings: Settings) -> None:
    rows = [
        {"symbol": "GOOGL", "as_of": day, "shares_outstanding": shares, "basis_date": LAST}
        for day, shares in ((date(2024, 12, 31), 12.128e9), (LAST, 5.497e9))
    ]
    assert judge(settings, rows, Dataset.SHARES)[0]["GOOGL"][0].startswith("shares_no_jump: ")


def test_share_counts_on_both_sides_of_a_split_are_no_jump(settings: Settings) -> None:
    """400 on the basis of before a split of 4 for 1, 1,600 after it; and 400 after it are too few."""
    split_day = sessions()[60]
    prices = series()
    prices[60]["split_ratio"] = 4.0
    judge(settings, prices)

    def counts(later: float) -> list[Row]:
        days = ((sessions()[50], 400e6, sessions()[50]), (LAST, later, LAST))
        return [
            {"symbol": "0700.HK", "as_of": day, "shares_outstanding": shares, "basis_date": basis}
            for day, shares, basis in days
        ]

    assert split_day <= LAST
    assert judge(settings, counts(1600e6), Dataset.SHARES)[0] == {}
    assert judge(settings, counts(400e6), Dataset.SHARES)[0]["0700.HK"][0].startswith("shares_no_jump: ")


def test_a_good_delivery_heals_a_quarantined_unit(settings: Settings) -> None:
    rows = series()
    assert set(judge(settings, rows[:-1])[0]) == {"0700.HK"}
    judge(settings, rows)
    usable = ask_warehouse(
        settings,
        "select count(*) from raw.prices where (batch_id, symbol) in (select (batch_id, symbol) from raw.current_verdicts where verdict = 'accepted')",
    )
    assert usable == [(len(rows),)], "rows of a quarantined unit are stored again with the unit that heals it"


def test_a_check_that_cannot_run_stops_the_build(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(raw_gate.CHECKS, tmp_path / "checks")
    (folder / "broken.sql").write_text(
        "-- severity: warning\n-- table: quality.pending_units\n-- why: To see it fail.\n\n"
        "select no_such_column from quality.pending_units\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(raw_gate, "CHECKS", folder)
    with pytest.raises(TitansError, match=r"broken \(could not run: .*no_such_column"):
        judge_raising(settings, series())


def judge_raising(settings: Settings, rows: list[Row]) -> None:
    land_prices(settings, rows)
    run = new_run(settings)
    build.load(settings, run)
    build.check_raw(settings, run)


def land_prices(settings: Settings, rows: list[Row]) -> None:
    window = FetchWindow(
        symbol=rows[0]["symbol"], start=None, end=LAST, rows=len(rows), first=date(2024, 9, 2), last=LAST
    )
    extract = Extract(pa.Table.from_pylist(rows, schema=SCHEMAS[Dataset.PRICES]), datetime(2025, 3, 8, tzinfo=UTC))
    land(settings.store, BatchKey(Dataset.PRICES, "hk", 1, f"run{next(_runs)}", 1), extract, [window])


def bills(factor: float = 1.0) -> list[Row]:
    """Discounts of bills: next to nothing, then up to 4%, by half a basis point to three a day."""
    return [
        {"currency": "USD", "tenor": "13w", "date": day, "rate": factor * 0.0003 * number, "quote_basis": "discount"}
        for number, day in enumerate(sessions())
    ]


def test_risk_free_rates(settings: Settings) -> None:
    """One rate in per cent costs itself; a series in per cent costs its currency, also the rates that look like fractions."""
    good = bills()
    quarantined, statuses = judge(settings, [*good[:-1], {**good[-1], "rate": 4.3}], Dataset.RISK_FREE)
    assert quarantined == {}
    assert [name for name in statuses if statuses[name] == "warning" and name.startswith("risk_free")] == []
    quarantined, _ = judge(settings, bills(100.0), Dataset.RISK_FREE)
    (reasons,) = quarantined.values()
    usable, jump, half = reasons
    assert usable.startswith(
        "risk_free_mostly_usable: 91 of 125 rows rejected, such as 2025-03-07 (rate is not a fraction"
    )
    assert jump.startswith("risk_free_no_jump: rate 0.99 to 0.01")
    assert half.startswith("risk_free_plausible: half of the rates are ")
    # Told again, the rejected rows are on record already.
    quarantined, _ = judge(settings, bills(100.0), Dataset.RISK_FREE)
    assert any(reason.startswith("risk_free_mostly_usable") for reason in quarantined["USD"])


def test_low_rates_in_per_cent(settings: Settings) -> None:
    """Three-month rates of Hong Kong dollars fell from 0.26% to 0.14% in 2021; as quoted they look like 26% to 14%.

    Rates that are as high in truth are released once, and go on.
    """
    quoted: list[Row] = [
        {"currency": "HKD", "tenor": "3m", "date": day, "rate": 0.26 - 0.001 * number, "quote_basis": "yield"}
        for number, day in enumerate(sessions())
    ]
    reason = "risk_free_plausible: half of the rates are 0.1985 or more: write 0.2% as 0.002"
    assert judge(settings, quoted[:-1], Dataset.RISK_FREE)[0] == {"HKD": [reason]}
    ((batch_id,),) = ask_warehouse(settings, "select batch_id from raw.current_verdicts where symbol = 'HKD'")
    record_release(settings.store, batch_id, "HKD", "they are that high")
    restated = [row | {"rate": row["rate"] + 0.001} for row in quoted]
    assert judge(settings, restated, Dataset.RISK_FREE)[0] == {}


def test_a_risk_free_series_that_ends_early_warns(settings: Settings) -> None:
    quarantined, statuses = judge(settings, bills()[:-7], Dataset.RISK_FREE)
    assert quarantined == {}
    assert statuses["risk_free_reaches_the_end"] == "warning"


class TestADeliveryThatTellsHistoryAnew:
    """What is accepted already is the yardstick: single days may be corrected, a whole series may not become another."""

    def test_each_session_with_the_close_of_the_one_before(self, settings: Settings) -> None:
        rows = series()
        assert judge(settings, rows)[0] == {}
        late = [rows[0]] + [{**row, **_prices_of(before)} for before, row in pairwise(rows)]
        # One move in eleven is none, so three of the thirty closes stay as they are.
        (reason,) = judge(settings, late[-30:])[0]["0700.HK"]
        assert reason.startswith("not_shifted: the closes of 27 of 27 restated sessions")

    def test_closes_lowered_for_a_dividend(self, settings: Settings) -> None:
        """A dividend of 6 on a close of 400 makes a factor of 1 - 6/400 = 0.985 for all days before, as in an adjusted close."""
        rows = series()
        assert judge(settings, rows)[0] == {}
        adjusted = [
            {**row, **{name: row[name] * 0.985 for name in ("open", "high", "low", "close")}} for row in rows[:-4]
        ] + rows[-4:]
        (reason,) = judge(settings, adjusted[-30:])[0]["0700.HK"]
        assert reason.startswith("history_not_rescaled: 26 restated sessions")
        assert reason.endswith("moved by a factor of 0.985")

    def test_four_days_told_anew_are_corrections(self, settings: Settings) -> None:
        rows = series()
        assert judge(settings, rows)[0] == {}
        corrected = rows[:-4] + [
            {**row, **{name: row[name] * 1.01 for name in ("open", "high", "low", "close")}} for row in rows[-4:]
        ]
        assert judge(settings, corrected[-30:])[0] == {}

    def test_a_history_restated_by_a_new_split_is_no_other_series(self, settings: Settings) -> None:
        rows = [{**row, "basis_date": sessions()[-6]} for row in series(days=sessions()[:-5])]
        assert judge(settings, rows, end=sessions()[-6])[0] == {}
        split = series()
        for row in split:
            row.update({name: row[name] / 4 for name in ("open", "high", "low", "close")})
        split[-3]["split_ratio"] = 4.0
        assert judge(settings, split[-30:])[0] == {}

    def test_a_new_split_that_leaves_the_closes_alone(self, settings: Settings) -> None:
        rows = series()
        assert judge(settings, rows)[0] == {}
        rows[-3] = {**rows[-3], "split_ratio": 4.0}
        (reason,) = judge(settings, rows[-30:])[0]["0700.HK"]
        assert reason.startswith(f"split_shows_in_prices: the split of {rows[-3]['date']} (ratio 4.0) is new")

    def test_a_split_that_moves_to_another_day_changes_no_close(self, settings: Settings) -> None:
        """The vendor corrects its day; the closes were of one basis before. One more split beside it would change them."""
        rows = series()
        rows[-4] = {**rows[-4], "split_ratio": 4.0}
        assert judge(settings, rows)[0] == {}
        moved = [*rows[:-4], {**rows[-4], "split_ratio": 0.0}, {**rows[-3], "split_ratio": 4.0}, *rows[-2:]]
        assert judge(settings, moved[-30:])[0] == {}
        again = [*rows[:-4], {**rows[-4], "split_ratio": 4.0}, {**rows[-3], "split_ratio": 0.0}, *rows[-2:]]
        beside = [*again[:-6], {**again[-6], "split_ratio": 3.0}, *again[-5:]]
        (reason,) = judge(settings, beside[-30:])[0]["0700.HK"]
        assert reason.startswith(f"split_shows_in_prices: the split of {rows[-6]['date']} (ratio 3.0) is new")
        more = [*moved[:-6], {**moved[-6], "split_ratio": 3.0}, *moved[-5:]]
        (reason,) = judge(settings, more[-30:])[0]["0700.HK"]
        assert reason.startswith(f"split_shows_in_prices: the split of {rows[-6]['date']} (ratio 3.0) is new")

    def test_rates_upside_down(self, settings: Settings) -> None:
        rows = [{"base_currency": "USD", "quote_currency": "HKD", "date": day, "rate": 7.8} for day in sessions()]
        assert judge(settings, rows, Dataset.FX_RATES)[0] == {}
        turned = [{**row, "rate": 1 / 7.8} for row in rows]
        reasons = judge(settings, turned, Dataset.FX_RATES)[0]["USDHKD"]
        assert any(reason.startswith(f"fx_restated_little: {len(rows)} rates restated") for reason in reasons)


@pytest.mark.parametrize(("factor", "is_told"), [(8.0, True), (1 / 8, True), (2.9, False), (-8.0, False)])
def test_estimates_of_a_receipt_of_eight_shares(settings: Settings, factor: float, is_told: bool) -> None:
    """Alibaba's receipt is eight ordinary shares; a profit that becomes a loss is news, and no other unit."""
    snapshots = [
        {
            "symbol": "9988.HK", "as_of": day, "metric": "eps", "period_type": "annual", "period_end": date(2025, 3, 31), "period_label": "0y",
            "mean": mean, "currency": "CNY", "basis_date": LAST,
        }
        for day, mean in ((date(2025, 2, 24), 8.1), (date(2025, 3, 3), 8.1 * factor))
    ]  # fmt: skip
    assert judge(settings, snapshots[:1], Dataset.ESTIMATES)[0] == {}
    quarantined, statuses = judge(settings, snapshots[1:], Dataset.ESTIMATES)
    assert quarantined == {}
    assert statuses["estimates_no_jump"] == ("warning" if is_told else "passed")


def test_estimates_that_change_their_currency_warn_only(settings: Settings) -> None:
    snapshots = [
        {
            "symbol": "9988.HK", "as_of": day, "metric": "eps", "period_type": "annual", "period_end": date(2025, 3, 31), "period_label": "0y",
            "mean": 8.1, "currency": currency, "basis_date": LAST,
        }
        for day, currency in ((date(2025, 2, 24), "CNY"), (date(2025, 3, 3), "USD"))
    ]  # fmt: skip
    quarantined, statuses = judge(settings, snapshots, Dataset.ESTIMATES)
    assert quarantined == {}
    assert statuses["estimates_currency_steady"] == "warning"


def _prices_of(row: Row) -> Row:
    return {name: row[name] for name in ("open", "high", "low", "close")}

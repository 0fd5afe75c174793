"""From a run, of whatever kind, to the day that it is about."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from include.errors import TitansError
from include.ingest.as_of import RunFacts, resolve_as_of
from include.landing.index import LandingIndex
from include.settings import Settings, load_settings
from tests.dags.dag_runs import Request, Result, execute

HK, NY, BERLIN = "Asia/Hong_Kong", "America/New_York", "Europe/Berlin"
NOW = datetime(2025, 3, 7, 12, 0, tzinfo=UTC)
LAST_SUNDAY = datetime(2025, 3, 2, 12, 0, tzinfo=UTC)


def at(text: str, zone: str) -> datetime:
    """A moment as a clock on the wall of ``zone`` shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("slot", "zone", "expected"),
    [
        (at("2025-03-06 17:30", HK), HK, date(2025, 3, 6)),
        (at("2025-03-06 18:00", NY), NY, date(2025, 3, 6)),  # 23:00 UTC
        (at("2025-07-03 18:00", NY), NY, date(2025, 7, 3)),  # 22:00 UTC, summer time
        (at("2024-12-31 18:00", NY), NY, date(2024, 12, 31)),  # 07:00 of the next year in Hong Kong
        (at("2025-03-06 17:30", BERLIN), BERLIN, date(2025, 3, 6)),
    ],
)
def test_scheduled_run_is_about_the_day_of_its_slot_at_the_exchange(slot: datetime, zone: str, expected: date) -> None:
    slot = slot.astimezone(UTC)
    late = datetime(2026, 1, 1, tzinfo=UTC)
    assert resolve_as_of(RunFacts(run_after=slot, logical_date=slot, data_interval_end=slot), zone, late) == expected


def test_scheduled_run_that_starts_late_is_still_about_its_own_day() -> None:
    facts = RunFacts(
        run_after=at("2025-03-03 17:30", HK),
        logical_date=at("2025-03-03 17:30", HK),
        data_interval_end=at("2025-03-03 17:30", HK),
    )
    assert resolve_as_of(facts, HK, NOW) == date(2025, 3, 3)


def test_backfill_run_is_about_its_slot_and_not_about_the_day_that_it_runs_on() -> None:
    slot = at("2024-06-28 18:00", NY)
    assert resolve_as_of(RunFacts(run_after=LAST_SUNDAY, logical_date=slot, data_interval_end=slot), NY, NOW) == date(
        2024, 6, 28
    )


def test_morning_in_hong_kong_is_the_previous_day_in_new_york() -> None:
    morning = at("2025-03-07 08:00", HK)
    facts = RunFacts(run_after=morning)
    assert (resolve_as_of(facts, HK, NOW), resolve_as_of(facts, NY, NOW)) == (date(2025, 3, 7), date(2025, 3, 6))


def test_evening_in_new_york_is_the_next_day_in_hong_kong() -> None:
    evening = at("2025-03-06 20:00", NY)
    facts = RunFacts(run_after=evening)
    assert (resolve_as_of(facts, HK, NOW), resolve_as_of(facts, NY, NOW)) == (date(2025, 3, 7), date(2025, 3, 6))


def test_manual_run_without_a_date_is_about_today() -> None:
    assert resolve_as_of(RunFacts(run_after=NOW), HK, NOW) == date(2025, 3, 7)


def test_manual_run_with_a_logical_date_is_about_that() -> None:
    moment = at("2025-03-04 09:00", HK)
    assert resolve_as_of(RunFacts(run_after=NOW, logical_date=moment, data_interval_end=moment), HK, NOW) == date(
        2025, 3, 4
    )


def test_run_planned_for_the_future_is_about_today() -> None:
    later = datetime(2025, 3, 9, 12, tzinfo=UTC)
    assert resolve_as_of(RunFacts(run_after=later, logical_date=later, data_interval_end=later), "UTC", NOW) == date(
        2025, 3, 7
    )


def test_run_started_by_assets_takes_the_latest_of_their_dates() -> None:
    facts = RunFacts(run_after=NOW, event_as_ofs=["2025-03-05", "2025-03-06", "2024-12-31"])
    assert resolve_as_of(facts, "UTC", NOW) == date(2025, 3, 6)


def test_requested_date_wins_over_everything() -> None:
    facts = RunFacts(
        run_after=NOW, requested="2025-02-28", logical_date=NOW, data_interval_end=NOW, event_as_ofs=["2025-03-06"]
    )
    assert resolve_as_of(facts, HK, NOW) == date(2025, 2, 28)


def test_requested_date_may_be_today_where_today_begins_first() -> None:
    now = at("2025-03-08 00:30", HK)
    assert resolve_as_of(RunFacts(run_after=now, requested="2025-03-08"), NY, now) == date(2025, 3, 8)


@pytest.mark.parametrize("value", ["2025-02-30", "yesterday", "07.03.2025"])
def test_malformed_requested_date_is_refused(value: str) -> None:
    with pytest.raises(TitansError, match=rf"^AS_OF={value} is not a date: write it as 2025-03-07\.$"):
        resolve_as_of(RunFacts(run_after=NOW, requested=value), HK, NOW)


def test_future_requested_date_is_refused() -> None:
    with pytest.raises(
        TitansError, match=r"^AS_OF=2025-03-08 is in the future: give a date up to today, 2025-03-07\.$"
    ):
        resolve_as_of(RunFacts(run_after=NOW, requested="2025-03-08"), HK, NOW)


# Below, real DAG runs on the sample.

SCHEDULED = Request("ingest_prices_hk", run_type="scheduled", logical_date="2025-03-06T09:30:00+00:00")
ACROSS_THE_DATE_LINE = Request(
    "ingest_prices_us", run_type="scheduled", logical_date="2025-03-07T00:30:00+00:00", conf={"symbols": ["AAPL"]}
)
HOLIDAY = Request("ingest_prices_hk", run_type="scheduled", logical_date="2025-01-29T09:30:00+00:00")  # Lunar New Year
BACKFILL = Request(
    "ingest_prices_hk", run_type="backfill", logical_date="2025-03-04T09:30:00+00:00", conf={"symbols": ["0700.HK"]}
)
BACKFILL_HOLIDAY = Request("ingest_prices_hk", run_type="backfill", logical_date="2025-01-30T09:30:00+00:00")
MANUAL = Request("ingest_prices_hk", logical_date="2025-03-05T01:00:00+00:00", conf={"symbols": ["0700.HK"]})
MANUAL_HOLIDAY = Request("ingest_prices_hk", conf={"as_of": "2025-01-29", "symbols": ["0700.HK"]})
FUTURE = Request("ingest_prices_hk", conf={"as_of": "2999-01-01"})
WINDOW = Request(
    "ingest_prices_hk",
    conf={"as_of": "2025-03-07", "start": "2025-02-03", "end": "2025-02-14", "symbols": ["0700.HK", "9988.HK"]},
)
FUTURE_BUILD = Request("build_marts", conf={"as_of": "2999-01-01"})
ALL = [
    SCHEDULED,
    ACROSS_THE_DATE_LINE,
    HOLIDAY,
    BACKFILL,
    BACKFILL_HOLIDAY,
    MANUAL,
    MANUAL_HOLIDAY,
    FUTURE,
    WINDOW,
    FUTURE_BUILD,
]

Runs = dict[int, Result]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=str(tmp_path_factory.mktemp("as_of")))


@pytest.fixture(scope="module")
def runs(store: Settings) -> Runs:
    return dict(enumerate(execute(store, *ALL)))


def result_of(runs: Runs, request: Request) -> Result:
    return runs[ALL.index(request)]


def windows_of(store: Settings, result: Result) -> dict[str, tuple[date | None, date]]:
    """What the landing files of a run were asked for."""
    name = f"{result.record.dag_id}.{result.record.run_id}".replace(":", "-").replace("+", "-")
    return {
        window.symbol: (window.start, window.end)
        for _, manifest in LandingIndex(store.store).batches()
        if manifest.run_id == name
        for window in manifest.windows
    }


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(SCHEDULED, "2025-03-06", id="scheduled"),
        pytest.param(ACROSS_THE_DATE_LINE, "2025-03-06", id="scheduled, next day in UTC"),
        pytest.param(BACKFILL, "2025-03-04", id="backfill"),
        pytest.param(MANUAL, "2025-03-05", id="manual with logical date"),
        pytest.param(MANUAL_HOLIDAY, "2025-01-29", id="manual with as_of"),
        pytest.param(WINDOW, "2025-03-07", id="manual with window"),
    ],
)
def test_dag_run_is_about(runs: Runs, request_: Request, expected: str) -> None:
    result = result_of(runs, request_)
    assert (result.state, result.record.outcome) == ("success", "success")
    assert (result.run_type, result.record.as_of) == (request_.run_type, expected)


def test_scheduled_run_fetches_up_to_its_day(runs: Runs, store: Settings) -> None:
    windows = windows_of(store, result_of(runs, SCHEDULED))
    assert len(windows) == 8
    assert {end for _, end in windows.values()} == {date(2025, 3, 6)}


@pytest.mark.parametrize(
    "request_", [pytest.param(HOLIDAY, id="scheduled"), pytest.param(BACKFILL_HOLIDAY, id="backfill")]
)
def test_run_of_the_timetable_on_a_holiday_is_skipped_and_lands_nothing(
    runs: Runs, store: Settings, request_: Request
) -> None:
    result = result_of(runs, request_)
    assert {name: task.state for name, task in result.tasks.items()} == {
        "plan_batches": "success",
        "fetch_batch": "skipped",
        "land": "skipped",
    }
    assert (result.state, result.record.outcome) == ("success", "skipped")
    plan = result.record.step("plan")
    assert plan is not None
    assert plan.message == f"{result.record.as_of} is no session of hk"
    assert windows_of(store, result) == {}


def test_manual_run_on_a_holiday_fetches_up_to_the_last_session_before(runs: Runs, store: Settings) -> None:
    assert {symbol: end for symbol, (_, end) in windows_of(store, result_of(runs, MANUAL_HOLIDAY)).items()} == {
        "0700.HK": date(2025, 1, 28)
    }


def test_backfill_in_one_trigger_fetches_exactly_the_window(runs: Runs, store: Settings) -> None:
    window = (date(2025, 2, 3), date(2025, 2, 14))
    assert windows_of(store, result_of(runs, WINDOW)) == {"0700.HK": window, "9988.HK": window}


def test_future_date_makes_a_red_run_that_says_why(runs: Runs, store: Settings) -> None:
    result = result_of(runs, FUTURE)
    assert result.state == "failed"
    assert "AS_OF=2999-01-01 is in the future: give a date up to today" in str(result.record.step("plan"))
    assert windows_of(store, result) == {}


def test_build_for_a_future_date_is_red_before_it_writes(runs: Runs, store: Settings) -> None:
    result = result_of(runs, FUTURE_BUILD)
    assert (result.state, [step.step for step in result.record.steps]) == ("failed", ["as_of"])
    assert "AS_OF=2999-01-01 is in the future" in result.record.steps[0].message
    assert not store.store.warehouse.exists()


def test_logs_of_tasks_are_where_the_ui_looks(runs: Runs) -> None:
    logs = result_of(runs, FUTURE).logs
    assert sorted(logs) == ["task_id=land/attempt=1.log", "task_id=plan_batches/attempt=1.log"]
    assert "AS_OF=2999-01-01 is in the future" in logs["task_id=plan_batches/attempt=1.log"]


def test_mapped_tasks_have_names(runs: Runs) -> None:
    assert result_of(runs, WINDOW).tasks["fetch_batch[0]"].label == "prices hk 1: 2 symbols from 2025-02-03"

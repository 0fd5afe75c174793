"""``make status`` for a person and for a script: ten lines, and 1 where somebody must act."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.errors import Runbook, TitansError
from include.gates.result import CheckResult
from include.publishing.generations import Hold
from include.runs.facts import LoadFacts, PublishFacts, Restated
from include.runs.records import Run, RunRecord
from include.seeds.schedules import INGEST_FX, Schedule
from include.settings import PROJECT_ROOT, Settings, load_settings
from tests.published_folder import add_generation
from titans.__main__ import app
from titans.commands.status import is_red, status_lines

NOW = datetime(2025, 3, 7, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path))


def record(
    settings: Settings, dag_id: str = "build_marts", error: TitansError | None = None, ended_at: datetime = NOW
) -> RunRecord:
    """A run that ended at ``ended_at``, with ``error`` in its only step."""
    run = Run(settings.store, dag_id, f"run {ended_at}")
    with contextlib.suppress(TitansError), run.step("publish" if dag_id == "build_marts" else "land") as step:
        step.facts = PublishFacts(restated=Restated(rows=2, largest=["1810.HK close of 2025-03-06 from 54.35 to 54.3"]))
        step.checks = [
            CheckResult(
                gate="check_marts", name="symbols_not_behind", table="ops.freshness", severity="warning", status="warning", why="why",
                failing_rows=1, examples=[{"symbol": "TSM", "last_date": "2025-03-05", "sessions_behind": 2}],
            )
        ]  # fmt: skip
        if error:
            raise error
    finished = run.finish("2025-03-07").model_copy(update={"ended_at": ended_at})
    (settings.store.runs / f"{run.name}.json").write_text(finished.model_dump_json())
    return finished


def lines(settings: Settings, now: datetime = NOW) -> dict[str, str]:
    return dict(status_lines(settings, now))


def test_nothing_published_yet_is_not_red(settings: Settings) -> None:
    assert "make run" in lines(settings)["Published"]
    assert not is_red(settings, NOW)


def test_a_green_build_shows_what_is_late_and_restated(settings: Settings) -> None:
    record(settings)
    shown = lines(settings)
    assert shown["Build"] == "sample success just now"
    assert shown["Late"] == f"TSM since 2025-03-05 -> {Runbook.LATE_DATA.path}"
    assert (
        shown["Restated"]
        == "2 values that a vendor changed later, those that move a basket most: 1810.HK close of 2025-03-06 from 54.35 to 54.3"
    )
    assert not is_red(settings, NOW)


def test_a_generation_without_a_report_says_so_and_why(settings: Settings) -> None:
    generation = add_generation(settings.published, NOW)
    assert lines(settings)["Report"] == (
        f"none of the published generation. make report DATA={settings.data_dir} makes it"
    )
    run = Run(settings.store, "build_marts", "one")
    with run.step("publish") as step:
        step.facts = PublishFacts(generation=generation, report_problem="No space left on device")
    run.finish("2025-03-07")
    assert lines(settings)["Report"].startswith(
        "none of the published generation: No space left on device. make report"
    )
    folder = settings.published.report_of(generation)
    folder.mkdir()
    (folder / "index.html").touch()
    assert "Report" not in lines(settings)


def test_a_release_without_effect_is_named(settings: Settings) -> None:
    run = Run(settings.store, "build_marts", "one")
    with run.step("load") as step:
        step.facts = LoadFacts(releases_without_effect=["TSM of prices-us-001"])
    run.finish("2025-03-07")
    assert lines(settings)["Released"] == (
        f"without effect, for its landing file is gone: TSM of prices-us-001 -> {Runbook.GATE_1_QUARANTINE.path}"
    )


def test_a_red_build_names_its_page_until_the_next_green_one(settings: Settings) -> None:
    record(settings, error=TitansError("no space left"), ended_at=NOW - timedelta(hours=1))
    assert (
        lines(settings)["Build"]
        == f"sample failed 60 minutes ago, stopped at publish: no space left -> {Runbook.PUBLISH_FAILED.path}"
    )
    assert is_red(settings, NOW)
    record(settings)
    assert not is_red(settings, NOW)


def test_a_red_ingest_run_is_red_while_the_build_is_green(settings: Settings) -> None:
    record(settings)
    record(settings, "ingest_fx", TitansError("429"))
    assert lines(settings)["Ingest"] == f"sample ingest_fx failed just now. 429 -> {Runbook.EXTRACTION_FAILED.path}"
    assert is_red(settings, NOW)


def test_red_of_any_store_counts(settings: Settings) -> None:
    record(settings)
    record(settings.model_copy(update={"source": "files"}), error=TitansError("broken"))
    assert is_red(settings, NOW)


def test_held_link_and_killed_run_name_their_pages(settings: Settings) -> None:
    settings.published.folder.mkdir(parents=True)
    (settings.published.folder / "hold.json").write_text(
        Hold(generation="20250307T000000.000000Z-nogit", since=NOW).model_dump_json()
    )
    with Run(settings.store, "build_marts", "killed").step("load"):
        pass
    shown = lines(settings)
    assert shown["Held"].endswith(Runbook.HELD_LINK.path)
    assert "build_marts.killed" in shown["Unfinished"]
    assert shown["Unfinished"].endswith(Runbook.KILLED_RUN.path)


def test_a_run_that_ended_in_the_future_hides_no_failure(settings: Settings) -> None:
    """The clock was ahead: status said success until that day."""
    ahead = record(settings, ended_at=NOW + timedelta(days=3000))
    record(settings, error=TitansError("no space left"))
    shown = lines(settings)
    assert shown["Build"] == "sample success in the future, by this clock"
    path = settings.store.runs / f"{Run(settings.store, 'build_marts', ahead.run_id).name}.json"
    assert shown["Clock"].startswith(f"{path} ended in the future")
    assert is_red(settings, NOW)
    path.unlink()
    assert "Clock" not in lines(settings)
    assert "no space left" in lines(settings)["Build"]


@pytest.mark.parametrize(("source", "expected"), [("yahoo", True), ("sample", False), ("files", False)])
def test_only_a_live_source_can_be_late_by_the_clock(settings: Settings, source: str, expected: bool) -> None:
    """The last run was on Wednesday; the fixing of Thursday 17:30 in Berlin has passed."""
    store = settings.model_copy(update={"source": source})
    record(store, "ingest_fx", ended_at=datetime(2025, 3, 5, 17, tzinfo=UTC))
    assert is_red(store, NOW) is expected
    assert ("Overdue" in lines(store)) is expected


def test_a_slot_is_due_two_hours_after_it(settings: Settings) -> None:
    store = settings.model_copy(update={"source": "yahoo"})
    record(store, "ingest_fx", ended_at=datetime(2025, 3, 6, 17, tzinfo=UTC))
    slot = datetime(2025, 3, 7, 16, 30, tzinfo=UTC)
    assert not is_red(store, slot + timedelta(minutes=119))
    assert is_red(store, slot + timedelta(minutes=121))


@pytest.mark.parametrize(
    ("schedule", "now", "expected"),
    [
        (
            INGEST_FX,
            datetime(2025, 3, 7, 16, 31, tzinfo=UTC),
            datetime(2025, 3, 10, 16, 30, tzinfo=UTC),
        ),  # over a weekend
        (
            INGEST_FX,
            datetime(2025, 3, 28, 17, 0, tzinfo=UTC),
            datetime(2025, 3, 31, 15, 30, tzinfo=UTC),
        ),  # into summer time
        (
            Schedule("x", "0 18 * * 1-5", "America/New_York"),
            datetime(2025, 3, 7, 12, tzinfo=UTC),
            datetime(2025, 3, 7, 23, tzinfo=UTC),
        ),
        (
            Schedule("x", "30 17 * * 1-5", "Asia/Hong_Kong"),
            datetime(2025, 3, 7, 12, tzinfo=UTC),
            datetime(2025, 3, 10, 9, 30, tzinfo=UTC),
        ),
    ],
)
def test_next_slot_is_on_the_clock_of_its_zone(schedule: Schedule, now: datetime, expected: datetime) -> None:
    assert schedule.next_after(now) == expected


def test_next_runs_of_every_ingest_dag_are_told(settings: Settings) -> None:
    told = lines(settings)["Next"]
    assert told.startswith(
        "ingest_fx Fri 7 Mar 16:30 UTC; ingest_estimates Fri 7 Mar 22:00 UTC; ingest_prices_us Fri 7 Mar 23:00 UTC; "
    )
    assert "ingest_prices_hk Mon 10 Mar 09:30 UTC" in told


def test_status_works_while_the_seeds_do_not(settings: Settings, project_copy: Path) -> None:
    (project_copy / "seeds" / "exchanges.csv").write_text("nonsense\n")
    broken = settings.model_copy(update={"dbt_project_dir": project_copy})
    record(broken, error=TitansError("broken"))
    assert "cannot be read" in lines(broken)["Next"]
    assert is_red(broken, NOW)


def test_the_command_ends_with_1_where_something_is_red(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TITANS_DATA_DIR", str(settings.data_dir))
    record(settings)
    assert CliRunner().invoke(app, ["status"]).exit_code == 0
    record(settings, error=TitansError("broken"), ended_at=datetime.now(UTC))
    assert CliRunner().invoke(app, ["status"]).exit_code == 1


def test_every_page_that_status_can_name_exists(settings: Settings) -> None:
    assert [runbook for runbook in Runbook if not (PROJECT_ROOT / runbook.path).is_file()] == []


def test_what_cannot_be_read_is_named_and_hides_nothing_else(settings: Settings) -> None:
    record(settings, "ingest_fx", TitansError("429"))
    (settings.store.runs / "releases").mkdir()
    (settings.store.runs / "releases" / "one.json").write_text('{"batch_id"')
    whole = record(settings)
    (path,) = settings.store.runs.glob("build_marts*.json")
    path.write_bytes(whole.model_dump_json().encode().replace(b"success", b"\xff", 1))  # a byte that is no UTF-8
    generation = add_generation(settings.published, NOW)
    settings.published.manifest(generation).write_bytes(b"\xff")
    shown = lines(settings)
    assert shown["Damaged"].startswith(f"{path} and 1 more cannot be read")
    assert "429" in shown["Ingest"]
    assert f"{generation}, whose manifest" in shown["Published"]

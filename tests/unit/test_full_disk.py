"""Commands on a disk without room: a sentence, nothing lost, and what needs no room is done."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from include.publishing import generations
from include.publishing.rollback import roll_back
from include.raw.units import QuarantinedUnit
from include.runs.facts import CheckRawFacts
from include.runs.records import Run
from include.runs.releases import quarantined_units
from include.settings import Settings, load_settings
from tests.full_disk import no_room
from tests.published_folder import add_generation
from titans.__main__ import app
from titans.commands.backup import back_up

NOW = datetime(2025, 3, 8, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two generations, and a unit in quarantine whose landing file is there."""
    monkeypatch.setenv("TITANS_DATA_DIR", str(tmp_path / "data"))
    made = load_settings()
    for hours in (2, 1):
        add_generation(made.published, NOW - timedelta(hours=hours))
    run = Run(made.store, "build_marts", "one")
    with run.step("check_raw") as step:
        unit = QuarantinedUnit(batch_id="batch", dataset="shares", symbol="AAPL", reasons=["why"])
        step.facts = CheckRawFacts(quarantined=[unit])
    run.finish(None)
    path = made.store.landing_file("shares", "batch")
    path.parent.mkdir(parents=True)
    path.write_text("not read here")
    return made


def on_a_full_disk(*command: str) -> Result:
    with no_room():
        return CliRunner().invoke(app, list(command), env={"COLUMNS": "1000"})


@pytest.mark.parametrize(
    "command", [["rollback"], ["release", "--batch", "batch", "--reason", "meant to"], ["backup"], ["restore"]]
)
def test_what_needs_room_says_so_and_changes_nothing(settings: Settings, command: list[str]) -> None:
    if command == ["restore"]:
        command = ["restore", str(back_up(settings))]
        settings.store.landing_file("shares", "batch").unlink()
    before = (generations.linked_generation(settings.published), generations.hold(settings.published))
    done = on_a_full_disk(*command)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert re.search(r"Error: .*(File too large|left out)", done.output), done.output
    assert (generations.linked_generation(settings.published), generations.hold(settings.published)) == before
    assert [unit.symbol for unit in quarantined_units(settings.store)] == ["AAPL"]
    assert not list((settings.data_dir.parent / "backups").glob(".*"))


def test_what_needs_none_is_done(settings: Settings) -> None:
    newest = generations.names(settings.published)[-1]
    roll_back(settings.published, None)
    assert on_a_full_disk("status").exit_code == 0
    done = on_a_full_disk("publish")
    assert done.exit_code == 0, done.output
    assert generations.linked_generation(settings.published) == newest
    assert generations.hold(settings.published) is None

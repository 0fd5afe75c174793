"""A data folder remembers which source it serves, and real data are never swapped for simulated ones by accident."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.errors import Runbook, TitansError
from include.files import write_whole
from include.production import Production, SourceName, read_production, write_production
from include.publishing import generations, rollback, switch
from include.publishing.generations import Hold
from include.publishing.rollback import release_hold, roll_back
from include.runs.facts import PublishFacts
from include.runs.pins import pin_run, refuse_sample, settings_of_ended_run, settings_of_run
from include.runs.records import Run
from include.settings import load_settings, load_shared_settings, pin_source
from tests.published_folder import add_generation
from titans.__main__ import app
from titans.commands.status import is_red, status_lines

NOW = datetime(2025, 3, 8, 12, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TITANS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def publish(
    source: SourceName, files_dir: Path | None = None, *, is_switch: bool = False, minutes: int = 0, known: bool = True
) -> str:
    """What the publish step does with the link and the memory; ``known=False`` as it did before there was a memory."""
    published = load_shared_settings().published
    generation = add_generation(published, NOW + timedelta(minutes=minutes), source, is_linked=False)
    is_held = generations.hold(published) is not None
    if known:
        switch.refuse_simulated(published, source, is_switch)
        switch.remember(published, source, files_dir, generation, is_switch and not is_held)
    if not is_held:
        generations.move_link(published, generation)
    return generation


def served() -> tuple[str, Path | None]:
    settings = load_settings()
    return settings.source, settings.files_dir


def linked() -> str | None:
    return generations.linked_generation(load_shared_settings().published)


def test_a_new_folder_serves_the_sample(data: Path) -> None:
    assert served() == ("sample", None)
    publish("sample")
    assert served() == ("sample", None)
    assert not load_shared_settings().published.production.exists()


def test_the_first_real_source_is_remembered_with_its_folder(data: Path, tmp_path: Path) -> None:
    publish("sample")
    publish("files", tmp_path / "exports", minutes=1)
    assert served() == ("files", tmp_path / "exports")


def test_the_folder_of_the_last_export_is_remembered(data: Path, tmp_path: Path) -> None:
    publish("files", tmp_path / "march")
    publish("files", tmp_path / "april", minutes=1)
    assert served() == ("files", tmp_path / "april")


def test_an_explicit_source_wins(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("files", tmp_path / "exports")
    monkeypatch.setenv("TITANS_SOURCE", "yahoo")
    assert served() == ("yahoo", None)
    monkeypatch.setenv("TITANS_SOURCE", "files")
    assert served() == ("files", tmp_path / "exports")
    monkeypatch.setenv("TITANS_FILES_DIR", str(tmp_path / "other"))
    assert served() == ("files", tmp_path / "other")
    monkeypatch.delenv("TITANS_SOURCE")
    assert served() == ("files", tmp_path / "other")


def test_an_empty_source_counts_as_none(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docker-compose.yml passes it."""
    publish("files", tmp_path / "exports")
    monkeypatch.setenv("TITANS_SOURCE", "")
    assert load_settings().source == "files"


def test_another_real_source_does_not_become_the_folders_by_itself(data: Path, tmp_path: Path) -> None:
    publish("files", tmp_path / "exports")
    other = publish("yahoo", minutes=1)
    assert linked() == other
    assert served() == ("files", tmp_path / "exports")


@pytest.mark.parametrize("known", [True, False], ids=["remembered", "published before there was a memory"])
def test_the_sample_beside_a_real_source_is_refused_with_two_ways_on(data: Path, known: bool) -> None:
    before = publish("yahoo", known=known)
    with pytest.raises(
        TitansError, match=r"SOURCE=yahoo.*SOURCE=sample DATA=DIR.*SOURCE=sample SWITCH=yes.*rollback"
    ) as caught:
        publish("sample", minutes=1)
    assert caught.value.runbook is Runbook.OTHER_SOURCE
    assert linked() == before


def test_a_switch_moves_link_and_memory_and_rollback_undoes_both(data: Path, tmp_path: Path) -> None:
    before = publish("files", tmp_path / "exports")
    after = publish("sample", is_switch=True, minutes=1)
    assert (linked(), served()) == (after, ("sample", None))
    later = publish("sample", minutes=2)
    assert roll_back(load_settings().published, None) == (later, after)
    assert served() == ("sample", None), "one step back within the sample is no undoing"
    assert roll_back(load_settings().published, None) == (after, before)
    assert (linked(), served()) == (before, ("files", tmp_path / "exports"))
    assert release_hold(load_settings().published) == before
    with pytest.raises(TitansError, match="serves real data"):
        publish("sample", minutes=3)


def test_a_switch_back_to_a_generation_that_was_there_before(data: Path) -> None:
    """Nothing changed in the sample: the link goes to its old generation, which is older than the real one."""
    published = load_shared_settings().published
    old = publish("sample")
    real = publish("yahoo", minutes=1)
    switch.remember(published, "sample", None, old, may_switch=True)
    generations.move_link(published, old)
    assert load_settings().source == "sample"
    assert roll_back(published, None) == (old, real)
    assert load_settings().source == "yahoo"


def test_switches_are_undone_one_by_one(data: Path, tmp_path: Path) -> None:
    real = publish("files", tmp_path / "exports")
    simulated = publish("sample", is_switch=True, minutes=1)
    publish("yahoo", is_switch=True, minutes=2)
    assert served() == ("yahoo", None)
    assert roll_back(load_settings().published, None)[1] == simulated
    assert served() == ("sample", None)
    assert roll_back(load_settings().published, None)[1] == real
    assert served() == ("files", tmp_path / "exports")


def test_a_switch_is_undone_when_what_it_led_to_has_gone(data: Path) -> None:
    """After a few builds the first generation since the switch is no longer kept."""
    before = publish("yahoo")
    switched = publish("sample", is_switch=True, minutes=1)
    later = publish("sample", minutes=2)
    shutil.rmtree(load_settings().published.generations / switched)
    assert roll_back(load_settings().published, None) == (later, before)
    assert load_settings().source == "yahoo"


def test_a_real_source_that_publishes_after_a_switch_to_the_sample_is_served_again(data: Path) -> None:
    """A bare make run would have put the sample over the real data that people read."""
    publish("yahoo")
    publish("sample", is_switch=True, minutes=1)
    publish("yahoo", minutes=2)
    assert load_settings().source == "yahoo"
    with pytest.raises(TitansError, match="serves real data"):
        publish("sample", minutes=3)


def test_a_rollback_to_real_data_after_a_switch_serves_them_again(data: Path) -> None:
    other = publish("files")
    publish("yahoo", minutes=1)
    published = load_settings().published
    published.production.unlink()
    write_production(published.production, Production(source="sample", since=NOW))
    roll_back(published, other)
    assert load_settings().source == "files"


def test_a_rollback_that_was_broken_off_is_gone_on_with(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the link moves, it left the sample linked, and the next rollback was refused."""
    before = publish("yahoo")
    switched = publish("sample", is_switch=True, minutes=1)
    published = load_settings().published
    with monkeypatch.context() as patch:
        patch.setattr(rollback, "move_link", lambda *_: _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            roll_back(published, None)
    assert linked() == switched
    assert roll_back(published, None) == (switched, before)
    assert (linked(), load_settings().source) == (before, "yahoo")


def _raise(error: BaseException) -> None:
    raise error


def test_a_lost_link_does_not_make_room_for_the_sample(data: Path) -> None:
    publish("yahoo", known=False)
    load_shared_settings().published.current.unlink()
    with pytest.raises(TitansError, match="serves real data"):
        publish("sample", minutes=1)


def test_a_folder_within_the_data_folder_is_found_wherever_that_is_moved(data: Path, tmp_path: Path) -> None:
    publish("files", data / "exports" / "march")
    publish("sample", is_switch=True, minutes=1)
    data.rename(tmp_path / "moved")
    production = read_production(tmp_path / "moved" / "published" / "production.json")
    assert production is not None
    assert production.switch is not None
    assert production.switch.before.files_dir == tmp_path / "moved" / "exports" / "march"


def test_a_folder_of_the_data_folder_that_is_mounted_elsewhere_too_is_noted_from_it(data: Path, tmp_path: Path) -> None:
    """As docker-compose.yml mounts data/exports; a link stands in for the mount."""
    (data / "exports").mkdir(parents=True)
    (tmp_path / "files").symlink_to(data / "exports")
    publish("files", tmp_path / "files")
    assert served() == ("files", data / "exports")


def test_a_folder_that_is_not_on_this_machine_is_named_with_what_to_set(data: Path) -> None:
    publish("files", Path("/opt/titans/files"))
    result = CliRunner().invoke(app, ["run"], env={"COLUMNS": "1000"})
    assert result.exit_code == 1
    assert "remembers /opt/titans/files" in result.output
    assert "make run FILES=DIR" in result.output
    assert not (data / "airflow").exists()


def test_rollback_to_a_named_generation_of_the_source_before_a_switch_undoes_it(data: Path) -> None:
    first = publish("yahoo")
    publish("yahoo", minutes=1)
    publish("sample", is_switch=True, minutes=2)
    roll_back(load_settings().published, first)
    assert load_settings().source == "yahoo"


def test_a_switch_of_a_folder_older_than_the_memory_can_be_undone(data: Path) -> None:
    before = publish("yahoo", known=False)
    publish("sample", is_switch=True, minutes=1)
    roll_back(load_settings().published, None)
    assert (linked(), load_settings().source) == (before, "yahoo")


def test_the_end_of_a_rollback_to_simulated_data_leads_back_to_the_real_ones(data: Path) -> None:
    simulated = publish("sample")
    real = publish("yahoo", minutes=1)
    roll_back(load_settings().published, simulated)
    assert load_settings().source == "yahoo", "a rollback to the sample is no switch"
    assert release_hold(load_settings().published) == real


def test_a_manifest_that_cannot_be_read_does_not_make_room_for_the_sample(data: Path) -> None:
    publish("yahoo", known=False)
    linked_last = publish("yahoo", known=False, minutes=1)
    load_shared_settings().published.manifest(linked_last).write_bytes(b"\xff")
    with pytest.raises(TitansError, match="serves real data"):
        publish("sample", minutes=2)


def test_the_only_manifest_is_damaged(data: Path) -> None:
    """A real source that has landed beside it is a sign of real data; without one, the sample may replace itself."""
    only = publish("yahoo", known=False)
    load_shared_settings().published.manifest(only).write_bytes(b"\xff")
    switch.refuse_simulated(load_shared_settings().published, "sample", is_switch=False)
    (data / "yahoo" / "landing").mkdir(parents=True)
    with pytest.raises(TitansError, match="serves real data, of source yahoo"):
        switch.refuse_simulated(load_shared_settings().published, "sample", is_switch=False)


def test_a_held_link_keeps_link_and_memory_from_a_switch(data: Path) -> None:
    published = load_shared_settings().published
    held = publish("yahoo")
    write_whole(published.hold, Hold(generation=held, since=NOW).model_dump_json())
    publish("sample", is_switch=True, minutes=1)
    assert (linked(), load_settings().source) == (held, "yahoo")


@pytest.mark.parametrize("content", [b"", b"{", b'{"source": "sampel", "since": "2025-03-08T00:00:00Z"}', b"\xff\xfe"])
def test_a_memory_that_cannot_be_read_is_never_taken_for_absent(data: Path, content: bytes) -> None:
    before = publish("yahoo")
    path = load_shared_settings().published.production
    path.write_bytes(content)
    with pytest.raises(TitansError, match=r"production\.json.* cannot be read"):
        load_settings()
    for source in ("sample", "yahoo"):
        with pytest.raises(TitansError, match=r"production\.json.* cannot be read"):
            publish(source, minutes=1)
    settings = load_shared_settings()
    assert "production.json" in dict(status_lines(settings, NOW))["Damaged"]
    assert is_red(settings, NOW)
    assert linked() == before
    assert path.read_bytes() == content
    result = CliRunner().invoke(app, ["run"])
    assert (result.exit_code, "cannot be read" in result.output) == (1, True)
    assert not (data / "sample").exists()


def test_an_emptied_folder_does_not_make_room_for_the_sample(data: Path, tmp_path: Path) -> None:
    """rm -r data/published, which takes the memory along: a bare make run published the sample."""
    settings = load_settings(source="files", files_dir=str(tmp_path / "exports"))
    run = Run(settings.store, "build_marts", "one")
    pin_run(settings, run)
    with run.step("publish") as step:
        step.facts = PublishFacts(generation=publish("files", tmp_path / "exports"))
    run.finish("2025-03-07")
    shutil.rmtree(settings.published.folder)
    with pytest.raises(TitansError, match=rf"source files was published .*SOURCE=files FILES={tmp_path}.*SWITCH=yes"):
        settings_of_run("build_marts", "two")
    for allowed in (load_settings(switch="yes"), load_settings(known_at="2025-03-07"), settings):
        refuse_sample(allowed)
    publish("sample", minutes=1)
    refuse_sample(load_settings())


def test_a_real_source_that_never_published_leaves_room_for_the_sample(data: Path) -> None:
    settings = load_settings(source="yahoo")
    run = Run(settings.store, "build_marts", "one")
    with pytest.raises(TitansError), run.step("check_marts"):
        raise TitansError("a weight is negative")
    run.finish("2025-03-07")
    refuse_sample(load_settings())


def test_status_says_what_the_folder_serves(data: Path, tmp_path: Path) -> None:
    publish("files", tmp_path / "exports")
    assert dict(status_lines(load_shared_settings(), NOW))["Source"].startswith(f"files from {tmp_path / 'exports'}")


def test_make_run_refuses_the_sample_before_it_ingests(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("yahoo")
    monkeypatch.setenv("TITANS_SOURCE", "sample")
    result = CliRunner().invoke(app, ["run"])
    assert result.exit_code == 1
    assert "SWITCH=yes" in result.output
    assert not (data / "sample").exists()
    assert not (data / "airflow").exists()


@pytest.mark.parametrize(("name", "value"), [("FILES_DIR", "exports"), ("EXPORTED_AT", "2025-03-08")])
def test_an_export_that_no_source_reads_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"TITANS_{name}", value)
    result = CliRunner().invoke(app, ["run"])
    assert result.exit_code == 1
    assert f"Give SOURCE=files {name.removesuffix('_DIR')}={value}" in result.output
    assert not data.exists()


def test_a_run_keeps_the_source_that_its_first_task_found(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("files", tmp_path / "exports")
    first = settings_of_run("ingest_fx", "one")
    assert (first.source, first.files_dir) == ("files", tmp_path / "exports")
    monkeypatch.setenv("TITANS_SOURCE", "yahoo")  # a server that was started anew
    monkeypatch.setenv("TITANS_FILES_DIR", str(tmp_path / "other"))
    for settings in (settings_of_run("ingest_fx", "one"), settings_of_ended_run("ingest_fx", "one")):
        assert (settings.source, settings.files_dir) == ("files", tmp_path / "exports")
    assert settings_of_run("ingest_fx", "two").source == "yahoo"
    record = Run(first.store, "ingest_fx", "one").finish("2025-03-07")
    assert (record.source, record.files_dir) == ("files", tmp_path / "exports")
    cleared = settings_of_run("ingest_fx", "one")
    assert (cleared.source, cleared.files_dir) == ("files", tmp_path / "exports"), "also when its tasks are cleared"


def test_a_run_that_dies_before_it_asks_for_the_source_is_recorded_with_the_served_one(data: Path) -> None:
    """In a store of the sample its record would stay red for good: nothing runs there."""
    publish("yahoo")
    settings = settings_of_ended_run("ingest_fx", "one")
    Run(settings.store, "ingest_fx", "one").finish(None, "land")
    assert [path.name for path in data.iterdir() if (path / "runs").exists()] == ["yahoo"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"source": "files", "files_dir": "/tmp", "exported_at": null}\xff'])
def test_a_damaged_pin_does_not_reach_the_record(data: Path, tmp_path: Path, content: bytes) -> None:
    publish("files", tmp_path)
    run = Run(settings_of_run("ingest_fx", "one").store, "ingest_fx", "one")
    run.pin_path.write_bytes(content)
    assert run.finish(None).files_dir is None


def test_a_flipped_bit_in_a_pin_does_not_reach_the_record(data: Path) -> None:
    publish("files", Path("/exports"))
    run = Run(settings_of_run("ingest_fx", "one").store, "ingest_fx", "one")
    run.pin_path.write_bytes(run.pin_path.read_bytes().replace(b"/exports", b"/exporus"))
    assert run.finish(None).files_dir is None


def test_a_run_of_the_sample_on_a_real_folder_is_recorded_as_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("yahoo")
    monkeypatch.setenv("TITANS_SOURCE", "sample")
    for _ in ("plan_batches", "land"):
        with pytest.raises(TitansError, match="serves real data"):
            settings_of_run("ingest_fx", "one")
    record = Run(settings_of_ended_run("ingest_fx", "one").store, "ingest_fx", "one").finish(None, "land")
    assert record.source == "yahoo", "the next good run of the folder's own source takes its place"
    assert not (data / "sample").exists()
    failed = record.failed_step
    assert failed is not None
    assert (failed.step, failed.runbook) == ("source", Runbook.OTHER_SOURCE)
    monkeypatch.setenv("TITANS_SWITCH", "yes")
    assert settings_of_run("ingest_fx", "two").source == "sample"


def test_a_pin_that_cannot_be_read_stops_the_run(data: Path) -> None:
    settings = settings_of_run("ingest_fx", "one")
    Run(settings.store, "ingest_fx", "one").pin_path.write_bytes(b"\xff")
    with pytest.raises(TitansError, match=r"source\.pin, which names the source of this run, cannot be read"):
        settings_of_run("ingest_fx", "one")


def test_a_process_keeps_the_source_that_it_started_with(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TITANS_SOURCE", "TITANS_FILES_DIR"):  # so that the test's end takes away what is set below
        monkeypatch.setenv(name, "")
    settings = load_settings()
    pin_source(settings)
    publish("files", tmp_path / "exports")
    assert load_settings().source == "sample"


def test_the_memory_is_written_whole_and_says_since_when(data: Path, tmp_path: Path) -> None:
    publish("files", tmp_path / "exports")
    production = read_production(load_shared_settings().published.production)
    assert isinstance(production, Production)
    assert datetime.now(UTC) - production.since < timedelta(minutes=5)
    assert [path.name for path in load_shared_settings().published.folder.glob(".production*")] == []

"""Each runbook is followed word for word in the red state that it describes, and ends green with the right source.

The commands come from the page, and from what ``make status`` prints at ``Again``; what a person does besides is the
``mend`` of the state. ``make run`` and ``make build`` are the pipeline's own functions, everything else the command itself.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from include import build
from include.errors import FOLDER, Runbook, TitansError
from include.files import write_whole
from include.landing.batches import BatchKey, checked_rows, write_batch
from include.landing.index import LandingIndex
from include.production import SOURCE_NAMES, read_production
from include.publishing import generations
from include.raw import lock
from include.raw.lock import writer_lock
from include.runs.incidents import report_unrecorded
from include.runs.pins import refuse_sample, settings_of_ended_run, settings_of_run
from include.runs.records import forget_killed_runs, run_records, runbook_of
from include.runs.releases import quarantined_units
from include.sealed import seal
from include.seeds.read import load_reference
from include.settings import PROJECT_ROOT, Settings, load_settings, load_shared_settings
from include.sources.base import Dataset
from include.transform import invoke_dbt
from tests.pipeline import AS_OF, build_all, copy_project, new_run, run_without_airflow
from tests.soak.world import write_truth
from titans.__main__ import app
from titans.commands.status import is_red, status_lines

VARIABLES = {
    "SOURCE": "TITANS_SOURCE", "FILES": "TITANS_FILES_DIR", "DATA": "TITANS_DATA_DIR",
    "EXPORTED_AT": "TITANS_EXPORTED_AT", "ACCEPT_LOSS": "TITANS_ACCEPT_LOSS", "SWITCH": "TITANS_SWITCH",
}  # fmt: skip
"""As the Makefile passes them on."""
LAST_DAY = "2025-03-07"


@dataclass
class World:
    """A data folder, the seeds, and the export that its owner reads."""

    folder: Path
    fault: ExitStack = field(default_factory=ExitStack)
    """What is broken beside the files, until it is closed."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def seeds(self) -> Path:
        return self.folder / "dbt_project" / "seeds"

    @property
    def settings(self) -> Settings:
        return load_shared_settings(data_dir=str(self.data))

    @property
    def files(self) -> Settings:
        return self.settings.model_copy(update={"source": "files"})

    def deliver(self, truth: int, change: Callable[[str], str] = str) -> None:
        """A new export in a folder of its own is run, and may fail. ``change`` edits its prices."""
        export = write_truth(self.folder / f"export {truth}", truth)
        prices = export / "prices.csv"
        prices.write_text("\n".join(change(line) for line in prices.read_text().splitlines()) + "\n")
        self.run(SOURCE="files", FILES=str(export), EXPORTED_AT=f"2025-03-0{8 + truth}", DATA=str(self.data))

    def run(self, **words: str) -> None:
        with suppress(TitansError):
            self.execute_run(words)

    def execute_run(self, words: dict[str, str], *, is_build_alone: bool = False) -> None:
        """``make run`` or ``make build``, without Airflow."""
        with self.environment(words):
            settings = load_settings()
            refuse_sample(settings)
            for name in SOURCE_NAMES:
                forget_killed_runs(settings.store_of(name))
            build_all(settings, AS_OF) if is_build_alone else run_without_airflow(settings, AS_OF)

    def environment(self, words: dict[str, str]) -> ExitStack:
        stack = ExitStack()
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setenv("AIRFLOW_HOME", str(self.data / "airflow"))
        for name, text in words.items():
            patched.setenv(VARIABLES[name], text)
        return stack

    def execute(self, command: str) -> str:
        """A command of make, as a person pastes it; returns what it prints."""
        _, name, *pairs = shlex.split(command)
        words = dict(pair.split("=", 1) for pair in pairs)
        if name in ("run", "build"):
            self.execute_run(words, is_build_alone=name == "build")
            return ""
        with self.environment({word: words.pop(word) for word in [*words] if word in VARIABLES}):
            options = [part for word, text in words.items() for part in (f"--{word.lower()}", text)]
            result = CliRunner().invoke(app, [name, *options], env={"COLUMNS": "1000"})
        assert result.exit_code == 0, result.output
        return result.output


@dataclass(frozen=True)
class State:
    """A red state: how it comes about, which step of its page is followed, and what is done by hand before that."""

    page: Runbook
    step: int
    breaks: Callable[[World], None]
    mends: Callable[[World], None] = lambda world: world.fault.close()
    is_new: bool = False
    """Whether nothing real has been published in the folder before, but the sample."""


def _close_a_session(world: World) -> None:
    with (world.seeds / "calendar_overrides.csv").open("a") as seed:
        seed.write("XNYS,2025-03-05,false,a mistake\n")
    world.deliver(1)


def _open_it_again(world: World) -> None:
    shutil.copy(PROJECT_ROOT / "dbt_project" / "seeds" / "calendar_overrides.csv", world.seeds)


def _fail_the_gate(world: World) -> None:
    world.fault.enter_context(patch("include.gates.marts_gate.decide", side_effect=TitansError("a weight is negative")))
    world.deliver(1)


def _break_a_model(world: World) -> None:
    model = next((world.seeds.parent / "models").rglob("fct_headlines.sql"))
    whole = model.read_text()
    model.write_text("select nothing_of_this_name")
    world.fault.callback(model.write_text, whole)
    world.deliver(1)


def _starve_a_model(world: World) -> None:
    """One that needs more than the limit."""
    world.fault.enter_context(pytest.MonkeyPatch.context()).setenv("TITANS_MEMORY_LIMIT", "128MiB")
    model = next((world.seeds.parent / "models").rglob("int_headline_days.sql"))
    whole = model.read_text()
    model.write_text("select list(number) as all_of_them from range(100000000) as numbers (number)")
    world.fault.callback(model.write_text, whole)
    world.deliver(1)


def _break_a_seed(world: World) -> None:
    seed = world.seeds / "calendar_overrides.csv"
    whole = seed.read_text()
    world.deliver(1)
    seed.write_text(whole + "XNYS,05.03.2025,false,a mistake\n")
    world.fault.callback(seed.write_text, whole)
    with world.environment({"SOURCE": "files", "DATA": str(world.data)}), suppress(TitansError):
        run = new_run(load_settings())
        with suppress(TitansError), run.step("load"):
            load_reference(world.seeds)
        run.finish(str(AS_OF))


def _fill_the_disk(world: World) -> None:
    full = TitansError("The new generation could not be written: no space left on device.")
    world.fault.enter_context(patch("include.publishing.publish.write_marts_file", side_effect=full))
    world.deliver(1)


def _damage_the_warehouse(world: World) -> None:
    world.files.store.warehouse.write_bytes(b"this is no database" * 1000)
    world.deliver(1)


def _move_it_away(world: World) -> None:
    world.files.store.warehouse.rename(world.folder / "damaged.duckdb")


def _lock_the_warehouse(world: World) -> None:
    world.files.store.root.mkdir(parents=True, exist_ok=True)
    world.fault.enter_context(writer_lock(world.files.store.warehouse, "another build"))
    world.fault.enter_context(patch.object(lock, "PATIENCE_SECONDS", 0.0))
    world.deliver(1)


def _kill(world: World) -> None:
    with world.environment({"SOURCE": "files", "DATA": str(world.data)}):
        run = new_run(load_settings())
    with run.step("load"):
        pass


def _ask_for_nothing_that_is_there(world: World) -> None:
    """A build before any ingest."""
    words = {"SOURCE": "files", "FILES": str(write_truth(world.folder / "export 0", 0)), "DATA": str(world.data)}
    with world.environment(words):
        settings = load_settings()
        run = new_run(settings)
        with suppress(TitansError):
            build.load(settings, run)
        run.finish(str(AS_OF))


def _garble(world: World) -> None:
    """A file of bad rows is refused; a bad row alone would be set aside."""

    def change(line: str) -> str:
        symbol, day, *rest = line.split(",")
        return line if symbol == "symbol" else ",".join([symbol, f"{day}abc", *rest])

    world.deliver(1, change)


def _export_again(world: World) -> None:
    write_truth(world.folder / "export 1", 1)


def _export_one_symbol_too_early(world: World) -> None:
    """Its last sessions are in neither export."""

    def until(last: str, *symbols: str) -> Callable[[str], str]:
        def change(line: str) -> str:
            symbol, day, *_ = line.split(",")
            return "" if symbol != "symbol" and day > last and symbol in (symbols or [symbol]) else line

        return change

    world.deliver(0, until("2025-03-05"))
    world.deliver(1, until("2025-03-05", "AAPL"))


def _jump(*symbols: str) -> Callable[[World], None]:
    """Last closes twice too high."""

    def change(line: str) -> str:
        symbol, day, close, *rest = line.split(",")
        is_meant = day == LAST_DAY and symbol in symbols
        return ",".join([symbol, day, str(float(close) * 2) if is_meant else close, *rest])

    return lambda world: world.deliver(1, change)


def _invert_a_rate(world: World) -> None:
    export = write_truth(world.folder / "export 1", 1)
    rates = export / "fx_rates.csv"
    lines = [line.split(",") for line in rates.read_text().splitlines()]
    rates.write_text(
        "\n".join(
            ",".join([*line[:3], str(float(line[3]) * 10)] if line[1:3] == ["HKD", LAST_DAY] else line)
            for line in lines
        )
    )
    world.run(SOURCE="files", FILES=str(export), EXPORTED_AT="2025-03-09", DATA=str(world.data))


def _roll_back(world: World) -> None:
    world.deliver(1)
    world.execute(f"make rollback DATA={shlex.quote(str(world.data))}")


def _run_with_the_clock_ahead(world: World) -> None:
    """By a year: what landed then has other closes, and is built."""
    world.deliver(1)
    store, ahead = world.files.store, timedelta(days=365)
    path, manifest = LandingIndex(store).batches(Dataset.PRICES)[-1]
    landed_at = datetime.now(UTC) + ahead
    key = BatchKey(Dataset.PRICES, manifest.group, 1, manifest.run_id, 2)
    later = manifest.model_copy(
        update={"batch_id": key.batch_id(landed_at), "fetched_at": landed_at, "landed_at": landed_at}
    )
    rows = checked_rows(path, manifest)
    closes = pc.if_else(
        pc.equal(rows["date"], date.fromisoformat(LAST_DAY)), pc.multiply(rows["close"], 1.01), rows["close"]
    )
    other = rows.set_column(rows.column_names.index("close"), "close", closes)
    write_batch(store.landing_file(Dataset.PRICES, later.batch_id), other, later)
    world.execute_run({"DATA": str(world.data)}, is_build_alone=True)
    record = run_records(store, "build_marts")[-1].model_copy(update={"ended_at": landed_at})
    write_whole(store.runs / f"build_marts.{record.run_id}.json", seal(record))


def _move_away_what_is_of_the_future(world: World) -> None:
    """The record that the line names, and landing files by the day in their names, with the warehouse."""
    shown = dict(status_lines(world.settings, datetime.now(UTC)))
    named = re.search(r"^(.+\.json) ended in the future", shown["Clock"])
    assert named is not None
    today = f"{datetime.now(UTC):%Y%m%d}"
    landed = [path for path in world.files.store.landing.glob("*/*.parquet") if path.name.split("-")[-2][:8] > today]
    assert len(landed) == 1
    for path in (Path(named[1]), *landed, world.files.store.warehouse):
        path.rename(world.folder / path.name)


def _ask_for_the_sample(world: World) -> None:
    """On a server that was started with TITANS_SOURCE=sample."""
    with world.environment({"SOURCE": "sample", "DATA": str(world.data)}):
        with suppress(TitansError):
            settings_of_run("build_marts", "scheduled")
        report_unrecorded(settings_of_ended_run("build_marts", "scheduled"), "build_marts", "scheduled")


def _empty_what_is_published(world: World) -> None:
    """By hand, and the memory of the source goes with it. Then the server's next run."""
    shutil.rmtree(world.data / "published")
    with world.environment({"DATA": str(world.data)}):
        with suppress(TitansError):
            settings_of_run("build_marts", "scheduled")
        report_unrecorded(settings_of_ended_run("build_marts", "scheduled"), "build_marts", "scheduled")


US = ("AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA")
STATES = {
    "bad-input": State(Runbook.BAD_INPUT, 4, _break_a_seed),
    "extraction-failed": State(Runbook.EXTRACTION_FAILED, 5, _garble, _export_again),
    "extraction-failed at first": State(Runbook.EXTRACTION_FAILED, 5, _garble, _export_again, is_new=True),
    "fx-pair-quarantined": State(Runbook.FX_PAIR_QUARANTINED, 2, _invert_a_rate),
    "gate-1-quarantine": State(Runbook.GATE_1_QUARANTINE, 4, _jump("AAPL")),
    "gate-2-failed": State(Runbook.GATE_2_FAILED, 3, _fail_the_gate),
    "gate-2-failed at first": State(Runbook.GATE_2_FAILED, 3, _fail_the_gate, is_new=True),
    "held-link": State(Runbook.HELD_LINK, 1, _roll_back),
    "killed-run": State(Runbook.KILLED_RUN, 2, _kill),
    "late-data": State(Runbook.LATE_DATA, 1, _export_one_symbol_too_early, _export_again, is_new=True),
    "late-data with the clock ahead": State(
        Runbook.LATE_DATA, 5, _run_with_the_clock_ahead, _move_away_what_is_of_the_future
    ),
    "other-source": State(Runbook.OTHER_SOURCE, 1, _ask_for_the_sample),
    "other-source, forgotten": State(Runbook.OTHER_SOURCE, 1, _empty_what_is_published),
    "out-of-memory": State(Runbook.OUT_OF_MEMORY, 3, _starve_a_model),
    "publish-failed": State(Runbook.PUBLISH_FAILED, 6, _fill_the_disk),
    "rows-lost": State(Runbook.ROWS_LOST, 3, _close_a_session),
    "rows-lost by mistake": State(Runbook.ROWS_LOST, 1, _close_a_session, _open_it_again),
    "source-empty": State(Runbook.SOURCE_EMPTY, 1, _ask_for_nothing_that_is_there, is_new=True),
    "too-many-quarantined": State(Runbook.TOO_MANY_QUARANTINED, 3, _jump(*US)),
    "transform-failed": State(Runbook.TRANSFORM_FAILED, 2, _break_a_model),
    "warehouse-damaged": State(Runbook.WAREHOUSE_DAMAGED, 3, _damage_the_warehouse, _move_it_away),
    "warehouse-locked": State(Runbook.WAREHOUSE_LOCKED, 1, _lock_the_warehouse),
}


@pytest.fixture(scope="module", autouse=True)
def _models_alone() -> Iterator[None]:
    """A build makes seeds and models: the dbt tests of the project, the longer half, say nothing about a page."""

    def build_models(settings: Settings) -> object:
        kinds = ["--select", "resource_type:seed", "resource_type:model"]
        return invoke_dbt(settings, ["build", "--exclude-resource-type", "unit_test", "test", *kinds])

    with patch.object(build, "dbt_build", build_models):
        yield


@pytest.fixture(scope="module")
def bases(_models_alone: None, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A folder that serves an export, and one in which only the sample, or something like it, was published."""
    folder = tmp_path_factory.mktemp("base")
    for is_new in (False, True):
        with pytest.MonkeyPatch.context() as monkeypatch:
            project = copy_project(folder / str(is_new) / "dbt_project")
            monkeypatch.setenv("TITANS_DBT_PROJECT_DIR", str(project))
            world = World(folder / str(is_new))
            if is_new:
                (world.data / "published").mkdir(parents=True)
            else:
                world.deliver(0)
    return {is_new: folder / str(is_new) for is_new in (False, True)}


@pytest.fixture
def make_world(
    bases: dict[bool, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bool], World]]:
    made: list[World] = []

    def make(is_new: bool) -> World:
        shutil.copytree(bases[is_new], tmp_path / "it is here", symlinks=True)
        world = World(tmp_path / "it is here")
        monkeypatch.setenv("TITANS_DBT_PROJECT_DIR", str(world.folder / "dbt_project"))
        made.append(world)
        return world

    yield make
    for world in made:
        world.fault.close()


def step_of(page: Runbook, number: int) -> str:
    """The text of a numbered step of "What to do"."""
    text = (PROJECT_ROOT / FOLDER / f"{page.value}.md").read_text()
    steps = re.split(r"^\d+\. ", text.split("## What to do")[1].split("\n## ")[0], flags=re.MULTILINE)
    return " ".join(steps[number].split())


def follow(world: World, text: str, shown: dict[str, str]) -> None:
    """Do what a step says, command by command; ``shown`` is what status said before."""
    quarantined = quarantined_units(world.files.store)
    printed = ""
    commands = re.findall(r"`(make (?!status)[^`]+|Again)`|(the command that it prints)", text)
    assert commands, text
    for command, is_printed in commands:
        if command == "Again":
            found = re.findall(r"make run.*?(?=; |$)", shown["Again"])
            (pasted,) = [each for each in found if ("ACCEPT_LOSS" in each) == ("ACCEPT_LOSS" in text)]
            world.execute(pasted)
        elif is_printed:
            (pasted,) = set(re.findall(r"(make build.*)\.$", printed, re.MULTILINE))
            world.execute(pasted)
        else:
            if "<batch>" in command:
                unit = quarantined[0]
                command = command.replace("<batch>", unit.batch_id).replace("<symbol>", unit.symbol)
            printed = world.execute(f"{command} DATA={shlex.quote(str(world.data))}")


@pytest.mark.parametrize("name", STATES)
def test_the_page_leads_out_of_its_state(make_world: Callable[[bool], World], name: str) -> None:
    state = STATES[name]
    world = make_world(state.is_new)
    state.breaks(world)
    shown = status_lines(world.settings, datetime.now(UTC))
    assert state.page.path in "\n".join(text for _, text in shown), shown
    failed = [record for record in run_records(world.files.store) if record.outcome == "failed"]
    assert not failed or runbook_of(failed[-1]) is state.page
    state.mends(world)
    follow(world, step_of(state.page, state.step), dict(shown))
    after = generations.linked_manifest(world.settings.published)
    assert after is not None
    assert after.source == "files", "real data are never swapped for simulated"
    production = read_production(world.settings.published.production)
    assert production is not None
    assert production.source == "files"
    assert not (world.data / "sample").exists()
    assert not is_red(world.settings, datetime.now(UTC)), status_lines(world.settings, datetime.now(UTC))
    labels = {label for label, _ in status_lines(world.settings, datetime.now(UTC))}
    assert not labels & {"Again", "Held", "Late", "Quarantine", "Red gate", "Ingest", "Unfinished"}


def test_every_page_is_followed() -> None:
    assert {state.page for state in STATES.values()} == set(Runbook)

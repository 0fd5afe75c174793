"""A command that a message prints, pasted into a shell, runs the source that the message is about."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.commands import make_command, make_run
from include.errors import Runbook, TitansError
from include.files import write_whole
from include.production import Production, SourceName
from include.runs.again import again, next_build, next_run
from include.runs.incidents import report
from include.runs.pins import pin_run
from include.runs.records import Run, RunRecord
from include.settings import PROJECT_ROOT, Settings, load_settings, load_shared_settings
from titans.commands.status import status_lines

NOW = datetime(2025, 3, 8, 12, tzinfo=UTC)
VARIABLES = {
    "SOURCE": "TITANS_SOURCE", "FILES": "TITANS_FILES_DIR", "DATA": "TITANS_DATA_DIR",
    "EXPORTED_AT": "TITANS_EXPORTED_AT", "ACCEPT_LOSS": "TITANS_ACCEPT_LOSS",
}  # fmt: skip
"""As the Makefile passes them on."""


def serve(settings: Settings, source: SourceName, files_dir: Path | None = None) -> None:
    production = Production(source=source, files_dir=files_dir, since=NOW)
    write_whole(settings.published.production, production.model_dump_json())


def paste(command: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a shell and make would make of it."""
    make, name, *pairs = shlex.split(command)
    assert (make, name) == ("make", "run")
    for word, text in (pair.split("=", 1) for pair in pairs):
        monkeypatch.setenv(VARIABLES[word], text)
    return load_settings()


@pytest.mark.parametrize("served", ["nothing", "the same", "another folder", "yahoo"])
@pytest.mark.parametrize("source", ["sample", "files", "yahoo"])
@pytest.mark.parametrize("exported_at", [None, "2025-03-08", "2025-03-08T06:30:00+00:00"])
def test_the_command_leads_back_to_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: str, source: str, exported_at: str | None
) -> None:
    folder = tmp_path / "ex ports; $(HOME) 'a'"
    is_files = source == "files"
    settings = load_settings(
        source=source, data_dir=str(tmp_path / "da ta"), files_dir=str(folder) if is_files else None,
        exported_at=exported_at if is_files else None,
    )  # fmt: skip
    if served == "the same" and source != "sample":
        serve(settings, settings.source, settings.files_dir)
    elif served == "another folder":
        serve(settings, "files", tmp_path / "other")
    elif served == "yahoo":
        serve(settings, "yahoo")
    pasted = paste(make_run(settings), monkeypatch)
    for name in ("source", "files_dir", "exported_at", "data_dir"):
        if name != "files_dir" or is_files:
            assert getattr(pasted, name) == getattr(settings, name)


def test_nothing_is_named_that_the_folder_remembers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings(source="files", files_dir="/exports", data_dir=str(tmp_path))
    assert make_run(settings) == f"make run SOURCE=files FILES=/exports DATA={tmp_path}"
    serve(settings, "files", Path("/exports"))
    assert make_run(settings) == f"make run DATA={tmp_path}"
    usual = settings.model_copy(update={"data_dir": PROJECT_ROOT / "data"})
    assert make_command(usual.data_dir, "publish") == "make publish"


def failed(settings: Settings, error: TitansError, step: str = "check_marts") -> RunRecord:
    run = Run(settings.store, "build_marts", "one")
    pin_run(settings, run)
    with pytest.raises(TitansError), run.step(step):
        raise error
    return run.finish("2025-03-07")


def test_a_red_run_says_how_to_repeat_it_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run on an export fails: the folder remembers nothing yet, so a bare make run builds the sample."""
    settings = load_settings(source="files", files_dir="/exports", exported_at="2025-03-08", data_dir=str(tmp_path))
    record = failed(settings, TitansError("a weight is negative"))
    expected = f"make run SOURCE=files FILES=/exports EXPORTED_AT=2025-03-08 DATA={tmp_path}"
    shared = load_shared_settings(data_dir=str(tmp_path))
    assert again(shared, record) == expected
    assert next_run(shared, settings.store) == expected
    assert next_build(shared, settings.store) == expected.replace("make run", "make build")
    shown = dict(status_lines(shared, NOW))
    assert expected in shown["Again"]
    assert shown["Published"].endswith(expected)
    page = report(shared, record)
    assert page is not None
    assert expected in page.read_text()


def test_lost_rows_are_accepted_with_the_whole_command(tmp_path: Path) -> None:
    settings = load_settings(source="files", files_dir="/exports", data_dir=str(tmp_path))
    record = failed(settings, TitansError("nothing_lost", Runbook.ROWS_LOST))
    _, accepting = again(settings, record).split("; only if the rows are meant to go, ")
    assert accepting == f"make run SOURCE=files FILES=/exports ACCEPT_LOSS=reason DATA={tmp_path}"


def test_a_refused_source_is_not_asked_for_again(tmp_path: Path) -> None:
    settings = load_settings(source="sample", data_dir=str(tmp_path))
    serve(settings, "yahoo")
    record = failed(settings, TitansError("serves real data", Runbook.OTHER_SOURCE), "source")
    assert again(settings, record) == f"make run DATA={tmp_path}"


def test_a_refused_source_names_the_real_one_that_the_folder_has_forgotten(tmp_path: Path) -> None:
    """What was published has been emptied, with the memory of its source: a bare make run is refused as well."""
    files = load_settings(source="files", files_dir="/exports", data_dir=str(tmp_path))
    failed(files, TitansError("a weight is negative"))
    run = Run(files.store, "build_marts", "refused")
    with pytest.raises(TitansError), run.step("source"):
        raise TitansError("is empty", Runbook.OTHER_SOURCE)
    shared = load_shared_settings(data_dir=str(tmp_path))
    assert again(shared, run.finish(None)) == f"make run SOURCE=files FILES=/exports DATA={tmp_path}"


def test_an_export_that_nothing_remembers_is_to_be_named(tmp_path: Path) -> None:
    """As after a restore into an empty folder."""
    shared = load_shared_settings(data_dir=str(tmp_path))
    assert next_run(shared, shared.store_of("files")) == f"make run SOURCE=files FILES=DIR DATA={tmp_path}"

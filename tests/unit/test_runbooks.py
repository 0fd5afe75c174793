"""Each state that is red has a page, each page has its five parts, and every page that is named is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include.errors import FOLDER, Runbook, TitansError
from include.runs.records import Run
from include.settings import PROJECT_ROOT, load_settings

PARTS = ["How it looks", "What is still right", "What to check", "What to do", "How to know it is over"]
PAGES = sorted(path.stem for path in (PROJECT_ROOT / FOLDER).glob("*.md") if path.stem != "README")
COMMANDS = set(re.findall(r"^([a-z]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_state_has_a_page_and_every_page_a_state() -> None:
    assert sorted(runbook.value for runbook in Runbook) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_says_all_five_things(name: str) -> None:
    parts = re.split(r"^## (.+)\n", (PROJECT_ROOT / FOLDER / f"{name}.md").read_text(), flags=re.MULTILINE)
    assert parts[1::2] == PARTS
    assert [part for part, text in zip(parts[1::2], parts[2::2], strict=True) if len(text.split()) < 5] == []


@pytest.mark.parametrize("name", PAGES)
def test_page_names_commands_and_pages_that_exist(name: str) -> None:
    text = (PROJECT_ROOT / FOLDER / f"{name}.md").read_text()
    assert set(re.findall(r"`make ([a-z]+)", text)) <= COMMANDS
    assert set(re.findall(r"`([a-z0-9-]+)\.md`", text)) <= set(PAGES)
    assert [
        seed for seed in re.findall(r"`(dbt_project/seeds/\w+\.csv)`", text) if not (PROJECT_ROOT / seed).exists()
    ] == []


def test_the_list_names_every_page() -> None:
    listed = re.findall(r"\| \[([a-z0-9-]+)\.md\]\(\1\.md\) \|", (PROJECT_ROOT / FOLDER / "README.md").read_text())
    assert listed == PAGES


@pytest.mark.parametrize(
    ("step", "error", "expected"),
    [
        ("load", TitansError("another build", Runbook.WAREHOUSE_LOCKED), Runbook.WAREHOUSE_LOCKED),
        ("load", ValueError("odd"), Runbook.BAD_INPUT),
        ("transform", TitansError("dbt failed"), Runbook.TRANSFORM_FAILED),
        ("check_marts", TitansError("keys"), Runbook.GATE_2_FAILED),
        ("publish", OSError("No space left on device"), Runbook.PUBLISH_FAILED),
        ("fetch prices hk 1 attempt 1", TitansError("429"), Runbook.EXTRACTION_FAILED),
    ],
)
def test_a_failed_step_is_recorded_with_its_page(
    tmp_path: Path, step: str, error: Exception, expected: Runbook
) -> None:
    run = Run(load_settings(data_dir=str(tmp_path)).store, "build_marts", "one")
    with pytest.raises(type(error)), run.step(step):
        raise error
    assert run.finish(None).steps[0].runbook is expected

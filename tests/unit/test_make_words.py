"""A word on make's command line that is no setting, or that the command does not take, runs nothing."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from include.settings import PROJECT_ROOT

MAKEFILE = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
TAKEN = {
    command: words.replace("$(OF_A_RUN)", "SOURCE FILES EXPORTED_AT AS_OF KNOWN_AT DATA ACCEPT_LOSS SWITCH").split()
    for command, words in re.findall(r"^TAKEN_BY_(\w+) := (.*)$", MAKEFILE, re.MULTILINE)
}


def make(*words: str, goal: str = "help", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--dry-run", *goal.split(), *words] if goal != "help" else ["make", "help", *words],
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("word", "close"), [("SOURSE", "SOURCE"), ("source", "SOURCE"), ("FILE", "FILES"), ("AS-OF", "AS_OF")]
)
def test_a_misspelt_word_is_refused_with_the_close_one(word: str, close: str) -> None:
    result = make(f"{word}=yahoo")
    assert result.returncode != 0
    assert result.stdout == ""
    assert f"{word}= is no setting, so nothing was run. Did you mean {close}" in result.stderr


@pytest.mark.parametrize("word", ["XYZZY", "it's"])
def test_a_word_like_no_other_is_refused_with_the_list(word: str) -> None:
    result = make(f"{word}=1")
    assert result.returncode != 0
    assert "is no setting, so nothing was run." in result.stderr
    assert "Settings are SOURCE FILES" in result.stderr


@pytest.mark.parametrize("word", ["SOURCE", "SWITCH", "JOBS", "TESTS", "PYTHON", "VENV", "SQL", "TITANS_BATCH_SIZE"])
def test_a_setting_is_taken(word: str) -> None:
    assert make(f"{word}=1").returncode == 0


def test_only_the_command_line_is_looked_at() -> None:
    assert make(SOURSE="yahoo", XYZZY="1").returncode == 0


@pytest.mark.parametrize(
    ("goal", "word", "sentence"),
    [
        ("publish", "TO", "make publish takes no TO=, so nothing was run. It takes DATA; TO= is for make export rollback."),
        ("status", "SOURCE", "make status takes no SOURCE=, so nothing was run. It takes DATA; SOURCE= is for make airflow build docs run."),
        ("clean", "DATA", "make clean takes no DATA=, so nothing was run. It takes no word; DATA= is for make "),
        ("airflow", "KNOWN_AT", "make airflow takes no KNOWN_AT="),
        ("airflow", "ACCEPT_LOSS", "make airflow takes no ACCEPT_LOSS="),
        ("run", "TO", "make run takes no TO="),
        ("test", "DATA", "make test takes no DATA="),
        ("status publish", "TO", "make status publish takes no TO="),
    ],
)  # fmt: skip
def test_a_word_that_the_command_does_not_take_is_refused(goal: str, word: str, sentence: str) -> None:
    result = make(f"{word}=x", goal=goal)
    assert result.returncode != 0
    assert result.stdout == ""
    assert sentence in result.stderr


def test_each_command_takes_its_words() -> None:
    """Of several commands at a time, those of each; in the environment, any."""
    for command, words in TAKEN.items():
        result = make(*(f"{word}=1" for word in words), "PYTHON=python3", "VENV=v", "TITANS_BATCH_SIZE=1", goal=command)
        assert result.returncode == 0, f"{command}: {result.stderr}"
    assert make("TO=x", "SQL=y", goal="rollback query").returncode == 0
    assert make(goal="publish", TO="x").returncode == 0


def test_each_word_is_taken_and_each_recipe_names_its_words() -> None:
    """What a recipe reads is what its command takes; the words of the settings class are read by Python."""
    (words,) = re.findall(r"^WORDS := (.*)$", MAKEFILE, re.MULTILINE)
    assert {word for taken in TAKEN.values() for word in taken} == {*words.split(), "JOBS", "TESTS"}
    of_settings = {"SOURCE", "FILES", "EXPORTED_AT", "AS_OF", "KNOWN_AT", "DATA", "ACCEPT_LOSS", "SWITCH"}
    recipes = re.findall(r"^(\w+):(?!=).*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    for command, recipe in recipes:
        read = {word for word in {*words.split(), "JOBS", "TESTS"} if re.search(rf"\$[({{$]*{word}\b", recipe)}
        assert read == set(TAKEN.get(command, [])) - of_settings, command
    assert {command for command, _ in recipes} >= set(TAKEN)


def test_make_verify_plays_every_test_with_a_build_of_its_own() -> None:
    """They are skipped everywhere else."""
    listed = re.search(r"^THOROUGH_TOO := (.+)$", MAKEFILE, re.MULTILINE)
    assert listed
    marked = [
        path.stem.removeprefix("test_")
        for path in (PROJECT_ROOT / "tests" / "integration").glob("test_*.py")
        if re.search(
            r"^@own_build|marks=own_build|pytestmark = own_build", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert len(marked) > 10
    assert set(marked) <= set(listed[1].split())

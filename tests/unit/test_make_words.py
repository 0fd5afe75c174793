"""A word on make's command line that is no setting runs nothing."""

from __future__ import annotations

import os
import subprocess

import pytest

from include.settings import PROJECT_ROOT


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "help", *words],
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

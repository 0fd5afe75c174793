"""Readers while generations are published, and folders and disks that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from include.errors import TitansError
from include.publishing import generations
from include.publishing.retention import prune
from include.settings import PROJECT_ROOT
from tests.soak.publisher import publish_for, settings_of


def number_read_by(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select max(number) from marts.fct_basket_daily").fetchone()
    assert row is not None
    return int(row[0])


def test_a_reader_that_never_closes_keeps_what_it_opened_and_stops_nobody(tmp_path: Path) -> None:
    """Generations come and go, its own file among them; new connections see the newest one."""
    publish_for(tmp_path, 0.01, 0)
    settings = settings_of(tmp_path)
    link = str(settings.published.link)
    with duckdb.connect(link, read_only=True) as patient:
        assert number_read_by(patient) == 1
        for number in range(2, 7):
            publish_for(tmp_path, 0.01, 0)
            with duckdb.connect(link, read_only=True) as new:
                assert number_read_by(new) == number
        removed = prune(settings.published, settings.keep_generations, datetime.now(UTC) + timedelta(hours=1))
        assert len(removed) == 6 - settings.keep_generations, "what the patient reader opened was removed"
        assert number_read_by(patient) == 1


def test_a_published_folder_that_cannot_be_written(tmp_path: Path) -> None:
    publish_for(tmp_path, 0.01, 0)
    settings = settings_of(tmp_path)
    folder = str(settings.published.folder)
    before = generations.linked_generation(settings.published)
    done = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no folder can be mounted read-only here: {done.stderr.strip()}")
    try:
        with pytest.raises(TitansError, match=r"could not be written .*untouched.*make the folder writable"):
            publish_for(tmp_path, 0.01, 0)
        assert generations.linked_generation(settings.published) == before
        with duckdb.connect(str(settings.published.link), read_only=True) as reader:
            assert number_read_by(reader) == 1
    finally:
        subprocess.run(["umount", folder], check=True)
    publish_for(tmp_path, 0.01, 0)
    assert generations.linked_generation(settings.published) != before


def run_on(data: Path) -> subprocess.CompletedProcess[str]:
    """``make run`` as a user's terminal sees it."""
    return subprocess.run(
        [sys.executable, "-m", "titans", "run"],
        cwd=PROJECT_ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TITANS_DATA_DIR": str(data),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_disk_that_is_full_before_the_first_task_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Airflow's own database fills the disk: no run record can tell of it, so the terminal must."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    try:
        run = run_on(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
    assert run.returncode == 1
    assert "airflow.db cannot be written (database or disk is full): free space" in run.stderr
    assert "What was published is untouched" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_a_data_folder_that_is_a_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("a file\n")
    run = run_on(data)
    assert run.returncode == 1
    assert f"Error: {data / 'airflow'} cannot be read or written (Not a directory)" in run.stderr
    assert "Traceback" not in run.stderr

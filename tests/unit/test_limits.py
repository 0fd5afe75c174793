"""Limits of memory and threads: what is taken, what is refused, and what a container or machine has."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb
import pytest

from include import limits
from include.errors import Runbook, TitansError
from include.limits import Limits, cgroup_memory
from include.raw.store import open_warehouse
from include.runs.records import Run
from include.settings import Settings, load_settings
from include.shortage import shortage


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=str(tmp_path), memory_limit="128MiB", threads=1)


def group(own: Path, line: str) -> Path:
    own.write_text(f"12:cpu,cpuacct:/else\n{line}\n")
    return own


def limit(folder: Path, name: str, value: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"{value}\n")


def test_lowest_limit_of_all_groups_above_counts_in_version_2(tmp_path: Path) -> None:
    own = group(tmp_path / "own", "0::/slice/service")
    for place, value in (("", "max"), ("slice", "2147483648"), ("slice/service", "4294967296")):
        limit(tmp_path / "mount" / place, "memory.max", value)
    assert cgroup_memory(own, tmp_path / "mount") == 2 * 2**30


def test_limit_of_a_container_whose_group_is_the_root_of_its_mount(tmp_path: Path) -> None:
    own = group(tmp_path / "own", "5:hugetlb,memory:/docker/0af3")
    limit(tmp_path / "mount" / "memory", "memory.limit_in_bytes", "1073741824")
    assert cgroup_memory(own, tmp_path / "mount") == 2**30


@pytest.mark.parametrize(("line", "name"), [("0::/", "memory.max"), ("5:memory:/", "memory.limit_in_bytes")])
def test_no_limit_is_none(tmp_path: Path, line: str, name: str) -> None:
    own = group(tmp_path / "own", line)
    limit(tmp_path / "mount", name, "max")
    assert cgroup_memory(own, tmp_path / "mount") is None
    assert cgroup_memory(tmp_path / "none", tmp_path / "mount") is None


def test_half_of_what_there_is_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "machine_memory", lambda: 6 * 2**30)
    assert Limits() == Limits(3 * 2**30, None)


@pytest.mark.parametrize(("text", "size"), [("1GB", 10**9), ("1GiB", 2**30), ("512 MiB", 2**29), ("0.5gib", 2**29)])
def test_memory_is_written_with_a_unit(monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    monkeypatch.setenv("TITANS_MEMORY_LIMIT", text)
    assert load_settings().store.limits.memory == size


@pytest.mark.parametrize("text", ["abc", "0", "4", "-1GB", "1MB", "9999TB", "4 parsecs"])
def test_other_memory_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TITANS_MEMORY_LIMIT", text)
    with pytest.raises(TitansError, match=rf"^MEMORY_LIMIT={text} is not usable.*such as 4GB or 4GiB, from 128 MiB to"):
        load_settings()


@pytest.mark.parametrize("text", ["0", "two", "1000"])
def test_other_threads_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TITANS_THREADS", text)
    with pytest.raises(TitansError, match=rf"^THREADS={text} is not usable: TITANS_THREADS must be a whole number"):
        load_settings()


def test_warehouse_has_the_limits_and_spills_into_the_store(settings: Settings) -> None:
    spill = settings.store.spill
    spill.mkdir(parents=True)
    (spill / "duckdb_temp_storage_DEFAULT-0.tmp").write_text("of a killed process")
    with open_warehouse(settings.store) as connection:
        assert not spill.exists()
        setting = "select current_setting('memory_limit'), current_setting('threads')"
        assert connection.execute(setting).fetchone() == ("128.0 MiB", 1)
        # 5 million rows with a text do not fit into 128 MiB to be sorted.
        connection.execute(
            "create temp table t as select i, i::varchar || 'x' as s from range(5000000) as r(i) order by hash(i)"
        )
        assert list(spill.iterdir()) != []
    assert not spill.exists()
    assert [path.name for path in settings.store.root.iterdir()] == ["warehouse.duckdb"]


def test_a_step_that_runs_out_says_what_to_set_and_loses_nothing(settings: Settings) -> None:
    with open_warehouse(settings.store) as connection:
        connection.execute("insert into meta.builds values ('one', now()::timestamp, null)")
    run = Run(settings.store, "build_marts", "one")
    sentence = r"^Step load ran out of memory: set TITANS_MEMORY_LIMIT above 128 MiB .* lower TITANS_THREADS.*untouched"
    with (
        pytest.raises(TitansError, match=sentence),
        run.step("load"),
        open_warehouse(settings.store) as connection,
    ):
        connection.execute("delete from meta.builds; select list(i) from range(100000000) as r(i)")
    record = run.finish(None)
    assert record.steps[0].runbook is Runbook.OUT_OF_MEMORY
    assert record.steps[0].message.startswith("Step load ran out of memory")
    with open_warehouse(settings.store) as connection:
        assert connection.execute("select count(*) from meta.store").fetchone() == (1,)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "ran out of memory"),
        (duckdb.OutOfMemoryException("Out of Memory Error: Allocation failure"), "ran out of memory"),
        (
            duckdb.IOException(f"IO Error: could not write: {os.strerror(errno.ENOSPC)}"),
            "filled the disk: free 128 MiB in",
        ),
        ("Out of Memory Error: limit was set by the 'max_temp_directory_size' setting", "filled the disk"),
        (
            'TransactionContext Error: Failed to commit: Could not write file "warehouse.duckdb.wal": File too large',
            "raise the limit (ulimit -f), or give DATA=",
        ),
    ],
)
def test_what_counts_as_a_shortage(settings: Settings, error: BaseException | str, says: str) -> None:
    assert says in str(shortage(error, "Model a", settings.store))
    assert shortage(ValueError("odd"), "Model a", settings.store) is None

"""What stands in the way of a warehouse is named for what it is: only a damaged file is called damaged."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from include.errors import Runbook, TitansError
from include.landing.retention import record_kept_from
from include.raw import lock, point_in_time, store
from include.raw.lock import writer_lock
from include.raw.store import open_warehouse, with_patience
from include.settings import Settings, load_settings

CLIENT = "import duckdb, sys; connection = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(data_dir=str(tmp_path))
    with open_warehouse(settings.store):
        pass
    return settings


@contextmanager
def open_in_a_client(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", CLIENT, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def test_one_that_a_client_has_open_is_not_damaged(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page about damage says to move it away."""
    monkeypatch.setattr(store, "PATIENCE_SECONDS", 0.0)
    with open_in_a_client(settings.store.warehouse) as client:
        refused = pytest.raises(TitansError, match=rf"is open in another process.*PID {client.pid}")
        with refused as caught, open_warehouse(settings.store):
            pass
        assert caught.value.runbook is Runbook.WAREHOUSE_LOCKED
        assert "away" not in str(caught.value)


def test_a_build_waits_for_the_client_to_close_it(settings: Settings) -> None:
    with open_in_a_client(settings.store.warehouse) as client:
        threading.Timer(0.5, client.kill).start()
        with open_warehouse(settings.store) as connection:
            assert client.wait(10) is not None
            assert connection.execute("select source from meta.store").fetchone() == ("sample",)


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_client_that_came_before_dbt_or_a_gate_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, is_closed: bool
) -> None:
    """Either opens the file itself. The build ended with an error of theirs, on the page of another failure."""

    def work() -> str:
        try:
            duckdb.connect(str(settings.store.warehouse)).close()
        except duckdb.Error as error:
            raise RuntimeError(f"(_duckdb.IOException) {error}") from error  # as SQLAlchemy words it
        return "done"

    with open_in_a_client(settings.store.warehouse) as client:
        if is_closed:
            threading.Timer(1.0, client.kill).start()
            assert with_patience(settings.store, work) == "done"
            return
        monkeypatch.setattr(store, "PATIENCE_SECONDS", 0.0)
        with pytest.raises(TitansError, match=rf"is open in another process.*PID {client.pid}") as caught:
            with_patience(settings.store, work)
        assert caught.value.runbook is Runbook.WAREHOUSE_LOCKED


@pytest.mark.parametrize("content", ["a folder", b"no database"])
def test_only_a_damaged_file_is_called_damaged(settings: Settings, content: str | bytes) -> None:
    settings.store.warehouse.unlink()
    if isinstance(content, bytes):
        settings.store.warehouse.write_bytes(content * 1000)
    else:
        settings.store.warehouse.mkdir()
    with pytest.raises(TitansError) as caught, open_warehouse(settings.store):
        pass
    expected = Runbook.WAREHOUSE_DAMAGED if isinstance(content, bytes) else Runbook.PUBLISH_FAILED
    assert caught.value.runbook is expected


def test_a_damaged_block_is_named_when_it_is_read(settings: Settings) -> None:
    path = settings.store.warehouse
    with open_warehouse(settings.store) as connection:
        connection.execute("create table numbers as select hash(range) as number from range(200000)")
    content = bytearray(path.read_bytes())
    for place in range(300_000, len(content) - 300_000, 50_000):
        content[place] ^= 1
    path.write_bytes(content)
    refused = pytest.raises(TitansError, match="cannot be opened as a DuckDB file")
    with refused as caught, open_warehouse(settings.store) as connection:
        connection.execute("select sum(number) from numbers").fetchall()
    assert caught.value.runbook is Runbook.WAREHOUSE_DAMAGED


def test_a_build_waits_for_the_step_of_another(settings: Settings) -> None:
    """It was refused at once where it had not begun: queued builds failed."""
    order = []

    def second() -> None:
        with writer_lock(settings.store.warehouse, "second"):
            order.append("second")

    thread = threading.Thread(target=second)
    with writer_lock(settings.store.warehouse, "first"):
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]
    assert lock.PATIENCE_SECONDS == 600


def test_history_that_goes_while_a_point_in_time_build_waits_is_not_built_from(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept is read inside the lock."""
    of_day = load_settings(data_dir=str(settings.data_dir), known_at="2025-03-07")

    @contextmanager
    def paused(*arguments: object) -> Iterator[None]:
        record_kept_from(settings.store, datetime(2025, 4, 1, tzinfo=UTC))
        with writer_lock(*arguments):  # type: ignore[arg-type]  # as they came
            yield

    monkeypatch.setattr(point_in_time, "writer_lock", paused)
    with pytest.raises(TitansError, match="before the history that is kept"):
        point_in_time.copy_store(of_day.store, date(2025, 3, 7), "a test")

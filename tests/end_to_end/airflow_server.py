"""``make airflow`` for a test: on a free loopback port, in a session of its own, and all of it gone at the end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil  # type: ignore[import-untyped]  # its types are no dependency

from include.settings import PROJECT_ROOT, Settings

START_SECONDS = 240
STOP_SECONDS = 100
T = TypeVar("T")


class AirflowServer:
    """The running server, as its user sees it: what the terminal says, and the REST API."""

    def __init__(self, process: subprocess.Popen[str], port: int, output: Path) -> None:
        self.process, self.port, self._output = process, port, output
        self._token: str | None = None

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def family(self) -> list[psutil.Process]:
        """The process and all that came from it."""
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def password(self) -> str:
        match = re.search(r"user admin {2}password (\S+)", self.output)
        assert match, f"the terminal shows no password:\n{self.output}"
        return match[1]

    def log_in(self) -> None:
        self._token = str(
            self.call("POST", "/auth/token", {"username": "admin", "password": self.password()})["access_token"]
        )

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; urllib.error.HTTPError on a refusal."""
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {self._token}"} if self._token else {}),
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method, data=data, headers=headers
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)  # type: ignore[no-any-return]  # JSON has no type

    def status_of(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        """The HTTP status of a request."""
        try:
            self.call(method, path, body)
        except urllib.error.HTTPError as error:
            return error.code
        return 200

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run by hand; returns its id."""
        return str(
            self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
        )

    def runs(self, dag_id: str = "~") -> list[dict[str, Any]]:
        return list(self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return next(run for run in self.runs(dag_id) if run["dag_run_id"] == run_id)

    def wait_for(self, what: str, question: Callable[[], T | None], seconds: float) -> T:
        """Ask until there is an answer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended:\n{self.output}"
            try:
                if answer := question():
                    return answer
            except urllib.error.HTTPError:
                raise
            except OSError:
                pass  # not listening yet
            time.sleep(0.3)
        raise AssertionError(f"no {what} within {seconds} s; the terminal says:\n{self.output}")


@contextmanager
def airflow_server(settings: Settings, folder: Path) -> Iterator[AirflowServer]:
    """Start it, wait until all parts are healthy, and stop it with SIGINT to the one process that the user sees."""
    port, output = free_port(), folder / "terminal.txt"
    with output.open("w") as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "titans", "airflow", "--port", str(port)],
            cwd=PROJECT_ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(PROJECT_ROOT),
                "TITANS_SOURCE": settings.source,
                "TITANS_DATA_DIR": str(settings.data_dir),
                "TITANS_DBT_PROJECT_DIR": str(settings.dbt_project_dir),
            },
            stdout=terminal,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    server = AirflowServer(process, port, output)
    try:
        server.wait_for("healthy Airflow", lambda: _is_healthy(server), START_SECONDS)
        yield server
    finally:
        stop(server, signal.SIGINT)


def stop(server: AirflowServer, number: signal.Signals) -> list[psutil.Process]:
    """Stop the server as its user would; returns the processes that outlived it, which are killed."""
    if server.process.poll() is not None:
        return []
    family = server.family
    server.process.send_signal(number)
    with suppress(subprocess.TimeoutExpired):
        server.process.wait(STOP_SECONDS)
    left = [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    server.process.wait()
    return left


def _is_healthy(server: AirflowServer) -> bool:
    health = server.call("GET", "/api/v2/monitor/health")
    return "password" in server.output and all(
        health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor", "triggerer")
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

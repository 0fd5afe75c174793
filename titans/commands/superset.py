"""``make superset``: Superset on loopback with the dashboard of ``bi/superset``, on the published file."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import psutil  # type: ignore[import-untyped]  # its types are no dependency
import typer

from include.commands import make_command
from include.errors import TitansError
from include.files import write_whole
from include.locks import exclusive
from include.publishing.generations import linked_generation
from include.settings import PROJECT_ROOT, Settings, load_shared_settings
from titans.commands.query import open_published
from titans.loopback import PRIVATE, STOP_SIGNALS, Stopped, check_free, password_of, port_of, stop_on_signals
from titans.output import console
from titans.processes import signals_held

ENVIRONMENT = Path(sys.prefix) / "superset"
"""Where the Makefile installs it: its pins contradict Airflow's."""
DASHBOARD = "/superset/dashboard/titans/"
_PROJECT = PROJECT_ROOT / "bi" / "superset"
_SERVER = (
    *("gunicorn", "--workers", "1", "--worker-class", "gthread", "--threads", "8", "--timeout", "120"),
    "superset.app:create_app()",
)
_START_SECONDS = 120
_STOP_SECONDS = 20


def superset(port: Annotated[str, typer.Option(help="Port on 127.0.0.1.")] = "8088") -> None:
    """Serve Superset with the dashboard of the published file, until Ctrl-C."""
    settings, number = load_shared_settings(), port_of(port, "make superset")
    _refuse_without_reports(settings)
    if not (ENVIRONMENT / "bin" / "gunicorn").exists():
        raise TitansError(f"Superset is not installed in {ENVIRONMENT}: make superset installs it.")
    check_free(number, "make superset")
    home = settings.data_dir / "superset"
    refusal = f"Superset is at work on {settings.data_dir}: {{who}}. Stop it first."
    with exclusive(home / "titans.lock", "make superset", refusal):
        home.chmod(0o700)
        _serve(settings, home, number)


def _refuse_without_reports(settings: Settings) -> None:
    """Raise TitansError: nothing is published, or an earlier version published it."""
    if linked_generation(settings.published) is None:
        raise TitansError(
            f"Nothing is published in {settings.published.folder} yet: {make_command(settings.data_dir, 'run')} first."
        )
    with open_published(settings.published) as connection:
        found = connection.execute("select count(*) from duckdb_tables() where schema_name = 'reports'").fetchone()
    if found == (0,):
        raise TitansError(
            "An earlier version of Titans published what is there, without schema reports, which the dashboard draws: "
            f"{make_command(settings.data_dir, 'build')} first."
        )


def _serve(settings: Settings, home: Path, port: int) -> None:
    """Run Superset until Ctrl-C, a hangup or a SIGTERM, then stop all of it.

    Raises:
        TitansError: it could not be prepared, or ended by itself.
    """
    if not (home / "secret.key").exists():
        write_whole(home / "secret.key", secrets.token_urlsafe(42), PRIVATE)
    password = password_of(home)
    stop_on_signals()
    processes: list[subprocess.Popen[bytes]] = []
    try:
        _prepare(settings, home, password, processes)
        log = home / "superset.log"
        server = _start([*_SERVER, "--bind", f"127.0.0.1:{port}"], home, log, processes)
        _wait_for_answer(server, port, log)
        console.print(f"Superset   http://127.0.0.1:{port}{DASHBOARD}  user admin  password {password}", soft_wrap=True)
        console.print("Stop       Ctrl-C")
        while server.poll() is None:
            time.sleep(0.5)
        raise TitansError(f"Superset ended by itself with code {server.returncode}: its log is {log}.")
    except Stopped:
        console.print("Stopping   Superset")
    finally:
        _stop_all(processes)


def _prepare(settings: Settings, home: Path, password: str, processes: list[subprocess.Popen[bytes]]) -> None:
    """Bring Superset's own database up to the bundle, where the bundle, Superset or the file's path is another.

    Raises:
        TitansError: it failed.
    """
    stamp, log = home / "prepared", home / "prepare.log"
    state = _state(settings.published.link)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return
    console.print("Preparing  Superset's database and the dashboard: half a minute", soft_wrap=True)
    command = ["python", str(_PROJECT / "prepare.py"), str(settings.published.link)]
    process = _start(command, home, log, processes, password)
    if process.wait():
        raise TitansError(f"Superset's database in {home} could not be prepared: the log is {log}.")
    processes.remove(process)  # its number may be another's by the time that all are stopped
    write_whole(stamp, state)


def _state(link: Path) -> str:
    """A hash of all that preparing depends on."""
    digest = hashlib.sha256(str(link).encode())
    for path in [PROJECT_ROOT / "requirements-superset.txt", *sorted(_PROJECT.rglob("*"))]:
        if path.suffix in (".py", ".yaml", ".txt"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _start(
    command: list[str], home: Path, log: Path, processes: list[subprocess.Popen[bytes]], password: str = ""
) -> subprocess.Popen[bytes]:
    """A program of Superset's environment in a session of its own; ``password`` goes to its standard input."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "SUPERSET", "FLASK", "GUNICORN"))
    }
    environment = inherited | {
        "SUPERSET_HOME": str(home),
        "SUPERSET_CONFIG_PATH": str(_PROJECT / "superset_config.py"),
        "PYTHONPATH": "",
        "PYTHONUTF8": "1",
    }
    with log.open("wb") as output, signals_held(STOP_SIGNALS):
        process = subprocess.Popen(
            [str(ENVIRONMENT / "bin" / command[0]), *command[1:]],
            env=environment,
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        processes.append(process)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(password.encode())
    return process


def _wait_for_answer(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        # Not through a proxy that the environment names.
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection,
        ):
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise TitansError(f"Superset did not answer on port {port} within {_START_SECONDS} s: its log is {log}.")


def _stop_all(processes: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM, and to what is left in their sessions after a while SIGKILL."""
    for process in processes:
        process.terminate()
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    families = {process.pid for process in processes}
    for member in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(member.pid) in families:
                os.kill(member.pid, signal.SIGKILL)
    for process in processes:
        process.wait()

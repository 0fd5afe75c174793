"""``make airflow``: the UI on loopback and the scheduler, with a generated password."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Annotated

import psutil  # type: ignore[import-untyped]  # its types are no dependency
import typer

from include.errors import TitansError
from include.runs.pins import refuse_sample
from include.seeds.calendars import load_calendars
from include.seeds.read import load_reference
from include.settings import Settings, load_settings, pin_source
from titans.airflow_env import airflow_database, airflow_lock, logs_of, prepare_airflow, set_airflow_environment
from titans.commands.tidy import tidy_up
from titans.loopback import STOP_SIGNALS, Stopped, check_free, password_of, port_of, stop_on_signals
from titans.output import console, earlier_log, is_long, quiet_libraries
from titans.processes import signals_held

# In this order, and the scheduler once the API answers: a task that starts earlier fails, and with it the slot that a
# new scheduler catches up on. `airflow standalone` also starts two log servers, which listen on every interface; here
# the UI reads the log files itself.
_COMPONENTS = (
    ["api-server"],
    ["dag-processor"],
    ["scheduler", "--skip-serve-logs"],
    ["triggerer", "--skip-serve-logs"],
)
_START_SECONDS = 120
_TIDY_SECONDS = 24 * 60 * 60
_STOP_SECONDS = 60
"""A task that runs may end: the scheduler waits for it."""


def airflow(port: Annotated[str, typer.Option(help="Port on 127.0.0.1.")] = "8080") -> None:
    """Serve the Airflow UI and run the schedules, until Ctrl-C."""
    settings, number = load_settings(), port_of(port, "make airflow")
    refuse_sample(settings.model_copy(update={"known_at": None}))
    pin_source(settings)
    load_calendars(load_reference(settings.seeds_dir))
    check_free(number, "make airflow")
    with airflow_lock(settings.airflow_home, "make airflow"):
        _serve(settings, number)


def _serve(settings: Settings, port: int) -> None:
    """Run Airflow's components until Ctrl-C, a hangup or a SIGTERM, then stop all of them.

    Raises:
        TitansError: a component ended by itself.
    """
    home = settings.airflow_home
    set_airflow_environment(home, port)
    logs = logs_of(home)
    with quiet_libraries(logs / "make-airflow.log"), airflow_database(home):
        prepare_airflow(home)
        from airflow.configuration import write_default_airflow_configuration_if_needed

        # Holds the keys that the components share: each would make its own otherwise.
        write_default_airflow_configuration_if_needed()
    password = password_of(home)
    _tidy(settings)
    console.print(
        f"Starting   Airflow on {settings.source} data, schedules on; logs of its parts in {logs}", soft_wrap=True
    )
    components: dict[str, subprocess.Popen[bytes]] = {}
    stop_on_signals()
    try:
        for command in _COMPONENTS:
            if command[0] == "scheduler":
                _wait_for_port(components, port, logs)
            with signals_held(STOP_SIGNALS):
                components[command[0]] = _start(command, logs)
        console.print(f"Airflow    http://127.0.0.1:{port}  user admin  password {password}", soft_wrap=True)
        console.print("Stop       Ctrl-C")
        tidied = time.monotonic()
        while True:
            _check_alive(components, logs)
            _shorten(logs)
            if time.monotonic() - tidied > _TIDY_SECONDS:
                _tidy(settings)
                tidied = time.monotonic()
            time.sleep(0.5)
    except Stopped:
        console.print("Stopping   a task that runs may end")
    finally:
        _stop_all(components)


def _tidy(settings: Settings) -> None:
    """As ``make tidy``, now and every day. What cannot be tidied stops no server."""
    try:
        console.print(tidy_up(settings), soft_wrap=True)
    except Stopped:
        raise
    except Exception as error:  # whatever it is, the server matters more
        console.print(f"Not tidied {error}", style="yellow", markup=False, soft_wrap=True)


def _shorten(logs: Path) -> None:
    """Let the log of a component begin anew once it is long. The component goes on writing to the same file."""
    for command in _COMPONENTS:
        log = logs / f"{command[0]}.log"
        if is_long(log):
            with contextlib.suppress(OSError):  # such as a full disk, which what is cut off frees
                shutil.copyfile(log, earlier_log(log))
            os.truncate(log, 0)


def _start(command: list[str], logs: Path) -> subprocess.Popen[bytes]:
    """A component in a session of its own: Ctrl-C reaches this process alone, and the whole family can be ended.

    It adds to its log, which ``_shorten`` may empty meanwhile.
    """
    log = logs / f"{command[0]}.log"
    log.write_bytes(b"")
    with log.open("a", encoding="utf-8") as output:
        return subprocess.Popen(["airflow", *command], stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def _check_alive(components: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    for name, process in components.items():
        if process.poll() is not None:
            raise TitansError(
                f"Airflow's {name} ended by itself with code {process.returncode}: its log is {logs / f'{name}.log'}."
            )


def _wait_for_port(components: dict[str, subprocess.Popen[bytes]], port: int, logs: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        _check_alive(components, logs)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise TitansError(
        f"Airflow did not answer on port {port} within {_START_SECONDS} s: the log is {logs / 'api-server.log'}."
    )


def _stop_all(components: dict[str, subprocess.Popen[bytes]]) -> None:
    """SIGTERM to the scheduler, whose tasks may end while the API server still takes their results, then to the others.

    What is left in their sessions after a while gets SIGKILL; a task has a process group of its own.
    """
    first = [process for name, process in components.items() if name == "scheduler"]
    others = [process for name, process in components.items() if name != "scheduler"]
    for processes, seconds in ((first, _STOP_SECONDS), (others, _STOP_SECONDS / 3)):
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + seconds
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
    families = {process.pid for process in components.values()}
    for member in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(member.pid) in families:
                os.kill(member.pid, signal.SIGKILL)
    for process in components.values():
        process.wait()

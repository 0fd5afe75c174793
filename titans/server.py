"""``make airflow``: the UI on loopback and the scheduler, with a generated password."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess

from rich.console import Console

from include.errors import TitansError
from include.reference import load_reference
from include.settings import Settings
from titans.airflow_env import prepare_airflow, set_airflow_environment
from titans.output import quiet_libraries

_STOP_SECONDS = 30


def serve(console: Console, settings: Settings, port: int) -> None:
    """Run ``airflow standalone`` until it is interrupted.

    Raises:
        TitansError: the port is taken, or Airflow ended by itself.
    """
    load_reference(settings.seeds_dir)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TitansError(
                f"Port {port} of 127.0.0.1 is taken: stop what listens there, or give another, make airflow PORT=8090."
            ) from error
    set_airflow_environment(settings, port)
    log = settings.airflow_home / "logs" / "standalone.log"
    with quiet_libraries(log):
        prepare_airflow(settings)
    password = _password(settings)
    console.print(f"Airflow    http://127.0.0.1:{port}  user admin  password {password}", soft_wrap=True)
    console.print(f"Log        {log}", soft_wrap=True)
    console.print(f"Source     {settings.source}; the schedules are on. Ctrl-C stops everything.")
    with log.open("a") as output:
        server = subprocess.Popen(["airflow", "standalone"], stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        code = _wait(server)
    if code not in (0, None):
        raise TitansError(f"Airflow ended by itself with code {code}: its log is {log}.")


def _password(settings: Settings) -> str:
    """The admin's password, made once and readable by its owner only."""
    path = settings.airflow_home / "passwords.json"
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"admin": secrets.token_urlsafe(16)}, file)
    return str(json.loads(path.read_text())["admin"])


def _wait(server: subprocess.Popen[bytes]) -> int | None:
    """Wait for the end; on an interrupt stop the whole family. None if it was stopped on purpose.

    The parent gets SIGINT, which it hands on; SIGTERM to it would leave its children behind.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
        return None

"""What the servers of ``make airflow`` and ``make superset`` share: a port of 127.0.0.1 and a generated password."""

from __future__ import annotations

import json
import secrets
import signal
import socket
from pathlib import Path

from include.errors import TitansError
from include.files import write_whole

PRIVATE = 0o600
"""For its owner alone."""
# A closed terminal stops a server too, unless nohup says otherwise.
STOP_SIGNALS = [
    signal.SIGINT,
    signal.SIGTERM,
    *([signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []),
]


class Stopped(Exception):  # noqa: N818  # a request, not an error
    """The server is asked to stop."""


def stop_on_signals() -> None:
    """Raise ``Stopped`` at the first of ``STOP_SIGNALS``, and ignore those after it."""
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)


def _stop(*_: object) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def port_of(text: str, command: str) -> int:
    """The port that a user gave.

    Args:
        command: what takes it, such as ``make airflow``.

    Raises:
        TitansError: it is no port.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise TitansError(f"PORT={text} is not usable: give a port from 1 to 65535, {command} PORT=8090.")
    return int(text)


def check_free(port: int, command: str) -> None:
    """Refuse a port on which something listens.

    Raises:
        TitansError: the port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TitansError(
                f"Port {port} of 127.0.0.1 is taken: stop what listens there, or give another, {command} PORT=8090."
            ) from error


def password_of(home: Path) -> str:
    """The admin's password, made once and readable by its owner only."""
    path = home / "passwords.json"
    if not path.exists():
        write_whole(path, json.dumps({"admin": secrets.token_urlsafe(16)}), PRIVATE)
    return str(json.loads(path.read_text(encoding="utf-8"))["admin"])

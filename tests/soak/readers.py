"""Clients that read in loops while generations are published several times a second."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from include.settings import PROJECT_ROOT
from tests.published_folder import give_early_layout
from tests.soak.publisher import newest, publish_for, settings_of
from tests.soak.tally import Tally

CLIENTS = Path(__file__).parent / "clients"
_INSTALLED = Path(sys.prefix) / "soak"
"""Foreign clients live in the environment, so that ``make clean`` removes them."""
_NODE_API = "@duckdb/node-api@1.5.6-r.1"


class NotHereError(Exception):
    """A client cannot be had on this machine; says why."""


@dataclass(frozen=True)
class Client:
    """A reader: how to have it, and the command that runs its loop on link, newest number and seconds."""

    name: str
    command: Callable[[list[str]], list[str]]
    environment: Callable[[], dict[str, str]] = dict


def _wheel(name: str) -> Path:
    """Install a wheel of another version beside the environment, with its hash checked."""
    target = _INSTALLED / name
    if not target.exists():
        with tempfile.TemporaryDirectory() as half:
            uv = [str(Path(sys.prefix) / "bin" / "uv"), "pip", "install", "--quiet", "--python", sys.executable]
            _must([*uv, "--require-hashes", "--target", half, "-r", str(CLIENTS / f"{name}.txt")])
            shutil.copytree(half, target)
    return target


def _node_packages() -> Path:
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotHereError("node or npm is not installed")
    target = _INSTALLED / "node"
    if not (target / "node_modules" / "@duckdb" / "node-api").exists():
        target.mkdir(parents=True, exist_ok=True)
        _must(
            [
                "npm",
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--no-save",
                "--no-package-lock",
                "--prefix",
                str(target),
                _NODE_API,
            ]
        )
    return target


def _must(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotHereError(f"{Path(command[0]).name} could not install it: {lines[-1] if lines else 'no message'}")


def _reader(kind: str, detail: Callable[[], str] = str) -> Callable[[list[str]], list[str]]:
    return lambda where: [sys.executable, str(CLIENTS / "reader.py"), *where, kind, detail()]


OWN_CLIENTS = (
    Client("Python", _reader("python")),
    Client("Python, four threads in a process", _reader("threads")),
    Client("pandas", _reader("pandas")),
    Client("SQLAlchemy", _reader("sqlalchemy")),
)
"""What the project's own environment can run."""
FOREIGN_CLIENTS = (
    Client("DuckDB 1.1.3", _reader("old", lambda: "1.1.3"), lambda: {"PYTHONPATH": str(_wheel("duckdb-1.1.3"))}),
    Client("DuckDB 1.4.4", _reader("old", lambda: "1.4.4"), lambda: {"PYTHONPATH": str(_wheel("duckdb-1.4.4"))}),
    Client(
        "duckdb command line",
        _reader("command-line", lambda: str(_wheel("duckdb-cli-1.5.6") / "duckdb_cli" / "duckdb")),
    ),
    Client("Node", lambda where: ["node", str(CLIENTS / "reader.mjs"), *where, str(_node_packages())]),
)


def read_while_publishing(
    folder: Path, clients: tuple[Client, ...], seconds: float, tally: Tally, *, is_early: bool = False
) -> None:
    """Run every client at once for ``seconds`` beside a publisher; counts go into ``tally``.

    Every client must find the tables in a database ``titans``. With ``is_early`` the folder has the early layout, which
    the publisher brings over while they read; there the database is called after the file.
    """
    publish_for(folder, 0, 0)
    if is_early:
        give_early_layout(settings_of(folder).published)
    database = {"DATABASE": "" if is_early else "titans."}
    first = newest(folder)
    where = [str(settings_of(folder).published.link), str(folder / "newest"), str(seconds)]
    running: list[tuple[Client, subprocess.Popen[str]]] = []
    publisher = _start(
        [sys.executable, "-m", "tests.soak.publisher", str(folder), str(seconds), "0.05"],
        {"PYTHONPATH": str(PROJECT_ROOT)},
    )
    try:
        for client in clients:
            try:
                process = _start(client.command(where), {**client.environment(), **database})
                # So many readers on few processors would leave the publisher none to publish several times a second.
                os.setpriority(os.PRIO_PROCESS, process.pid, 19)
                running.append((client, process))
            except NotHereError as error:
                tally.skipped[client.name] = str(error)
        for client, process in running:
            output, complaints = process.communicate(timeout=seconds + 120)
            _count(client, output, complaints, tally)
        _, complaints = publisher.communicate(timeout=120)
        if publisher.returncode:
            tally.wrong.append(f"the publisher died: {complaints.strip().splitlines()[-1:]}")
    finally:
        for process in [publisher, *(process for _, process in running)]:
            if process.poll() is None:
                process.kill()
                process.wait()
    tally.done["generations published under readers"] += newest(folder) - first


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TITANS_")}
    return subprocess.Popen(
        command,
        env={**inherited, **environment},
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _count(client: Client, output: str, complaints: str, tally: Tally) -> None:
    lines = output.splitlines()
    if not lines:
        tally.wrong.append(f"{client.name} died: {complaints.strip().splitlines()[-1:]}")
        return
    reads, errors, torn, stale = (int(number) for number in lines[0].split())
    tally.done[f"reads by {client.name}"] += reads
    problems = "; ".join(line for line in lines[1:] if line)
    if reads == 0:
        tally.wrong.append(f"{client.name} read nothing")
    if errors:
        tally.wrong.append(f"{client.name}: {errors} of {reads} reads failed: {problems}")
    if stale:
        tally.wrong.append(f"{client.name}: {stale} of {reads} new connections saw an old generation: {problems}")
    if torn:
        tally.torn.append(f"{client.name}: {torn} of {reads} reads were torn: {problems}")

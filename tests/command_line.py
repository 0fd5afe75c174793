"""Commands as a user's terminal sees them, each in a process of its own.

The processes are forked from one that has imported what commands use: the imports take longer than a refusal.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

from include.settings import PROJECT_ROOT

TIMEOUT_SECONDS = 120
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.command_line", "typer", "duckdb", "include.build", "include.ingest.fetch"])


def titans(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m titans`` with these arguments, in an environment of nothing but ``environment`` and the paths."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), **environment}
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name) / "out", Path(name) / "err"
        process = _context.Process(target=_run, args=(arguments, environment, out, err))
        process.start()
        process.join(TIMEOUT_SECONDS)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(["titans", *arguments], TIMEOUT_SECONDS)
        assert process.exitcode is not None, "a process that was joined has a code"
        return subprocess.CompletedProcess(
            ["titans", *arguments], process.exitcode, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
        )


def _run(arguments: tuple[str, ...], environment: dict[str, str], out: Path, err: Path) -> None:
    os.chdir(PROJECT_ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    sys.argv = ["titans", *arguments]
    runpy.run_module("titans", run_name="__main__", alter_sys=True)

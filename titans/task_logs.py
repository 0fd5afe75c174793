"""Logs of the tasks that ``make run`` executes in its own process, put where Airflow's UI looks for them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

# 2025-03-07T10:00:00.000000Z [info     ] what happened          [logger.name] key=value loc=file.py:1
_LINE = re.compile(
    r"^(?P<timestamp>\S+Z) \[(?P<level>\w+) *\] (?P<event>.*?)(?: +\[(?P<logger>[\w.]+)\](?P<values>[^\]]*))?$"
)
# What the stand-in for Airflow's API server, which shares the process, and the runner say about themselves.
_OTHERS = re.compile(r"\[airflow\.(api_fastapi|sdk\.definitions\.dag)\b|::(end)?group::|Pushing xcom ")


def keep_task_logs(log: Path) -> None:
    """Copy what each task writes to ``log``, which takes this process's standard output, into the task's own log file.

    ``dag.test()`` runs tasks without the supervisor that would write these files.
    """
    from airflow.sdk.listener import get_listener_manager

    get_listener_manager().add_listener(_listener(log))


def _listener(log: Path) -> Any:
    from airflow.listeners import hookimpl
    from airflow.sdk.configuration import conf
    from airflow.utils.helpers import log_filename_template_renderer

    folder, path_of = Path(conf.get("logging", "base_log_folder")), log_filename_template_renderer()

    class Listener:
        begin = 0

        @hookimpl
        def on_task_instance_running(self) -> None:
            self.begin = _size(log)

        @hookimpl
        def on_task_instance_success(self, task_instance: Any) -> None:
            self.keep(task_instance)

        @hookimpl
        def on_task_instance_failed(self, task_instance: Any) -> None:
            self.keep(task_instance)

        @hookimpl
        def on_task_instance_skipped(self, task_instance: Any) -> None:
            self.keep(task_instance)

        def keep(self, task_instance: Any) -> None:
            end = _size(log)
            with log.open("rb") as source:
                source.seek(self.begin)
                text = source.read(end - self.begin).decode("utf-8", errors="replace")
            target = folder / path_of(ti=task_instance)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(as_task_log(text), encoding="utf-8")

    return Listener()


def as_task_log(text: str) -> str:
    """Console lines as the JSON lines of a task's log. A line of another shape, such as a traceback's, keeps the level
    before it."""
    entry: dict[str, str | None] = {"timestamp": None, "level": "info", "logger": None}
    lines = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            entry = {name: match[name] for name in entry}
        if not _OTHERS.search(line):
            event = match["event"] + re.sub(r" loc=\S+", "", match["values"] or "") if match else line
            lines.append(json.dumps({**entry, "event": event}, ensure_ascii=False) + "\n")
    return "".join(lines)


def _size(log: Path) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    return log.stat().st_size

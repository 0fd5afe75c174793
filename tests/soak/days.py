"""Daily deliveries through Airflow for months, in minutes: after each day, all that it left becomes a day older.

``python -m tests.soak.days FOLDER SECONDS`` is a process of its own, since Airflow has one environment a process. It prints
a line of JSON a day.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from include.settings import PROJECT_ROOT, load_settings
from tests.soak.tally import Tally
from titans.airflow_env import database_of, logs_of, prepare_airflow, set_airflow_environment
from titans.bench.export import write_export
from titans.bench.world import FIRST_EXPORT, World, write_project
from titans.commands.tidy import tidy_up
from titans.output import quiet_libraries
from titans.pipeline import _execute
from titans.task_logs import keep_task_logs

KEPT_DAYS = 20
"""Of everything that has an age."""
TIDIED_EVERY = 5
BUILT_EVERY = 20
"""Days from one build with marts to the next: the others load and judge alone, which is what grows with deliveries."""
HORIZON = KEPT_DAYS + TIDIED_EVERY
LEAST_DAYS = HORIZON + 2 * KEPT_DAYS
_WORLD = World(symbols=12, years=3, baskets=2, members=5)
_OVERLAP = timedelta(days=7)
_DAY = 24 * 60 * 60
_MOST_GROWTH = 1.15
"""Of the last twenty days to the twenty after the horizon: CPU, and bytes of what has an age."""
_OF_NO_AGE = ("landing", "warehouse", "published", "dbt")
"""Their bytes are history of the market, or have a bound of their own: dbt begins its log anew at 10 MB."""
_OF_MINUTES = ("published",)
"""A generation stays for ten minutes after it was replaced. Here that is many days."""


@dataclass(frozen=True)
class Day:
    """What a day took and what is on disk after it.

    Attributes:
        cpu: seconds of the ingest DAGs, load and gate 1.
        build_cpu: seconds of transform, gate 2 and publish, on a day that has them.
        tidy_cpu: seconds of tidying, on a day that has it.
        files: by area.
        bytes: by area.
    """

    number: int
    cpu: float
    build_cpu: float | None
    tidy_cpu: float | None
    files: dict[str, int]
    bytes: dict[str, int]


def deliver_daily(folder: Path, seconds: float, tally: Tally) -> None:
    """As many days as fit into ``seconds``; what grows after the horizon goes into ``tally``."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.soak.days", str(folder), str(seconds)],
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    days = [Day(**json.loads(line)) for line in process.stdout.splitlines()]
    tally.done["daily deliveries through Airflow"] += len(days)
    if process.returncode:
        tally.wrong.append(f"day {len(days) + 1} of the daily deliveries failed: {folder} has its logs")
    elif len(days) < LEAST_DAYS:
        tally.skipped["what grows over days"] = f"{len(days)} days fitted in, and it takes {LEAST_DAYS}"
    else:
        tally.tables["daily deliveries"] = table_of(days)
        tally.wrong += growth(days)


def growth(days: list[Day]) -> list[str]:
    """What the last twenty days have more of than the twenty after the horizon, in words."""
    first, last = days[HORIZON : HORIZON + KEPT_DAYS], days[-KEPT_DAYS:]
    apart = last[0].number - first[0].number
    found = []
    cpu = [median(day.cpu for day in some) for some in (first, last)]
    if cpu[1] > _MOST_GROWTH * cpu[0]:
        found.append(f"CPU a day grew from {cpu[0]:.2f} s to {cpu[1]:.2f} s in {apart} days")
    for area in [area for area in last[-1].files if area not in _OF_MINUTES]:
        # Estimates and share counts cannot be fetched again, so their landing files stay: two a day.
        kept = 2 * apart if area == "landing" else 0
        files = [max(day.files[area] for day in some) for some in (first, last)]
        if files[1] > files[0] + kept:
            found.append(f"files of {area} grew from {files[0]} to {files[1]} in {apart} days")
        sizes = [max(day.bytes[area] for day in some) for some in (first, last)]
        if area not in _OF_NO_AGE and sizes[1] > _MOST_GROWTH * sizes[0]:
            found.append(f"bytes of {area} grew from {sizes[0]:,} to {sizes[1]:,} in {apart} days")
    return found


def table_of(days: list[Day]) -> list[list[str]]:
    """A row for every twenty days, with the largest of each figure but the median of CPU; headings first."""
    areas = list(days[0].files)
    rows = [["days", "CPU a day", "build", "tidy", "files", *(f"{area}, kB" for area in areas)]]
    for place in range(0, len(days), KEPT_DAYS):
        some = days[place : place + KEPT_DAYS]
        builds = [day.build_cpu for day in some if day.build_cpu is not None]
        tidied = [day.tidy_cpu for day in some if day.tidy_cpu is not None]
        rows.append(
            [
                f"{some[0].number} to {some[-1].number}",
                f"{median(day.cpu for day in some):.2f} s",
                f"{median(builds):.1f} s" if builds else "",
                f"{median(tidied):.1f} s" if tidied else "",
                str(max(sum(day.files.values()) for day in some)),
                *(f"{max(day.bytes[area] for day in some) / 1000:,.0f}" for area in areas),
            ]
        )
    return rows


def _main(folder: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    project = write_project(_WORLD, folder / "project")
    export = folder / "export"
    os.environ |= {
        "TITANS_SOURCE": "files",
        "TITANS_FILES_DIR": str(export),
        "TITANS_DATA_DIR": str(folder / "data"),
        "TITANS_DBT_PROJECT_DIR": str(project),
        "TITANS_KEEP_LOGS_DAYS": str(KEPT_DAYS),
        "TITANS_KEEP_RECORDS_DAYS": str(KEPT_DAYS),
        "TITANS_KEEP_HISTORY_DAYS": str(KEPT_DAYS),
    }
    home = load_settings().airflow_home
    log = folder / "days.log"  # of all days, as one process makes them: no log of a run
    with os.fdopen(os.dup(1), "w") as answers, quiet_libraries(log):
        set_airflow_environment(home)
        prepare_airflow(home)
        keep_task_logs(log)
        from airflow.dag_processing.dagbag import BundleDagBag

        dags = PROJECT_ROOT / "dags"
        bag = BundleDagBag(dag_folder=dags, bundle_path=dags, bundle_name="dags-folder")
        tasks = {task.task_id: task for task in bag.get_dag("build_marts").tasks}
        work = {name: tasks[name].python_callable for name in ("transform", "check_marts", "publish")}
        for number, day in enumerate(_weekdays()):
            if time.monotonic() > end and number:
                return
            shutil.rmtree(export, ignore_errors=True)
            write_export(_WORLD, project, export, day, since=day - _OVERLAP if number else None)
            answers.write(json.dumps(asdict(_day(number, day, bag, tasks, work))) + "\n")
            answers.flush()


def _weekdays() -> Iterator[date]:
    day = FIRST_EXPORT
    while True:
        if day.weekday() < 5:
            yield day
        day += timedelta(days=1)


def _day(number: int, day: date, bag: Any, tasks: dict[str, Any], work: dict[str, Callable[..., Any]]) -> Day:
    """A delivery through every DAG, tidying, and a day goes by."""
    os.environ["TITANS_EXPORTED_AT"] = day.isoformat()
    settings = load_settings()
    conf, built = {"as_of": day.isoformat()}, 0.0

    def measured(step: Callable[..., Any]) -> Callable[..., Any]:
        def task() -> Any:
            nonlocal built
            since = _cpu()
            try:
                return step()
            finally:
                built += _cpu() - since

        return task

    is_built = number % BUILT_EVERY == 0
    for name, step in work.items():
        tasks[name].python_callable = measured(step) if is_built else _leave_out(name)
    since = _cpu()
    for dag_id in ("ingest_prices_hk", "ingest_prices_us", "ingest_fx", "ingest_estimates", "build_marts"):
        record = _execute(settings.store, bag, dag_id, conf)
        assert record.outcome in ("success", "skipped"), (dag_id, day, record)
    cpu = _cpu() - since - built
    tidied = None
    if number % TIDIED_EVERY == TIDIED_EVERY - 1:
        since = _cpu()
        print(tidy_up(settings))
        tidied = _cpu() - since
    _let_a_day_go_by(settings.data_dir)
    files, sizes = _on_disk(settings.data_dir)
    return Day(number, cpu, built if is_built else None, tidied, files, sizes)


def _leave_out(name: str) -> Callable[[], None]:
    def nothing() -> None:
        """Leaves the step without which a run does not count as whole."""
        from wiring.runs import current_run, run_settings

        with current_run(run_settings()).step(name):
            pass

    return nothing


def _let_a_day_go_by(data: Path) -> None:
    """Files and rows of Airflow's database become a day older. What a vendor delivers has the time of its export."""
    for path in data.rglob("*"):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            os.utime(path, (status.st_atime - _DAY, status.st_mtime - _DAY))
    with closing(sqlite3.connect(database_of(data / "airflow"))) as database:
        moments = database.execute(
            """select tables.name, columns.name from sqlite_master as tables, pragma_table_info(tables.name) as columns
            where tables.type = 'table' and columns.type in ('TIMESTAMP', 'DATETIME')"""
        ).fetchall()
        for table, column in moments:
            if not column.startswith("logical"):  # a run's name
                database.execute(
                    f'update "{table}" set "{column}" = strftime(\'%Y-%m-%d %H:%M:%f000\', "{column}", \'-1 day\') '
                    f'where "{column}" is not null'
                )
        database.commit()


def _on_disk(data: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Files and bytes by area: the folders of the store, Airflow's logs and database, and what is published."""
    store = data / "files"
    areas = {
        "landing": [store / "landing"],
        "warehouse": [store / "warehouse.duckdb", store / "warehouse.duckdb.wal", store / "raw_tables.duckdb"],
        "runs": [store / "runs", store / "incidents"],
        "exports": [store / "exports"],
        "dbt": [store / "dbt"],
        "published": [data / "published"],
        "logs": [logs_of(data / "airflow")],
        "database": [database_of(data / "airflow")],
    }
    every = [path for path in data.rglob("*") if path.is_file() and not path.is_symlink()]
    files, sizes = dict.fromkeys([*areas, "others"], 0), dict.fromkeys([*areas, "others"], 0)
    for path in every:
        area = next(
            (name for name, roots in areas.items() if any(path.is_relative_to(root) for root in roots)), "others"
        )
        files[area] += 1
        sizes[area] += path.stat().st_size
    return files, sizes


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), float(sys.argv[2]))

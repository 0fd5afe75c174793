"""``make superset`` as its user meets it: a dashboard in a browser, before and after a publish, on loopback alone."""

from __future__ import annotations

import json
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its types are no dependency
import pytest
import yaml

from include.settings import PROJECT_ROOT, Settings
from tests.end_to_end.airflow_server import free_port
from tests.pipeline import ask, build_all, copy_project
from titans.commands.superset import DASHBOARD, ENVIRONMENT

BROWSER = [Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")]
pytestmark = [
    pytest.mark.skipif(
        not (ENVIRONMENT / "bin" / "gunicorn").exists(),
        reason=f"Superset is not installed in {ENVIRONMENT}: it needs a package index",
    ),
    pytest.mark.skipif(
        not all(path.exists() for path in BROWSER), reason="no browser: install Debian's chromium and chromium-driver"
    ),
]
START_SECONDS, STOP_SECONDS, LOOK_SECONDS = 400, 40, 300
Look = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """The dashboard of the sample; again after a build that published a third basket; and how the server ended."""

    settings: Settings
    port: int
    first: Look
    second: Look
    listens_on: set[str]
    refused: dict[str, int]
    wrote: str
    left: list[str]
    terminal: str


@pytest.fixture(scope="module")
def story(built_sample_store: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("superset")
    # A path with a space and another script: both stand in the address of the database.
    data = folder / "data 数据"
    shutil.copytree(built_sample_store.data_dir, data, symlinks=True)
    settings = built_sample_store.model_copy(update={"data_dir": data})
    port, terminal = free_port(), folder / "terminal.txt"
    with terminal.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "titans", "superset", "--port", str(port)],
            cwd=PROJECT_ROOT,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT_ROOT), "TITANS_DATA_DIR": str(data)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    family: list[psutil.Process] = []
    try:
        wait_until_served(server, terminal)
        me = psutil.Process(server.pid)
        family = [me, *me.children(recursive=True)]
        address, password = f"http://127.0.0.1:{port}{DASHBOARD}", password_in(terminal)
        first = look(address, password, folder / "first.png")
        refused = {name: status_of_login(port, text) for name, text in (("right", password), ("wrong", "admin"))}
        wrote = write_through(port, password)
        publish_third_basket(settings, folder)
        second = look(address, password, folder / "second.png")
        listens_on = {
            connection.laddr.ip
            for process in family
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        server.send_signal(signal.SIGINT)
        server.wait(STOP_SECONDS)
        left = [process.name() for process in family if process.is_running()]
        yield Story(settings, port, first, second, listens_on, refused, wrote, left, terminal.read_text())
    finally:
        for process in family:
            if process.is_running():
                process.kill()
        if server.poll() is None:
            server.kill()
        server.wait()


def wait_until_served(server: subprocess.Popen[bytes], terminal: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "Ctrl-C" not in terminal.read_text():
        assert server.poll() is None, terminal.read_text()
        assert time.monotonic() < deadline, terminal.read_text()
        time.sleep(0.3)


def password_in(terminal: Path) -> str:
    match = re.search(r"user admin {2}password (\S+)", terminal.read_text())
    assert match
    return match[1]


def look(address: str, password: str, picture: Path) -> Look:
    result = subprocess.run(
        [ENVIRONMENT / "bin" / "python", Path(__file__).with_name("dashboard_in_browser.py"), address, picture],
        input=password,
        capture_output=True,
        text=True,
        timeout=LOOK_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found: Look = json.loads(result.stdout)
    return found


def call(port: int, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)  # type: ignore[no-any-return]  # JSON has no type


def log_in(port: int, password: str) -> dict[str, Any]:
    return call(
        port,
        "/api/v1/security/login",
        {"username": "admin", "password": password, "provider": "db", "refresh": False},
    )


def status_of_login(port: int, password: str) -> int:
    try:
        log_in(port, password)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def write_through(port: int, password: str) -> str:
    """What the server answers to a statement that writes: Superset or DuckDB refuses it."""
    token = {"Authorization": f"Bearer {log_in(port, password)['access_token']}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/security/csrf_token/", headers=token)
    with urllib.request.urlopen(request, timeout=60) as answer:
        cookie = answer.headers["Set-Cookie"].split(";")[0]
        csrf = json.load(answer)["result"]
    headers = token | {"X-CSRFToken": csrf, "Cookie": cookie, "Referer": f"http://127.0.0.1:{port}/"}
    statement = {"database_id": 1, "sql": "create table reports.mine as select 1 as one", "schema": "reports"}
    try:
        return json.dumps(call(port, "/api/v1/sqllab/execute/", statement, headers))
    except urllib.error.HTTPError as error:
        return error.read().decode()


def publish_third_basket(settings: Settings, folder: Path) -> None:
    """First in the alphabet, so that nothing may go by the order of baskets."""
    project = copy_project(folder / "dbt_project")
    with (project / "seeds" / "baskets.csv").open("a") as baskets:
        baskets.write("a_pair,A pair,equal,annual,,magnificent_seven\n")
    with (project / "seeds" / "basket_members.csv").open("a") as members:
        members.write("a_pair,0981.HK,,\na_pair,NVDA,,\n")
    record = build_all(settings.model_copy(update={"dbt_project_dir": project}))
    assert record.outcome == "success", record
    assert ask(settings, "select count(*) from reports.factsheet") == [(3,)]


def charts_of_the_project() -> dict[str, dict[str, Any]]:
    folder = PROJECT_ROOT / "bi" / "superset" / "bundle" / "charts"
    found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yaml")]
    return {chart["slice_name"]: chart for chart in found}


def test_every_chart_has_rows(story: Story) -> None:
    assert story.first["names"] == sorted(charts_of_the_project())
    assert story.first["charts"].keys() == charts_of_the_project().keys()
    wrong = {
        name: chart for name, chart in story.first["charts"].items() if chart["status"] != 200 or chart["error"] or not chart["rows"]
    }  # fmt: skip
    assert wrong == {}


def test_charts_show_what_the_published_file_says(story: Story, built_sample_store: Settings) -> None:
    ((ytd, pe, lines),) = ask(
        built_sample_store,
        "select return_ytd, forward_pe_basket_weighted, (select count(distinct date) from reports.rebased_levels "
        "where basket_id = 'china_titans') from reports.factsheet where basket_id = 'china_titans'",
    )
    charts = story.first["charts"]
    assert list(charts["Year to date"]["rows"][0].values()) == [pytest.approx(ytd, rel=1e-9)]
    assert list(charts["Forward P/E"]["rows"][0].values()) == [pytest.approx(pe, rel=1e-9)]
    levels = charts["Basket and comparator"]["rows"]
    assert len(levels) == lines
    assert [row for row in levels if None in row.values()] == [], "a line breaks"
    assert {name for row in levels for name in row} >= {"China's seven tech titans", "The Magnificent Seven"}
    shown = "\n".join(story.first["shown"])
    assert f"+{100 * ytd:.1f}%" in shown
    assert "SIMULATED, not real" in shown


def test_a_publish_is_seen_without_a_restart(story: Story) -> None:
    names = [
        [row["basket_name"] for row in each["charts"]["All baskets"]["rows"]] for each in (story.first, story.second)
    ]
    assert names == [["China's seven tech titans", "The Magnificent Seven"], ["A pair", "China's seven tech titans", "The Magnificent Seven"]]  # fmt: skip


def test_a_new_basket_changes_no_existing_chart(story: Story) -> None:
    """The table of all baskets has a row more, and the others stay; floating-point values to a billionth."""

    def rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: float(f"{value:.9g}") if isinstance(value, float) else value for name, value in row.items()} for row in rows]  # fmt: skip

    for name, chart in story.first["charts"].items():
        after = [row for row in story.second["charts"][name]["rows"] if row.get("basket_name") != "A pair"]
        assert rounded(after) == rounded(chart["rows"]), name


def test_the_browser_gets_nothing_from_anywhere_else(story: Story) -> None:
    assert story.first["hosts"] == story.second["hosts"] == ["127.0.0.1"]
    others = [message for message in story.first["errors"] if "The action has been blocked" not in message]
    assert others == []


def test_it_is_for_one_person_on_this_machine(story: Story) -> None:
    assert story.listens_on == {"127.0.0.1"}
    assert story.refused == {"right": 200, "wrong": 401}
    home = story.settings.data_dir / "superset"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("secret.key", "passwords.json"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600


def test_it_only_reads(story: Story) -> None:
    assert re.search("read.only|not allow|DML|cannot", story.wrote, re.IGNORECASE), story.wrote
    assert ask(story.settings, "select count(*) from duckdb_tables() where table_name = 'mine'") == [(0,)]


def test_ctrl_c_stops_all_of_it(story: Story) -> None:
    assert story.left == []
    assert "Error" not in story.terminal

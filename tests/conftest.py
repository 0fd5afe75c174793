"""Fixtures of every test: a clean environment, the real prices where they are, and stores that are built once."""

from __future__ import annotations

import json
import os
import shutil
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include import transform
from include.locks import exclusive
from include.settings import PROJECT_ROOT, Settings, load_settings
from tests.pipeline import AS_OF, THOROUGH, copy_project, run_without_airflow

MARKET_DATA = PROJECT_ROOT.parent / "shared" / "market_data"
EXPORTED_AT = "2025-03-08"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TITANS_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _one_parsed_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All stores of all workers share the parsed dbt project, and dbt writes no JSON of a build, which would take a tenth of it."""
    shared = built_below(tmp_path_factory) / "parsed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_WRITE_JSON", "false")
        patch.setattr(transform, "manifest_cache", lambda _: shared)
        yield


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real prices, which is no part of the project."""
    if not MARKET_DATA.is_dir():
        pytest.skip(f"the real prices are not at {MARKET_DATA}")
    return MARKET_DATA


MOST_BUILDS = 4
"""Of all tests together: a full build is what takes time. Share a world, select models (``build_marts``), or stop at gate 1."""


@pytest.fixture(scope="session", autouse=True)
def _count_builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Note the test of each full build in a file that all workers share."""
    counted, invoke = built_below(tmp_path_factory) / BUILDS, transform._invoke

    def count(settings: Settings, command: list[str], manifest: Any, *listener: Any) -> Any:
        if command[0] == "build" and "--select" not in command and settings.dbt_project_dir.name == "dbt_project":
            with counted.open("a") as file:
                file.write(os.environ["PYTEST_CURRENT_TEST"].split(" ")[0] + "\n")
        return invoke(settings, command, manifest, *listener)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform, "_invoke", count)
        yield


BUILDS = "builds.txt"
_skipped: list[str] = []


def _builds(config: pytest.Config) -> list[str]:
    counted = config._tmp_path_factory.getbasetemp() / BUILDS  # type: ignore[attr-defined]  # pytest sets it
    return counted.read_text().splitlines() if counted.exists() else []


def _is_over(builds: list[str]) -> bool:
    return len(builds) > MOST_BUILDS and not THOROUGH


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called where the outcome is reported: with several workers, in the process that starts them."""
    if report.skipped and MARKET_DATA.is_dir() and "the real prices are not at" in str(report.longrepr):
        _skipped.append(report.nodeid)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if _skipped:
        terminalreporter.write_line(
            f"FAILED: {MARKET_DATA} is there, and yet tests on it were skipped: {_skipped}", red=True
        )
    builds = _builds(config)
    terminalreporter.write_line(f"{len(builds)} full builds" + ("" if THOROUGH else f", of at most {MOST_BUILDS}"))
    if _is_over(builds):
        for test, number in Counter(builds).most_common():
            terminalreporter.write_line(f"FAILED: {number} builds in {test}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped or (not hasattr(session.config, "workerinput") and _is_over(_builds(session.config))):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def built_below(factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _built_once(name: str, factory: pytest.TempPathFactory, **source: object) -> Settings:
    """A store that the first worker to ask for it builds, and all others share."""
    root = built_below(factory)
    settings = load_settings(data_dir=str(root / name), **source)
    with exclusive(
        root / f"{name}.lock",
        "a test",
        "The store is still being built by another worker: {who}.",
        patience_seconds=800,
    ):
        if not (root / f"{name}.built").exists():
            run_without_airflow(settings, AS_OF)
            (root / f"{name}.built").touch()
    return settings


@pytest.fixture(scope="session")
def built_real_store(market_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Real prices, built and published. Shared: change nothing in it."""
    return _built_once("real", tmp_path_factory, source="files", files_dir=str(market_data), exported_at=EXPORTED_AT)


@pytest.fixture(scope="session")
def built_sample_store(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The sample, built and published. Shared: change nothing in it."""
    return _built_once("sample", tmp_path_factory)


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What dbt knows of the project, as dbt writes it; from the parse that all builds share."""
    from dbt.flags import set_from_args

    folder = tmp_path_factory.mktemp("parsed")
    set_from_args(Namespace(SEND_ANONYMOUS_USAGE_STATS=False), None)  # a command of dbt would
    transform.parsed_project(load_settings(data_dir=str(folder))).writable_manifest().write(
        str(folder / "manifest.json")
    )
    parsed: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return parsed


CopyStore = Callable[..., Settings]


@pytest.fixture
def copy_store(tmp_path: Path) -> CopyStore:
    """A function that copies a built store, for a test that changes it; keyword arguments change settings."""

    def copy(settings: Settings, **overrides: object) -> Settings:
        target = tmp_path / "data"
        shutil.copytree(settings.data_dir, target, symlinks=True)
        return settings.model_copy(update={"data_dir": target, **overrides})

    return copy


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """A copy of the dbt project whose seeds a test may edit."""
    return copy_project(tmp_path / "dbt_project")


@pytest.fixture
def as_of() -> date:
    return AS_OF

"""Raw to marts: one ``dbt build`` in this process."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import Runbook, TitansError
from include.progress import ModelCount
from include.settings import Settings
from include.shortage import shortage

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_MODELS_AT_A_TIME = 2


def dbt_build(settings: Settings) -> dict[str, Any]:
    """Build every model and run the data tests. The caller holds the writer lock.

    Returns:
        Counts of nodes by status (``success``, ``pass``, ``warn``), and the texts of warnings.

    Raises:
        TitansError: a model, seed or test failed; names each and its first line.
    """
    # Unit tests judge the code, not the data: make test runs them.
    manifest = parsed_project(settings)
    models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    count = ModelCount(sum(node.config.materialized != "ephemeral" for node in models))
    command = ["build", "--exclude-resource-type", "unit_test"]
    return _checked_summary(settings, _invoke(settings, command, manifest, count.listen))


def invoke_dbt(settings: Settings, command: list[str], listener: Callable[[Any], None] | None = None) -> dict[str, Any]:
    """Run one dbt command on the warehouse of ``settings`` and close its DuckDB connections, which dbt keeps open.

    Args:
        listener: gets every event of dbt, such as ``NodeStart``.

    Raises:
        TitansError: as ``dbt_build``.
    """
    # These two commands write what parsing gives, so they parse.
    manifest = None if command[0] in ("parse", "docs") else parsed_project(settings)
    return _checked_summary(settings, _invoke(settings, command, manifest, listener))


def _checked_summary(settings: Settings, result: Any) -> dict[str, Any]:
    """The summary of a command, unless memory or disk ran short under a node."""
    for node in getattr(result, "results", []):
        if str(node.status) == "error" and (
            short := shortage(node.message or "", f"Model {node.node.name}", settings.store)
        ):
            raise short
    return _summary(result, settings.store.warehouse.parent / "dbt" / "logs" / "dbt.log")


def _invoke(
    settings: Settings, command: list[str], manifest: Manifest | None, listener: Callable[[Any], None] | None = None
) -> Any:
    """The result of one dbt command, on the manifest given or on one that dbt parses."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    limits = settings.limits
    # No model's rows depend on the order of a table, which costs memory to keep.
    config = {**settings.store.duckdb_config, "preserve_insertion_order": False}
    os.environ["DBT_TITANS_WAREHOUSE"] = str(settings.store.warehouse)
    os.environ["DBT_TITANS_CONFIG"] = repr(config)
    os.environ["DBT_TITANS_MODELS_AT_A_TIME"] = str(min(_MODELS_AT_A_TIME, limits.threads or _MODELS_AT_A_TIME))
    os.environ.setdefault("DO_NOT_TRACK", "1")
    work = settings.store.warehouse.parent / "dbt"
    arguments = [
        # Its log file and the result say what dbt would print.
        "--quiet",
        "--log-level",
        "none",
        "--no-use-colors",
        "--no-version-check",
        # A line a node. At debug, the default, a log of two megabytes takes a twentieth of a build.
        "--log-level-file",
        "info",
        "--log-path",
        str(work / "logs"),
        *command,
        "--project-dir",
        str(settings.dbt_project_dir),
        "--profiles-dir",
        str(settings.dbt_project_dir),
        "--target-path",
        str(work / "target"),
        "--vars",
        json.dumps({"source": settings.source, "known_at": str(settings.known_at or "")}),
    ]
    try:
        with warnings.catch_warnings():
            # Of a seed without its optional columns.
            warnings.filterwarnings("ignore", '".*" does not match the name of any column', RuntimeWarning)
            result = dbtRunner(manifest, callbacks=[listener] if listener else []).invoke(arguments)
    finally:
        DuckDBConnectionManager.close_all_connections()
    if result.exception is not None:
        if short := shortage(result.exception, "dbt", settings.store):
            raise short from result.exception
        raise TitansError(
            f"dbt could not run: {_first_line(str(result.exception))}. Nothing was published. "
            f"Its log is {work / 'logs' / 'dbt.log'}; what to do is in {Runbook.TRANSFORM_FAILED.path}."
        )
    return result.result


def parsed_project(settings: Settings) -> Manifest:
    """The parsed dbt project: from the store's cache, or parsed and put there.

    Parsing takes about as much CPU as building a small warehouse, and dbt's own cache is lost when a variable or the
    warehouse's path changes. No model's parents or configuration depend on either, so one manifest serves all builds.
    """
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import SeedNode
    from dbt.parser.manifest import extended_mashumaro_encoder, extended_mashumuro_decoder

    cached = manifest_cache(settings) / f"{_parse_key(settings.dbt_project_dir)}.msgpack"
    try:
        manifest: Manifest = Manifest.from_msgpack(cached.read_bytes(), decoder=extended_mashumuro_decoder)
        manifest.build_flat_graph()
    except Exception:  # no file, or one that another dbt or a broken disk left: parsing makes a new one
        manifest = _invoke(settings, ["parse"], None)
        with suppress(OSError):  # a cache that cannot be written costs time only
            _keep(cached, manifest.to_msgpack(extended_mashumaro_encoder))
    # Seeds are read when they are built, from the folder that the manifest names.
    for node in manifest.nodes.values():
        if isinstance(node, SeedNode):
            node.root_path = str(settings.dbt_project_dir)
    return manifest


def manifest_cache(settings: Settings) -> Path:
    """The folder of the parsed project. In the store, since the project may be read-only."""
    return settings.store.root / "dbt" / "parsed"


def _parse_key(project: Path) -> str:
    """A hash of what parsing depends on: dbt's version and every file of the project; of a seed its name alone."""
    key = hashlib.sha256()
    for package in ("dbt-core", "dbt-duckdb"):
        key.update(f"{package} {version(package)}\n".encode())
    for path in sorted(project.rglob("*")):
        place = path.relative_to(project)
        if path.is_file() and place.parts[0] not in ("target", "logs"):
            content = b"" if place.parts[0] == "seeds" and path.suffix == ".csv" else path.read_bytes()
            key.update(f"{place} {len(content)}\n".encode() + content)
    return key.hexdigest()[:16]


def _keep(cached: Path, content: bytes) -> None:
    """Write the cache whole, under a name of this process first. Only the last three versions of the project stay."""
    cached.parent.mkdir(parents=True, exist_ok=True)
    temporary = cached.with_name(f".{cached.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(cached)
    with suppress(FileNotFoundError):  # another process has removed the same
        for old in sorted(cached.parent.glob("*.msgpack"), key=lambda path: path.stat().st_mtime)[:-3]:
            old.unlink()


def _summary(result: Any, log: Path) -> dict[str, Any]:
    counts: dict[str, int] = {}
    failures, warned = [], []
    for node in getattr(result, "results", []):
        status = str(node.status)
        counts[status] = counts.get(status, 0) + 1
        if status in ("error", "fail"):
            failures.append(f"{node.node.name}: {_first_line(node.message or status)}")
        elif status == "warn":
            warned.append(f"{node.node.name}: {_first_line(node.message or status)}")
    if failures:
        shown = "; ".join(failures[:5])
        raise TitansError(f"dbt failed on {len(failures)} nodes: {shown}. Nothing was published. The log is {log}.")
    return {"nodes": counts, "warnings": warned}


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else ""

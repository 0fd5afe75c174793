"""What dbt's manifest says of the project, by name, for tests of its rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from include.settings import PROJECT_ROOT

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
PUBLISHED = ("marts", "story/marts", "reports", "ops")
"""Layers whose tables are published."""

Node = dict[str, Any]


class Project:
    """What the manifest says, by name."""

    def __init__(self, manifest: Node) -> None:
        nodes = list(manifest["nodes"].values())
        self.models: dict[str, Node] = {node["name"]: node for node in nodes if node["resource_type"] == "model"}
        self.seeds: dict[str, Node] = {node["name"]: node for node in nodes if node["resource_type"] == "seed"}
        self.tests: list[Node] = [node for node in nodes if node["resource_type"] == "test"]
        self.sources: dict[str, Node] = {node["name"]: node for node in manifest["sources"].values()}
        self.exposures: dict[str, Node] = {node["name"]: node for node in manifest["exposures"].values()}
        self.unit_tested: set[str] = {node["model"] for node in manifest["unit_tests"].values()}
        self.macros: dict[str, Node] = {
            node["name"]: node for node in manifest["macros"].values() if node["package_name"] == "titans"
        }
        self.docs: dict[str, str] = {
            node["name"]: node["block_contents"]
            for node in manifest["docs"].values()
            if node["package_name"] == "titans" and node["name"] != "__overview__"
        }

    def in_layers(self, *layers: str) -> dict[str, Node]:
        return {name: node for name, node in self.models.items() if layer(node) in layers}

    def parents(self, node: Node, kind: str = "model") -> set[str]:
        return {parent.split(".")[-1] for parent in node["depends_on"]["nodes"] if parent.startswith(f"{kind}.")}

    def children(self, name: str, kind: str = "model") -> set[str]:
        return {child for child, node in self.models.items() if name in self.parents(node, kind)}

    def columns(self, *layers: str) -> Iterator[tuple[str, str, Node]]:
        for name, node in self.in_layers(*layers).items():
            for column, facts in node["columns"].items():
                yield name, column, facts


def hold(broken: list[str]) -> None:
    """No rule is broken; else all that is to be mended, a line each."""
    assert not broken, "\n" + "\n".join(broken)


def layer(node: Node) -> str:
    """``staging``, ``intermediate``, ``marts``, ``story/steps``, ``story/marts``, ``reports`` or ``ops``."""
    _, first, second, *_ = str(node["original_file_path"]).split("/")
    return f"story/{second}" if first == "story" else first

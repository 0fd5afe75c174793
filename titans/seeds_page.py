"""docs/SEEDS.md: what each column of each seed means, out of what dbt knows of them."""

from __future__ import annotations

from typing import Any

from include.settings import PROJECT_ROOT

SEEDS_PAGE = PROJECT_ROOT / "docs" / "SEEDS.md"

_INTRODUCTION = """\
# Seeds

What you edit: the CSV files of `dbt_project/seeds/`. Each is checked before anything is fetched or built, and a row that
cannot be right is refused with its file and line. All but `securities.csv`, `exchanges.csv` and `baskets.csv` with its
members may hold a header alone. `make docs` writes this page out of `dbt_project/seeds/_seeds.yml`; do not edit it by
hand.
"""


def seeds_page(manifest: dict[str, Any]) -> str:
    """The page as Markdown, the same for the same project."""
    seeds = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "seed" and node["original_file_path"].startswith("seeds/")
    ]
    lines = [_INTRODUCTION]
    for seed in sorted(seeds, key=lambda node: str(node["name"])):
        lines += [f"## {seed['name']}.csv", "", _line(seed["description"]), "", "| column | holds |", "|---|---|"]
        lines += [f"| `{name}` | {_line(column['description'])} |" for name, column in seed["columns"].items()]
        lines.append("")
    return "\n".join(lines)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")

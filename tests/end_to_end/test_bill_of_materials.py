"""What is installed, as ``make sbom`` says it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

from include.settings import PROJECT_ROOT
from tests.unit.test_supply_chain import pinned


def test_bill_of_materials_names_every_package_with_its_hashes(tmp_path: Path) -> None:
    """By the recipe of ``make sbom``."""
    recipe = re.search(
        r"^sbom:.*\n\t@cat (.+?) \| \$\(VENV\)/(.+)$", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert recipe
    locks = recipe[1].split()
    target = tmp_path / "sbom.json"
    program, *arguments = [str(target) if word == "sbom.json" else word for word in shlex.split(recipe[2])]
    text = "".join((PROJECT_ROOT / lock).read_text() for lock in locks)
    subprocess.run(
        [PROJECT_ROOT / ".venv" / program, *arguments],
        cwd=PROJECT_ROOT,
        input=text,
        text=True,
        check=True,
        capture_output=True,
    )
    bill = json.loads(target.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "titans"
    listed = {
        component["name"]: (
            component["version"],
            {
                digest["content"]
                for reference in component["externalReferences"]
                for digest in reference.get("hashes", [])
            },
        )
        for component in bill["components"]
    }
    assert listed == {name: entry for lock in locks for name, entry in pinned(lock).items()}

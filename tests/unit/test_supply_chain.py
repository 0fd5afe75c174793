"""What is installed is what was locked, and anyone can say what that is."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT

LOCKS = [
    "requirements.txt",
    "requirements-bootstrap.txt",
    "requirements-dev.txt",
    "requirements-sbom.txt",
    "requirements-server.txt",
    "requirements-superset.txt",
]
INSTALLERS = ["Makefile", "Dockerfile"]


def pinned(lock: str) -> dict[str, tuple[str, set[str]]]:
    """Version and hashes of each package of a lock."""
    found = {}
    for block in re.split(r"\n(?=\S)", (PROJECT_ROOT / lock).read_text()):
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", block):
            found[match[1]] = (match[2], set(re.findall(r"--hash=sha256:([0-9a-f]{64})", block)))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_a_hash_and_no_address_stands_in_the_lock(lock: str) -> None:
    text = (PROJECT_ROOT / lock).read_text()
    requirements = [line for line in text.splitlines() if re.match(r"^[A-Za-z0-9]", line)]
    assert [line for line in requirements if "==" not in line] == []
    assert {name for name, (_, hashes) in pinned(lock).items() if not hashes} == set()
    assert len(pinned(lock)) == len({line.split("==")[0].split("[")[0] for line in requirements}) > 0
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("name", INSTALLERS)
def test_every_installation_asks_for_hashes(name: str) -> None:
    text = (PROJECT_ROOT / name).read_text().replace("\\\n", " ")
    installs = [line.strip() for line in text.splitlines() if re.search(r"\bpip install\b", line)]
    assert installs, f"{name} installs nothing"
    assert [
        line
        for line in installs
        for command in re.split("&&", line)
        if "pip install" in command and "--require-hashes" not in command
    ] == []


def test_the_environment_keeps_no_old_installers() -> None:
    """The interpreter brings pip and setuptools of its own age, with known holes; only locked packages stay."""
    locked = {name.lower() for lock in LOCKS for name in pinned(lock)}
    installed = {distribution.metadata["Name"].lower() for distribution in importlib.metadata.distributions()}
    assert "uv" in installed
    assert installed & {"pip", "setuptools", "wheel"} <= locked


def test_ci_installs_by_the_makefile_alone() -> None:
    assert not re.search(r"\b(pip|uv|curl|wget)\b", (PROJECT_ROOT / ".ci" / "run").read_text())


def _wheel(folder: Path) -> Path:
    path = folder / "harmless-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("harmless.py", "")
        wheel.writestr("harmless-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n")
        wheel.writestr(
            "harmless-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(
            "harmless-1.0.dist-info/RECORD",
            "harmless.py,,\nharmless-1.0.dist-info/METADATA,,\nharmless-1.0.dist-info/WHEEL,,\nharmless-1.0.dist-info/RECORD,,\n",
        )
    return path


@pytest.mark.parametrize("is_right", [True, False])
def test_a_package_of_another_hash_is_not_installed(tmp_path: Path, is_right: bool) -> None:
    """With the installer and the options of the Makefile, on a wheel of this test's own."""
    wheel = _wheel(tmp_path)
    digest = hashlib.sha256(wheel.read_bytes() if is_right else b"somebody else's").hexdigest()
    (tmp_path / "lock.txt").write_text(f"harmless==1.0 --hash=sha256:{digest}\n")
    command = [
        str(Path(sys.executable).parent / "uv"),
        "pip",
        "install",
        "--python",
        sys.executable,
        "--require-hashes",
        "-r",
        "lock.txt",
    ]
    options = [
        "--offline",
        "--no-index",
        "--find-links",
        str(tmp_path),
        "--target",
        str(tmp_path / "installed"),
        "--no-cache",
    ]
    result = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (tmp_path / "installed" / "harmless.py").exists() is is_right, result.stderr
    assert (result.returncode == 0) is is_right
    assert is_right or "hash" in result.stderr.lower()

"""What DuckDB may use of the machine for one run: memory, threads and a folder to spill to."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # settings know limits, and a command that only reads records waits for no database
    import duckdb

Config = dict[str, str | bool | int | float | list[str]]
"""Settings of a DuckDB database, as ``duckdb.connect`` takes them."""
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


@cache
def machine_memory() -> int:
    """Bytes of memory that this process may use: its container's where that has a limit, else the machine's."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, cgroup_memory(_OWN_CGROUP, _CGROUPS) or total)


def cgroup_memory(own: Path, cgroups: Path) -> int | None:
    """The lowest memory limit of the control groups that a process is in, in bytes; None where none has any.

    Args:
        own: the file that names the process's groups, ``/proc/self/cgroup``.
        cgroups: where the groups are mounted. Inside a container its own group may be the root of the mount.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found: list[int] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            root, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        folder = root / group.strip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(root):
                found += _limit_in(place / name)
    return min(found, default=None)


def _limit_in(path: Path) -> list[int]:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return []
    return [int(text)] if text.isdigit() else []  # v2 writes "max" for none, v1 a number beyond any memory


@dataclass(frozen=True)
class Limits:
    """Limits of one DuckDB database.

    Attributes:
        memory: bytes that its buffers may take, by default half of what there is.
        threads: None for DuckDB's default, the processors that this process may use.
    """

    memory: int = field(default_factory=lambda: machine_memory() // 2)
    threads: int | None = None

    def config(self, spill: Path | None) -> Config:
        """For ``duckdb.connect``.

        Args:
            spill: folder for what does not fit into memory, of one database at a time; its parent must exist. DuckDB
                makes it and removes it. None: a database that is to fit.
        """
        config: Config = {"memory_limit": f"{self.memory}B", "temp_directory": str(spill or "")}
        if self.threads is not None:
            config["threads"] = self.threads
        return config

    def in_memory(self) -> duckdb.DuckDBPyConnection:
        """A connection for rows that are in memory already. It does not spill."""
        import duckdb

        return duckdb.connect(config=self.config(None))


def size_text(size: int) -> str:
    """Bytes in words, as ``1.5 GiB``."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"

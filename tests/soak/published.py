"""Is what the link names whole, and which truth does it tell?"""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from include.dbt_facts import mart_keys
from include.publishing import generations
from include.publishing.changes import changed_tables
from include.settings import Settings
from tests.soak.tally import Tally


def linked_truth(settings: Settings, truths: dict[str, Path], tally: Tally, after: str) -> str | None:
    """The name of the truth that the published link tells, or None where nothing is published yet.

    Enters into ``tally`` a link to nothing, a file that is not whole, rows that are missing, doubled keys, and marts of no truth. A file that is the same to
    the byte as one that was found good needs no second look.
    """
    if not settings.published.link.is_symlink():
        return None
    generation = generations.linked_generation(settings.published)
    manifest = next(
        (known for known in generations.manifests(settings.published) if known.generation == generation), None
    )
    if generation is None or manifest is None:
        tally.lost.append(
            f"after {after} the link names {settings.published.link.readlink()}, which is not there or has no manifest"
        )
        return None
    path = settings.published.file(generation)
    if Path(f"{path}.wal").exists():
        tally.torn.append(f"after {after} {path.name} has a write-ahead log beside it")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest in tally.known_truths:
        return tally.known_truths[digest]
    try:
        with duckdb.connect(str(settings.published.link), read_only=True) as reader:
            for table, expected in manifest.row_counts.items():
                if (found := reader.execute(f"select count(*) from {table}").fetchone()) != (expected,):
                    tally.lost.append(f"after {after} {table} of {generation} has {found} rows, not {expected}")
            for table, key in mart_keys(settings.dbt_project_dir).items():
                columns = ", ".join(key)
                if reader.execute(f"select 1 from {table} group by {columns} having count(*) > 1 limit 1").fetchone():
                    tally.wrong.append(f"after {after} {table} of {generation} has a key twice")
    except duckdb.Error as error:
        tally.torn.append(f"after {after} {path.name} cannot be read: {str(error).splitlines()[0]}")
        return None
    for name, reference in truths.items():
        if not differences(reference, path):
            tally.known_truths[digest] = name
            return name
    tally.wrong.append(f"after {after} {generation} tells none of the truths {', '.join(truths)}")
    return None


def differences(reference: Path, generation: Path) -> list[str]:
    """Tables of ``marts`` in which two published files differ."""
    with duckdb.connect() as connection:
        literal = str(reference).replace("'", "''")
        connection.execute(f"attach '{literal}' as warehouse (read_only)")
        return changed_tables(connection, generation)

"""``make restore``: a backup brought back. Nothing that is there is overwritten."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from include.commands import make_command
from include.errors import TitansError, is_refused, refusal
from include.files import replacing
from include.landing.batches import DamagedLandingError, checked_rows, read_manifest
from include.locks import exclusive
from include.production import SOURCE_NAMES
from include.runs.again import next_run
from include.settings import PROJECT_ROOT, Settings, load_shared_settings
from titans.commands.backup import KEPT
from titans.output import console

_PATIENCE_SECONDS = 60.0


def restore(from_: Annotated[str, typer.Argument(metavar="FROM", help="A file that backup made.")] = "") -> None:
    """Bring estimate snapshots back from a backup, and list what differs from it; ends with 1 where a snapshot in it is
    damaged."""
    settings = load_shared_settings()
    restored = bring_back(settings, from_)
    for line in restored.lines(settings):
        console.print(line, soft_wrap=True)
    if restored.damaged:
        raise TitansError(
            f"Damaged in the backup itself, and left out: {', '.join(restored.damaged)}. "
            "Another backup may have them whole."
        )


@dataclass
class Restored:
    """What came of a backup.

    Attributes:
        files: paths that were written.
        different: names of files that are there and differ from the backup; they stay.
        damaged: names of snapshots that are damaged in the backup; they were left out.
    """

    archive: Path
    files: list[Path] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def lines(self, settings: Settings) -> list[str]:
        """What was done, and what to run."""
        stores = [settings.store_of(name) for name in SOURCE_NAMES]
        landed = [store for store in stores if any(store.root in path.parents for path in self.files)]
        real = [store for store in landed if not store.is_simulated]
        commands = [next_run(settings, store) for store in real or landed] or [make_command(settings.data_dir, "run")]
        loads = f"The next build loads them: {', then '.join(commands)}." if self.files else "None of it is missing."
        lines = [f"Restored {len(self.files)} files from {self.archive}. {loads}"]
        seeds = [name for name in self.different if name.endswith(".csv")]
        if seeds:
            lines.append(f"Seeds that differ from the backup and were left as they are: {', '.join(seeds)}.")
        if snapshots := [name for name in self.different if name not in seeds]:
            lines.append(
                f"Snapshots that differ from the backup and were left as they are: {', '.join(snapshots)}. "
                "One that is damaged must be moved away first; then restore again."
            )
        return lines


def bring_back(settings: Settings, archive_path: str) -> Restored:
    """Put the landing files of a backup back where they are missing. Seeds, edited by hand, are only compared.

    A snapshot that is damaged in the backup costs no other.

    Raises:
        TitansError: the file is missing, damaged or no backup, or another restore is at work on the data folder.
    """
    if not archive_path:
        raise TitansError("Which backup? make restore FROM=backups/titans-<time>.tar.gz")
    path = (PROJECT_ROOT / archive_path).resolve()
    restored, missing = Restored(path), []
    try:
        _check_whole(path)
        with tarfile.open(path, "r:gz") as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            if not any(member.name.startswith("seeds/") for member in members):
                raise TitansError(
                    f"{path} is no backup of Titans: it holds no seeds. Give a file that make backup wrote."
                )
            for member in members:
                if (target := _target(settings, member.name)) is None:
                    continue
                data = _content(archive, member)
                if not target.exists():
                    missing.append((target, data, member.mtime))
                elif target.read_bytes() != data:
                    restored.different.append(target.name)
        if missing:
            refusal_of_lock = f"Another restore is at work on {settings.data_dir}: {{who}}. Wait for it to end."
            with exclusive(settings.data_dir / ".restore.lock", "make restore", refusal_of_lock, _PATIENCE_SECONDS):
                for target, data, modified in missing:
                    _bring(restored, target, data, modified)
    except OSError as error:
        if is_refused(error):
            raise TitansError(refusal(error)) from error
        raise TitansError(f"Backup {path} cannot be read ({error}): give a file that make backup wrote.") from error
    except (EOFError, zlib.error, tarfile.TarError, ValueError, OverflowError) as error:
        raise TitansError(f"Backup {path} cannot be read ({error}): give a file that make backup wrote.") from error
    return restored


def _check_whole(path: Path) -> None:
    """Read the file to its checksum. To tarfile a damaged header is the end, and would silently lose what follows."""
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass


def _target(settings: Settings, name: str) -> Path | None:
    """Where a member belongs: a seed, or a landing file of ``KEPT``. None for all else, such as what would leave the
    data folder."""
    top, *rest = Path(name).parts
    if top == "seeds" and len(rest) == 1 and rest[0].endswith(".csv"):
        return settings.seeds_dir / rest[0]
    if top == "data" and _is_landing_file(rest):
        return settings.data_dir.joinpath(*rest)
    return None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None, "only members that are files are asked for"
    return file.read()


def _is_landing_file(parts: list[str]) -> bool:
    """``<source>/landing/<dataset>/<name>.parquet``, and nothing that could leave the data folder."""
    return (
        len(parts) == 4
        and parts[0] in SOURCE_NAMES
        and parts[1] == "landing"
        and parts[2] in {str(dataset) for dataset in KEPT}
        and parts[3].endswith(".parquet")
    )


def _bring(restored: Restored, target: Path, data: bytes, modified: float) -> None:
    """Write a file that is missing, and note what came of it.

    A snapshot gets the time that it had: a landing file of early versions says nowhere else when it landed.
    """
    if target.exists():  # another restore has brought it meanwhile
        return
    try:
        with replacing(target) as temporary:
            temporary.write_bytes(data)
            if target.suffix == ".parquet":
                manifest = read_manifest(temporary)
                checked_rows(temporary, manifest)
                if manifest.batch_id != target.stem:
                    raise DamagedLandingError(f"it is batch {manifest.batch_id}")
                microseconds = round(modified * 1_000_000)
                os.utime(temporary, ns=(microseconds * 1000, microseconds * 1000))
        restored.files.append(target)
    except DamagedLandingError:
        restored.damaged.append(target.name)

"""``make restore``: a backup brought back. Nothing that is there is overwritten."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from pathlib import Path
from typing import Annotated

import typer

from include.commands import make_command
from include.errors import TitansError, is_refused, refusal
from include.files import replacing
from include.landing.batches import checked_rows, read_manifest
from include.production import SOURCE_NAMES
from include.settings import PROJECT_ROOT, Settings, load_shared_settings
from titans.commands.backup import KEPT
from titans.output import console


def restore(from_: Annotated[str, typer.Argument(metavar="FROM", help="A file that backup made.")] = "") -> None:
    """Bring estimate snapshots back from a backup, and list the seeds in it that differ."""
    for line in bring_back(load_shared_settings(), from_):
        console.print(line, soft_wrap=True)


def bring_back(settings: Settings, archive_path: str) -> list[str]:
    """Put the landing files of a backup back where they are missing. Seeds, edited by hand, are only compared.

    Returns:
        Lines that say what was done.

    Raises:
        TitansError: the file is missing, damaged or no backup.
    """
    if not archive_path:
        raise TitansError("Which backup? make restore FROM=backups/titans-<time>.tar.gz")
    path = (PROJECT_ROOT / archive_path).resolve()
    restored, different = 0, []
    try:
        _check_whole(path)
        with tarfile.open(path, "r:gz") as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            if not any(member.name.startswith("seeds/") for member in members):
                raise TitansError(
                    f"{path} is no backup of Titans: it holds no seeds. Give a file that make backup wrote."
                )
            for member in members:
                top, *rest = Path(member.name).parts
                if top == "seeds" and len(rest) == 1 and rest[0].endswith(".csv"):
                    target, data = settings.seeds_dir / rest[0], _content(archive, member)
                    if not target.exists():
                        with replacing(target) as temporary:
                            temporary.write_bytes(data)
                        restored += 1
                    elif target.read_bytes() != data:
                        different.append(rest[0])
                elif top == "data" and _is_landing_file(rest):
                    restored += _restore_landing(
                        settings.data_dir.joinpath(*rest), _content(archive, member), member.mtime
                    )
    except OSError as error:
        if is_refused(error):
            raise TitansError(refusal(error)) from error
        raise TitansError(f"Backup {path} cannot be read ({error}): give a file that make backup wrote.") from error
    except (EOFError, zlib.error, tarfile.TarError) as error:
        raise TitansError(f"Backup {path} cannot be read ({error}): give a file that make backup wrote.") from error
    lines = [
        f"Restored {restored} files from {path}. The next build loads them: {make_command(settings.data_dir, 'run')}."
    ]
    if different:
        lines.append(f"Seeds that differ from the backup and were left as they are: {', '.join(different)}.")
    return lines


def _check_whole(path: Path) -> None:
    """Read the file to its checksum. To tarfile a damaged header is the end, and would silently lose what follows."""
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass


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


def _restore_landing(target: Path, data: bytes, landed_at: float) -> int:
    """With the time that the file had: a landing file of early versions says nowhere else when it landed."""
    if target.exists():
        return 0
    with replacing(target) as temporary:
        temporary.write_bytes(data)
        manifest = read_manifest(temporary)
        checked_rows(temporary, manifest)
        if manifest.batch_id != target.stem:
            raise TitansError(f"{target.name} of the backup is batch {manifest.batch_id}: the backup is damaged.")
        os.utime(temporary, (landed_at, landed_at))
    return 1

"""Which files of an export hold what. Only names are looked at; names of folders above a file never count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from include.errors import TitansError
from include.seeds.rows import Reference
from include.sources.base import Dataset, currency_pairs

ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".parquet")


@dataclass(frozen=True)
class ExportFile:
    """One file.

    Attributes:
        name: path within the export.
        unit: the symbol, or pair, that the file is named after, where each symbol has a file of its own.
    """

    dataset: Dataset
    path: Path
    name: str
    unit: str | None = None

    @property
    def is_parquet(self) -> bool:
        return self.path.name.lower().endswith(".parquet")


def known_units(dataset: Dataset, reference: Reference) -> list[str]:
    """The symbols, or currency pairs such as USDHKD, that the seeds name."""
    if dataset is Dataset.FX_RATES:
        return [pair.name for pair in currency_pairs(reference)]
    return [security.symbol for security in reference.securities]


def find_files(folder: Path, reference: Reference) -> dict[Dataset, list[ExportFile]]:
    """The files of each dataset: ``<dataset>.csv`` or ``.parquet``, or a folder ``<dataset>`` with any number of files.

    Without either, prices are the files that are named after a symbol.

    Raises:
        TitansError: the folder cannot be read, lacks a file, or has two for one dataset.
    """
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        found = {dataset: _of(dataset, entries, _by_name(dataset, reference)) for dataset in Dataset}
    except OSError as error:
        raise TitansError(
            f"FILES={folder} cannot be read ({error.strerror}): give a folder that exists and may be read."
        ) from error
    found[Dataset.PRICES] = found[Dataset.PRICES] or _named_after(entries, _by_name(Dataset.PRICES, reference))
    for dataset in (Dataset.PRICES, *((Dataset.FX_RATES,) if currency_pairs(reference) else ())):
        if not found[dataset]:
            other = next((path.name for path in entries if path.name.lower().startswith(f"{dataset}.")), None)
            raise TitansError(
                f"FILES={folder} holds no {dataset}.csv or {dataset}.parquet"
                + (f" ({other} is neither)" if other else "")
                + ": export it there or give another folder."
            )
    return {dataset: files for dataset, files in found.items() if files}


def _by_name(dataset: Dataset, reference: Reference) -> dict[str, str]:
    """The symbols or pairs of the seeds by their name in small letters: files are named without regard to case."""
    return {unit.lower(): unit for unit in known_units(dataset, reference)}


def _of(dataset: Dataset, entries: list[Path], known: Mapping[str, str]) -> list[ExportFile]:
    matching = [path for path in entries if path.name.lower() in (dataset, *(dataset + ending for ending in ENDINGS))]
    if len(matching) > 1:
        raise TitansError(
            f"FILES={matching[0].parent} holds {matching[0].name} and {matching[1].name}, and which of them counts "
            "cannot be known: remove one."
        )
    if not matching or not matching[0].is_dir():
        return [ExportFile(dataset, path, path.name) for path in matching]
    root = matching[0]
    files = sorted(path for path in root.rglob("*") if path.name.lower().endswith(ENDINGS) and path.is_file())
    return [
        ExportFile(dataset, path, path.relative_to(root.parent).as_posix(), _unit(path, known))
        for path in files
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]


def _named_after(entries: list[Path], known: Mapping[str, str]) -> list[ExportFile]:
    return [
        ExportFile(Dataset.PRICES, path, path.name, _unit(path, known))
        for path in entries
        if path.name.lower().endswith(ENDINGS) and _unit(path, known) in known.values()
    ]


def _unit(path: Path, known: Mapping[str, str]) -> str:
    """The symbol that a file is named after. A file name cannot hold a slash: ``BRK%2FB.csv`` is BRK/B."""
    ending = max((ending for ending in ENDINGS if path.name.lower().endswith(ending)), key=len)
    name = unquote(path.name[: -len(ending)])
    return known.get(name.lower(), name)

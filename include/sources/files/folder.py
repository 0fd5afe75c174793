"""Which files of an export hold what. Only names are looked at; names of folders above a file never count."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from include.errors import TitansError
from include.seeds.rows import Reference
from include.sources.base import Dataset, currency_pairs, risk_free_currencies

ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".parquet")
_PAIR = re.compile(r"([A-Z]{3})[/_ -]?([A-Z]{3})(?:=X)?|([A-Z]{3})=X")


@dataclass(frozen=True)
class ExportFile:
    """One file.

    Attributes:
        name: path within the export.
        unit: the symbol, pair or currency that the file is named after, where each symbol has a file of its own.
    """

    dataset: Dataset
    path: Path
    name: str
    unit: str | None = None

    @property
    def is_parquet(self) -> bool:
        return self.path.name.lower().endswith(".parquet")


def known_units(dataset: Dataset, reference: Reference) -> list[str]:
    """The symbols, or of rates the currencies or pairs such as USDHKD, that the seeds name."""
    if dataset is Dataset.FX_RATES:
        return [pair.name for pair in currency_pairs(reference)]
    if dataset is Dataset.RISK_FREE:
        return risk_free_currencies(reference)
    return [security.symbol for security in reference.securities]


class Units:
    """The symbols, pairs or currencies that the seeds name, and how files may spell them."""

    def __init__(self, dataset: Dataset, reference: Reference) -> None:
        self.known = frozenset(known_units(dataset, reference))
        self._is_of_rates = dataset is Dataset.FX_RATES
        # Two symbols that differ by case alone have to be written as they stand.
        times = Counter(unit.lower() for unit in self.known)
        self.by_small_letters = {unit.lower(): unit for unit in self.known if times[unit.lower()] == 1}

    def named(self, name: str) -> str:
        """The symbol without regard to case, or the name as it stands. Of rates the pair: USD/HKD, usdhkd and HKD=X.

        HKD alone is no pair: a table of a central bank says by its title what one unit of is quoted. Nor is GBp, which
        is a penny and no pound: of a pair all letters are large, or all are small.
        """
        name = name.strip()
        if not self._is_of_rates:
            return name if name in self.known else self.by_small_letters.get(name.lower(), name)
        is_of_one_case = name in (name.upper(), name.lower()) or name.removesuffix("=X").islower()
        pair = _PAIR.fullmatch(name.upper()) if is_of_one_case else None
        if not pair:
            return name
        return f"USD{pair[3]}" if pair[3] else f"{pair[1]}{pair[2]}"


def find_files(folder: Path, reference: Reference) -> dict[Dataset, list[ExportFile]]:
    """The files of each dataset: ``<dataset>.csv`` or ``.parquet``, or a folder ``<dataset>`` with any number of files.

    Without either, prices are the files that are named after a symbol.

    Raises:
        TitansError: the folder cannot be read, lacks a file, or has two for one dataset.
    """
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        found = {dataset: _of(dataset, entries, Units(dataset, reference)) for dataset in Dataset}
    except OSError as error:
        raise TitansError(
            f"FILES={folder} cannot be read ({error.strerror}): give a folder that exists and may be read."
        ) from error
    found[Dataset.PRICES] = found[Dataset.PRICES] or _named_after(entries, Units(Dataset.PRICES, reference))
    for dataset in (Dataset.PRICES, *((Dataset.FX_RATES,) if currency_pairs(reference) else ())):
        if not found[dataset]:
            other = next((path for path in entries if path.name.lower().split(".")[0] == dataset), None)
            beside = (
                f", and no such file in its folder {other.name}"
                if other and other.is_dir()
                else f" ({other.name} is neither)"
                if other
                else ""
            )
            raise TitansError(
                f"FILES={folder} holds no {dataset}.csv or {dataset}.parquet{beside}: export it there or give another folder."
            )
    return {dataset: files for dataset, files in found.items() if files}


def _of(dataset: Dataset, entries: list[Path], units: Units) -> list[ExportFile]:
    matching = [path for path in entries if path.name.lower() in (dataset, *(dataset + ending for ending in ENDINGS))]
    if len(matching) > 1:
        raise TitansError(
            f"FILES={matching[0].parent} holds {matching[0].name} and {matching[1].name}, and which of them counts "
            "cannot be known: remove one."
        )
    if not matching or not matching[0].is_dir():
        return [ExportFile(dataset, path, path.name) for path in matching]
    root = matching[0]
    return [
        ExportFile(dataset, path, path.relative_to(root.parent).as_posix(), units.named(_name_of(path)))
        for path in sorted(_files_below(root))
        if path.name.lower().endswith(ENDINGS)
    ]


def _files_below(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Every file, also behind links to folders; nothing hidden. A link back up is not followed again."""
    above = above | {os.path.realpath(folder)}
    for path in (path for path in folder.iterdir() if not path.name.startswith(".")):
        if not path.is_dir():
            yield path
        elif os.path.realpath(path) not in above:
            yield from _files_below(path, above)


def _named_after(entries: list[Path], units: Units) -> list[ExportFile]:
    return [
        ExportFile(Dataset.PRICES, path, path.name, unit)
        for path in entries
        if path.name.lower().endswith(ENDINGS) and (unit := units.named(_name_of(path))) in units.known
    ]


def _name_of(path: Path) -> str:
    """What a file is named after. A file name cannot hold a slash: ``BRK%2FB.csv`` is BRK/B."""
    ending = max((ending for ending in ENDINGS if path.name.lower().endswith(ending)), key=len, default="")
    return unquote(path.name[: len(path.name) - len(ending)])

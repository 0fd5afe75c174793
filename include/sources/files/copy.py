"""The checked copy of an export: read once, sorted by symbol, so that each batch of a run takes only its own rows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from include.errors import TitansError
from include.files import sync_folder, write_whole
from include.limits import Limits
from include.locks import exclusive
from include.sealed import seal, unseal
from include.seeds.rows import Reference
from include.sources.base import DATE_COLUMN, KEY_COLUMNS, RATES, SCHEMAS, Dataset
from include.sources.files.folder import ExportFile, find_files, known_units
from include.sources.files.read import MOST_PROBLEMS, open_reader, read_file
from include.sources.files.spelling import meant, pairs_meant

_CODE = sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".py", ".sql"))
"""What reads an export. Another version of it may read it otherwise."""
_KEPT = 3
"""Copies that stay: runs that are under way may read another export than the newest."""
_PATIENCE_SECONDS = 900.0
_ROWS_IN_GROUP = 20_480


class UnreadFile(BaseModel):
    """A file of an export that is set aside, with the symbol or pair that it is named after, and why."""

    model_config = ConfigDict(frozen=True)

    unit: str
    reason: str


class Contents(BaseModel):
    """What a copy holds.

    Attributes:
        files: the files of each dataset, by name, with the symbol or pair that each is named after.
        hashes: SHA-256 of each file of the copy. A copy is read by every batch, so damage would land.
        misspelt: of each dataset, how the export probably writes a symbol of the seeds, by that symbol.
        adjusted: files whose closes may be adjusted for dividends.
        unread: files that are named after a symbol or pair and cannot be read.
    """

    model_config = ConfigDict(frozen=True)

    files: dict[Dataset, dict[str, str | None]]
    unread: dict[Dataset, list[UnreadFile]]
    misspelt: dict[Dataset, dict[str, str]]
    adjusted: list[str]
    hashes: dict[str, str]


class ExportCopy:
    """A copy in ``folder``. Rows have the schema's columns, then ``unit`` (symbol, pair or currency), ``file`` and ``line``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole: set[Path] = set()
        self.name = folder.name

    @cached_property
    def contents(self) -> Contents:
        return unseal(Contents, _contents_path(self._folder).read_bytes(), needs_hash=True)

    def rows_of(self, dataset: Dataset, units: Collection[str]) -> pa.Table:
        """The rows of these symbols or pairs, sorted by them and the day."""
        wanted = [("unit", "in", sorted(units))]
        return pq.read_table(self._checked(_rows_path(self._folder, dataset)), filters=wanted, partitioning=None)

    def strangers(self, dataset: Dataset) -> pa.Table:
        """The rows of symbols or pairs that no seed has, or that name none."""
        return pq.read_table(self._checked(_strangers_path(self._folder, dataset)), partitioning=None)

    def days(self, dataset: Dataset) -> pa.Table:
        """Symbol and day of every row of a symbol of the seeds, as ``unit`` and ``day``."""
        wanted = ["unit", DATE_COLUMN[dataset]]
        table = pq.read_table(self._checked(_rows_path(self._folder, dataset)), columns=wanted, partitioning=None)
        return table.rename_columns(["unit", "day"])

    def _checked(self, path: Path) -> Path:
        if path not in self._whole:
            if not path.exists() or _hash(path) != self.contents.hashes.get(path.name):
                raise TitansError(
                    f"{path}, a copy of the export, was changed or is damaged: remove {self._folder} and run "
                    "again. It is made anew from the export."
                )
            self._whole.add(path)
        return path


def open_copy(copies: Path, folder: Path, reference: Reference, limits: Limits, name: str | None = None) -> ExportCopy:
    """The copy of the export in ``folder``, made if there is none of it as it is now.

    Args:
        copies: where copies are kept.
        name: the copy to open, if it is still there, whatever has become of the export since.

    Raises:
        TitansError: the export lacks a file, cannot be read, changed meanwhile, or the copy cannot be written.
    """
    if name and (copy := _existing(copies / name)):
        return copy
    files = find_files(folder, reference)
    target = copies / _key(files, reference)
    if copy := _existing(target):
        return copy
    refusal = "Another task is reading the export: {who}. Try again."
    with exclusive(copies / ".lock", "reading of an export", refusal, _PATIENCE_SECONDS):
        if copy := _existing(target):
            return copy
        written = copies / f".{target.name}"
        shutil.rmtree(written, ignore_errors=True)
        written.mkdir()
        try:
            _write(written, files, reference, limits)
            if _key(find_files(folder, reference), reference) != target.name:
                raise TitansError(
                    f"The export in FILES={folder} changed while it was read: run again when it is complete."
                )
            shutil.rmtree(target, ignore_errors=True)
            written.rename(target)
            sync_folder(copies)
        finally:
            shutil.rmtree(written, ignore_errors=True)
        _remove_old(copies)
    return ExportCopy(target)


def _key(files: Mapping[Dataset, list[ExportFile]], reference: Reference) -> str:
    """Changes with every write to a file of the export, and with what else its reading depends on: seeds and code."""
    states = []
    for file in (file for of_dataset in files.values() for file in of_dataset):
        try:
            state = file.path.stat()
        except OSError as error:
            raise TitansError(f"{file.path} cannot be read ({error.strerror}): export it again.") from error
        states.append([str(file.path), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino])
    securities = [[row.symbol, row.currency] for row in reference.securities]
    of_rates = [known_units(dataset, reference) for dataset in RATES]
    code = [_hash(path) for path in _CODE]
    return hashlib.sha256(json.dumps([code, states, securities, of_rates]).encode()).hexdigest()[:32]


def _existing(folder: Path) -> ExportCopy | None:
    copy = ExportCopy(folder)
    try:
        copy.contents  # noqa: B018  # reads them: what cannot be read is made anew
        os.utime(folder)
    except (OSError, ValueError):
        return None
    return copy


def _write(folder: Path, files: Mapping[Dataset, list[ExportFile]], reference: Reference, limits: Limits) -> None:
    try:
        with closing(open_reader(reference, folder / "spare", limits)) as connection:
            adjusted: list[str] = []
            unread = {dataset: _read(connection, dataset, files[dataset], reference, adjusted) for dataset in files}
            misspelt: dict[Dataset, dict[str, str]] = {}
            for dataset in files:
                known = pa.array(known_units(dataset, reference), pa.string())
                connection.register("known", pa.table({"unit": known}))
                _refuse_a_file_of_strangers(connection, dataset, files[dataset])
                misspelt[dataset] = _ask_what_is_meant(connection, dataset, reference)
                if len(files[dataset]) > 1:
                    _name_contradictions(connection, dataset)
                _write_rows(connection, dataset, folder)
    except duckdb.OutOfMemoryException:
        raise  # the step says what to set
    except duckdb.Error as error:
        raise TitansError(
            f"The copy of the export in {folder.parent} cannot be written ({str(error).splitlines()[0]}): free space "
            "or give DATA=<another folder>."
        ) from error
    shutil.rmtree(folder / "spare", ignore_errors=True)
    hashes = {path.name: _hash(path) for path in folder.glob("*.parquet")}
    names = {dataset: {file.name: file.unit for file in files[dataset]} for dataset in files}
    contents = Contents(files=names, unread=unread, misspelt=misspelt, adjusted=adjusted, hashes=hashes)
    write_whole(_contents_path(folder), seal(contents))


def _read(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    files: list[ExportFile],
    reference: Reference,
    adjusted: list[str],
) -> list[UnreadFile]:
    """Read every file; returns those that cannot be read.

    Args:
        adjusted: takes the names of files whose closes may be adjusted for dividends.

    Raises:
        TitansError: a file of many symbols cannot be read, or none can.
    """
    unread: list[UnreadFile] = []
    known = known_units(dataset, reference)
    is_a_file_each = any(file.unit in known for file in files)
    for file in files:
        try:
            if read_file(connection, dataset, file, reference).may_be_adjusted:
                adjusted.append(file.name)
        except TitansError as error:
            if file.unit is None or not is_a_file_each or len(files) == 1 + len(unread):
                raise
            unread.append(UnreadFile(unit=file.unit, reason=str(error)))
    return unread


def _refuse_a_file_of_strangers(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, files: list[ExportFile]
) -> None:
    """Raw rejects rows of unknown symbols one by one. That is no use for millions of them."""
    if dataset in RATES:
        return
    rows, strangers, first = connection.execute(
        f"""select count(*), count(*) filter (where is_stranger), min(unit) filter (where is_stranger)
        from (select unit, unit is not null and known.unit is null as is_stranger from {dataset} left join known using (unit))"""
    ).fetchone() or (0, 0, None)
    if strangers > MOST_PROBLEMS:
        raise TitansError(
            f"{files[0].path} has {strangers:,} rows of symbols that securities.csv does not have (first {first!r}), "
            f"of {rows:,} in all: export the securities of securities.csv only, or add the others there. "
            f"Up to {MOST_PROBLEMS:,} such rows are rejected one by one."
        )


def _ask_what_is_meant(connection: duckdb.DuckDBPyConnection, dataset: Dataset, reference: Reference) -> dict[str, str]:
    """Note in each row of an unknown symbol which one may be meant; returns how those are written, by symbol."""
    known = known_units(dataset, reference)
    strangers = connection.execute(
        f"select distinct unit from {dataset} anti join known using (unit) where unit is not null order by all"
    ).fetchall()
    if dataset is Dataset.FX_RATES:
        return pairs_meant((unit for (unit,) in strangers), known)
    guesses = meant((unit for (unit,) in strangers), known)
    given = pa.table({"unit": pa.array(guesses.keys(), pa.string()), "guess": pa.array(guesses.values(), pa.string())})
    connection.register("guesses", given)
    connection.execute(
        f"update {dataset} set problem = concat_ws('; ', problem, 'did you mean ' || guess || '?') "
        f"from guesses where guesses.unit = {dataset}.unit"
    )
    return {guess: unit for unit, guess in guesses.items()}


def _name_contradictions(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Note in each row that a row of another file contradicts which file that is. Raw rejects both rows."""
    key = ", ".join(KEY_COLUMNS[dataset])
    values = ", ".join(name for name in SCHEMAS[dataset].names if name != "basis_date")
    is_same_key = " and ".join(f"apart.{name} = {dataset}.{name}" for name in KEY_COLUMNS[dataset])
    connection.execute(f"""
        update {dataset} set problem = concat_ws('; ', problem,
            if(file = first_file, last_file, first_file) || ', another file of the export, has other values of that day')
        from (
            with of_files as (
                select {key}, min(file) as first_file, max(file) as last_file
                from {dataset}
                where unit in (select unit from {dataset} group by unit having min(file) <> max(file))
                group by all having first_file <> last_file
            )
            select {key}, first_file, last_file
            from {dataset} inner join of_files using ({key})
            group by all having count(distinct row({values})) > 1
        ) as apart
        where {is_same_key}""")


def _write_rows(connection: duckdb.DuckDBPyConnection, dataset: Dataset, folder: Path) -> None:
    for path, which in ((_rows_path(folder, dataset), "semi"), (_strangers_path(folder, dataset), "anti")):
        literal = str(path).replace("'", "''")
        connection.execute(
            f"copy (from {dataset} {which} join known using (unit) order by unit, {DATE_COLUMN[dataset]}, file, line) "
            f"to '{literal}' (format parquet, compression zstd, row_group_size {_ROWS_IN_GROUP})"
        )


def _remove_old(copies: Path) -> None:
    folders = [path for path in copies.iterdir() if path.is_dir()]
    for path in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rows_path(folder: Path, dataset: Dataset) -> Path:
    return folder / f"{dataset}.parquet"


def _strangers_path(folder: Path, dataset: Dataset) -> Path:
    return folder / f"{dataset}-strangers.parquet"


def _contents_path(folder: Path) -> Path:
    return folder / "contents.json"

"""One file as rows of text or values: CSV, packed or not, and Parquet. What the columns mean is not known here."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from include.errors import TitansError
from include.sources.files.folder import ExportFile

_HEAD_BYTES = 1 << 18
_BLOCK_BYTES = 4 << 20
_HEADER_ROWS = 3
_INDEX_NAMES = ("date", "index", "__index_level_0__")
csv.field_size_limit(1 << 26)
"""A header of thousands of symbols is one field to whoever tries another delimiter; the default is 128 kB."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\1*', re.IGNORECASE)
"""What Excel writes and reads as the first line of a file, to say how the others are separated."""


@dataclass(frozen=True)
class BrokenLine:
    """A line of a CSV file that has more or fewer values than the header has columns.

    Attributes:
        has_open_quotation: a quotation mark took lines after it along.
    """

    line: int
    values: list[str]
    expected: int
    has_open_quotation: bool = False

    @property
    def problem(self) -> str:
        return f"the line has {len(self.values)} values, and the header has {self.expected}"


@dataclass
class Sheet:
    """An opened file.

    Attributes:
        header: its first rows as text, at most three; of Parquet the names of the columns, an index of pandas first.
        types: of each column. CSV is text.
        header_lines: on which lines they stand; 0 of Parquet.
        broken: filled while the rows are read.
    """

    file: ExportFile
    header: list[list[str]]
    types: list[pa.DataType]
    header_lines: list[int]
    delimiter: str = ","
    parquet_names: list[str] = field(default_factory=list)
    broken: list[BrokenLine] = field(default_factory=list)

    def rows(self, positions: Sequence[int]) -> pa.RecordBatchReader:
        """``line``, from 1 on, and the columns at ``positions``, named ``c<position>``, in the order of the file.

        Lines of the wrong length are left out and counted. A timestamp with a zone becomes the time that a clock in that
        zone shows.
        """
        rows = self._parquet_rows(positions) if self.file.is_parquet else self._csv_rows(positions)
        schema = pa.schema([pa.field("line", pa.int64()), *rows.schema])
        return pa.RecordBatchReader.from_batches(schema, self._numbered(rows, schema))

    def _numbered(self, rows: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        line, passed = 1, 0
        for batch in rows:
            numbers: list[int] = []
            while len(numbers) < batch.num_rows:
                while passed < len(self.broken) and self.broken[passed].line == line:
                    line, passed = line + 1, passed + 1
                end = line + batch.num_rows - len(numbers)
                if passed < len(self.broken):
                    end = min(end, self.broken[passed].line)
                numbers.extend(range(line, end))
                line = end
            yield pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64()), *batch.columns], schema=schema)

    def _csv_rows(self, positions: Sequence[int]) -> pa.RecordBatchReader:
        names = [f"c{position}" for position in range(len(self.types))]

        def set_aside(row: pa_csv.InvalidRow) -> str:
            values = next(csv.reader(io.StringIO(row.text), delimiter=self.delimiter))
            self.broken.append(BrokenLine(row.number, values, row.expected_columns, "\n" in row.text))
            return "skip"

        return pa_csv.open_csv(
            _bytes_of(self.file.path),
            pa_csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES, use_threads=False),
            pa_csv.ParseOptions(
                delimiter=self.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=set_aside,
            ),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[f"c{position}" for position in positions],
                strings_can_be_null=True,
                null_values=[""],
            ),
        )

    def _parquet_rows(self, positions: Sequence[int]) -> pa.RecordBatchReader:
        file = pq.ParquetFile(self.file.path)
        for position in positions:
            _refuse_unknown_zone(self.file, file.schema_arrow.field(self.parquet_names[position]))
        names = [self.parquet_names[position] for position in positions]
        schema = pa.schema([(f"c{position}", self.types[position]) for position in positions])

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in file.iter_batches(columns=names):
                columns = [_plain(batch.column(name)) for name in names]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())


def open_sheet(file: ExportFile) -> Sheet:
    """Open a file and read its header.

    Raises:
        TitansError: it has no header, or is no file of its kind.
    """
    with reading(file):
        return _open_parquet(file) if file.is_parquet else _open_csv(file)


@contextmanager
def reading(file: ExportFile) -> Iterator[None]:
    """Turns what goes wrong in the block, while ``file`` is read, into a sentence. A full disk is not its fault."""
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException):
        raise
    except csv.Error as error:  # a value of more than 64 MB
        raise TitansError(
            f"{file.path} cannot be read as CSV: a quotation mark opens and is not closed, so the lines after it cannot be "
            "told apart. Correct the export."
        ) from error
    except (OSError, EOFError, ValueError, pa.ArrowException, duckdb.Error) as error:
        raise TitansError(_unreadable(file, str(error))) from error


def _unreadable(file: ExportFile, detail: str) -> str:
    first_line = (detail.splitlines() or ["it is empty"])[0]
    if file.is_parquet:
        return f"{file.path} cannot be read as PARQUET ({first_line}): export it again, as a whole Parquet file."
    if "UTF8" in first_line or "UTF-8" in first_line:
        first_line = f"line {_first_line_not_utf_8(file.path)} is not UTF-8"
    return (
        f"{file.path} cannot be read as CSV ({first_line}): export it again, as UTF-8 text with a header, commas "
        "and a point for decimals."
    )


def _first_line_not_utf_8(path: Path) -> int:
    with suppress(OSError, pa.ArrowException):
        for number, line in enumerate(io.BufferedReader(_bytes_of(path)), 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _bytes_of(path: Path) -> pa.NativeFile:
    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower())
    return pa.input_stream(str(path), compression=compression)


def _head(path: Path) -> bytes:
    """The first whole lines, enough of them for a header: one of thousands of symbols may be longer than a block."""
    head = b""
    with _bytes_of(path) as stream:
        while block := stream.read(_HEAD_BYTES):
            head += bytes(block)
            end = max(head.rfind(b"\n"), head.rfind(b"\r"))
            if len([line for line in head[: end + 1].splitlines() if line.strip()]) > _HEADER_ROWS:
                return head[: end + 1]
    return head


def _open_csv(file: ExportFile) -> Sheet:
    head = _head(file.path)
    if head.startswith(_UTF_16) or b"\0" in head:
        raise ValueError("it is UTF-16, or no text at all")
    text = head.decode("utf-8-sig", errors="replace")
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    separated = _SEPARATOR_LINE.fullmatch(first)
    delimiter = separated[1] if separated else _delimiter_of(first)
    numbered = enumerate(csv.reader(lines, delimiter=delimiter), 1)
    filled = ((number, [cell.strip() for cell in row]) for number, row in numbered if any(map(str.strip, row)))
    first_row = 1 if separated else 0
    rows = list(islice(filled, first_row, first_row + _HEADER_ROWS))
    if not rows:
        raise TitansError(f"{file.path} has no row, not even a header: export it again.")
    header = [row for _, row in rows]
    return Sheet(file, header, [pa.string()] * len(header[0]), [number for number, _ in rows], delimiter)


def _delimiter_of(header: str) -> str:
    return max(",;\t|", key=lambda sign: len(next(csv.reader([header], delimiter=sign))))


def _open_parquet(file: ExportFile) -> Sheet:
    schema = pq.read_schema(file.path)
    if not schema.names:
        raise TitansError(f"{file.path} has no column: export it again.")
    names = sorted(schema.names, key=lambda name: (len(_levels(name)), name.lower() not in _INDEX_NAMES))
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise TitansError(f"{file.path} has the column {twice} {names.count(twice)} times: keep one.")
    split = [_levels(name) for name in names]
    levels = max((len(name) for name in split), default=1)
    header = [[name[level] if level < len(name) else "" for name in split] for level in range(levels)]
    types = [_plain_type(schema.field(name).type) for name in names]
    return Sheet(file, header, types, [0] * levels, parquet_names=names)


def _refuse_unknown_zone(file: ExportFile, field: pa.Field) -> None:
    kind = field.type
    if pa.types.is_timestamp(kind) and kind.tz:
        try:
            pc.local_timestamp(pa.array([0], kind))
        except pa.ArrowException as error:
            raise TitansError(
                f"{file.path} has the column {field.name} in the time zone {kind.tz!r}, which no time zone database has: "
                "write it as in Asia/Hong_Kong, UTC or +08:00, or write days."
            ) from error


def _levels(name: str) -> list[str]:
    """A column of two levels, as pandas writes it: ``('Close', 'AAPL')``."""
    if name.startswith("("):
        with suppress(ValueError, SyntaxError):
            levels = ast.literal_eval(name)
            if isinstance(levels, tuple):
                return [str(level) for level in levels]
    return [name]


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    if pa.types.is_float16(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_null(kind):
        return pa.string()
    return kind


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type) and column.type.tz:
        column = pc.local_timestamp(column)
    return column.cast(_plain_type(column.type))

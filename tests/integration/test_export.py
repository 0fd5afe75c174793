"""``make export``: one table of the published file as a file that other programs read with the right types."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
from typer.testing import CliRunner

import titans.commands.export as export_command
from include.errors import TitansError
from include.settings import Settings
from tests.pipeline import ask
from titans.__main__ import app

NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
EPOCH = date(1899, 12, 30)
"""Day 0 of a workbook."""


@pytest.fixture
def export(built_sample_store: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs the command on the sample's store; returns its exit code and what it said."""
    monkeypatch.setenv("TITANS_DATA_DIR", str(built_sample_store.data_dir))

    def run(table: str, format_: str, to: Path | str = "") -> tuple[int, str]:
        arguments = ["export", "--table", table, "--format", format_, "--to", str(to)]
        result = CliRunner().invoke(app, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, " ".join(result.output.split())

    return run


def sheet(path: Path, number: int = 1) -> list[dict[str, tuple[str, str]]]:
    """Cells of a worksheet by column letters: kind (n number, s text, b boolean) and value, read from the XML itself."""
    with zipfile.ZipFile(path) as book:
        strings = []
        if "xl/sharedStrings.xml" in book.namelist():
            strings = ["".join(item.itertext()) for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
        rows = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml")).iter(f"{NS}row")
        found = []
        for row in rows:
            cells = {}
            for cell in row.iter(f"{NS}c"):
                kind, text = cell.get("t", "n"), "".join(cell.itertext())
                value = strings[int(text)] if kind == "s" else text
                cells["".join(filter(str.isalpha, cell.attrib["r"]))] = ("s" if kind == "inlineStr" else kind, value)
            found.append(cells)
        return found


def test_a_workbook_has_typed_dates_numbers_and_texts(
    export: Any, built_sample_store: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "sheet.xlsx"
    assert export("factsheet", "xlsx", target) == (0, f"reports.factsheet, 2 rows: {target}")
    columns = [name for (name,) in ask(built_sample_store, "select column_name from duckdb_columns() where table_name = 'factsheet' order by column_index")]  # fmt: skip
    rows = ask(built_sample_store, "from reports.factsheet order by basket_id")
    header, *cells = sheet(target)
    assert [text for _, text in header.values()] == columns
    letters = dict(zip(columns, header, strict=True))
    for row, cell in zip(rows, cells, strict=True):
        for column, value in zip(columns, row, strict=True):
            found = cell.get(letters[column], ("n", ""))
            if value is None:
                assert found[1] == "", column
            elif isinstance(value, bool):
                assert found == ("b", str(int(value))), column
            elif isinstance(value, date):
                assert found == ("n", str((value - EPOCH).days)), column
            elif isinstance(value, str):
                assert found == ("s", value), column
            else:
                assert found[0] == "n"
                assert float(found[1]) == pytest.approx(value, rel=1e-15), column
    about = sheet(target, 2)
    assert about[0]["B"][1].startswith("SIMULATED DATA, not real. ")
    assert [line["A"][1] for line in about[1:]] == columns


def test_times_keep_their_zone(export: Any, built_sample_store: Settings, tmp_path: Path) -> None:
    ((moment,),) = ask(built_sample_store, "select min(published_at) from ops.publications")
    for format_ in ("csv", "parquet", "xlsx"):
        assert export("ops.publications", format_, tmp_path / f"times.{format_}")[0] == 0
    assert f"{moment}+00" in (tmp_path / "times.csv").read_text()
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'Asia/Hong_Kong'")
        ((stored, kind),) = connection.execute(
            f"select published_at, typeof(published_at) from '{tmp_path / 'times.parquet'}'"
        ).fetchall()
    assert kind == "TIMESTAMP WITH TIME ZONE"
    assert stored == moment.replace(tzinfo=UTC)
    header, first = sheet(tmp_path / "times.xlsx")[:2]
    ((place, _),) = [(place, text) for place, (_, text) in header.items() if text == "published_at (UTC)"]
    days = (moment - datetime.combine(EPOCH, datetime.min.time())).total_seconds() / 86_400
    assert float(first[place][1]) == pytest.approx(days, abs=1e-7)


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_rows_are_those_of_the_table(export: Any, built_sample_store: Settings, tmp_path: Path, format_: str) -> None:
    target = tmp_path / f"levels.{format_}"
    assert export("REBASED_LEVELS", format_, target)[0] == 0
    with duckdb.connect() as connection:
        found = connection.execute(f"from '{target}'")
        assert [kind for _, kind, *_ in connection.execute(f"describe from '{target}'").fetchall()] == [
            kind for (kind,) in ask(built_sample_store, "select data_type from duckdb_columns() where table_name = 'rebased_levels' order by column_index")
        ]  # fmt: skip
        found = connection.execute(f"from '{target}'")
        assert found.fetchall() == ask(built_sample_store, "from reports.rebased_levels")


def test_without_a_target_it_lies_in_the_data_folder(export: Any, built_sample_store: Settings) -> None:
    code, said = export("drawdowns", "csv")
    path = Path(said.split(": ", 1)[1])
    assert code == 0
    assert path.parent == built_sample_store.data_dir / "exports"
    assert path.name.startswith("drawdowns-2")
    assert path.read_text().startswith("basket_id,")
    path.unlink()


@pytest.mark.parametrize(
    ("table", "format_", "said"),
    [
        ("factshet", "csv", "There is no table factshet: did you mean reports.factsheet"),
        ("marts.factsheet", "csv", "There is no table marts.factsheet: did you mean reports.factsheet"),
        ("", "csv", "make export needs TABLE=: there are marts.dim_basket_members,"),
        ("xyzzy", "csv", "There is no table xyzzy: there are marts.dim_basket_members,"),
        ("factsheet", "excel", "There is no format excel: did you mean xlsx? Formats are csv, parquet, xlsx."),
        ("factsheet", "parket", "There is no format parket: did you mean parquet? Formats are csv, parquet, xlsx."),
        ("factsheet", "", "make export needs FORMAT=: Formats are csv, parquet, xlsx."),
    ],
)
def test_an_unknown_table_or_format_is_named_with_those_near(export: Any, tmp_path: Path, table: str, format_: str, said: str) -> None:  # fmt: skip
    code, output = export(table, format_, tmp_path / "out")
    assert code == 1
    assert said in output
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_stays(export: Any, tmp_path: Path) -> None:
    target = tmp_path / "mine.csv"
    target.write_text("mine")
    code, said = export("factsheet", "csv", target)
    assert (code, target.read_text()) == (1, "mine")
    assert "is there already, so nothing was written: remove it, or give another TO=." in said
    code, said = export("factsheet", "csv", tmp_path)
    assert code == 1
    assert "is a folder: name a file in it" in said


def test_too_many_rows_or_too_long_a_text_leave_no_workbook(
    export: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_command, "MOST_ROWS", 1)
    code, said = export("factsheet", "xlsx", tmp_path / "out.xlsx")
    assert code == 1
    assert "reports.factsheet has 2 rows, and a worksheet holds 1 below its header: export it with FORMAT=csv" in said
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_no_cell_holds_leaves_no_workbook(tmp_path: Path) -> None:
    """Nor does a formula become one: what begins with an equals sign is text."""
    table = export_command.Table("main.notes", "", [("note", "VARCHAR", "")])
    with duckdb.connect() as connection:
        connection.execute("create table notes as select '=1+1' as note")
        export_command._write_workbook(connection, table, 1, tmp_path / "short.xlsx")
        assert sheet(tmp_path / "short.xlsx")[1]["A"] == ("s", "=1+1")
        connection.execute("insert into notes select repeat('x', 32768)")
        with pytest.raises(TitansError, match="longer than a cell holds, in row 2"):
            export_command._write_workbook(connection, table, 2, tmp_path / "long.xlsx")


def test_a_disk_that_cannot_be_written_is_named(export: Any, tmp_path: Path) -> None:
    code, said = export("factsheet", "csv", "/proc/nowhere/out.csv")
    assert code == 1
    assert "/proc/nowhere" in said

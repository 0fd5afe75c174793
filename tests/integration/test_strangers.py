"""What strangers may write: statements, names and paths that want more than they are given. Each gets a sentence, and nothing leaves its place."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.console import Console

from include import build
from include.errors import TitansError
from include.files import write_whole
from include.ingest.fetch import fetch_batch
from include.ingest.plan import TriggerParams, plan_fx, plan_prices
from include.publishing import generations
from include.publishing.rollback import roll_back
from include.runs.records import Run
from include.runs.releases import record_release
from include.sealed import seal
from include.seeds.rows import Security
from include.settings import PROJECT_ROOT, Settings, load_settings
from tests.conftest import CopyStore
from tests.pipeline import AS_OF, THOROUGH, ask, ask_warehouse, build_all, ingest_all, new_run, own_build
from titans.commands.backup import back_up
from titans.commands.query import open_published, show
from titans.commands.release import release_units
from titans.commands.restore import bring_back

REFUSED = """
select * from read_csv('/etc/passwd')
select * from read_text('/etc/passwd')
select * from read_blob('/etc/passwd')
select * from read_parquet('/etc/passwd')
select * from read_json('/etc/passwd')
select * from read_duckdb('{data}/sample/warehouse.duckdb')
select * from parquet_metadata('/etc/passwd')
select * from sniff_csv('/etc/passwd')
select * from glob('/etc/*')
select * from '/etc/passwd'
select * from 'https://example.com/x.csv'
select * from 's3://bucket/x.parquet'
select * from query('select * from read_text(''/etc/passwd'')')
select * from query_table('/etc/passwd')
select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''/etc/passwd'')'))
select * from sqlite_scan('{data}/airflow/airflow.db', 'dag')
select * from connection
select * from duckdb_secrets(redact = false)
with x as (select * from read_text('/etc/passwd')) select * from x
copy (select 1) to '{data}/out.csv'
copy marts.dim_baskets to '{data}/out.parquet'
copy marts.dim_baskets from '/etc/passwd'
explain analyze copy (select 1) to '{data}/out.csv'
export database '{data}/out'
import database '{data}/out'
attach '{data}/out.duckdb'
attach '{data}/sample/warehouse.duckdb' as w (read_only)
attach ':memory:' as m (read_write)
detach memory
install httpfs
install httpfs from community
force install httpfs
load httpfs
load '{data}/out.duckdb_extension'
update extensions
set enable_external_access = true
set global lock_configuration = false
set threads = 1
set variable x = 1
reset enable_external_access
reset lock_configuration
pragma enable_profiling
pragma memory_limit = '1GB'
pragma profiling_output = '{data}/out'
call enable_logging(storage = 'file', storage_path = '{data}/out')
select * from enable_logging(storage = 'file', storage_path = '{data}/out')
select * from enable_profiling(format = 'json', save_location = '{data}/out.json')
explain analyze call enable_logging()
checkpoint
force checkpoint
vacuum
begin transaction
use memory
prepare p as select 1
create table marts.x (a integer)
create or replace view marts.dim_baskets as select 1
create schema x
create macro marts.f() as 1
create persistent secret s (type http, bearer_token 'x')
drop table marts.dim_baskets
delete from marts.dim_baskets
insert into marts.dim_baskets select * from marts.dim_baskets
update marts.dim_baskets set basket_name = 'x'
merge into marts.dim_baskets using (select 1) on true when matched then delete
truncate marts.dim_baskets
alter table marts.dim_baskets rename to x
comment on table marts.dim_baskets is 'x'
""".strip().splitlines()

DISGUISES: list[Callable[[str], str]] = [
    lambda sql: sql,
    lambda sql: f"/* select 1 */ -- harmless\n  {sql} ;",
    lambda sql: f"select 1; {sql}; select 2",
    lambda sql: sql.split(" ", 1)[0].upper() + "\t\n" + sql.split(" ", 1)[1] if " " in sql else sql.upper(),
]


@pytest.fixture(scope="module")
def readable(built_sample_store: Settings) -> Settings:
    return built_sample_store


def files_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("statement", REFUSED)
def test_a_reader_gets_no_file_no_network_no_setting_and_writes_nothing(readable: Settings, statement: str) -> None:
    before = files_under(readable.data_dir)
    for disguise in DISGUISES:
        out = io.StringIO()
        with pytest.raises(TitansError) as refused:
            show(Console(file=out), readable.published, disguise(statement.format(data=readable.data_dir)))
        assert "root:" not in out.getvalue() + str(refused.value)
        assert "Stack Trace" not in str(refused.value)
        assert len(str(refused.value).split()) > 4, "a sentence says why"
    assert files_under(readable.data_dir) == before


@pytest.mark.parametrize(
    "statement",
    [
        "select count(*) from fct_basket_daily", "from dim_baskets", "with x as (select 1 as a) select * from x", "show tables", "show all tables",
        "describe fct_headlines", "summarize dim_baskets", "explain select 1", "pivot dim_baskets on weighting using count(*)", "values (1), (2)",
        "select 'enable, copy, attach; set' as words", "create temp table t as select 1 as a; from t",
    ],
)  # fmt: skip
def test_what_reads_is_answered(readable: Settings, statement: str) -> None:
    out = io.StringIO()
    show(Console(file=out, width=200), readable.published, statement)
    assert out.getvalue().strip()


def test_a_symbol_that_is_not_there_is_named(readable: Settings) -> None:
    def said(sql: str) -> list[str]:
        out = io.StringIO()
        show(Console(file=out, width=200), readable.published, sql)
        return out.getvalue().splitlines()

    assert said("select close from fct_security_daily where symbol in ('aapl', 'TSM')") == [
        "No rows.",
        "There is no symbol aapl in dim_securities: did you mean AAPL?",
        "There is no symbol TSM in dim_securities.",
    ]
    assert said("select close from fct_security_daily where symbol = 'AAPL' and date < '1900-01-01'") == ["No rows."]


def test_whatever_slips_through_the_sentence_meets_the_locks(readable: Settings) -> None:
    """The statement is put together at run time, so that no check of its text can know it."""
    before = files_under(readable.data_dir)
    with open_published(readable.published) as connection:
        for text in (
            "'select * from read_te' || 'xt(''/etc/passwd'')'",
            f"'select * from enable_prof' || 'iling(format=''json'', save_location=''{readable.data_dir}/o.json'')'",
        ):
            with pytest.raises(Exception, match=r"disabled|denied"):  # noqa: PT012  # a profile would be written after the next statement
                connection.execute(f"select * from query({text})").fetchall()
                connection.execute("select 1").fetchall()
    assert files_under(readable.data_dir) == before


def test_values_and_messages_cannot_steer_a_terminal(readable: Settings) -> None:
    out = io.StringIO()
    show(
        Console(file=out, width=200),
        readable.published,
        "select chr(27) || '[2J' as a, chr(8238) || 'LPAA' as b, '[/red] [bold]x' as c",
    )
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue()
    assert "\\x1b[2J" in out.getvalue()
    assert "[/red] [bold]x" in out.getvalue()


ENDLESS = "with recursive t(a) as (select 1 union all select a + 1 from t) select count(*) from t"


@pytest.mark.parametrize("statement", [ENDLESS, ENDLESS.replace("count(*)", "*"), f"explain analyze {ENDLESS}"])
def test_a_statement_without_an_end_is_stopped(
    readable: Settings, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    monkeypatch.setattr("titans.commands.query.LONGEST_SECONDS", 1.0)
    with pytest.raises(TitansError, match=r"^The query was stopped after 1 seconds: ask for less, or open the file"):
        show(Console(file=io.StringIO()), readable.published, statement)


def test_a_statement_does_not_take_all_memory(readable: Settings) -> None:
    with pytest.raises(TitansError, match=r"^The query needs more memory than make query gives, 2 GB: ask for less"):
        show(
            Console(file=io.StringIO()),
            readable.published,
            "select string_agg(repeat('x', 1000), '') from range(100000000)",
        )


def test_ctrl_c_ends_a_statement_with_a_sentence(readable: Settings) -> None:
    program = """
import os, signal, threading
from titans.commands import query
from titans.__main__ import app
check = query._check_statements
def interrupted_soon(*arguments):
    check(*arguments)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
query._check_statements = interrupted_soon
signal.signal(signal.SIGINT, signal.default_int_handler)  # a worker of the test runner ignores it, and so would its children
app()
"""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT_ROOT),
        "TITANS_DATA_DIR": str(readable.data_dir),
    }
    command = [sys.executable, "-c", program, "query", "--", ENDLESS]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "Error: The query was stopped.\n")


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of the Makefile, with what is installed."""
    command = ["make", "--old-file", ".venv/run.stamp", f"PY={sys.executable}", *words]
    return subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_make_takes_a_statement_word_for_word(readable: Settings, tmp_path: Path) -> None:
    """Make would read $$ as $, drop $5, and run what stands in $(shell ...); a shell would run what stands between backquotes."""
    said = f"$5 `touch {tmp_path}/a` $(shell touch {tmp_path}/b) $(touch {tmp_path}/c) ${{HOME}}"
    for words, environment in (([f"SQL=select $${said}$$ as said"], {}), ([], {"SQL": f"select $${said}$$ as said"})):
        result = make("query", f"DATA={readable.data_dir}", *words, **environment)
        assert result.stdout.split() == ["said", *said.split()], result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["rollback", "TO="], ["restore", "FROM="], ["release", "REASON=r", "BATCH="], ["run", "KNOWN_AT="], ["run", "AS_OF="],
              ["run", "SOURCE="], ["run", "SOURCE=files", "EXPORTED_AT=2025-03-08", "FILES="], ["airflow", "PORT="], ["reset", "CONFIRM="]],
    ids=lambda words: words[-1],
)  # fmt: skip
def test_no_word_of_a_command_is_run(readable: Settings, tmp_path: Path, words: list[str]) -> None:
    texts = hostile_texts(tmp_path)
    # In the suite the words that do not end one another's quotes go together, and the test below has the others.
    for text in texts if THOROUGH else [" ".join(texts[:3])]:
        result = make(*words[:-1], f"{words[-1]}{text}", f"DATA={readable.data_dir}")
        assert result.returncode != 0
        assert result.stderr.startswith("Error: "), result.stderr
        assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_setting_of_a_command_is_run(tmp_path: Path) -> None:
    """All that the Makefile knows at once, given to a command that reads the settings, and to others that take the rest."""
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    names = re.search(r"^WORDS := (.+)$", makefile, re.MULTILINE)[1].split()  # type: ignore[index]  # the line is there
    others = ["run", "airflow", "query", "export", "rollback", "release", "restore", "reset", "bench"]
    result = make("status", *others, *(f"{name}={''.join(hostile_texts(tmp_path)[3:])}" for name in names))
    assert (result.returncode, result.stderr[:7]) == (2, "Error: "), result.stderr
    assert len(names) > 15
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def hostile_texts(folder: Path) -> list[str]:
    """Each would make a file in ``folder``, or end a line, if make or a shell read it."""
    return [
        f"$(shell touch {folder}/a)",
        f"`touch {folder}/b`",
        f'"; touch {folder}/c; "',
        f"'; touch {folder}/d; '",
        "a\nb",
    ]


def test_nobody_but_the_owner_can_write_what_is_published(readable: Settings, tmp_path: Path) -> None:
    folder = readable.published.link.resolve().parent
    paths = (folder, folder.parent, *folder.rglob("*"))
    modes = {str(path): stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert {"titans.duckdb", "manifest.json", "report", "index.html"} <= {path.name for path in paths}
    assert {name for name, mode in modes.items() if mode & 0o022} == set()
    careless = os.umask(0)
    try:
        settings = load_settings(data_dir=str(tmp_path / "new"))
        with generations.link_lock(settings.published, "a test"):
            write_whole(settings.published.folder / "titans-x.json", "{}")
    finally:
        os.umask(careless)
    assert stat.S_IMODE(settings.published.folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((settings.published.folder / "titans-x.json").stat().st_mode) == 0o644


# A name as a stranger may write it: into a seed, a form, a command.
ODD_NAMES = [
    "'; drop table marts.dim_baskets; --", '"; drop schema marts; --', "../../x", "/etc/passwd", "a/../b", "a//b", "a/b/c", "a/", "a\\b", "a b", " a", "a\nb", "a\rb", "a\0b",
    "\u202eLPAA", "\u200bAAPL", "ＡＡＰＬ", "a" * 33, "", ".", "..", "-rf", "{{ env_var('HOME') }}", "$(id)", "`id`", "%2e%2e%2f", "a;b", "a'b", 'a"b', "a,b", "=cmd()",
]  # fmt: skip


@pytest.mark.parametrize("symbol", ODD_NAMES, ids=ascii)
def test_no_odd_symbol_is_a_security(symbol: str) -> None:
    with pytest.raises(ValueError, match="symbol"):
        Security(symbol=symbol, name="Odd", kind="equity", exchange="XHKG", currency="HKD")


@pytest.mark.parametrize("symbol", ["M&M.NS", "BRK/B", "^GSPC", "BF-B", "0700.HK"])
def test_what_vendors_write_is_a_symbol(symbol: str) -> None:
    assert Security(symbol=symbol, name="Usual", kind="equity", exchange="XHKG", currency="HKD").symbol == symbol


@given(text=st.text(max_size=60))
@hypothesis_settings(max_examples=200, deadline=None)
def test_a_symbol_that_is_taken_is_harmless_wherever_it_is_written(text: str) -> None:
    """As a part of a path, between quotes of SQL, in a line of CSV. BRK/B has one slash."""
    try:
        symbol = Security(symbol=text, name="Odd", kind="equity", exchange="XHKG", currency="HKD").symbol
    except ValueError:
        return
    assert not Path(symbol).is_absolute()
    assert not {".", ".."} & set(symbol.split("/"))
    assert symbol.count("/") <= 1
    assert not set(symbol) & set("'\"\\;,{}$`\n\r\0 ")
    assert symbol.isascii()


@given(name=st.one_of(st.sampled_from(ODD_NAMES), st.text(max_size=200)), other=st.text(max_size=60))
@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_run_id_batch_or_symbol_names_a_file_outside_the_store(tmp_path: Path, name: str, other: str) -> None:
    settings = load_settings(data_dir=str(tmp_path / "data"))
    run = Run(settings.store, "build_marts", name)
    with run.step(other):
        pass
    run.finish(None)
    record_release(settings.store, name, other, "reason")
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
    assert {path.name for path in settings.data_dir.iterdir()} == {"sample"}
    assert {path.name for path in settings.store.root.iterdir()} == {"runs"}


@pytest.mark.parametrize(
    "generation",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "20250101T000000.000000Z-nogit/../../x",
        "*",
        "x\0y",
        "\u202e",
        "'; --",
        "a" * 300,
    ],
    ids=ascii,
)
def test_rollback_goes_to_no_name_but_a_generation(built_sample_store: Settings, generation: str) -> None:
    before = generations.linked_generation(built_sample_store.published)
    with pytest.raises(TitansError, match="no generation"):
        roll_back(built_sample_store.published, generation)
    assert generations.linked_generation(built_sample_store.published) == before
    assert generations.hold(built_sample_store.published) is None


def test_a_manifest_that_names_a_file_elsewhere_is_no_generation(
    built_sample_store: Settings, copy_store: CopyStore
) -> None:
    """Who can write a manifest must not move the link, nor have a file removed, outside of the folder."""
    settings = copy_store(built_sample_store)
    (known,) = generations.manifests(settings.published)
    outside = settings.data_dir / "outside" / "titans.duckdb"
    outside.parent.mkdir()
    outside.write_text("precious")
    bad = known.model_copy(update={"generation": "../../outside"})
    folder = settings.published.generations / "20250101T000000.000000Z-bad"
    folder.mkdir()
    (folder / "manifest.json").write_text(seal(bad))
    assert [each.generation for each in generations.manifests(settings.published)] == [known.generation]


def test_odd_symbols_of_an_export_are_rejected_rows_word_for_word(tmp_path: Path) -> None:
    """From a folder whose name is odd too. A NUL cannot stand in CSV, and an empty symbol is a missing one."""
    folder = tmp_path / "it's; an [export]* ünï"
    folder.mkdir()
    odd = [name for name in ODD_NAMES if name.strip() and not set(name) & set("\0\r\n")]
    with (folder / "prices.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["symbol", "date", "close", "currency"])
        rows.writerows(
            [symbol, day, "500", "HKD"] for symbol in ["0700.HK", *odd] for day in ("2025-03-06", "2025-03-07")
        )
    (folder / "fx_rates.csv").write_text(
        "base_currency,quote_currency,date,rate\nUSD,HKD,2025-03-07,7.77\nUSD,CNY,2025-03-07,7.2\n"
    )
    settings = load_settings(
        source="files", files_dir=str(folder), exported_at="2025-03-08", data_dir=str(tmp_path / "data")
    )
    ingest_all(settings)
    build.load(settings, new_run(settings))
    assert ask_warehouse(settings, "select distinct symbol from raw.prices") == [("0700.HK",)]
    rejected = {row[0] for row in ask_warehouse(settings, "select distinct symbol from raw.rejected_rows")}
    assert {name.strip() for name in odd} <= {name.strip() for name in rejected}
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, "data"}


@pytest.mark.parametrize("symbol", ["'; drop table raw.prices; --", "../../x", "\0"])
def test_release_of_an_odd_name_finds_nothing(built_sample_store: Settings, symbol: str) -> None:
    with pytest.raises(TitansError, match="is quarantined"):
        release_units(built_sample_store, "prices-hk-001", symbol, "reason")
    with pytest.raises(TitansError, match="is quarantined"):
        release_units(built_sample_store, symbol, "", "reason")


def add_file(
    archive: tarfile.TarFile, name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, len(content) if kind == tarfile.REGTYPE else 0
    archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../outside.csv", tarfile.REGTYPE, ""), ("seeds/../../outside.csv", tarfile.REGTYPE, ""), ("/outside.csv", tarfile.REGTYPE, ""),
        ("seeds/deep/outside.csv", tarfile.REGTYPE, ""), ("data/sample/landing/estimates/../../../../outside.parquet", tarfile.REGTYPE, ""),
        ("data/../outside/landing/estimates/x.parquet", tarfile.REGTYPE, ""), ("data/sample/landing/prices/x.parquet", tarfile.REGTYPE, ""),
        ("data/sample/runs/x.json", tarfile.REGTYPE, ""), ("seeds/link.csv", tarfile.SYMTYPE, "/etc/passwd"), ("seeds/hard.csv", tarfile.LNKTYPE, "/etc/passwd"),
        ("data/sample/landing/estimates/x.parquet", tarfile.SYMTYPE, "../../../../outside"), ("seeds/pipe.csv", tarfile.FIFOTYPE, ""), ("seeds/x.sql", tarfile.REGTYPE, ""),
    ],
)  # fmt: skip
def test_restore_writes_only_seeds_and_snapshots(
    tmp_path: Path, project_copy: Path, name: str, kind: bytes, link: str
) -> None:
    settings = load_settings(data_dir=str(tmp_path / "data"), dbt_project_dir=str(project_copy))
    archive_path = tmp_path / "strange.tar.gz"
    with tarfile.open(archive_path, "w:gz") as archive:
        add_file(archive, "seeds/exchanges.csv", (settings.seeds_dir / "exchanges.csv").read_bytes())
        add_file(archive, name, kind=kind, link=link)
    before = files_under(tmp_path)
    assert bring_back(settings, str(archive_path)).lines(settings)[0].startswith("Restored 0 files")
    assert files_under(tmp_path) == before


@pytest.mark.parametrize("damage", ["cut short", "one byte in the middle", "its checksum"])
def test_a_damaged_backup_is_refused_whole(built_sample_store: Settings, copy_store: CopyStore, damage: str) -> None:
    settings = copy_store(built_sample_store)
    saved = back_up(settings)
    content = bytearray(saved.read_bytes())
    place = {"cut short": 0, "one byte in the middle": len(content) // 2, "its checksum": len(content) - 6}[damage]
    content[place] ^= 0xFF if place else 0
    saved.write_bytes(content if place else content[: len(content) // 2])
    shutil.rmtree(settings.data_dir)
    with pytest.raises(TitansError, match=r"^Backup .* cannot be read \(.*\): give a file that make backup wrote\.$"):
        bring_back(settings, str(saved))
    assert not settings.data_dir.exists()


@own_build
def test_a_restore_into_an_empty_folder_of_an_odd_name_brings_every_snapshot_back(
    built_sample_store: Settings, copy_store: CopyStore, tmp_path: Path
) -> None:
    """Only prices and rates can be asked for again. The folder has quotes, spaces and letters of two scripts in its name: everything must work there."""
    lost = copy_store(built_sample_store)
    snapshots = "from marts.fct_estimate_snapshots order by all"
    before, shares = ask(lost, snapshots), ask(lost, "from marts.fct_shares_outstanding order by all")
    assert min(len(before), len(shares)) > 50
    saved = back_up(lost)
    shutil.rmtree(lost.data_dir)

    settings = lost.model_copy(update={"data_dir": tmp_path / 'it\'s "my" data; ünï 数据'})
    bring_back(settings, str(saved))
    run = new_run(settings, "ingest_test")
    batches = [
        *plan_prices(settings, "hk", AS_OF, TriggerParams()),
        *plan_prices(settings, "us", AS_OF, TriggerParams()),
    ]
    for batch in [*batches, *plan_fx(settings, AS_OF, TriggerParams())]:
        fetch_batch(settings, batch, run, attempt=1, is_last_attempt=True)
    run.finish(AS_OF.isoformat())
    assert build_all(settings).outcome == "success"
    assert ask(settings, snapshots) == before
    assert ask(settings, "from marts.fct_shares_outstanding order by all") == shares
    out = io.StringIO()
    show(Console(file=out, width=200), settings.published, "select 'found' from fct_basket_daily limit 1")
    assert "found" in out.getvalue()

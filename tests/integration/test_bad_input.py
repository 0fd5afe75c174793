"""Bad input gets a sentence and a non-zero exit, and what was published is still there and still right."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from include.errors import TitansError
from include.settings import Settings
from tests.command_line import titans
from tests.conftest import CopyStore
from tests.pipeline import Published, build_all
from titans.airflow_env import airflow_lock


@pytest.fixture
def published(built_sample_store: Settings, copy_store: CopyStore) -> tuple[Settings, Published]:
    settings = copy_store(built_sample_store)
    return settings, Published(settings)


def write_export(folder: Path, **replaced: str) -> Path:
    """A small export of one security, with the lines of a file replaced."""
    files = {
        "prices.csv": "symbol,date,open,high,low,close,volume,currency\n0700.HK,2025-03-06,540,546,536,544,1000,HKD\n0700.HK,2025-03-07,540,546,530,533.5,1000,HKD\n",
        "fx_rates.csv": "base_currency,quote_currency,date,rate\nUSD,HKD,2025-03-06,7.773\nUSD,HKD,2025-03-07,7.770\n",
    }
    folder.mkdir()
    for name, text in {**files, **{name.replace("_csv", ".csv"): text for name, text in replaced.items()}}.items():
        (folder / name).write_text(text)
    return folder


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr + result.stdout
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TITANS_SOURCE": "bloomberg"}, ["SOURCE=bloomberg", "sample, files, yahoo"]),
        ({"TITANS_AS_OF": "07.03.2025"}, ["AS_OF=07.03.2025", "2025-03-07"]),
        ({"TITANS_AS_OF": "2025-02-30"}, ["AS_OF=2025-02-30", "2025-03-07"]),
        ({"TITANS_AS_OF": "2999-01-01"}, ["AS_OF=2999-01-01", "future"]),
        ({"TITANS_AS_OF": "2019-06-03"}, ["AS_OF=2019-06-03", "before the data", "2020-12-31"]),
        ({"TITANS_KNOWN_AT": "31.05.2024"}, ["KNOWN_AT=31.05.2024", "2024-05-31"]),
        ({"TITANS_KNOWN_AT": "2999-01-01"}, ["KNOWN_AT=2999-01-01", "future"]),
        ({"TITANS_SOURCE": "files"}, ["FILES="]),
        ({"TITANS_SOURCE": "files", "TITANS_FILES_DIR": "/no/such/folder"}, ["/no/such/folder", "cannot be read"]),
        ({"TITANS_SOURCE": "files", "TITANS_FILES_DIR": "README.md"}, ["README.md", "cannot be read", "give a folder"]),
        ({"TITANS_EXPORTED_AT": "yesterday"}, ["EXPORTED_AT=yesterday", "2025-03-08"]),
        ({"TITANS_EXPORTED_AT": "2999-01-01"}, ["EXPORTED_AT=2999-01-01", "future"]),
        ({"TITANS_BATCH_SIZE": "0"}, ["BATCH_SIZE=0", "whole number from 1 on"]),
        ({"TITANS_SUORCE": "files"}, ["TITANS_SUORCE", "TITANS_SOURCE"]),
    ],
    ids=[
        "unknown source",
        "malformed as_of",
        "impossible as_of",
        "future as_of",
        "as_of before the data",
        "malformed known_at",
        "future known_at",
        "no folder",
        "missing folder",
        "file for a folder",
        "bad export time",
        "future export",
        "no batch",
        "misspelt",
    ],
)
def test_settings_are_refused(
    published: tuple[Settings, Published], environment: dict[str, str], words: list[str]
) -> None:
    settings, before = published
    assert_refused(titans("run", TITANS_DATA_DIR=str(settings.data_dir), **environment), *words)
    before.assert_untouched()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"known_at": date(2019, 6, 3)}, r"KNOWN_AT=2019-06-03 is before the data: .*2020-12-31"),
        (
            {"known_at": date(2024, 5, 31), "source": "yahoo"},
            r"nothing to look back on: .*Build it first: make run SOURCE=yahoo",
        ),
    ],
    ids=["known_at before the data", "known_at without a store"],
)
def test_point_in_time_builds_are_refused(
    published: tuple[Settings, Published], change: dict[str, object], words: str
) -> None:
    settings, before = published
    with pytest.raises(TitansError, match=words):
        build_all(settings.model_copy(update=change))
    before.assert_untouched()


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ({"prices_csv": "symbol,date,open,high,low,volume,currency\n0700.HK,2025-03-07,1,1,1,1,HKD\n"}, ["prices.csv", "no column close"]),
        ({"prices_csv": "symbol,date,close,currency\n0700.HK,2025-03-06,five,HKD\n0700.HK,2025-03-07,six,HKD\n"}, ["prices.csv, line 2", "close", "'five'", "number"]),
        ({"prices_csv": "symbol,date,close,currency\n0700.HK,07/03/2025,540,HKD\n"}, ["prices.csv, line 2", "date", "2025-03-07"]),
        ({"prices_csv": "symbol,date,close,currency\n"}, ["prices.csv", "no row"]),
        ({"fx_rates_csv": "base_currency,quote_currency,date\nUSD,HKD,2025-03-07\n"}, ["fx_rates.csv", "no column rate"]),
    ],
    ids=["missing column", "text for a number", "date in another order", "no row", "missing rate"],
)  # fmt: skip
def test_files_are_refused(
    published: tuple[Settings, Published], tmp_path: Path, replaced: dict[str, str], words: list[str]
) -> None:
    settings, before = published
    folder = write_export(tmp_path / "export", **replaced)
    result = titans("run", TITANS_DATA_DIR=str(settings.data_dir), TITANS_SOURCE="files", TITANS_FILES_DIR=str(folder))
    assert_refused(result, *words)
    before.assert_untouched()


def test_export_from_before_its_own_data_is_refused(published: tuple[Settings, Published], tmp_path: Path) -> None:
    settings, before = published
    folder = write_export(tmp_path / "export")
    environment = {"TITANS_SOURCE": "files", "TITANS_FILES_DIR": str(folder), "TITANS_EXPORTED_AT": "2024-01-01"}
    assert_refused(
        titans("run", TITANS_DATA_DIR=str(settings.data_dir), **environment),
        "EXPORTED_AT=2024-01-01",
        "prices.csv",
        "2025-03-07",
    )
    before.assert_untouched()


def test_a_second_run_at_the_same_moment_is_told_at_once(published: tuple[Settings, Published]) -> None:
    settings, before = published
    with airflow_lock(settings.airflow_home, "make run"):
        assert_refused(
            titans("run", TITANS_DATA_DIR=str(settings.data_dir)), "Airflow is at work", "make run (process", "since 20"
        )
        assert_refused(
            titans("airflow", "--port", "18999", TITANS_DATA_DIR=str(settings.data_dir)),
            "Airflow is at work",
            "make run (process",
        )
    before.assert_untouched()


def test_reset_removes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    """~/airflow is Airflow's own default home, and a home folder is no data folder."""
    for name in ("airflow/airflow.cfg", "published/novel.txt", "thesis.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("precious")
    assert_refused(
        titans("reset", "--confirm", "yes", TITANS_DATA_DIR=str(tmp_path)), "nothing of Titans", "nothing was removed"
    )
    assert len(list(tmp_path.rglob("*.*"))) == 3


def test_empty_folder_is_refused(published: tuple[Settings, Published], tmp_path: Path) -> None:
    settings, before = published
    (tmp_path / "empty").mkdir()
    result = titans(
        "run", TITANS_DATA_DIR=str(settings.data_dir), TITANS_SOURCE="files", TITANS_FILES_DIR=str(tmp_path / "empty")
    )
    assert_refused(result, "prices.csv", "export it there")
    before.assert_untouched()


def test_folder_that_may_not_be_read_is_refused(published: tuple[Settings, Published], tmp_path: Path) -> None:
    settings, before = published
    folder = write_export(tmp_path / "export")
    folder.chmod(0)
    try:
        if os.access(folder, os.R_OK):
            pytest.skip("this user may read everything")
        result = titans(
            "run", TITANS_DATA_DIR=str(settings.data_dir), TITANS_SOURCE="files", TITANS_FILES_DIR=str(folder)
        )
        assert_refused(result, "cannot be read", "Permission denied")
    finally:
        folder.chmod(0o755)
    before.assert_untouched()


def append(seed: str, line: str) -> Callable[[Path], None]:
    def change(seeds: Path) -> None:
        with (seeds / seed).open("a") as file:
            file.write(line + "\n")

    return change


def replace(seed: str, old: str, new: str) -> Callable[[Path], None]:
    def change(seeds: Path) -> None:
        text = (seeds / seed).read_text()
        assert old in text
        (seeds / seed).write_text(text.replace(old, new))

    return change


def drop_security(symbol: str) -> Callable[[Path], None]:
    def change(seeds: Path) -> None:
        path = seeds / "securities.csv"
        with path.open() as file:
            rows = [row for row in csv.reader(file) if row[0] != symbol]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    return change


def start_without_members(seeds: Path) -> None:
    """China's basket from July 2020, its members from August on."""
    baskets, members = seeds / "baskets.csv", seeds / "basket_members.csv"
    baskets.write_text(
        baskets.read_text().replace("equal,annual,,magnificent_seven", "equal,annual,2020-07-01,magnificent_seven")
    )
    members.write_text(members.read_text().replace(".HK,,", ".HK,2020-08-03,"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (append("vendor_corrections.csv", "0770.HK,2024-12-31,close,417,HKD,2024-12-31,typo,me"), ["vendor_corrections.csv", "0770.HK", "securities.csv"]),
        (drop_security("9999.HK"), ["basket_members.csv", "9999.HK", "securities.csv"]),
        (append("basket_members.csv", "china_titans,0700.HK,2024-01-01,"), ["0700.HK", "china_titans", "overlap"]),
        (append("basket_members.csv", "china_titans,^NDX,,"), ["^NDX", "only equities"]),
        (append("baskets.csv", "lonely,Lonely,equal,annual,,"), ["lonely", "no member"]),
        (append("baskets.csv", "odd,Odd,by_beauty,annual,,"), ["baskets.csv, line 4", "weighting", "by_beauty", "'equal' or 'market_value'"]),
        (append("baskets.csv", "odd,Odd,equal,weekly,,"), ["baskets.csv, line 4", "rebalance", "weekly", "'quarterly' or 'annual'"]),
        (append("basket_members.csv", "china_titans,NVDA,2024-13-01,"), ["basket_members.csv, line 16", "valid_from", "2024-13-01"]),
        (start_without_members, ["baskets.csv", "starts china_titans on 2020-07-01", "no member", "valid_from"]),
        (append("securities.csv", "0700.HK,Tencent again,equity,XHKG,HKD,CNY"), ["0700.HK", "twice"]),
        (append("securities.csv", "TSM,Taiwan Semiconductor,equity,XNYS ,USD,"), ["securities.csv, line 20", "exchange='XNYS '"]),
        (append("baskets.csv", "odd,Odd,equal,annual,,,,"), ["baskets.csv, line 4", "more values"]),
        (append("baskets.csv", "odd,Odd,equal,annual,,\r"), ["baskets.csv", "mixes line ends"]),
        (append("press_claims.csv", "c,2025-03-07,china_titans,beauty,about,1,0,ratio,The fairest"), ["press_claims.csv (c)", "beauty", "return_ytd"]),
        (append("securities.csv", "'; drop table x;--,Bobby,equity,XHKG,HKD,CNY"), ["securities.csv, line 20", "symbol"]),
        (append("securities.csv", "0005.HK,HSBC,equity,XHKG,hkd,USD"), ["securities.csv (0005.HK)", "currency hkd", "minor_units.csv"]),
        (append("vendor_corrections.csv", "0700.HK,2025-03-07,close,68,USD,2025-03-08,a test,a test"), ["close of 0700.HK", "in USD", "trades in HKD"]),
        (append("vendor_corrections.csv", "0700.HK,2025-03-07,close,nan,HKD,2025-03-08,a test,a test"), ["vendor_corrections.csv", "value='nan'"]),
        (append("vendor_corrections.csv", "0700.HK,2025-03-07,close,500,HKD,2099-03-08,a test,a test"), ["close of 0700.HK", "2099-03-08", "in the future"]),
        (append("minor_units.csv", "GBq,GBX,10"), ["minor_units.csv", "GBq a part of GBX"]),
        (replace("exchanges.csv", "Hong Kong Exchange,XHKG", "Hong Kong Exchange,XMARS"), ["exchanges.csv gives XHKG", "XMARS", "as in XHKG"]),
        (replace("exchanges.csv", "Asia/Hong_Kong", "Asia/Honk"), ["exchanges.csv, line 2", "timezone='Asia/Honk'", "Asia/Hong_Kong"]),
        (replace("exchanges.csv", "30 17 * * 1-5", "every day"), ["exchanges.csv, line 2", "ingest_cron='every day'", "five fields"]),
        (append("calendar_overrides.csv", "XHKG,1990-01-02,true,long ago"), ["calendar_overrides.csv", "XHKG on 1990-01-02", "2000-01-03"]),
        (append("index_headlines.csv", "^NDX,return_2w"), ["index_headlines.csv", "measure return_2w for ^NDX", "return_wtd"]),
        (append("press_claims.csv", "c,2025-03-07,china_titans,return_2w,about,1,0,ratio,A claim"), ["press_claims.csv (c)", "return_2w", "return_wtd"]),
    ],
    ids=["unknown symbol", "member without a security", "overlap", "index as member", "no member", "unknown weighting", "unknown rebalance", "impossible day", "base date without a member", "twice", "space at the end", "too many values", "mixed line ends", "unknown measure", "injection", "unknown currency", "correction in another currency", "correction that is no number", "correction from the future", "minor of a minor unit", "unknown calendar", "unknown time zone", "no cron line", "session before the calendar", "period of a headline", "period of a claim"],
)  # fmt: skip
def test_seeds_are_refused(
    published: tuple[Settings, Published], project_copy: Path, change: Callable[[Path], None], words: list[str]
) -> None:
    settings, before = published
    change(project_copy / "seeds")
    assert_refused(
        titans("run", TITANS_DATA_DIR=str(settings.data_dir), TITANS_DBT_PROJECT_DIR=str(project_copy)), *words
    )
    before.assert_untouched()


def test_seed_without_a_column_is_refused(published: tuple[Settings, Published], project_copy: Path) -> None:
    settings, before = published
    (project_copy / "seeds" / "baskets.csv").write_text("basket_id,name\nchina_titans,China\n")
    assert_refused(
        titans("run", TITANS_DATA_DIR=str(settings.data_dir), TITANS_DBT_PROJECT_DIR=str(project_copy)),
        "baskets.csv",
        "no column weighting",
    )
    before.assert_untouched()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["query", "select * from marts.nothing"], ["nothing"]),
        (["airflow", "--port", "x"], ["PORT=x", "from 1 to 65535"]),
        (["airflow", "--port", "65536"], ["PORT=65536", "from 1 to 65535"]),
        (["query", "create table marts.x (a integer)"], ["read-only"]),
        (["query", "copy (select 1) to 'x.csv'"], ["disabled"]),
        (["query", "attach 'other.duckdb'"], ["disabled"]),
        (["query", "set enable_external_access = true"], ["lock"]),
        (["rollback", "20990101T000000.000000Z-nogit"], ["no generation 20990101"]),
        (["rollback"], ["no generation of source sample before"]),
        (["release", "--batch", "none", "--reason", "because"], ["No unit", "Quarantined: none"]),
        (["release", "--batch", "none"], ["needs a batch and a reason"]),
        (["restore"], ["Which backup"]),
        (["restore", "README.md"], ["cannot be read"]),
        (["reset"], ["Nothing was removed", "CONFIRM=yes"]),
    ],
)
def test_commands_are_refused(published: tuple[Settings, Published], arguments: list[str], words: list[str]) -> None:
    settings, before = published
    assert_refused(titans(*arguments, TITANS_DATA_DIR=str(settings.data_dir)), *words)
    before.assert_untouched()


def test_query_before_the_first_run_says_what_to_do(tmp_path: Path) -> None:
    assert_refused(
        titans("query", "select 1", TITANS_DATA_DIR=str(tmp_path)),
        "Nothing is published",
        "make status names the command",
    )


def test_a_backup_whose_copy_broke_off_is_refused(tmp_path: Path) -> None:
    """Cut in its packed bytes, where the reader meets the end of the file instead of an error of the archive."""
    assert titans("backup", TITANS_DATA_DIR=str(tmp_path / "data")).returncode == 0
    (whole,) = (tmp_path / "backups").iterdir()
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole.read_bytes()[:-2000])
    assert_refused(
        titans("restore", str(cut), TITANS_DATA_DIR=str(tmp_path / "data")),
        f"Backup {cut} cannot be read",
        "make backup wrote",
    )


def test_reset_waits_for_whoever_works_on_the_folder(published: tuple[Settings, Published]) -> None:
    settings, before = published
    with airflow_lock(settings.airflow_home, "make airflow"):
        assert_refused(
            titans("reset", "--confirm", "yes", TITANS_DATA_DIR=str(settings.data_dir)),
            "Airflow is at work",
            "make airflow",
        )
    before.assert_untouched()

"""Builds that must stop, or must go on without a part: what was published stays, and the message names the thing."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path

import duckdb
import pytest
from pydantic import ByteSize

from include import build
from include.errors import Runbook, TitansError
from include.gates.checks import Check
from include.publishing import generations
from include.raw import lock
from include.raw.lock import writer_lock
from include.raw.store import open_warehouse
from include.runs.facts import LoadFacts, PublishFacts
from include.runs.records import run_records, runbook_of
from include.runs.releases import quarantined_units
from include.settings import Settings, load_settings
from tests.conftest import CopyStore
from tests.pipeline import (
    AS_OF,
    THOROUGH,
    Published,
    ask,
    build_all,
    different_marts,
    ingest_all,
    judge,
    new_run,
    own_build,
    run_without_airflow,
)
from titans.commands.release import release_units
from titans.commands.status import status_lines


@pytest.fixture
def store(built_sample_store: Settings, copy_store: CopyStore) -> Settings:
    return copy_store(built_sample_store)


def export_of(settings: Settings, market_data: Path, tmp_path: Path, symbol: str, change: str) -> Settings:
    """The real export of a day later, with one symbol's last close changed by a SQL expression."""
    folder = tmp_path / "export"
    folder.mkdir(exist_ok=True)
    for name in ("fx_rates", "shares", "estimates"):
        (folder / f"{name}.csv").write_bytes((market_data / f"{name}.csv").read_bytes())
    duckdb.sql(
        f"""copy (select symbol, date, open, high, low, case when symbol = '{symbol}' and date = '2025-03-07' then {change} else close end as close,
        volume, dividend, split_ratio, currency from read_csv('{market_data}/prices.csv')
        where not (symbol = '{symbol}' and date = '2025-03-07' and ({change}) is null)) to '{folder}/prices.csv'"""
    )
    return settings.model_copy(update={"files_dir": folder, "exported_at": settings.exported_at.replace(day=9)})  # type: ignore[union-attr]  # set by the fixture


@own_build
def test_corrupt_warehouse(store: Settings) -> None:
    before = Published(store)
    store.store.warehouse.write_bytes(b"this is no database" * 1000)
    with pytest.raises(TitansError, match=r"cannot be opened as a DuckDB file.*rebuilt from the landing files"):
        build_all(store)
    assert runbook_of(run_records(store.store, "build_marts")[-1]) is Runbook.WAREHOUSE_DAMAGED
    before.assert_untouched()
    linked = generations.linked_generation(store.published)
    store.store.warehouse.unlink()
    judge(store)
    assert different_marts(store, store.published.link.resolve()) == [], "a rebuilt warehouse gives the same marts"
    if THOROUGH:
        facts = run_without_airflow(store).facts(PublishFacts)
        assert (facts.is_new, facts.changed, facts.generation) == (False, [], linked), "nothing new has come"
        assert len(generations.manifests(store.published)) == 1


def test_warehouse_of_another_source(store: Settings, market_data: Path) -> None:
    before = Published(store)
    other = store.model_copy(update={"source": "files", "files_dir": market_data})
    other.store.root.mkdir(parents=True)
    store.store.warehouse.rename(other.store.warehouse)
    ingest_all(other)
    with pytest.raises(TitansError, match="belongs to source sample, and this build is of source files"):
        build_all(other)
    before.assert_untouched()


def test_two_builds_at_once(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.0)
    before = Published(store)
    refusal = r"Another build is writing .*build_marts\.first \(process \d+\) has held it since 20"
    with writer_lock(store.store.warehouse, "build_marts.first"), pytest.raises(TitansError, match=refusal):
        build_all(store)
    assert runbook_of(run_records(store.store, "build_marts")[-1]) is Runbook.WAREHOUSE_LOCKED
    before.assert_untouched()
    judge(store)  # the lock is free again


def test_marts_of_another_build_are_not_published(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One build passes its gate, another transforms in between: the first must not publish the other's marts."""
    before = Published(store)
    monkeypatch.setattr(build, "dbt_build", lambda _: {})  # whose marts they are is told by the stamp of the build
    first, second = new_run(store), new_run(store)
    for run in (first, second):
        build.load(store, run)
        build.check_raw(store, run)
        build.transform(store, run)
    with pytest.raises(TitansError, match="Another build has replaced the marts"):
        build.check_marts(store, first)
    before.assert_untouched()


def test_nothing_to_build_from(tmp_path: Path) -> None:
    with pytest.raises(TitansError, match="There is no price to build from"):
        build_all(load_settings(data_dir=str(tmp_path)))


@own_build
def test_what_a_first_export_lacks_is_left_out_and_the_rest_is_published(
    store: Settings, market_data: Path, tmp_path: Path
) -> None:
    """Tesla's last row, and any share count and estimate: its unit is kept out, its basket waits, the other one has prices.

    The sample was published in the same folder: the new source takes the link and says so.
    """
    settings = load_settings(
        source="files", files_dir=str(market_data), exported_at="2025-03-08", data_dir=str(store.data_dir)
    )
    settings = export_of(settings, market_data, tmp_path, "TSLA", "null")
    for name in ("shares", "estimates"):  # only prices and fx_rates are required
        (tmp_path / "export" / f"{name}.csv").unlink()
    record = run_without_airflow(settings)
    assert record.facts(PublishFacts).changed_source_from == "sample"
    assert ask(settings, "select distinct source from marts.fct_security_daily") == [("files",)]
    (unit,) = quarantined_units(settings.store)
    assert unit.symbol == "TSLA"
    assert unit.reasons == ["last_session_present: no price for the last session, 2025-03-07"]
    assert [check.examples[0]["basket_id"] for check in record.checks if check.name == "every_basket_filled"] == [
        "magnificent_seven"
    ]
    assert ask(settings, "select distinct basket_id from marts.fct_basket_daily") == [("china_titans",)]
    assert ask(
        settings,
        "select value, value_text, sentence from marts.fct_headlines "
        "where as_of = '2025-03-07' and headline_id = 'china_titans_market_value_change_ytd_usd'",
    ) == [
        (
            None,
            "not computable",
            "The market value that China's seven tech titans gained in 2025 cannot be computed: share counts are known for 0 of 7 members.",
        )
    ]


def test_fx_pair_in_quarantine_stops_the_run(
    built_real_store: Settings, copy_store: CopyStore, market_data: Path, tmp_path: Path
) -> None:
    settings = export_of(copy_store(built_real_store), market_data, tmp_path, "none", "close")
    before = Published(settings)
    rates = tmp_path / "export" / "fx_rates.csv"
    rates.write_text(rates.read_text().replace("USD,HKD,2025-03-07,7.7", "USD,HKD,2025-03-07,0.77"))
    with pytest.raises(TitansError, match=r"FX pair USDHKD is quarantined .*fx_no_jump"):
        run_without_airflow(settings)
    assert runbook_of(run_records(settings.store, "build_marts")[-1]) is Runbook.FX_PAIR_QUARANTINED
    before.assert_untouched()


@own_build
def test_too_many_quarantined_symbols_stop_the_run(
    built_real_store: Settings, copy_store: CopyStore, market_data: Path, tmp_path: Path
) -> None:
    settings = export_of(copy_store(built_real_store), market_data, tmp_path, "none", "close")
    before = Published(settings)
    prices = tmp_path / "export" / "prices.csv"
    duckdb.sql(
        f"""copy (select * replace (case when date = '2025-03-07' and currency = 'HKD' then close * 2 else close end as close,
        null as open, null as high, null as low) from read_csv('{prices}')) to '{tmp_path}/doubled.csv'"""
    )
    (tmp_path / "doubled.csv").rename(prices)
    with pytest.raises(TitansError, match=r"9 of 18 symbols are quarantined .*more than 20%"):
        run_without_airflow(settings)
    with pytest.raises(TitansError, match=r"9 of 18 symbols are quarantined"):
        build_all(settings)  # nothing new to judge, and still not fit to build on
    assert runbook_of(run_records(settings.store, "build_marts")[-1]) is Runbook.TOO_MANY_QUARANTINED
    before.assert_untouched()
    healed = settings.model_copy(update={"files_dir": market_data, "exported_at": settings.exported_at.replace(day=10)})  # type: ignore[union-attr]  # set by the fixture
    ingest_all(healed)
    judge(healed)
    assert quarantined_units(healed.store) == [], "the next good delivery heals"


@own_build
def test_quarantine_rejected_row_release_and_a_loss_that_is_accepted(
    built_real_store: Settings, copy_store: CopyStore, project_copy: Path, market_data: Path, tmp_path: Path
) -> None:
    """One store, two builds on it.

    A close of Xiaomi twice too large is kept out and shown, and a close of Tencent far above its high breaks a row
    rule: no mart changes, and ops of a new generation shows both. A person lets Xiaomi's in on the record, and somebody
    marks a real session as closed: the next build stops for the row of March that every Hong Kong symbol loses, until
    the loss is accepted.
    """
    settings = export_of(copy_store(built_real_store), market_data, tmp_path, "0700.HK", "close * 100")
    settings = settings.model_copy(update={"dbt_project_dir": project_copy})
    prices = tmp_path / "export" / "prices.csv"
    is_wrong = "date = '2025-03-07' and symbol = '1810.HK'"
    blank = ", ".join(f"case when {is_wrong} then null else {name} end as {name}" for name in ("open", "high", "low"))
    duckdb.sql(
        f"""copy (select * replace (case when {is_wrong} then close * 2 else close end as close, {blank})
        from read_csv('{prices}')) to '{tmp_path}/wrong.csv'"""
    )
    (tmp_path / "wrong.csv").rename(prices)
    headlines = "select as_of, headline_id, value_text, sentence from marts.fct_headlines order by all"
    before = ask(settings, headlines)
    record = run_without_airflow(settings)
    assert record.outcome == "success"
    assert record.facts(LoadFacts).rows_rejected == 1
    published = record.facts(PublishFacts)
    assert (published.is_new, published.changed) == (True, ["ops"])
    assert generations.linked_generation(settings.published) == published.generation
    assert ask(settings, headlines) == before
    rejected = ask(settings, "select symbol, date, reasons from ops.rejected_rows")
    assert rejected == [("0700.HK", date(2025, 3, 7), "close is outside of low and high")]
    (unit,) = quarantined_units(settings.store)
    assert unit.symbol == "1810.HK"
    assert "no_jump_without_action" in unit.reasons[0]
    close_of_xiaomi = "select close from marts.fct_security_daily where symbol = '1810.HK' and date = '2025-03-07'"
    assert ask(settings, close_of_xiaomi) == [(pytest.approx(54.35, abs=1e-4),)]
    assert "1810.HK" in dict(status_lines(settings, run_records(settings.store)[-1].ended_at))["Quarantine"]

    release_units(settings, unit.batch_id, "1810.HK", "looked at it, and meant to")
    assert quarantined_units(settings.store) == []
    shown = Published(settings)
    with (project_copy / "seeds" / "calendar_overrides.csv").open("a") as seed:
        seed.write("XHKG,2025-03-05,false,a mistake\n")
    run = new_run(settings)
    for step in (build.load, build.check_raw, build.transform):
        step(settings, run)
    with pytest.raises(TitansError, match=r"nothing_lost \(\d+ rows, first .*month=2025-03.*untouched"):
        build.check_marts(settings, run)
    run.finish(AS_OF.isoformat())
    shown.assert_untouched()
    red = dict(status_lines(settings, run_records(settings.store)[-1].ended_at))
    assert "stopped at check_marts" in red["Build"]
    assert "nothing_lost" in red["Red gate"]
    assert "symbol=" in red["Red gate"]
    assert runbook_of(run_records(settings.store, "build_marts")[-1]) is Runbook.ROWS_LOST

    # The same run goes on at gate 2, as after clearing the task.
    accepted = settings.model_copy(update={"accept_loss": "the exchange was closed after all"})
    build.check_marts(accepted, run)
    restated = build.publish_marts(accepted, run).restated
    assert run.finish(AS_OF.isoformat()).outcome == "success"
    # A seventh of the basket doubles on that day: by the last generation it was up 43.1%.
    assert restated is not None
    (told,) = [text for text in restated.headlines if text.startswith("china_titans_return_ytd of 2025-03-07")]
    assert re.match(r".* was 43\.1% and is [67]\d\.\d%: 1810\.HK close of 2025-03-07 from 54\.\d+ to 108\.\d+$", told)
    assert [text for text in restated.headlines if text.startswith(("^", "magnificent_seven_"))] == []
    assert told in dict(status_lines(settings, run_records(settings.store)[-1].ended_at))["Changed"]
    assert ask(
        settings, "select count(*) from marts.fct_security_daily where symbol = '0700.HK' and date = '2025-03-05'"
    ) == [(0,)]
    ((kept,),) = ask(settings, "select accepted_loss from ops.publications order by published_at desc limit 1")
    assert kept == "the exchange was closed after all"
    assert ask(settings, close_of_xiaomi) == [(pytest.approx(108.7, abs=1e-3),)]
    assert ask(settings, "select verdict, reasons from ops.quarantined_units") == [
        ("released", "looked at it, and meant to")
    ]
    ingest_all(settings)
    judge(settings)
    assert quarantined_units(settings.store) == [], "the same rows delivered again are released rows"


def test_out_of_memory_in_a_check(store: Settings) -> None:
    """It is named with what to set; the published generation stays. test_transform.py has that of a model."""
    before = Published(store)
    tight = store.model_copy(update={"memory_limit": ByteSize(40 * 2**20)})
    check = Check(
        "large", "marts.t", "warning", "Why not.", "select list(i) as all_of_it from range(100000000) as r(i)"
    )
    with pytest.raises(
        TitansError, match=r"^Check large ran out of memory: set TITANS_MEMORY_LIMIT above 40 MiB"
    ) as caught:
        build._run_checks(tight.store, "check_marts", [check])
    assert caught.value.runbook is Runbook.OUT_OF_MEMORY
    before.assert_untouched()
    assert not store.store.spill.exists()


def test_full_disk_while_spilling(tmp_path: Path) -> None:
    settings = load_settings(data_dir=str(tmp_path), memory_limit="128MiB", threads=1)
    small = settings.store.root
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(small)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        with open_warehouse(settings.store) as connection:
            connection.execute("insert into meta.builds values ('one', now()::timestamp, null)")
        run = new_run(settings)
        sentence = r"^Step load filled the disk: free 128 MiB in .*/sample, or set TITANS_MEMORY_LIMIT above 128 MiB"
        with (
            pytest.raises(TitansError, match=sentence),
            run.step("load"),
            open_warehouse(settings.store) as connection,
        ):
            connection.execute(
                "create temp table t as select i, i::varchar as s from range(5000000) as r(i) order by hash(i)"
            )
        assert run.steps()[0].runbook is Runbook.OUT_OF_MEMORY
        assert not settings.store.spill.exists()
        with open_warehouse(settings.store) as connection:
            assert connection.execute("select build_id from meta.builds").fetchall() == [("one",)]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_full_disk_while_publishing(store: Settings, tmp_path: Path) -> None:
    """The published folder on a file system with room for half a generation."""
    small = tmp_path / "small"
    small.mkdir()
    used = sum(path.stat().st_size for path in store.published.generations.rglob("*") if path.is_file())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={used * 3 // 2}", "tmpfs", str(small)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        for path in store.published.folder.iterdir():
            subprocess.run(["cp", "-a", str(path), str(small)], check=True)
        moved = store.published.folder.rename(tmp_path / "moved")
        store.published.folder.symlink_to(small)
        assert moved.exists()
        before = Published(store)
        run = new_run(store)
        with open_warehouse(store.store) as connection:
            # A build that has passed its gates, with a change to publish.
            connection.execute("update marts.dim_securities set security_name = 'Another name' where symbol = 'AAPL'")
            connection.execute("update meta.builds set build_id = ?", [run.name])
        with pytest.raises(TitansError, match=r"could not be written .*untouched.*Free space \(up to \d+ MiB\)"):
            build.publish_marts(store, run)
        run.finish(AS_OF.isoformat())
        before.assert_untouched()
        (whole,) = (small / "generations").iterdir()
        assert sorted(path.name for path in whole.iterdir()) == ["manifest.json", "report", "titans.duckdb"], (
            "half a file must not stay behind"
        )
        assert runbook_of(run_records(store.store, "build_marts")[-1]) is Runbook.PUBLISH_FAILED
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_as_of_is_recorded(store: Settings) -> None:
    assert generations.last_of_source(store.published, store.source).as_of == AS_OF.isoformat()  # type: ignore[union-attr]  # the store is built

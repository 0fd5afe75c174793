"""The published file as analysts and BI tools meet it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from include import build
from include.publishing import generations, manifest
from include.publishing.marts_file import Build, GateResults
from include.publishing.publish import Publication, publish
from include.raw.store import open_warehouse
from include.settings import PROJECT_ROOT, Settings
from tests.conftest import CopyStore
from tests.pipeline import ask, new_run, own_build

MARTS = {
    "dim_securities",
    "dim_baskets",
    "dim_basket_members",
    "dim_market_events",
    "dim_dates",
    "fct_security_daily",
    "fct_index_daily",
    "fct_basket_daily",
    "fct_basket_exposures",
    "fct_basket_member_daily",
    "fct_basket_calendar_returns",
    "fct_basket_comparison_daily",
    "fct_basket_market_value_daily",
    "fct_estimate_snapshots",
    "fct_security_valuation_daily",
    "fct_basket_valuation_daily",
    "fct_fx_daily",
    "fct_corporate_actions",
    "fct_shares_outstanding",
    "fct_estimate_revisions",
    "fct_headlines",
    "fct_basket_risk",
    "fct_drawdown_episodes",
    "fct_event_windows",
    "fct_press_reconciliation",
}
OPS = {
    "publications",
    "validation_results",
    "rejected_rows",
    "quarantined_units",
    "restatements",
    "freshness",
    "fetches",
    "row_origins",
}
REPORTS = {
    "factsheet",
    "members",
    "rebased_levels",
    "calendar_years",
    "drawdowns",
    "latest_headlines",
    "press_check",
}


def test_every_table_of_the_contract_is_there_and_no_other_schema(built_real_store: Settings) -> None:
    tables = ask(built_real_store, "select schema_name, table_name from duckdb_tables()")
    assert {table for schema, table in tables if schema == "marts"} == MARTS
    assert {table for schema, table in tables if schema == "ops"} == OPS
    assert {table for schema, table in tables if schema == "reports"} == REPORTS
    assert {schema for schema, _ in tables} == {"marts", "reports", "ops"}


def test_every_mart_is_filled(built_real_store: Settings) -> None:
    tables = sorted([*(f"marts.{table}" for table in MARTS), *(f"reports.{table}" for table in REPORTS)])
    empty = [table for table in tables if ask(built_real_store, f"select count(*) from {table}") == [(0,)]]
    assert empty == []


def test_every_table_and_column_is_described(built_sample_store: Settings) -> None:
    tables = ask(built_sample_store, "select table_name from duckdb_tables() where coalesce(comment, '') = ''")
    columns = ask(
        built_sample_store,
        "select table_name, column_name from duckdb_columns() where schema_name in ('marts', 'reports', 'ops') and coalesce(comment, '') = ''",
    )
    assert (tables, columns) == ([], [])


def test_simulated_data_say_so_wherever_they_show(built_sample_store: Settings, built_real_store: Settings) -> None:
    comments = ask(built_sample_store, "select comment from duckdb_tables()")
    assert all(comment.startswith("SIMULATED DATA, not real. ") for (comment,) in comments)
    assert ask(built_sample_store, "select distinct source from marts.fct_security_daily") == [("sample",)]
    assert ask(
        built_sample_store,
        "select count(*) from marts.fct_headlines where not is_simulated or not starts_with(sentence, 'Simulated: ')",
    ) == [(0,)]
    assert ask(built_sample_store, "select distinct is_simulated from marts.dim_baskets") == [(True,)]
    assert ask(built_sample_store, "select is_simulated from ops.publications") == [(True,)]
    real = ask(
        built_real_store,
        "select count(*) from marts.fct_headlines where is_simulated or contains(sentence, 'imulated')",
    )
    assert real == [(0,)]


def test_file_is_read_only_whole_and_of_a_format_that_old_clients_read(built_sample_store: Settings) -> None:
    path = built_sample_store.published.link.resolve()
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert not Path(f"{path}.wal").exists()
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as generation (read_only)")
        ((tags,),) = connection.execute(
            "select tags from duckdb_databases() where database_name = 'generation'"
        ).fetchall()
    assert tags.get("storage_version", "").startswith("v1.0.0")


def test_every_client_calls_the_database_titans(built_sample_store: Settings) -> None:
    """Also by the path of its own: a dataset that a BI tool has saved finds its tables in the next generation."""
    for path in (built_sample_store.published.link, built_sample_store.published.link.resolve()):
        with duckdb.connect(str(path), read_only=True) as connection:
            assert connection.execute("select current_database()").fetchone() == ("titans",)
            assert connection.execute("select count(*) from titans.marts.dim_baskets").fetchone() == (2,)


def test_rows_are_sorted_by_key(built_real_store: Settings) -> None:
    rows = ask(built_real_store, "select symbol, date from marts.fct_security_daily")
    assert rows == sorted(rows, key=lambda row: (row[0].encode(), row[1]))


@pytest.mark.parametrize(
    ("table", "order"),
    [
        ("marts.fct_basket_member_daily", "basket_id, date, symbol, currency_basis, return_type"),
        ("marts.fct_headlines", "as_of, headline_id"),
        ("ops.row_origins", "dataset, symbol, item, from_date"),
        ("ops.rejected_rows", "all"),
    ],
)
def test_rows_are_written_in_their_order(built_sample_store: Settings, table: str, order: str) -> None:
    assert ask(built_sample_store, f"from {table}") == ask(built_sample_store, f"from {table} order by {order}")


def test_gates_are_published_with_their_reasons(built_real_store: Settings) -> None:
    rows = ask(
        built_real_store,
        "select gate, count(*), bool_and(why <> '') from ops.validation_results group by gate order by gate",
    )
    assert [(gate, described) for gate, _, described in rows] == [("check_marts", True), ("check_raw", True)]
    assert all(count >= 10 for _, count, _ in rows)
    flat = ask(
        built_real_store, "select status, failing_rows from ops.validation_results where name = 'no_flat_half_day'"
    )
    assert flat == [("warning", 7)]


def test_another_process_reads_while_a_connection_is_open(built_sample_store: Settings) -> None:
    code = f"import duckdb; print(duckdb.connect({str(built_sample_store.published.link)!r}, read_only=True).execute('select count(*) from marts.dim_baskets').fetchone())"
    with duckdb.connect(str(built_sample_store.published.link), read_only=True):
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
        )
    assert result.stdout.strip() == "(2,)"


@pytest.mark.parametrize("column", ["return_1d", "return_wtd", "return_ytd", "return_5y"])
def test_a_period_without_a_base_is_null(built_sample_store: Settings, column: str) -> None:
    ((value,),) = ask(
        built_sample_store, f"select {column} from marts.fct_security_daily where symbol = 'AAPL' order by date limit 1"
    )
    assert value is None


CHANGES = {
    # An older delivery with another close: it ranks below what is stored.
    "stored rows": """
        insert into raw.prices by name
        select * replace (close * 2 as close, fetched_at - interval 1 day as fetched_at, 'late' as batch_id)
        from raw.prices where symbol = 'AAPL' and date = '2025-03-07'""",
    "rejected rows": """
        insert into raw.rejected_rows
        values ('prices', 'AAPL', '2025-03-07', ['no close'], '{}', 'late', now()::timestamp, now()::timestamp)""",
    "changed a verdict": """
        insert into raw.unit_verdicts select batch_id, dataset, symbol, 'quarantined', ['late'], now()::timestamp
        from raw.unit_verdicts where symbol = 'AAPL' and dataset = 'prices'""",
}


@own_build
def test_a_delivery_that_changes_no_mart_makes_a_generation(
    built_sample_store: Settings, copy_store: CopyStore
) -> None:
    """Once: its rows are in ops, and without anything new the generation stays. One that stores nothing makes none."""
    settings = copy_store(built_sample_store)

    def publish_again() -> Publication:
        with open_warehouse(settings.store) as connection:
            return publish(Build(connection, settings.store, {}, GateResults("run", None, [])), settings.published, 3)

    def change(statement: str) -> None:
        with open_warehouse(settings.store) as connection:
            connection.execute(statement)

    assert publish_again().is_new is False
    change("insert into raw.unit_verdicts values ('repeats', 'prices', 'AAPL', 'accepted', [], now()::timestamp)")
    assert publish_again().is_new is False
    for what, statement in CHANGES.items():
        change(statement)
        published = publish_again()
        assert (published.is_new, published.changed) == (True, ["ops"]), what
    assert publish_again().is_new is False


def test_the_published_file_is_hashed_once_a_publication(
    built_sample_store: Settings, copy_store: CopyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large one takes seconds. One headline of the last day says something else now, and is named."""
    settings = copy_store(built_sample_store)
    linked = generations.linked_generation(settings.published)
    assert linked is not None
    hashed: list[Path] = []
    digest = manifest._digest

    def counted(path: Path) -> str:
        hashed.append(path)
        return digest(path)

    monkeypatch.setattr(manifest, "_digest", counted)
    run = new_run(settings)
    with open_warehouse(settings.store) as connection:
        connection.execute("update meta.builds set build_id = ?", [run.name])
        connection.execute(
            "update marts.fct_headlines set value_text = '9%' where headline_id = 'china_titans_return_ytd' and as_of = '2025-03-07'"
        )
    restated = build.publish_marts(settings, run).restated
    assert restated is not None
    (told,) = restated.headlines
    assert told.startswith("china_titans_return_ytd of 2025-03-07 was ")
    assert hashed.count(settings.published.file(linked)) == 1

"""Old history is let go: marts stay what they are, also of a warehouse that is rebuilt, and no estimate is lost."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import Mock

import duckdb
import pytest

from include import build
from include.errors import TitansError
from include.landing.index import LandingIndex
from include.landing.retention import kept_from, record_kept_from
from include.paths import StorePaths
from include.raw import retention
from include.raw.lock import writer_lock
from include.raw.store import open_warehouse
from include.settings import Settings
from include.sources.base import Dataset
from tests import small_world
from tests.full_disk import no_room
from tests.integration.test_known_at import WORLD, fetches, load_and_judge, make_store
from tests.pipeline import THOROUGH, ask_warehouse, build_compared, different_marts, new_run, own_build
from tests.small_world import Fetch
from titans.commands.tidy import remove_old_history

DAYS = 30
"""Before the newest fetch, of 31 January 2025: 1 January, after the deliveries of 2, 13 and 30 December and before that of 8 January."""
KEPT_FROM = datetime(2025, 1, 1, 22, 4, tzinfo=UTC)
LOOKED_BACK_ON = date(2025, 1, 17)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """All deliveries, judged after each day, and the marts of now and of 17 January beside them."""
    folder = tmp_path_factory.mktemp("kept")
    settings = make_store(folder, [])
    for day in sorted({delivery.fetch.fetched_at.date() for delivery in fetches()}):
        for number, delivery in enumerate(fetches()):
            if delivery.fetch.fetched_at.date() == day:
                small_world.land_delivery(settings, delivery, f"run{number}")
        load_and_judge(settings)
    if THOROUGH:
        build_compared(settings)
        shutil.copy(settings.store.warehouse, folder / "marts.duckdb")
    known = settings.model_copy(update={"known_at": LOOKED_BACK_ON})
    build.load(known, new_run(known))
    build_compared(known)
    shutil.move(known.store.warehouse, folder / "known.duckdb")
    shutil.rmtree(known.store.warehouse.parent)
    return settings


@pytest.fixture
def copy(store: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(store.data_dir, tmp_path / "data")
    return store.model_copy(update={"data_dir": tmp_path / "data", "keep_history_days": DAYS})


def files_of(settings: Settings) -> dict[Dataset, list[date]]:
    return {
        dataset: [manifest.fetched_at.date() for _, manifest in LandingIndex(settings.store).batches(dataset)]
        for dataset in Dataset
    }


def counts(settings: Settings) -> dict[str, int]:
    tables = [
        "prices",
        "corporate_actions",
        "fx_rates",
        "estimates",
        "shares",
        "fetch_windows",
        "rejected_rows",
        "unit_verdicts",
    ]
    return {table: ask_warehouse(settings, f"select count(*) from raw.{table}")[0][0] for table in tables}


def forget_warehouse(settings: Settings) -> None:
    for path in (settings.store.warehouse, settings.store.warehouse.with_suffix(".duckdb.wal")):
        path.unlink(missing_ok=True)


@own_build
def test_marts_stay_the_same_also_of_a_rebuilt_warehouse(store: Settings, copy: Settings) -> None:
    before = counts(copy)
    lines = remove_old_history(copy)
    after = counts(copy)
    # Prices and rates of 2, 13 and 30 December.
    assert lines == [
        f"6 landing files and {sum(before.values()) - sum(after.values())} superseded versions of source sample went, "
        "and all of its history since 2025-01-01 22:04 UTC is kept"
    ]
    forget_warehouse(copy)
    load_and_judge(copy)
    assert counts(copy) == after
    assert different_marts(copy, store.data_dir.parent / "marts.duckdb") == []


@own_build
def test_raw_tables_saved_by_the_layout_before_are_taken_over(store: Settings, copy: Settings) -> None:
    """They say nowhere when a row landed: when its file was loaded stands in, and the marts are the same."""
    before = counts(copy)
    remove_old_history(copy)
    after = counts(copy)
    assert before != after
    copy.store.saved_raw.chmod(0o644)
    with duckdb.connect(str(copy.store.saved_raw)) as connection:
        connection.execute("drop view raw.unhealed_units; drop view raw.current_verdicts")
        for table in ("prices", "corporate_actions", "fx_rates", "shares", "estimates", "fetch_windows"):
            connection.execute(f"alter table raw.{table} drop column landed_at")
        connection.execute("update meta.store set schema_version = 2")
    forget_warehouse(copy)
    load_and_judge(copy)
    assert counts(copy) == after
    loaded = "select bool_and(landed_at = (select loaded_at from raw.load_ledger as l where l.batch_id = p.batch_id)) from raw.prices as p"
    assert ask_warehouse(copy, loaded) == [(True,)]
    assert different_marts(copy, store.data_dir.parent / "marts.duckdb") == []


def test_what_was_superseded_goes_and_what_held_stays(copy: Settings) -> None:
    """Alpha's close of 2 December was told on that day, restated on the 13th and again after 20 January; 1 January saw the second of them."""
    told = "select fetched_at::date from raw.prices where symbol = 'AA' and date = '2024-12-02' order by fetched_at"
    assert ask_warehouse(copy, told) == [(date(2024, 12, 2),), (date(2024, 12, 13),), (date(2025, 1, 31),)]
    remove_old_history(copy)
    assert ask_warehouse(copy, told) == [(date(2024, 12, 13),), (date(2025, 1, 31),)]


def test_estimates_and_share_counts_stay_for_good(copy: Settings) -> None:
    before, rows = files_of(copy), counts(copy)
    remove_old_history(copy.model_copy(update={"keep_history_days": 1}))
    after = files_of(copy)
    assert (after[Dataset.ESTIMATES], after[Dataset.SHARES]) == (before[Dataset.ESTIMATES], before[Dataset.SHARES])
    assert (counts(copy)["estimates"], counts(copy)["shares"]) == (rows["estimates"], rows["shares"])
    assert (len(before[Dataset.PRICES]), len(after[Dataset.PRICES])) == (5, 1)


@own_build
def test_what_was_known_since_can_be_looked_back_on_and_nothing_before(store: Settings, copy: Settings) -> None:
    remove_old_history(copy)
    early = copy.model_copy(update={"known_at": date(2024, 12, 31)})
    with pytest.raises(
        TitansError,
        match=r"KNOWN_AT=2024-12-31 is before the history that is kept: .* Give 2025-01-01 or a later day\.",
    ):
        build.load(early, new_run(early))
    known = copy.model_copy(update={"known_at": LOOKED_BACK_ON})
    build.load(known, new_run(known))
    assert different_marts(known, store.data_dir.parent / "known.duckdb") == []


def test_rows_of_before_the_kept_history_are_refused(copy: Settings) -> None:
    """An export of 20 December that comes now: whether the vendor took it back since, only the files that are gone could tell."""
    late = WORLD.answer(
        Fetch(Dataset.PRICES, ("BB",), None, date(2024, 12, 20), datetime(2024, 12, 20, 22, tzinfo=UTC))
    )
    estimates = WORLD.answer(
        Fetch(Dataset.ESTIMATES, ("BB",), None, date(2024, 12, 20), datetime(2024, 12, 20, 22, tzinfo=UTC))
    )
    remove_old_history(copy)
    before = files_of(copy)
    with pytest.raises(
        TitansError,
        match=r"prices is of 2024-12-20 22:00 UTC, and make tidy has let landing files of before 2025-01-01 22:04 go",
    ):
        small_world.land_delivery(copy, late, "late")
    assert files_of(copy) == before
    small_world.land_delivery(copy, estimates, "late")
    load_and_judge(copy)


def test_a_unit_in_quarantine_keeps_its_file(copy: Settings) -> None:
    """A series a tenth of what it was, on 30 December, and nothing good of it since: a person may still let it in."""
    good = WORLD.answer(
        Fetch(Dataset.PRICES, ("1.HK",), None, date(2024, 12, 12), datetime(2024, 12, 12, 22, tzinfo=UTC))
    )
    bad = small_world.Delivery(
        Fetch(Dataset.PRICES, ("1.HK",), None, date(2024, 12, 13), datetime(2024, 12, 14, 22, tzinfo=UTC)),
        tuple({**row, **{name: row[name] / 100 for name in ("open", "high", "low", "close")}} for row in good.rows),
    )
    with open_warehouse(copy.store) as connection:  # as if the last delivery of Gamma had never come
        connection.execute(
            "delete from raw.fetch_windows where symbol = '1.HK' and dataset = 'prices'; delete from raw.prices where symbol = '1.HK'"
        )
        connection.execute(
            "delete from raw.corporate_actions where symbol = '1.HK'; delete from raw.unit_verdicts where symbol = '1.HK' and dataset = 'prices'"
        )
    for number, delivery in enumerate((good, bad)):
        small_world.land_delivery(copy, delivery, f"gamma{number}")
        run = new_run(copy)
        build.load(copy, run)
        with suppress(TitansError):  # one of four symbols is more than a fifth
            build.check_raw(copy, run)
    assert ask_warehouse(copy, "select symbol, fetched_at::date from raw.unhealed_units") == [
        ("1.HK", date(2024, 12, 14))
    ]
    remove_old_history(copy)
    assert [
        manifest.run_id
        for _, manifest in LandingIndex(copy.store).batches(Dataset.PRICES)
        if manifest.run_id.startswith("gamma")
    ] == [
        "gamma0",
        "gamma1",
    ]


def test_versions_that_went_do_not_come_back_with_a_rebuilt_warehouse(
    copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no file went: each file of then is kept for another symbol."""
    remove_old_history(copy)
    begins = copy.model_copy(update={"keep_history_days": 10})  # 21 January
    for manifest in (batch.manifest for batch in LandingIndex(copy.store).batches(Dataset.PRICES, Dataset.FX_RATES)):
        with open_warehouse(copy.store) as connection:
            connection.execute(
                "delete from raw.unit_verdicts where batch_id = ? and symbol in ('BB', 'USDCNY')", [manifest.batch_id]
            )
    before = counts(copy)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "save_raw", Mock(side_effect=OSError("No space left on device")))
        with pytest.raises(TitansError, match="No space left on device"):
            remove_old_history(begins)
    assert remove_old_history(begins)[0].startswith("0 landing files and 0 superseded versions")
    after = counts(copy)
    assert after != before
    forget_warehouse(copy)
    with open_warehouse(copy.store):
        pass
    assert counts(copy) == after


def test_nothing_goes_while_files_wait_to_be_loaded(copy: Settings) -> None:
    late = WORLD.answer(Fetch(Dataset.PRICES, ("BB",), None, date(2025, 1, 31), datetime(2025, 2, 1, 22, tzinfo=UTC)))
    small_world.land_delivery(copy, late, "new")
    before = files_of(copy)
    with pytest.raises(
        TitansError,
        match="1 landing files are not loaded yet, the first is prices-world-001-20250201T220000.* "
        f"make run SOURCE=sample DATA={copy.data_dir} loads them, then tidy again: make tidy DATA={copy.data_dir}$",
    ):
        remove_old_history(copy)
    assert files_of(copy) == before


def test_by_default_history_stays_for_good(copy: Settings) -> None:
    before, rows = files_of(copy), counts(copy)
    assert remove_old_history(copy.model_copy(update={"keep_history_days": None})) == []
    assert (files_of(copy), counts(copy)) == (before, rows)


def test_broken_off_before_the_raw_tables_are_saved_it_loses_nothing(
    store: Settings, copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts(copy)

    def break_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retention, "save_raw", break_off)
        with pytest.raises(KeyboardInterrupt):
            remove_old_history(copy)
    forget_warehouse(copy)
    load_and_judge(copy)
    assert counts(copy) == before
    remove_old_history(copy)
    assert files_of(copy)[Dataset.PRICES] == [date(2025, 1, 8), date(2025, 1, 31)]
    if THOROUGH:
        assert different_marts(copy, store.data_dir.parent / "marts.duckdb") == []


def test_a_damaged_copy_of_the_raw_tables_is_named(copy: Settings) -> None:
    remove_old_history(copy)
    copy.store.saved_raw.write_bytes(b"nothing")
    forget_warehouse(copy)
    with pytest.raises(
        TitansError,
        match=r"raw_tables\.duckdb cannot be read, and it holds what landing files held .* move it and landing/kept_from\.json away",
    ):
        build.load(copy, new_run(copy))


FAULTS: dict[str, tuple[object, str, Exception, str]] = {
    "the mark cannot be made": (Path, "touch", OSError(30, "Read-only file system"), "Read-only file system"),
    "the disk is full while versions go": (
        retention, "_drop_versions", duckdb.IOException("IO Error: No space left on device"), "tidy filled the disk",
    ),
    "memory runs out while they are saved": (
        retention, "save_raw", duckdb.OutOfMemoryException("Out of Memory Error: failed"), "tidy ran out of memory",
    ),
    "a landing file cannot go": (Path, "unlink", PermissionError(13, "Permission denied"), "Permission denied"),
}  # fmt: skip


@pytest.mark.parametrize("what", FAULTS)
def test_what_stops_it_is_a_sentence_and_done_again_it_ends_well(
    copy: Settings, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Errors of DuckDB ended in a traceback."""
    owner, name, error, sentence = FAULTS[what]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, Mock(side_effect=error))
        with pytest.raises(TitansError, match=sentence):
            remove_old_history(copy)
    remove_old_history(copy)
    assert files_of(copy)[Dataset.PRICES] == [date(2025, 1, 8), date(2025, 1, 31)]
    assert not copy.store.raw_to_save.exists()
    with duckdb.connect(str(copy.store.saved_raw), read_only=True) as saved:
        assert saved.execute("select count(*) from raw.prices").fetchone() == (counts(copy)["prices"],)


@pytest.mark.parametrize("size", [50_000, 400_000])
def test_what_is_saved_is_whole_before_a_landing_file_goes(copy: Settings, size: int) -> None:
    """DuckDB says nothing where it cannot write a file that it closes: what it had written was nothing that opens, and
    the landing files went. The smaller size stops it within a transaction, whose error hid the reason."""
    before = files_of(copy)
    with no_room(beyond=size), pytest.raises(TitansError, match="a file that grew larger than this process may write"):
        remove_old_history(copy)
    assert files_of(copy) == before
    assert not copy.store.saved_raw.exists()


def test_nothing_goes_between_the_loading_of_a_delivery_and_its_verdict(copy: Settings, tmp_path: Path) -> None:
    """Beside a build, tidy gets the lock between two steps. What it leaves, it finds the next time."""
    late = WORLD.answer(Fetch(Dataset.PRICES, ("BB",), None, date(2025, 1, 31), datetime(2025, 3, 1, 22, tzinfo=UTC)))
    small_world.land_delivery(copy, late, "new")
    shutil.copytree(copy.data_dir, tmp_path / "undisturbed")
    undisturbed = copy.model_copy(update={"data_dir": tmp_path / "undisturbed"})
    load_and_judge(undisturbed)
    run = new_run(copy)
    build.load(copy, run)
    remove_old_history(copy)
    build.check_raw(copy, run)
    for settings in (copy, undisturbed):
        remove_old_history(settings)
    assert (files_of(copy), counts(copy)) == (files_of(undisturbed), counts(undisturbed))


def test_a_step_of_a_build_is_waited_for_and_then_left_alone(copy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_PATIENCE_SECONDS", 0.0)
    before = (files_of(copy), counts(copy))
    with (
        writer_lock(copy.store.warehouse, "build_marts"),
        pytest.raises(TitansError, match=r"Another build is writing .*build_marts \(process"),
    ):
        remove_old_history(copy)
    assert (files_of(copy), counts(copy)) == before


def test_an_older_file_that_lands_meanwhile_is_noticed(copy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for loaded. Later, no file could say whether the vendor had taken it back since."""
    late = WORLD.answer(
        Fetch(Dataset.PRICES, ("BB",), None, date(2024, 12, 20), datetime(2024, 12, 20, 22, tzinfo=UTC))
    )

    def paused(store: StorePaths, moment: datetime) -> None:
        small_world.land_delivery(copy, late, "late")
        record_kept_from(store, moment)

    before = counts(copy)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "record_kept_from", paused)
        with pytest.raises(TitansError, match="1 landing files are not loaded yet"):
            remove_old_history(copy)
    assert counts(copy) == before


def test_a_fetch_of_the_future_lets_nothing_go(copy: Settings) -> None:
    """The clock was ahead by years: all of history went, and every delivery since was refused as older."""
    with open_warehouse(copy.store) as connection:
        connection.execute("update raw.fetch_windows set fetched_at = '2099-01-01' where fetched_at >= '2025-01-31'")
    before = (files_of(copy), counts(copy))
    with pytest.raises(TitansError, match=r"newest fetch is of 2099-01-01 00:00 UTC, .*late-data\.md"):
        remove_old_history(copy)
    assert (files_of(copy), counts(copy)) == before
    assert kept_from(copy.store) is None

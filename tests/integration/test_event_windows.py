"""Event windows computed a second way, with pandas on the vendor's own files, to 1e-9, and what happens to events that the data do not hold."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.gates import marts_gate
from include.gates.runner import run_checks
from include.settings import Settings
from include.transform import invoke_dbt
from tests.conftest import CopyStore
from tests.integration.test_marts_recomputed import MAG7, TITANS, annual_levels
from tests.integration.test_marts_recomputed import closes as closes
from tests.pipeline import ask, ask_warehouse

TOLERANCE = 1e-9
EVENTS = {
    "china_stimulus": "2024-09-23",
    "deepseek_r1": "2025-01-17",
    "deepseek_moment": "2025-01-24",
    "entrepreneurs_symposium": "2025-02-14",
    "nasdaq_record": "2025-02-19",
    "work_report_2025": "2025-03-04",
    "alibaba_qwq": "2025-03-05",
}
INDICES = ["^NDX", "^GSPC", "^HSI", "HSTECH.HK"]
YARDSTICKS = {
    "china_titans": "magnificent_seven",
    **dict.fromkeys(TITANS, "^HSI"),
    **dict.fromkeys(MAG7, "^GSPC"),
}


@pytest.fixture(scope="module")
def levels(closes: pd.DataFrame) -> dict[str, pd.Series]:
    """The level of every subject on its own sessions."""
    found = {symbol: closes[symbol].dropna() for symbol in [*TITANS, *MAG7, *INDICES]}
    found["china_titans"] = annual_levels(closes[TITANS].dropna())
    found["magnificent_seven"] = annual_levels(closes[MAG7].dropna())
    return found


def window(levels: dict[str, pd.Series], subject: str, event: str) -> pd.DataFrame:
    """Offset, date, cumulative and excess return: positions in the subject's own series, the other side read as of the same days."""
    series = levels[subject]
    zero = int(series.index.searchsorted(pd.Timestamp(event), side="right")) - 1
    own = series.iloc[max(0, zero - 20) : zero + 61]
    cumulative = own.to_numpy() / series.iloc[zero] - 1
    excess = np.full(len(own), np.nan)
    if subject in YARDSTICKS:
        other = levels[YARDSTICKS[subject]]
        excess = cumulative - (other.asof(own.index).to_numpy() / other.asof(series.index[zero]) - 1)
    offsets = [series.index.get_loc(day) - zero for day in own.index]
    return pd.DataFrame({"offset": offsets, "date": own.index, "cumulative": cumulative, "excess": excess})


@pytest.mark.parametrize("event_id", EVENTS)
def test_windows_of_every_subject(built_real_store: Settings, levels: dict[str, pd.Series], event_id: str) -> None:
    rows = ask(
        built_real_store,
        "select subject_id, session_offset, date, cumulative_return, excess_return from marts.fct_event_windows where event_id = ? order by all",
        [event_id],
    )
    table = pd.DataFrame(rows, columns=["subject", "offset", "date", "cumulative", "excess"])
    assert set(table["subject"]) == set(levels)
    for subject, actual in table.groupby("subject"):
        expected = window(levels, str(subject), EVENTS[event_id])
        assert list(actual["offset"]) == list(expected["offset"]), subject
        assert list(pd.DatetimeIndex(actual["date"])) == list(expected["date"]), subject
        for column in ("cumulative", "excess"):
            np.testing.assert_allclose(
                actual[column].astype(float),
                expected[column],
                rtol=TOLERANCE,
                atol=1e-12,
                err_msg=f"{subject} {column}",
            )


def test_titans_in_the_deepseek_window(built_real_store: Settings) -> None:
    """By hand from the vendor's files: +31.01% to the close of 7 March 2025, the 27th session in Hong Kong after the event."""
    rows = ask(
        built_real_store,
        "select session_offset, cumulative_return, measured_against_name from marts.fct_event_windows "
        "where event_id = 'deepseek_moment' and subject_id = 'china_titans' and date in ('2025-01-24', '2025-03-07') order by date",
    )
    assert rows == [
        (0, 0.0, "The Magnificent Seven"),
        (27, pytest.approx(0.3101, abs=0.00005), "The Magnificent Seven"),
    ]


def test_what_each_subject_is_measured_against(built_real_store: Settings) -> None:
    rows = ask(built_real_store, "select distinct subject_id, measured_against from marts.fct_event_windows")
    assert dict(rows) == {**dict.fromkeys([*INDICES, "magnificent_seven"]), **YARDSTICKS}


def test_without_the_benchmark_there_is_no_excess(built_sample_store: Settings) -> None:
    """The sample has no Hang Seng Index."""
    rows = ask(
        built_sample_store,
        "select measured_against, count(excess_return), count(*) > 0 from marts.fct_event_windows where subject_id = '0700.HK' group by all",
    )
    assert rows == [("^HSI", 0, True)]


def test_an_event_outside_the_data_is_named(
    built_sample_store: Settings, copy_store: CopyStore, project_copy: Path
) -> None:
    settings = copy_store(built_sample_store, dbt_project_dir=project_copy)
    with (project_copy / "seeds" / "market_events.csv").open("a", newline="") as seed:
        writer = csv.writer(seed, lineterminator="\n")
        writer.writerow(["far_past", "a crash of long ago", "1929-10-28", "Before the data"])
        writer.writerow(["next_week", "a day to come", "2025-03-10", "After the data"])
        writer.writerow(["last_weekend", "a Saturday", "2025-03-08", "No session, but the data reach to it"])
    invoke_dbt(settings, ["build", "--select", "market_events", "dim_market_events", "fct_event_windows"])
    checks = [check for check in marts_gate.checks(settings.dbt_project_dir) if check.name.startswith("event")]
    results = {result.name: result for result in run_checks("check_marts", settings.store.warehouse, checks)}
    warned = results.pop("events_in_the_data")
    assert (warned.status, {row["event_id"] for row in warned.examples}) == ("warning", {"far_past", "next_week"})
    assert {result.status for result in results.values()} == {"passed"}
    offsets = ask_warehouse(
        settings,
        "select distinct max(session_offset) over (partition by subject_id) from marts.fct_event_windows where event_id = 'last_weekend'",
    )
    assert offsets == [(0,)]

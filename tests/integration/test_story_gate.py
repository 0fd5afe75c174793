"""Gate 2 sees what is wrong in event windows and in the press reconciliation."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from include.gates import marts_gate
from include.gates.runner import run_checks
from include.settings import Settings


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("update marts.fct_press_reconciliation set verdict = 'agrees' where claim_id = 'hstech_week'", "press_verdicts_follow"),
        ("update marts.fct_press_reconciliation set verdict = 'differs' where claim_id = 'titans_ytd'", "press_verdicts_follow"),
        ("update marts.fct_press_reconciliation set verdict = 'not_computable' where claim_id = 'titans_ytd'", "press_verdicts_follow"),
        ("update marts.fct_press_reconciliation set reason = null where claim_id = 'titans_forward_pe'", "press_verdicts_follow"),
        ("delete from marts.fct_press_reconciliation where claim_id = 'titans_ytd' and evaluated_at = 'session_before'", "press_claims_all_judged"),
        ("update marts.fct_event_windows set cumulative_return = 0.5 where session_offset = 0 and subject_id = 'NVDA'", "event_windows_start_at_zero"),
        ("delete from marts.fct_event_windows where session_offset = 3 and subject_id = 'NVDA'", "event_windows_start_at_zero"),
        ("update marts.fct_event_windows set cumulative_return = cumulative_return + 1e-6 where session_offset = 3", "event_windows_chain"),
        ("update marts.fct_event_windows set measured_against = null where subject_id = 'NVDA'", "event_excess_has_a_yardstick"),
        ("delete from marts.fct_event_windows where event_id = 'nasdaq_record'", "events_in_the_data"),
    ],
)  # fmt: skip
def test_the_gate_sees_what_is_wrong(built_real_store: Settings, tmp_path: Path, change: str, check: str) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copyfile(built_real_store.store.warehouse, warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(change)
    checks = [row for row in marts_gate.checks(built_real_store.dbt_project_dir) if row.name == check]
    (result,) = run_checks("check_marts", warehouse, checks)
    assert result.status == ("warning" if check == "events_in_the_data" else "failed"), result
    assert result.failing_rows >= 1

"""Batches of an ingest run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from include.ingest.plan import TriggerParams, _batches, plan_fx
from include.settings import load_settings
from include.sources.base import Dataset
from tests.pipeline import write_csv


def test_many_symbols_make_larger_batches_not_more() -> None:
    """Airflow maps 1,024 tasks at most; estimates and share counts come in one run."""
    old, new = (None, date(2025, 3, 7)), (date(2025, 2, 21), date(2025, 3, 7))
    windows = {old: [f"S{number}" for number in range(50_000)], new: ["LATE"]}
    batches = _batches(Dataset.SHARES, "all", windows, TriggerParams(), 25, None)
    assert len(batches) <= 502
    assert [symbol for batch in batches for symbol in batch.symbols] == windows[old] + windows[new]
    few = _batches(Dataset.SHARES, "all", {old: windows[old][:60]}, TriggerParams(), 25, None)
    assert [len(batch.symbols) for batch in few] == [25, 25, 10]


def test_risk_free_rates_are_asked_for_where_the_source_has_some(tmp_path: Path) -> None:
    """An export without the file, and currencies that the sample lacks, make no batch and no failure."""
    export = write_csv(tmp_path / "export" / "prices.csv", "symbol,date,close", "AAPL,2025-03-07,239.07").parent
    write_csv(export / "fx_rates.csv", "base_currency,quote_currency,date,rate", "USD,HKD,2025-03-07,7.77")
    settings = load_settings(data_dir=str(tmp_path / "data"), source="files", files_dir=str(export))
    day = date(2025, 3, 7)
    assert [batch.dataset for batch in plan_fx(settings, day, TriggerParams())] == ["fx_rates"]
    write_csv(export / "risk_free.csv", "currency,tenor,date,rate,quote_basis", "USD,13w,2025-03-07,0.042,discount")
    rates, risk_free = plan_fx(settings, day, TriggerParams())
    assert (rates.dataset, risk_free.dataset, risk_free.symbols) == ("fx_rates", "risk_free", ["HKD", "USD"])
    sample = load_settings(data_dir=str(tmp_path / "data"))
    assert plan_fx(sample, day, TriggerParams())[1].symbols == ["HKD", "USD"]

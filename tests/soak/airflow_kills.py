"""The whole of ``make run``, Airflow and all, killed with everything it started at a random moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from include.publishing import generations
from include.settings import PROJECT_ROOT, Settings, load_settings
from tests.soak.published import linked_truth
from tests.soak.tally import Tally

REAL_DATA = PROJECT_ROOT.parent / "shared" / "market_data"
_TRUTHS = 2
_EXPORTED = datetime(2025, 3, 8, tzinfo=UTC)


@dataclass
class RunKiller:
    """Kills ``python -m titans run`` on the real prices, and runs it again.

    Two truths take turns: the export as it is, and one in which the last close of each symbol is a thousandth higher.
    """

    folder: Path
    tally: Tally
    luck: random.Random
    references: dict[str, Path] = field(default_factory=dict)
    seconds: float = 0.0
    rounds: int = 0

    @property
    def missing(self) -> str | None:
        """Why this machine cannot do it, or None."""
        return None if REAL_DATA.is_dir() else f"the real prices are not at {REAL_DATA}"

    def prepare(self) -> None:
        """Write the exports, and build each truth once, undisturbed, in a store of its own."""
        for truth in range(_TRUTHS):
            folder = self.folder / f"export-{truth}"
            folder.mkdir(parents=True)
            for name in ("fx_rates", "shares", "estimates"):
                (folder / f"{name}.csv").write_bytes((REAL_DATA / f"{name}.csv").read_bytes())
            duckdb.sql(
                f"""copy (select * replace (case when date = '2025-03-07' then close * {1 + truth / 1000} else close end as close,
                null as open, null as high, null as low) from read_csv('{REAL_DATA}/prices.csv')) to '{folder}/prices.csv'"""
            )
            settings = self._settings(self.folder / f"reference-{truth}", truth, 0)
            since = time.monotonic()
            self._must_run(settings)
            self.seconds = time.monotonic() - since
            last = generations.last_of_source(settings.published, settings.source)
            assert last is not None, "an undisturbed run publishes"
            self.references[str(truth)] = settings.published.file(last.generation)

    def round(self) -> None:
        """Kill one run at a random moment, look at the link, run again, and compare the marts."""
        truth = self.rounds % _TRUTHS
        settings = self._settings(self.folder / "data", truth, self.rounds)
        before = linked_truth(settings, self.references, self.tally, "an undisturbed run of Airflow")
        delay = self.luck.uniform(0, self.seconds)
        process = self._start(settings)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.tally.done["kills of the whole of Airflow on the real prices"] += 1
        after = f"a kill of Airflow after {delay:.1f} s (round {self.rounds})"
        told = linked_truth(settings, self.references, self.tally, after)
        if told not in (before, str(truth)):
            self.tally.wrong.append(f"after {after} the link tells truth {told}, neither {before} nor {truth}")
        self._must_run(settings)
        told = linked_truth(settings, self.references, self.tally, f"the run after {after}")
        if told != str(truth):
            self.tally.wrong.append(f"the run after {after} ends in truth {told}, not in {truth}")
        self.tally.done["runs after a kill that end in the marts of an undisturbed one"] += told == str(truth)
        self.rounds += 1

    def _settings(self, data: Path, truth: int, number: int) -> Settings:
        exported_at = _EXPORTED + timedelta(minutes=number)
        return load_settings(
            source="files",
            files_dir=str(self.folder / f"export-{truth}"),
            exported_at=exported_at.isoformat(),
            data_dir=str(data),
        )

    def _start(self, settings: Settings) -> subprocess.Popen[str]:
        assert settings.exported_at is not None, "_settings gives it"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TITANS_", "AIRFLOW"))},
            "PYTHONPATH": str(PROJECT_ROOT),
            "TITANS_SOURCE": settings.source,
            "TITANS_FILES_DIR": str(settings.files_dir),
            "TITANS_EXPORTED_AT": settings.exported_at.isoformat(),
            "TITANS_DATA_DIR": str(settings.data_dir),
        }
        # A session of its own, so that whatever it starts dies with it.
        return subprocess.Popen(
            [sys.executable, "-m", "titans", "run"], env=environment, cwd=PROJECT_ROOT, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def _must_run(self, settings: Settings) -> None:
        process = self._start(settings)
        output, _ = process.communicate(timeout=600)
        if process.returncode:
            self.tally.wrong.append(f"a run of round {self.rounds} failed: {output.strip().splitlines()[-1:]}")

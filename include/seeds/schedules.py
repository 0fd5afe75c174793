"""When the ingest DAGs run: read by the DAG files and by ``make status``. Those of prices stand in the seed ``exchanges``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from include.seeds.rows import Reference


@dataclass(frozen=True)
class Schedule:
    """A DAG with its cron line, in the time of a zone."""

    dag_id: str
    cron: str
    timezone: str

    def next_after(self, moment: datetime) -> datetime:
        """The first slot after ``moment``, in UTC."""
        return self._slot(moment, is_next=True)

    def last_before(self, moment: datetime) -> datetime:
        """The last slot up to ``moment``, in UTC."""
        return self._slot(moment, is_next=False)

    def _slot(self, moment: datetime, is_next: bool) -> datetime:
        from croniter import croniter  # type: ignore[import-untyped]  # its types are no dependency; what Airflow reads cron lines with

        # On the wall clock, as Airflow does it: a change to summer time moves no slot.
        zone = ZoneInfo(self.timezone)
        slots = croniter(self.cron, moment.astimezone(zone).replace(tzinfo=None))
        slot: datetime = slots.get_next(datetime) if is_next else slots.get_prev(datetime)
        return slot.replace(tzinfo=zone).astimezone(UTC)


INGEST_FX = Schedule("ingest_fx", "30 17 * * 1-5", "Europe/Berlin")
INGEST_ESTIMATES = Schedule("ingest_estimates", "0 22 * * *", "UTC")


def ingest_schedules(reference: Reference) -> list[Schedule]:
    """Those of every ingest DAG, prices first. A market has one for each time at which an exchange of it is due."""
    prices = {
        (exchange.market, exchange.ingest_cron): Schedule(
            f"ingest_prices_{exchange.market}", exchange.ingest_cron, exchange.timezone
        )
        for exchange in reference.exchanges
    }
    return [*prices.values(), INGEST_FX, INGEST_ESTIMATES]

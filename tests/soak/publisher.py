"""Publishes generations as fast as it can, each with one number in every table: a reader that sees two numbers at once saw a torn file."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from include.files import write_whole
from include.publishing.marts_file import Build, GateResults
from include.publishing.publish import publish
from include.raw.store import open_warehouse
from include.settings import Settings, load_settings

ROWS = 5_000


def settings_of(data: Path) -> Settings:
    return load_settings(data_dir=str(data), keep_generations=3)


def newest(data: Path) -> int:
    """The number that was published last, as far as the publisher has said; what a reader opens after this is at least as new."""
    try:
        return int((data / "newest").read_text())
    except (OSError, ValueError):
        return 0


def publish_for(data: Path, seconds: float, pause: float) -> int:
    """Publish once and then for ``seconds``, waiting ``pause`` between two; returns how many generations there were."""
    settings = settings_of(data)
    with open_warehouse(settings.store) as connection:
        connection.execute("create schema if not exists marts; create schema if not exists ops")
        end, number = time.monotonic() + seconds, newest(data)
        while True:
            number += 1
            connection.execute(f"""
                create or replace table marts.fct_headlines as select date '2025-03-07' as as_of, {number} as number;
                create or replace table marts.fct_security_daily as select date '2025-03-07' as date, {number} as number;
                create or replace table marts.fct_index_daily as select date '2025-03-07' as date, {number} as number;
                create or replace table marts.dim_baskets as select {number} as number;
                create or replace table marts.fct_basket_daily as select range as row_number, {number} as number from range({ROWS});
                create or replace table ops.freshness as select date '2025-03-07' as exchange_complete_until, {number} as number;
            """)
            build = Build(connection, settings.store, {}, GateResults(f"soak_{number}", None, []))
            publish(build, settings.published, settings.keep_generations)
            write_whole(data / "newest", str(number))
            if time.monotonic() >= end:
                return number
            time.sleep(pause)


if __name__ == "__main__":
    print(publish_for(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))

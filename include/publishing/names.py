"""Names of generations: when each was published, in an order that no clock breaks, and by which commit."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

from include.publishing.early_layout import TIME
from include.settings import PROJECT_ROOT

_NAME = re.compile(rf"{TIME}-[0-9a-z]+")
_TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"


def new_generation_name(now: datetime) -> str:
    """``<UTC time to the microsecond>-<short git sha or nogit>``."""
    return f"{_time_part(now)}-{_short_sha()}"


def is_generation_name(text: str) -> bool:
    try:
        return _NAME.fullmatch(text) is not None and _time(text) is not None
    except ValueError:  # no such day
        return False


def after(newest: str | None, now: datetime) -> datetime:
    """``now``, or the microsecond after the generation ``newest``.

    Names follow the order of publishing, also after a clock was set back.
    """
    if newest is None or _time_part(now) > newest.split("-")[0]:
        return now
    return _time(newest) + timedelta(microseconds=1)


def _time_part(now: datetime) -> str:
    return now.astimezone(UTC).strftime(_TIME_FORMAT)


def _time(generation: str) -> datetime:
    return datetime.strptime(generation.split("-")[0], _TIME_FORMAT).replace(tzinfo=UTC)


def _short_sha() -> str:
    git = shutil.which("git")
    if git is None or not (PROJECT_ROOT / ".git").exists():
        return "nogit"
    result = subprocess.run(
        [git, "rev-parse", "--short", "HEAD"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() if result.returncode == 0 else "nogit"

"""Every setting of Titans, each an environment variable ``TITANS_<NAME>``, checked before anything runs."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from pydantic import ByteSize, Field, HttpUrl, SecretStr, TypeAdapter, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from include.errors import TitansError
from include.limits import Limits, machine_memory, size_text
from include.paths import PublishedPaths, StorePaths
from include.production import SOURCE_NAMES, SourceName, read_production

PROJECT_ROOT = Path(__file__).resolve().parent.parent
_LEAST_MEMORY = 128 * 2**20
_MOST_THREADS = 256
_SHORTEST_LOGS = 7


@dataclass(frozen=True)
class RequestLimits:
    """How often a vendor's host may be asked.

    Attributes:
        attempts: how often one request is sent before it counts as failed.
        longest_wait_seconds: between two attempts.
        refusals_until_pause: 429 answers in a row, of all processes, that open the breaker for ``pause_seconds``.
    """

    requests_per_minute: float
    attempts: int
    longest_wait_seconds: float
    refusals_until_pause: int
    pause_seconds: float


@dataclass(frozen=True)
class YahooConfig:
    """What the Yahoo source needs.

    Attributes:
        base_url: where the client connects to instead of *.yahoo.com.
        folder: its cache and its request budget.
    """

    base_url: str | None
    folder: Path
    limits: RequestLimits


class Settings(BaseSettings):
    """Typed settings. Paths may be relative; they then count from the project's root."""

    model_config = SettingsConfigDict(env_prefix="TITANS_", env_ignore_empty=True, frozen=True)

    source: SourceName = "sample"
    """Unset: the production source of the data folder, with its files folder; the sample where there is none."""
    files_dir: Path | None = None
    exported_at: datetime | None = None
    as_of: date | None = None
    known_at: date | None = None
    """Build from what was known by the end of this day (UTC), into a separate file. Nothing is ingested."""
    data_dir: Path = Path("data")
    dbt_project_dir: Path = Path("dbt_project")
    """The dbt project with its seeds; give a copy to try other seeds."""
    accept_loss: str | None = None
    switch: bool = False
    """Whether the source may take the place of the data folder's production source."""
    yahoo_base_url: str | None = None
    """Where the Yahoo client connects to instead of *.yahoo.com: a proxy or, in tests, a stand-in on loopback."""
    yahoo_requests_per_minute: int = Field(default=60, ge=1)
    """Requests a minute to one host of Yahoo, evenly spaced, of all tasks and processes together."""
    yahoo_attempts: int = Field(default=4, ge=1)
    """Attempts of one request before its symbol fails: after 429, server errors, timeouts and cut connections only."""
    yahoo_longest_wait_seconds: int = Field(default=60, ge=1)
    """Longest wait between two attempts. If a host asks for more (Retry-After), the run ends and it is left alone."""
    yahoo_refusals_until_pause: int = Field(default=6, ge=1)
    """429 answers in a row, of all tasks together, after which a host is not asked any more."""
    yahoo_pause_minutes: int = Field(default=15, ge=1)
    """How long it is then left alone, by later runs too."""
    batch_size: int = Field(default=25, ge=1)
    """Symbols in one mapped ingest task. Of more than 500 times as many symbols, each task has more."""
    overlap_sessions: int = Field(default=10, ge=0)
    """Sessions before the last stored one that every price extraction reads again."""
    keep_generations: int = Field(default=3, ge=1)
    """Published generations kept of each source."""
    keep_records_days: int = Field(default=400, ge=1)
    """Days for which ``make tidy`` keeps run records and incidents. Releases have no end."""
    keep_logs_days: int = Field(default=90, ge=_SHORTEST_LOGS)
    """Days for which ``make tidy`` keeps the logs of Airflow and dbt and the rows of Airflow's database: its history of
    runs. No run lasts as long as the shortest, so none that is under way loses a log."""
    keep_history_days: int | None = Field(default=None, ge=1)
    """Days before the newest fetch for which ``make tidy`` keeps landing files and superseded versions of prices and
    rates. Unset: for good.
    Estimates and share counts are kept for good in any case."""
    memory_limit: ByteSize | None = None
    """Memory that DuckDB may use in one process, such as 4GB or 4GiB. Unset: half of the container's or machine's."""
    threads: int | None = Field(default=None, ge=1, le=_MOST_THREADS)
    """Threads that DuckDB may use in one process. Unset: one for each processor that the process may use."""
    webhook_url: SecretStr | None = None
    """Where failed runs are reported: an http or https address that takes ``{"text": ...}``, such as Slack's. Never
    shown or logged."""

    @field_validator("files_dir", "data_dir", "dbt_project_dir")
    @classmethod
    def _from_project_root(cls, value: Path | None) -> Path | None:
        return None if value is None else (PROJECT_ROOT / value.expanduser()).resolve()

    @field_validator("webhook_url")
    @classmethod
    def _http_only(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            TypeAdapter(HttpUrl).validate_python(value.get_secret_value())
        return value

    @field_validator("memory_limit")
    @classmethod
    def _there_is_that_much(cls, value: ByteSize | None) -> ByteSize | None:
        if value is not None and not _LEAST_MEMORY <= value <= machine_memory():
            raise ValueError("too little, or more than there is")
        return value

    @field_validator("as_of", "known_at", mode="before")
    @classmethod
    def _strict_date(cls, value: object) -> object:
        return date.fromisoformat(value) if isinstance(value, str) else value

    @field_validator("exported_at", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        with suppress(ValueError):
            return end_of_day(date.fromisoformat(value))  # also as 20250308
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def seeds_dir(self) -> Path:
        return self.dbt_project_dir / "seeds"

    @property
    def store(self) -> StorePaths:
        """The store of this source."""
        return StorePaths(self.data_dir / self.source, self.source, self.known_at, self.limits)

    def store_of(self, source: SourceName) -> StorePaths:
        """The store of any source in the data folder."""
        return StorePaths(self.data_dir / source, source, limits=self.limits)

    @property
    def limits(self) -> Limits:
        memory = machine_memory() // 2 if self.memory_limit is None else int(self.memory_limit)
        return Limits(memory, self.threads)

    @property
    def published(self) -> PublishedPaths:
        return PublishedPaths(self.data_dir / "published")

    @property
    def yahoo(self) -> YahooConfig:
        limits = RequestLimits(
            requests_per_minute=self.yahoo_requests_per_minute,
            attempts=self.yahoo_attempts,
            longest_wait_seconds=self.yahoo_longest_wait_seconds,
            refusals_until_pause=self.yahoo_refusals_until_pause,
            pause_seconds=60.0 * self.yahoo_pause_minutes,
        )
        return YahooConfig(self.yahoo_base_url, self.data_dir / "yahoo", limits)

    @property
    def airflow_home(self) -> Path:
        """Airflow's database, logs and configuration: shared by the sources, as the DAGs are."""
        return self.data_dir / "airflow"


_NOT_IN_PATHS = "'\"#?%;$*[]{}\\"
"""What dbt, Airflow, SQLAlchemy or DuckDB take for something else than a letter of a path."""

_EXPECTED = {
    "source": "one of " + ", ".join(SOURCE_NAMES),
    "as_of": "a date such as 2025-03-07",
    "switch": "yes, or unset",
    "known_at": "a date such as 2024-05-31",
    "exported_at": "a date such as 2025-03-08, or a time such as 2025-03-08T06:00:00+00:00",
    "yahoo_requests_per_minute": "a whole number from 1 on",
    "yahoo_attempts": "a whole number from 1 on",
    "yahoo_longest_wait_seconds": "a whole number from 1 on",
    "yahoo_refusals_until_pause": "a whole number from 1 on",
    "yahoo_pause_minutes": "a whole number from 1 on",
    "batch_size": "a whole number from 1 on",
    "overlap_sessions": "a whole number from 0 on",
    "keep_generations": "a whole number from 1 on",
    "keep_records_days": "a whole number from 1 on",
    "keep_logs_days": f"a whole number from {_SHORTEST_LOGS} on",
    "keep_history_days": "a whole number from 1 on, or unset",
    "memory_limit": f"memory such as 4GB or 4GiB, from {size_text(_LEAST_MEMORY)} to {size_text(machine_memory())}, "
    "which is all that there is here",
    "threads": f"a whole number from 1 to {_MOST_THREADS}",
    "webhook_url": "an address that begins with https:// or http://",
}


def _refuse_characters(settings: Settings) -> None:
    """Refuse a folder that some part of a run could not open, or would take for another, before anything is fetched."""
    folders = {"data folder": settings.data_dir, "dbt project": settings.dbt_project_dir}
    for what, folder in folders.items():
        for character in str(folder):
            if character in _NOT_IN_PATHS or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
                shown = character if character.isprintable() else f"the character {character!a}"
                raise TitansError(
                    f"The {what} {_printable(folder)} has {shown} in its path, which not every part of a run can open: "
                    f"give one without {' '.join(_NOT_IN_PATHS)} and without control characters."
                )
    if settings.files_dir and any(unicodedata.category(character) == "Cs" for character in str(settings.files_dir)):
        raise TitansError(
            f"FILES={_printable(settings.files_dir)} has bytes in its path that are no UTF-8, which no record of a run "
            "can name: rename the folder."
        )


def _printable(path: Path) -> str:
    """The path with escapes for bytes of its name that are no text."""
    return str(path).encode(errors="backslashreplace").decode()


def end_of_day(day: date) -> datetime:
    """The last second of ``day`` in UTC: an export named by its date alone holds that day's closes."""
    return datetime.combine(day, time(23, 59, 59), UTC)


def load_settings(**overrides: object) -> Settings:
    """Read and check the settings from the environment. Without a source, the data folder's production source counts.

    Args:
        overrides: values that win over the environment, by setting name.

    Raises:
        TitansError: an unknown ``TITANS_`` variable, a malformed value, a combination that cannot run, or the data
            folder's record of its production source cannot be read.
    """
    settings = load_shared_settings(**overrides)
    is_named = "source" in settings.model_fields_set
    if is_named and (settings.source != "files" or settings.files_dir is not None):
        return settings
    production = read_production(settings.published.production)
    if production is None or (is_named and production.source != settings.source):
        return settings
    return settings.model_copy(
        update={"source": production.source, "files_dir": settings.files_dir or production.files_dir}
    )


def pin_source(settings: Settings) -> None:
    """Name the source for the rest of this process and for those that it starts, whatever the data folder's record
    says from now on."""
    os.environ["TITANS_SOURCE"] = settings.source
    if settings.files_dir is not None:
        os.environ["TITANS_FILES_DIR"] = str(settings.files_dir)


def load_shared_settings(**overrides: object) -> Settings:
    """Settings for what concerns all sources of the data folder: no source is resolved, so none is to be read.

    Raises:
        TitansError: an unknown ``TITANS_`` variable, a malformed value, a folder whose path cannot be used, or a
            combination that cannot run.
    """
    known = {f"TITANS_{name.upper()}" for name in Settings.model_fields}
    if unknown := sorted(name for name in os.environ if name.startswith("TITANS_") and name not in known):
        raise TitansError(f"Unknown setting {unknown[0]}. Known settings are {', '.join(sorted(known))}.")
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the types at run time
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        expected = _EXPECTED.get(name, problem["msg"])
        # The cause would print the address of the webhook, which lets anybody write there.
        shown, cause = ("***", None) if name == "webhook_url" else (problem["input"], error)
        raise TitansError(f"{name.upper()}={shown} is not usable: TITANS_{name.upper()} must be {expected}.") from cause
    _refuse_characters(settings)
    # Today is the day of whichever zone is ahead: an export of this evening in Hong Kong is no export of the future.
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    if settings.as_of and settings.as_of > tomorrow:
        raise TitansError(
            f"AS_OF={settings.as_of} is in the future: give a date up to today, {datetime.now(UTC).date()}."
        )
    # A day that has not ended in UTC means what is known so far.
    if settings.known_at and settings.known_at > datetime.now(UTC).date():
        raise TitansError(
            f"KNOWN_AT={settings.known_at} is in the future: give a date up to today, {datetime.now(UTC).date()}."
        )
    if settings.exported_at and settings.exported_at.date() > tomorrow:
        raise TitansError(
            f"EXPORTED_AT={settings.exported_at.date()} is in the future, and would outrank every later export: "
            "say when it was made."
        )
    return settings

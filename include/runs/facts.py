"""What the steps of a run come to: one model a step, kept in the run record and read by status, summary and incidents.

Every field has a default and unknown fields are ignored, so that records of earlier and later versions can be read.
"""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

from include.raw.units import QuarantinedUnit


class StepFacts(BaseModel):
    """The facts of one step. A step that failed or did nothing has none: this class itself, ``{}`` in the record."""

    model_config = ConfigDict(frozen=True)


class PlannedBatch(BaseModel):
    """One batch that a run asks for: symbols, or currency pairs such as USDHKD, that need the same window.

    Attributes:
        start: None asks for all history.
        is_window_given: the trigger named the window or the symbols, so only an answer to the same question will do.
        copy_name: of source ``files``, the copy of the export that the run reads, whatever becomes of the export.
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    group: str
    index: int
    symbols: list[str]
    start: date | None
    end: date
    is_window_given: bool = False
    copy_name: str | None = Field(default=None, exclude_if=lambda name: name is None)

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know that pydantic decorates properties
    @property
    def name(self) -> str:
        """The label of its task."""
        count, start = len(self.symbols), self.start or "the beginning"
        return f"{self.dataset} {self.group} {self.index}: {count} symbols from {start}"

    @property
    def step(self) -> str:
        """What its attempts are called in the run record, before their number."""
        return f"fetch {self.dataset} {self.group} {self.index}"


class PlanFacts(StepFacts):
    """What an ingest run asks for."""

    batches: list[PlannedBatch] = Field(default_factory=list)

    @field_validator("batches", mode="before")
    @classmethod
    def _not_names_alone(cls, value: object) -> object:
        """Which is what versions before 0.1.0 wrote."""
        return [batch for batch in value if not isinstance(batch, str)] if isinstance(value, list) else value


class Outranked(BaseModel):
    """A delivery that ranks below what is stored of its symbols.

    Attributes:
        fetched_at: from when on the delivery counts.
        stored: from when on the latest of what outranks it counts.
        rows: how many of its rows differ from that, so that they change nothing.
    """

    model_config = ConfigDict(frozen=True)

    fetched_at: datetime
    stored: datetime
    rows: int = 0

    @property
    def text(self) -> str:
        """A sentence for the person who delivered."""
        return (
            f"This delivery counts from {self.fetched_at:%Y-%m-%d %H:%M} UTC and so ranks below what is stored, which "
            f"counts from {self.stored:%Y-%m-%d %H:%M}: {self.rows:,} of its rows differ from that and change nothing. "
            "If it is the later one, deliver it with the EXPORTED_AT of its export."
        )


class FetchFacts(StepFacts):
    """What one attempt at a batch landed.

    Attributes:
        symbols: how many symbols this attempt landed.
        taken_over: symbols that an earlier run of the DAG landed.
        end: last day that was asked for.
        outranked: how it ranks below what is stored, if it does.
        notes: what the source says of rows that cannot be used.
    """

    dataset: str = ""
    rows: int = 0
    symbols: int = 0
    taken_over: list[str] = Field(default_factory=list)
    end: date | None = None
    outranked: Outranked | None = None
    notes: list[str] = Field(default_factory=list)


class LandFacts(StepFacts):
    """What an ingest run landed.

    Attributes:
        as_of: last day that was asked for; without an attempt, the run's as-of date.
        symbols: how many symbols landed.
        taken_over: how many of them an earlier run landed.
        failed: symbols that never landed.
        outranked: how what landed ranks below what is stored, if any of it does.
        notes: what the source says of rows that cannot be used.
    """

    as_of: date | None = None
    rows: int = 0
    symbols: int = 0
    taken_over: int = 0
    failed: list[str] = Field(default_factory=list)
    outranked: Outranked | None = None
    notes: list[str] = Field(default_factory=list)


class LoadFacts(StepFacts):
    """What the landing files came to.

    Attributes:
        rejected: why rows were rejected, in words, the most frequent reason first.
        releases_without_effect: units that a person let in and whose landing file is gone, in words.
        rows_copied: rows of the store that a point-in-time build starts from.
    """

    batches: int = 0
    rows_new: int = 0
    rows_unchanged: int = 0
    rows_rejected: int = 0
    rejected: list[str] = Field(default_factory=list)
    releases_without_effect: list[str] = Field(default_factory=list)
    rows_copied: int = 0


class CheckRawFacts(StepFacts):
    """What gate 1 decided.

    Attributes:
        units: how many units it judged.
        quarantined: all units in quarantine, of this gate or an earlier one, newest first.
    """

    units: int = 0
    quarantined: list[QuarantinedUnit] = Field(default_factory=list)


class TransformFacts(StepFacts):
    """What dbt did: how many nodes ended in each status, and its warnings."""

    nodes: dict[str, int] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)


class CheckMartsFacts(StepFacts):
    """How many checks of gate 2 passed and warned."""

    passed: int = 0
    warned: int = 0


class Restated(BaseModel):
    """How many values vendors changed after their first version, and in words those that move a basket most.

    Attributes:
        headlines: those of the last generation's day that say something else now, each with the values that changed.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    largest: list[str] = Field(default_factory=list)
    headlines: list[str] = Field(default_factory=list)


class PublishFacts(StepFacts):
    """What was published.

    Attributes:
        generation: the newest of the source.
        is_new: whether this build made it.
        changed: tables that differ from the generation before; ``ops`` where a delivery changed no mart.
        is_held: whether a rollback holds the link.
        changed_source_from: the source that the link named before, where it is another one.
        production: the source that the data folder serves, where one is on record.
        path: the file of a point-in-time build, which publishes nothing.
    """

    generation: str = ""
    is_new: bool = False
    changed: list[str] = Field(default_factory=list)
    is_held: bool = False
    changed_source_from: str | None = None
    production: str | None = None
    path: str | None = None
    restated: Restated | None = None


_OF_STEP: dict[str, type[StepFacts]] = {
    "plan": PlanFacts,
    "fetch": FetchFacts,
    "land": LandFacts,
    "load": LoadFacts,
    "check_raw": CheckRawFacts,
    "transform": TransformFacts,
    "check_marts": CheckMartsFacts,
    "publish": PublishFacts,
}


def facts_of(step: str, values: dict[str, object]) -> StepFacts:
    """The facts of a recorded step. Its name begins with the word that says which step it is.

    Raises:
        ValidationError: the record is damaged.
    """
    model = _OF_STEP.get(step.split(" ", 1)[0], StepFacts) if values else StepFacts
    return model.model_validate(values)

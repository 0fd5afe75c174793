"""What an ingest run landed: the last step of every ingest DAG."""

from __future__ import annotations

from datetime import date

from include.errors import Runbook, TitansError
from include.landing.index import LandingIndex
from include.paths import StorePaths
from include.runs.facts import FetchFacts, LandFacts, Outranked, PlanFacts, PlannedBatch
from include.runs.records import FailureRow, Run, StepRecord
from include.sources.base import Dataset

_MOST_NOTES = 5
"""Of what sources say of rows, that the run's summary repeats. The steps of the batches have it all."""


def summarise(store: StorePaths, run: Run, as_of: date) -> LandFacts:
    """What a run landed; the last step of every ingest DAG.

    Raises:
        TitansError: no symbol that was asked for landed, or the task that plans was killed before it recorded anything.
    """
    steps = run.steps()
    plan = next((step for step in steps if step.step == "plan"), None)
    attempts = [step for step in steps if step.step.startswith("fetch ")]
    planned = plan.facts.batches if plan and isinstance(plan.facts, PlanFacts) else []
    with run.step("land") as step:
        if plan is None and not attempts:
            raise TitansError(
                "The task that plans the batches left no record: it was killed, or could not start.", Runbook.KILLED_RUN
            )
        fetched = [attempt.facts for attempt in attempts if isinstance(attempt.facts, FetchFacts)]
        taken_over = {(facts.dataset, symbol) for facts in fetched for symbol in facts.taken_over}
        landed = taken_over | {
            (str(manifest.dataset), window.symbol)
            # Without a plan on record all datasets are read.
            for manifest, window in LandingIndex(store, passes_over_damaged=True).windows(
                *{Dataset(batch.dataset) for batch in planned}
            )
            if manifest.run_id == run.name
        }
        reported = [failure for attempt in attempts for failure in attempt.failures]
        failures = {(failure.dataset, failure.symbol): failure for failure in [*reported, *_killed(planned, attempts)]}
        failed = {key: failure for key, failure in failures.items() if key not in landed}
        # An attempt records a final failure itself, unless it was killed.
        final = {(failure.dataset, failure.symbol) for failure in reported if failure.is_final}
        step.failures = [
            failure.model_copy(update={"is_final": True}) for key, failure in sorted(failed.items()) if key not in final
        ]
        step.facts = facts = LandFacts(
            # The last day asked for: a closed source ends before today, and a weekend has no session.
            as_of=max((facts.end for facts in fetched if facts.end), default=as_of),
            rows=sum(facts.rows for facts in fetched),
            symbols=len({symbol for _, symbol in landed}),
            taken_over=len({symbol for _, symbol in taken_over}),
            failed=sorted({symbol for _, symbol in failed}),
            outranked=_together([each.outranked for each in fetched if each.outranked]),
            notes=_few([note for facts in fetched for note in facts.notes]),
        )
        step.message = " ".join([*([facts.outranked.text] if facts.outranked else []), *facts.notes])
        broken = next((earlier.message for earlier in steps if earlier.outcome == "failed"), None)
        if not landed and (broken or failed):
            raise TitansError(
                broken or f"Nothing landed: {'; '.join(sorted({failure.reason for failure in failed.values()})[:3])}"
            )
        if not landed:
            step.outcome = "skipped"
            step.message = f"Source {store.source} has nothing of this kind up to {as_of}."
    return facts


def _few(notes: list[str]) -> list[str]:
    more = len(notes) - _MOST_NOTES
    return [*notes[:_MOST_NOTES], *([f"So it is with {more:,} more files: see ops.rejected_rows."] if more > 0 else [])]


def _together(batches: list[Outranked]) -> Outranked | None:
    if not batches:
        return None
    return Outranked(
        fetched_at=min(each.fetched_at for each in batches),
        stored=max(each.stored for each in batches),
        rows=sum(each.rows for each in batches),
    )


def _killed(planned: list[PlannedBatch], attempts: list[StepRecord]) -> list[FailureRow]:
    """Symbols of the batches whose every attempt was killed before it recorded anything."""
    recorded = {attempt.step.rpartition(" attempt ")[0] for attempt in attempts}
    reason = "every attempt of its task was killed, or could not start"
    return [
        FailureRow(dataset=batch.dataset, symbol=symbol, reason=reason, attempt=0, is_final=True)
        for batch in planned
        if batch.step not in recorded
        for symbol in batch.symbols
    ]

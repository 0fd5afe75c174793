"""What an ingest run landed: the last step of every ingest DAG."""

from __future__ import annotations

from datetime import date

from include.errors import Runbook, TitansError
from include.ingest.fetch import fetch_step
from include.ingest.plan import BatchRequest
from include.landing.batches import landed
from include.runs.facts import FetchFacts, LandFacts, PlanFacts
from include.runs.records import FailureRow, Run, StepRecord
from include.settings import Settings


def _killed_fetches(plan: StepRecord | None, attempts: list[StepRecord]) -> list[FailureRow]:
    """Symbols of the batches of which no attempt could say anything."""
    recorded = {attempt.step.rpartition(" attempt ")[0] for attempt in attempts}
    planned = plan.facts.batches if plan and isinstance(plan.facts, PlanFacts) else []
    requests = [BatchRequest.from_dict(batch.model_dump(mode="json")) for batch in planned]
    reason = "every attempt of its task was killed, or could not start"
    return [
        FailureRow(dataset=request.dataset, symbol=symbol, reason=reason, attempt=0, is_final=True)
        for request in requests
        if fetch_step(request) not in recorded
        for symbol in request.symbols
    ]


def summarise(settings: Settings, run: Run, as_of: date) -> LandFacts:
    """What a run landed; the last step of every ingest DAG.

    Raises:
        TitansError: symbols were asked for and not one landed, or the task that plans was killed before it could say what to ask for.
    """
    attempts: list[StepRecord] = [step for step in run.steps() if step.step.startswith("fetch ")]
    with run.step("land") as step:
        plan = next((earlier for earlier in run.steps() if earlier.step == "plan"), None)
        if plan is None and not attempts:
            raise TitansError(
                "The task that plans the batches left no record: it was killed, or could not start.", Runbook.KILLED_RUN
            )
        landed_symbols = {
            (str(manifest.dataset), window.symbol)
            for _, manifest in landed(settings)
            if manifest.run_id == run.name
            for window in manifest.windows
        }
        fetched = [attempt.facts for attempt in attempts if isinstance(attempt.facts, FetchFacts)]
        taken_over = {(facts.dataset, symbol) for facts in fetched for symbol in facts.taken_over}
        landed_symbols |= taken_over
        failures = {(failure.dataset, failure.symbol): failure for attempt in attempts for failure in attempt.failures}
        failures |= {(failure.dataset, failure.symbol): failure for failure in _killed_fetches(plan, attempts)}
        failed = {key: failure for key, failure in failures.items() if key not in landed_symbols}
        # Of these the attempts say it themselves, unless the last one was killed.
        said = {
            (failure.dataset, failure.symbol)
            for attempt in attempts
            for failure in attempt.failures
            if failure.is_final
        }
        step.failures = [
            failure.model_copy(update={"is_final": True}) for key, failure in sorted(failed.items()) if key not in said
        ]
        # What was asked for up to: a closed source ends before today, and a weekend has no session.
        step.facts = LandFacts(
            as_of=max((facts.end for facts in fetched if facts.end), default=as_of),
            rows=sum(facts.rows for facts in fetched),
            symbols=len({symbol for _, symbol in landed_symbols}),
            taken_over=len({symbol for _, symbol in taken_over}),
            failed=sorted({symbol for _, symbol in failed}),
        )
        broken = next((earlier.message for earlier in run.steps() if earlier.outcome == "failed"), None)
        if not landed_symbols and (broken or failed):
            raise TitansError(
                broken or f"Nothing landed: {'; '.join(sorted({failure.reason for failure in failed.values()})[:3])}"
            )
        if not landed_symbols:
            step.outcome = "skipped"
            step.message = f"Source {settings.source} has nothing of this kind up to {as_of}."
    return step.facts

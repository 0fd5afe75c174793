"""What ``make run`` ends with: the headlines of the day, the gates, the file, and what to do next."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from include.commands import make_command, make_run
from include.errors import TitansError
from include.paths import REPORT_INDEX
from include.publishing import generations
from include.publishing.publish import last_complete_session
from include.runs.facts import CheckRawFacts, LoadFacts, PublishFacts
from include.runs.records import RunRecord
from include.settings import Settings

_MEASURES = (
    "return_ytd",
    "excess_return_ytd",
    "market_value_change_ytd_usd",
    "forward_pe",
    "forward_pe_discount",
    "drawdown",
    "return_1d",
    "return_wtd",
    "highest_since",
)
_SINCE_EVENTS = "return_since_"
"""Of each basket since each event: too many for a screen."""


def resolve_session(connection: duckdb.DuckDBPyConnection, wanted: date | None) -> tuple[date, str | None]:
    """The day whose headlines are shown, and a line where it is not the one that was asked for.

    Raises:
        TitansError: the day lies before the data.
    """
    if wanted is None:
        return last_complete_session(connection), None
    row = connection.execute(
        """select max(date) filter (where date <= ?), min(date) from (
            select date from marts.fct_security_daily union all select date from marts.fct_index_daily)""",
        [wanted],
    ).fetchone()
    assert row is not None
    session, first = row
    if session is None:
        raise TitansError(
            f"AS_OF={wanted} is before the data: the marts begin on {first}. Give that day or a later one."
        )
    if session == wanted:
        return session, None
    return session, f"{wanted} has no session in the data; the last one before it is {session}."


def print_summary(console: Console, settings: Settings, build: RunRecord, notes: list[str]) -> None:
    """Print the whole summary."""
    published = build.facts(PublishFacts)
    file = settings.store.known_at_file if settings.known_at else settings.published.file(published.generation)
    with duckdb.connect(str(file), read_only=True, config=settings.limits.config(None)) as connection:
        session, note = resolve_session(connection, settings.as_of)
        rows = connection.execute(
            "select subject, measure, value_text, sentence from marts.fct_headlines where as_of = ?", [session]
        ).fetchall()
        press = connection.execute("""
            select count(*), count(*) filter (where verdict = 'agrees'), count(*) filter (where verdict = 'differs')
            from marts.fct_press_reconciliation where evaluated_at = 'claim_date'
        """).fetchone()
    console.print()
    title = f"Titans on {session:%-d %B %Y}" + (", simulated data" if settings.store.is_simulated else "")
    if settings.known_at:
        title += f", as known at the end of {settings.known_at:%-d %B %Y}"
    table = Table(
        title=title, title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    since_events = sum(measure.startswith(_SINCE_EVENTS) for _, measure, _, _ in rows)
    for _, measure, value, sentence in sorted(rows, key=_order):
        if measure != "drawdown_state" and not measure.startswith(_SINCE_EVENTS):
            table.add_row(str(value), str(sentence).removeprefix("Simulated: "))
    console.print(table)
    console.print()
    if since_events:
        say(console, f"Events     {since_events} returns since events: see the report or fct_headlines")
    if press and press[0]:
        claims, agree, differ = press
        rest = f", {claims - agree - differ} cannot be computed" if claims > agree + differ else ""
        say(
            console,
            f"Press      of {claims} claims {agree} agree on their day, {differ} differ{rest}: "
            "see fct_press_reconciliation",
        )
    for line in [*notes, *([note] if note else [])]:
        say(console, f"Note       {line}")
    if settings.store.is_simulated:
        say(console, "Note       Every number above is simulated. SOURCE=files or SOURCE=yahoo brings real ones.")
    _print_gates(console, build)
    restated = build.facts(PublishFacts).restated
    if restated and restated.largest:
        say(
            console, f"Restated   {restated.rows} values that a vendor changed later, the largest {restated.largest[0]}"
        )
    for text in restated.headlines if restated else []:
        say(console, f"Changed    {text}")
    if settings.known_at:
        say(console, f"Built      {_relative(file)} (known at {settings.known_at}; the published file is what it was)")
    else:
        _print_published(console, settings, published, session)


def _print_published(console: Console, settings: Settings, published: PublishFacts, session: date) -> None:
    if published.changed_source_from:
        say(console, f"Source     {settings.source} now; the link named {published.changed_source_from} before")
    if published.production not in (None, settings.source):
        say(
            console,
            f"Note       this data folder serves {published.production}, which {make_command(settings.data_dir, 'run')} goes back to; "
            f"{make_run(settings, SWITCH='yes')} makes {settings.source} its source",
        )
    state = "new generation" if published.is_new else "nothing has changed, so no new generation"
    say(
        console,
        f"{'Built' if published.is_held else 'Published':<10} {_relative(settings.published.link)} "
        f"({published.generation}: {state})",
    )
    if published.report_problem:
        say(
            console,
            f"Report     none: {published.report_problem}. {make_command(settings.data_dir, 'report')} tries again",
        )
    elif (page := settings.published.report_of(published.generation) / REPORT_INDEX).exists():
        say(console, f"Report     {_relative(page if published.is_held else settings.published.report / page.name)}")
    if published.is_held:
        held = generations.linked_generation(settings.published)
        say(
            console,
            f"Held       the link stays on {held} after a rollback; {make_command(settings.data_dir, 'publish')} moves it again",
        )
    say(
        console,
        f"Next       {make_command(settings.data_dir, 'query')} SQL=\"select sentence from fct_headlines where as_of = '{session}'\" "
        f"| {make_command(settings.data_dir, 'status')} | {make_command(settings.data_dir, 'airflow')}",
    )


def _order(row: tuple[str, str, str, str]) -> tuple[int, str]:
    places = [place for place, measure in enumerate(_MEASURES) if row[1].startswith(measure)]
    return (places[0] if places else len(_MEASURES), row[0])


def _print_gates(console: Console, build: RunRecord) -> None:
    passed = sum(check.status == "passed" for check in build.checks)
    warned = [check for check in build.checks if check.status == "warning"]
    failed = sum(check.status == "failed" for check in build.checks)
    say(console, f"Gates      {passed} checks passed, {len(warned)} warned, {failed} failed")
    for check in warned:
        say(console, f"           warned: {check.name}, {check.rows_text} ({check.examples_text}). {check.why}")
    for unit in build.facts(CheckRawFacts).quarantined:
        say(console, f"Quarantine {unit.symbol} of batch {unit.batch_id}: {'; '.join(unit.reasons)}")
    for idle in build.facts(LoadFacts).releases_without_effect:
        say(console, f"Released   without effect, for its landing file is gone: {idle}")


def say(console: Console, line: str) -> None:
    """A line that the terminal may break, and a pipe gets whole; nothing in it is markup."""
    console.print(line, markup=False, soft_wrap=True)


def _relative(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path

"""The pages of a report: an index and one page a basket, each whole in itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.files import READ_ONLY, sync_folder, write_whole
from include.limits import Limits
from include.paths import REPORT_INDEX
from include.publishing.report import texts
from include.publishing.report.charts import NARROW, WIDE, levels_chart
from include.publishing.report.figures import BasketFigures
from include.publishing.report.performance import best_and_worst
from include.publishing.report.read import read_report

_REBALANCED = {"annual": "each year", "quarterly": "each quarter", "monthly": "each month", "daily": "each day"}
_TEMPLATES = Path(__file__).with_name("templates")


def make_report(file: Path, limits: Limits) -> Path:
    """Make the pages of a published file, in the folder ``report`` beside it, which appears whole; returns it.

    Raises:
        OSError: the pages could not be written.
        duckdb.Error: the file cannot be read, or an earlier version wrote it.
    """
    folder = file.with_name("report")
    temporary = file.with_name(".report")
    shutil.rmtree(temporary, ignore_errors=True)  # a killed process left it
    temporary.mkdir()
    try:
        with duckdb.connect(str(file), read_only=True, config=limits.config(None)) as connection:
            write_report(connection, temporary)
        temporary.chmod(0o755)  # readers open the pages whatever the umask
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(folder.parent)
    return folder


def write_report(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write ``index.html`` and a page for each basket into a folder.

    The same file gives the same bytes, whenever and wherever they are made.

    Args:
        connection: the published file, as its only database.

    Raises:
        OSError: the pages could not be written.
    """
    report = read_report(connection)
    environment = _environment()
    write_whole(folder / REPORT_INDEX, environment.get_template("index.html").render(report=report), READ_ONLY)
    page = environment.get_template("basket.html")
    for figures in report.baskets:
        html = page.render(
            report=report,
            page=figures,
            basket=figures.basket,
            charts=_charts(figures),
            extremes=best_and_worst(figures.years),
            rebalanced=_REBALANCED.get(figures.basket["rebalance"], figures.basket["rebalance"]),
        )
        write_whole(folder / page_name(figures.basket["basket_id"]), html, READ_ONLY)


def page_name(basket_id: str) -> str:
    """The file of a basket's page: an id has small letters, digits and underscores alone, so no other is named so."""
    return f"{basket_id}.html" if f"{basket_id}.html" != REPORT_INDEX else "index-basket.html"


def _charts(figures: BasketFigures) -> list[str]:
    """One picture for a wide page and for paper, one for a phone; none without two days to connect."""
    if not figures.lines:
        return []
    names = ", ".join(line.name for line in figures.lines)
    first, last = figures.lines[0].days[0], figures.lines[0].days[-1]
    ends = "; ".join(f"{line.name} ends at {line.levels[-1]:.1f}" for line in figures.lines)
    title = f"Levels of {names} from {first:%-d %B %Y}, where they are 100, to {last:%-d %B %Y}. {ends}."
    events = [row["event_date"] for row in figures.events.rows]
    return [levels_chart(figures.lines, events, title, size) for size in (WIDE, NARROW)]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=texts.percent,
        change=texts.change,
        points=texts.points,
        times=texts.times,
        dollars=texts.dollars,
        level=texts.level,
        plain=texts.plain,
        worded=texts.worded,
        day=texts.day,
        moment=texts.moment,
        page_name=page_name,
    )
    return environment

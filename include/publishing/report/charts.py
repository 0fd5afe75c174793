"""The chart of the report: rebased levels with events, as SVG to stand in a page.

Colours are named by the page's style sheet, so that one picture serves light, dark and print.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context, rcParamsDefault
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, StrMethodFormatter

from include.publishing.report.figures import Line

_POINTS_A_LINE = 400
_COLOURS = {
    "#010101": "var(--series-1)",
    "#020202": "var(--series-2)",
    "#030303": "var(--series-3)",
    "#040404": "var(--muted)",
    "#050505": "var(--grid)",
}
"""Stand-ins for the colours of the style sheet: no other part of a picture has them."""
_SERIES, _MUTED, _GRID = ("#010101", "#020202", "#030303"), "#040404", "#050505"
_STYLES = ("solid", (0, (4, 1.5)), (0, (1, 1)))
_SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "path.simplify_threshold": 0.5,
    "font.family": "DejaVu Sans",  # matplotlib brings it, so that every machine measures alike; the page shows its own
    "font.size": 11,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": _MUTED,
    "axes.axisbelow": True,
    "text.color": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "grid.color": _GRID,
    "lines.linewidth": 1.6,
}


_MARGINS = (34, 12, 22, 44)
"""Pixels left, right, below and above the axes, for their labels and the numbers of events."""


@dataclass(frozen=True)
class Size:
    """Of a picture in pixels, and a name that differs from those of other pictures of the page."""

    name: str
    width: int
    height: int


WIDE = Size("wide", 820, 250)
NARROW = Size("narrow", 360, 260)


def levels_chart(lines: Sequence[Line], events: Sequence[date], title: str, size: Size) -> Markup:
    """Lines of levels over time, with a numbered mark for each event; equal heights are equal percentages.

    Args:
        events: in the order of their numbers; those outside the lines' days are left out.
        title: what the picture shows, for readers who cannot see it.
    """
    with rc_context({**rcParamsDefault, **_SETTINGS, "svg.hashsalt": size.name}):
        figure = Figure(figsize=(size.width / 72, size.height / 72))
        canvas = FigureCanvasSVG(figure)
        left, right, bottom, top = _MARGINS
        axes = figure.add_axes(
            (
                left / size.width,
                bottom / size.height,
                1 - (left + right) / size.width,
                1 - (bottom + top) / size.height,
            )
        )
        for line, colour, style in zip(lines, _SERIES, _STYLES, strict=False):
            days, levels = _thinned(line)
            axes.plot(date2num(days), levels, color=colour, linestyle=style)
        _scale(axes, lines)
        axes.grid(axis="y", linewidth=0.8)
        axes.tick_params(length=0)
        axes.margins(x=0.01)
        locator = AutoDateLocator(minticks=3, maxticks=7)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        first, last = min(line.days[0] for line in lines), max(line.days[-1] for line in lines)
        for number, day in enumerate(events, 1):
            if first <= day <= last:
                axes.axvline(date2num(day), color=_MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
                # Events lie close together on a long axis: their numbers stand at three heights.
                axes.annotate(
                    str(number),
                    (date2num(day), 1),
                    (0, 2 + 12 * ((number - 1) % 3)),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    ha="center",
                )
        written = BytesIO()
        canvas.print_svg(written, metadata={"Creator": None, "Date": None, "Format": None, "Type": None})
    return _for_page(written.getvalue(), title, size)


def _scale(axes: Axes, lines: Sequence[Line]) -> None:
    """A logarithmic scale with round levels: 100, 200, 500 over a wide range, closer ones over a narrow one."""
    axes.set_yscale("log")
    levels = [level for line in lines for level in line.levels]
    ticks = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(min(levels), max(levels))
    if max(levels) > 3 * min(levels):
        ticks = LogLocator(base=10, subs=(1, 2, 5)).tick_values(min(levels), max(levels))
    axes.set_yticks([tick for tick in ticks if min(levels) * 0.9 <= tick <= max(levels) * 1.1])
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.minorticks_off()


def _thinned(line: Line) -> tuple[list[date], list[float]]:
    """Every n-th day up to the last: a page has fewer pixels than a history has days."""
    step = -(-len(line.days) // _POINTS_A_LINE)
    kept = sorted({*range(len(line.days) - 1, -1, -step), 0})
    return [line.days[index] for index in kept], [line.levels[index] for index in kept]


def _for_page(svg: bytes, title: str, size: Size) -> Markup:
    """The picture as an element of HTML: without namespaces, unused ids and needless digits, and with its title."""
    root = ElementTree.fromstring(svg)
    used = set(re.findall(rb"#([\w-]+)", svg))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            if name == "id" and value.encode() not in used:
                continue
            if name == "d":
                value = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", value)
            for colour, variable in _COLOURS.items():
                value = value.replace(colour, variable)
            value = value.replace("font-family: 'DejaVu Sans'; ", "")
            element.set(name.rpartition("}")[2], value)
    root.remove(root[0])  # a style for every element of the page
    root.attrib = {
        "class": f"chart {size.name}",
        "viewBox": root.get("viewBox", ""),
        "role": "img",
        "aria-label": title,
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))

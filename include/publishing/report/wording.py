"""Sentences of the report that more than one section says."""

from __future__ import annotations

from datetime import date

from include.publishing.report.figures import Row


def no_day(basket: Row) -> str:
    """Why a basket has no figures at all."""
    return (
        "The marts have no day of this basket yet: its levels begin after its base date, "
        f"{day_in_words(basket['base_date'])}."
    )


def day_in_words(day: date | None) -> str:
    """A day within a sentence."""
    return f"{day:%-d %B %Y}" if day else "an unknown day"


def plain(sentence: str) -> str:
    """A headline without its label: the page says at its top that data are simulated."""
    return sentence.removeprefix("Simulated: ")

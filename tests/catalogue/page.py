"""docs/BAD_INPUT.md: the catalogue for people to read. ``python -m tests.catalogue.page`` writes it anew."""

from __future__ import annotations

from typing import Any

from include.settings import PROJECT_ROOT
from tests.catalogue import export, vendor
from tests.catalogue.mishap import Mishap, Outcome

PAGE = PROJECT_ROOT / "docs" / "BAD_INPUT.md"
CATALOGUE: dict[str, tuple[Mishap[Any], ...]] = {"vendor": vendor.MISHAPS, "export": export.MISHAPS}

_TITLES = {"vendor": "A live vendor (`SOURCE=yahoo`)", "export": "A folder of files (`SOURCE=files`)"}
_SEEN_IN = {
    Outcome.HARMLESS: "",
    Outcome.KEPT: "`ops.fetches` (fewer rows)",
    Outcome.NOT_FETCHED: "`make status`, `ops.fetches`",
    Outcome.REJECTED: "`make status`, `ops.rejected_rows`",
    Outcome.QUARANTINED: "`make status`, `ops.quarantined_units`",
    Outcome.WARNED: "the run's summary, `make status`, `ops.validation_results`",
    Outcome.RESTATED: "`make status`, `ops.restatements`",
    Outcome.STOPPED: "the run's error, `make status`, the incident",
}
_HEAD = """# Bad input, and what becomes of it

Each row is one way in which a delivery can be wrong, and a test that does it (`tests/catalogue/`): on a store that had
a good day, several at once, each to another symbol. The test then looks for the words of the fourth column in the place
of the fifth, holds every value of the marts against an undisturbed run, finds the healthy symbols complete, and sees
the next good delivery end in the marts of that run. `make test` plays the exports that are refused at reading and eight
mixed rounds, more than two thirds of the entries; `make soak ONLY=bad-input` plays all. This page is written by
`python -m tests.catalogue.page`.
"""


def page() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for world, mishaps in CATALOGUE.items():
        parts.append(
            f"## {_TITLES[world]}\n\n| entry | what happens | what becomes of it | words | where a person sees it |\n|---|---|---|---|---|"
        )
        for mishap in mishaps:
            words = f"`{mishap.check or mishap.tells}`" if mishap.check or mishap.tells else ""
            parts[-1] += (
                f"\n| `{mishap.name}` | {mishap.happens} | {mishap.outcome} | {words} | {_SEEN_IN[mishap.outcome]} |"
            )
        parts[-1] += "\n"
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

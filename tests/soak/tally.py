"""What a soak reached, and what it found wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts by name, and a sentence for each thing that should not have been.

    Attributes:
        done: what was tried, for example ``kills in transform``.
        lost: published generations or rows that were there and are gone.
        wrong: marts that differ from those of an undisturbed run, and errors a reader met.
        torn: reads that mixed two generations, or met half a file.
        skipped: what this machine cannot try, with the reason.
        tables: figures by title, headings first.
        known_truths: what a published file tells that was found good, by the hash of its bytes.
    """

    done: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    known_truths: dict[str, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.wrong or self.torn)

    @property
    def findings(self) -> list[str]:
        return [f"{kind}: {text}" for kind in ("lost", "wrong", "torn") for text in getattr(self, kind)]

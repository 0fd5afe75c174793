"""What somebody may have meant by a symbol that the seeds do not have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

_MOST_GUESSES = 200
"""Unknown symbols that are compared with every known one, which takes a millisecond or so each."""


def meant(unknown: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """The symbol of the seeds that each of ``unknown`` is probably a spelling of, where there is one."""
    by_spelling: dict[str, set[str]] = {}
    for symbol in known:
        for spelling in _spellings(symbol):
            by_spelling.setdefault(spelling, set()).add(symbol)
    guesses: dict[str, str] = {}
    for number, symbol in enumerate(dict.fromkeys(unknown)):
        found = {match for spelling in _spellings(symbol) for match in by_spelling.get(spelling, ())}
        if len(found) == 1:
            guesses[symbol] = found.pop()
        elif number < _MOST_GUESSES and (close := get_close_matches(symbol.upper(), known, 1, 0.8)):
            guesses[symbol] = close[0]
    return guesses


def pairs_meant(unknown: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """By pair of the seeds, another name that may be of its rates: HKD, HKDUSD or USDGBp. It cannot be used as it is."""
    named = {re.sub("[^A-Z]", "", name.upper()): name for name in unknown}
    return {
        pair: named[letters] for pair in known for letters in (pair, pair[3:] + pair[:3], pair[3:]) if letters in named
    }


def _spellings(symbol: str) -> set[str]:
    """``0700.HK``, ``700 HK Equity`` and ``700`` have one in common, and so have ``BRK/B`` and ``BRK-B``."""
    parts = re.sub(r"[^A-Z0-9&^]+", ".", symbol.upper().removesuffix(" EQUITY")).strip(".").split(".")
    parts[0] = parts[0].lstrip("0") or parts[0]
    whole = ".".join(parts)
    # The first part alone is enough where it is a number, or where the rest names the country of New York.
    return {whole, parts[0]} if parts[0].isdigit() or parts[1:] == ["US"] else {whole}

"""Text from outside, made fit to show: what vendors and strangers write must not steer a terminal or read backwards."""

from __future__ import annotations

import re

# Control characters but tab and line feed, and the marks that turn the direction of writing or cannot be seen.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def visible(text: str) -> str:
    """``text`` with every character that would steer whoever shows it written as its escape."""
    return _STEERING.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)

"""Random paths that are the same on every machine, and that meet given values on given days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha512
from itertools import accumulate, pairwise
from statistics import NormalDist

_STANDARD_NORMAL = NormalDist()
_MOST_DRAWS = 8


def normals(key: str, count: int) -> list[float]:
    """``count`` (up to 8) standard normal draws that depend on ``key`` alone.

    Each day has its own key, so a session that a calendar override adds or removes changes the draw of no other day.
    Drawn by inversion from a hash, because the streams of random number libraries may change with their versions.
    """
    if count > _MOST_DRAWS:
        raise ValueError(f"one key gives {_MOST_DRAWS} draws, not {count}")
    digest = sha512(key.encode()).digest()
    # 52 bits and a half: never 0 or 1, and exact as a float.
    words = (int.from_bytes(digest[8 * draw : 8 * draw + 8], "big") >> 12 for draw in range(count))
    return [_STANDARD_NORMAL.inv_cdf((word + 0.5) / 2**52) for word in words]


def bridge(steps: Sequence[float], anchors: Mapping[int, float]) -> list[float]:
    """A random walk bent through ``anchors``: a Brownian bridge between each two of them, if the steps are normal.

    Args:
        steps: one a position; the first has no effect.
        anchors: value by position. Before the first and after the last the walk runs free.

    Returns:
        One value a position.
    """
    if not steps or not anchors:
        raise ValueError("a bridge needs at least one position and one anchor")
    walk = list(accumulate(steps))
    known = sorted(anchors)
    first, last = known[0], known[-1]
    values = [anchors[first] + walk[position] - walk[first] for position in range(first + 1)]
    for start, end in pairwise(known):
        drift = (anchors[end] - anchors[start] - walk[end] + walk[start]) / (end - start)
        values += [
            anchors[start] + walk[position] - walk[start] + drift * (position - start)
            for position in range(start + 1, end + 1)
        ]
    values += [anchors[last] + walk[position] - walk[last] for position in range(last + 1, len(walk))]
    return values


def fold(value: float, lower: float, upper: float) -> float:
    """``value`` mirrored at the bounds until it lies between them. Mirroring a whole path never makes a step longer."""
    while not lower <= value <= upper:
        value = 2 * upper - value if value > upper else 2 * lower - value
    return value

"""Random numbers by hash: each depends on what it is for, on a security and on a day, and on nothing else."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, cast

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

_ONE_16TH = 2.0**-16
_ONE_53RD = 2.0**-53


class Stream(IntEnum):
    """What a number is drawn for. Numbers of two streams have nothing to do with each other."""

    MARKET = 1
    WALK = 2
    BAR = 3
    CHARACTER = 4
    SPLIT = 5
    MISSING_BAR = 6
    RESTATEMENT = 7
    SHARES = 8
    ESTIMATE = 9
    RATE = 10
    LISTING = 11
    HALT = 12
    BASKET = 13
    MEMBERSHIP = 14


def bits(stream: Stream, *keys: Any) -> Bits:
    """64 bits for each combination of ``keys``, whole numbers or arrays of them, which are broadcast."""
    arrays = [np.atleast_1d(np.asarray(key)).astype(np.uint64) for key in keys]
    mixed = _mixed(np.array([stream], dtype=np.uint64))
    for array in arrays:
        mixed = _mixed(mixed + array * np.uint64(0x9E3779B97F4A7C15))
    return mixed


def uniform(drawn: Bits) -> Floats:
    """From 0 up to, not including, 1."""
    return (drawn >> np.uint64(11)).astype(np.float64) * _ONE_53RD


def normal(drawn: Bits) -> Floats:
    """Nearly normal with mean 0 and standard deviation 1, and never beyond 3.5: no price jumps by accident."""
    total = sum(part(drawn, place) for place in range(4))
    return cast(Floats, (total - 2.0) * np.sqrt(3.0))


def part(drawn: Bits, place: int) -> Floats:
    """One of four independent numbers between 0 and 1 in the same 64 bits."""
    word = (drawn >> np.uint64(16 * place)) & np.uint64(0xFFFF)
    return (word.astype(np.float64) + 0.5) * _ONE_16TH


def _mixed(value: Bits) -> Bits:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return cast(Bits, value ^ (value >> np.uint64(31)))

"""Where the rungs of a ladder lie: at equal steps, or to scale as far as nothing overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

ROOMY: Final = 1.5
"""How much taller than its rungs alone a ladder to scale gets, about."""
LONG: Final = 5.0
"""A pause this many times longer than any other is broken,"""
BREAK: Final = 76.0
"""and then takes so many units."""
LEAST_LONG: Final = 150.0
"""Units. A pause that would take less is never broken."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A time axis, in units from its top."""

    at: tuple[float, ...]
    """Where each moment lies on the axis."""
    broken: frozenset[int]
    """Behind which moments the axis is broken."""
    per_second: float
    """Units for a second, 0 where all moments are one."""


def to_scale(times: Sequence[float], gaps: Sequence[float]) -> Scale:
    """An axis for these moments, in order, whose rungs need `gaps` units between each and the next at least.

    Pauses far longer than all else are broken, so that what matters does not get lost in them.
    """
    between = [max(0.0, b - a) for a, b in pairwise(times)]
    broken: set[int] = set()
    order = sorted(range(len(between)), key=lambda i: -between[i])
    for i, after in pairwise(order):
        per_second = _per_second(between, gaps, broken)
        if between[i] * per_second < LEAST_LONG or between[i] < LONG * between[after]:
            break
        broken.add(i)
    per_second = _per_second(between, gaps, broken)
    at = [0.0]
    for i, pause in enumerate(between):
        at.append(at[-1] + (BREAK if i in broken else pause * per_second))
    return Scale(tuple(at[: len(times)]), frozenset(broken), per_second)


def _per_second(between: Sequence[float], gaps: Sequence[float], broken: set[int]) -> float:
    left = [i for i in range(len(between)) if i not in broken]
    total = sum(between[i] for i in left)
    return ROOMY * sum(gaps[i] for i in left) / total if total > 0 else 0.0


def apart(wanted: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Places as near to those wanted as can be (least squares), each at least its gap behind the one before."""
    shift = [0.0]
    for gap in gaps:
        shift.append(shift[-1] + gap)
    blocks: list[tuple[float, int]] = []  # of each, the mean and how many are in it
    for want, by in zip(wanted, shift, strict=False):
        mean, size = want - by, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, size = (before * many + mean * size) / (many + size), many + size
        blocks.append((mean, size))
    level = [mean for mean, size in blocks for _ in range(size)]
    return [place + by for place, by in zip(level, shift, strict=False)]


def ticks(first: float, last: float, per_second: float, least: float) -> list[tuple[float, str]]:
    """Round moments between two, at least `least` units apart, with their names: "2 ms"."""
    if per_second <= 0:
        return []
    step, power = 1.0, -7
    while True:
        for digit in (1, 2, 5):
            step = digit * 10.0**power
            if step * per_second >= least:
                break
        else:
            power += 1
            continue
        break
    unit, name = (1.0, "s") if step >= 0.1 else (1e-3, "ms") if step >= 1e-4 else (1e-6, "µs")
    number = int(first / step)
    found: list[tuple[float, str]] = []
    while (moment := number * step) <= last + step * 1e-6:
        if moment >= first - step * 1e-6:
            found.append((moment, f"{round(moment / unit, 6):g} {name}" if number else "0"))
        number += 1
    return found

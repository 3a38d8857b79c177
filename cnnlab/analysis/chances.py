"""What so many validation pictures can tell: intervals for accuracies and for their difference."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from cnnlab.spec import Paired

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """A figure and the ends between which it lies with a confidence of 95 %."""

    value: float
    low: float
    high: float


def wilson(share: float, count: int) -> Interval:
    """An accuracy over so many pictures (Wilson, 1927; without correction for continuity)."""
    spread = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    middle, whole = share + Z**2 / (2 * count), 1 + Z**2 / count
    return Interval(share, max((middle - spread) / whole, 0.0), min((middle + spread) / whole, 1.0))


def paired_gain(counts: Paired) -> Interval:
    """How much the accuracy of the second of two runs is above the first's, on the same pictures.

    The square-and-add of both Wilson intervals with their correlation (Newcombe, Statistics in
    Medicine 17, 1998, p. 2635, method 10).
    """
    both, first, second, neither = counts
    count = sum(counts)
    one, other = wilson((both + first) / count, count), wilson((both + second) / count, count)
    margins = (both + first) * (both + second) * (neither + first) * (neither + second)
    product = float(both * neither - first * second)
    if product > 0:  # corrected for continuity
        product = max(product - count / 2, 0.0)
    together = product / math.sqrt(margins) if margins else 0.0

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(a * a + b * b - 2 * together * a * b, 0.0))

    value = other.value - one.value
    below = reach(other.value - other.low, one.high - one.value)
    above = reach(other.high - other.value, one.value - one.low)
    return Interval(value, max(value - below, -1.0), min(value + above, 1.0))


def mcnemar(first_only: int, second_only: int) -> float:
    """How often chance alone would part two equally good runs as far on the pictures about which
    only one of them is right (McNemar, Psychometrika 12, 1947; exact, two-sided). 1 where there are
    none.
    """
    fewer, more = sorted((first_only, second_only))
    ways, term = 0, 1
    for taken in range(fewer + 1):
        ways += term
        term = term * (fewer + more - taken) // (taken + 1)
    return min(2 * ways / 2 ** (fewer + more), 1.0)


def gain(one: float, other: float, counts: tuple[int, int]) -> Interval:
    """How much the second of two accuracies is above the first.

    The square-and-add of both Wilson intervals (Newcombe, Statistics in Medicine 17, 1998, p. 873,
    method 10), which takes the pictures behind both for different ones. For the same pictures it is
    careful: their answers agree more than by chance, so that the true interval is the narrower one.

    Args:
        counts: pictures behind each.
    """
    first, second = wilson(one, counts[0]), wilson(other, counts[1])
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    value = other - one
    return Interval(value, max(value - below, -1.0), min(value + above, 1.0))

"""Figures that a run reports: shares with an interval, and calibration."""

from collections.abc import Sequence
from typing import Final

import msgspec

from lawspeaker.statistics import wilson

_BINS: Final = 10


class Rate(msgspec.Struct, frozen=True):
    """A share with its 95 % interval (Wilson)."""

    successes: int
    n: int
    low: float
    high: float


class Bin(msgspec.Struct, frozen=True):
    """Those of `n` probabilities that lie in one tenth: their mean, and the mean of what was the case."""

    n: int
    said: float
    was: float


def rate(successes: int, n: int) -> Rate:
    return Rate(successes, n, *wilson(successes, n))


def bins_of(said: Sequence[float], was: Sequence[float]) -> tuple[Bin, ...]:
    """Ten bins of equal width without the empty ones. `was` is 0, 1 or, where that is a label, between."""
    filled: list[list[tuple[float, float]]] = [[] for _ in range(_BINS)]
    for p, truth in zip(said, was, strict=True):
        filled[min(int(p * _BINS), _BINS - 1)].append((p, truth))
    return tuple(
        Bin(len(each), sum(p for p, _ in each) / len(each), sum(t for _, t in each) / len(each))
        for each in filled
        if each
    )


def gap(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far `said` is from `was`, each bin by its size."""
    n = sum(each.n for each in bins)
    return sum(each.n * abs(each.said - each.was) for each in bins) / n if n else 0.0

"""Means over seeds, their Student t intervals, and how a published number stands to them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import stats

Verdict = Literal["within", "above", "below", "single", "not_run", "unpublished", "incomparable"]

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Mean of `count` values with the half width of its interval, None where one value gives no interval."""

    mean: float
    half_width: float | None
    count: int

    @property
    def low(self) -> float:
        """Lower end; the mean itself without an interval."""
        return self.mean - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        """Upper end; the mean itself without an interval."""
        return self.mean + (self.half_width or 0.0)


def student_interval(values: Sequence[float]) -> Interval | None:
    """Return the mean of independent repetitions with its 95 % Student t interval; None for no values."""
    count = len(values)
    if count == 0:
        return None
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    quantile = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1))
    return Interval(mean, quantile * math.sqrt(variance / count), count)


@dataclass(frozen=True)
class RatioInterval:
    """Geometric mean of `count` ratios with its interval; no ends where one ratio gives no interval."""

    mean: float
    low: float | None
    high: float | None
    count: int


def ratio_interval(ratios: Sequence[float]) -> RatioInterval | None:
    """Return the geometric mean of ratios with the 95 % Student t interval of their logarithms; None for no values."""
    interval = student_interval([math.log(ratio) for ratio in ratios])
    if interval is None:
        return None
    mean = math.exp(interval.mean)
    if interval.half_width is None:
        return RatioInterval(mean, None, None, interval.count)
    return RatioInterval(mean, math.exp(interval.low), math.exp(interval.high), interval.count)


def judge(published: float | None, ours: Interval | None, comparable: bool = True) -> Verdict:
    """Say how our interval stands to a published number, both in the same unit.

    `within`: the published number lies in our interval. `above` and `below`: ours lies above or below it.
    """
    if ours is None:
        return "not_run"
    if published is None:
        return "unpublished"
    if not comparable:
        return "incomparable"
    if ours.half_width is None:
        return "single"
    if abs(published - ours.mean) <= ours.half_width:
        return "within"
    return "above" if ours.mean > published else "below"

"""Confidence intervals: over seeds and test persons at once, over seeds alone, and of ratios."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from taskshare.statistics.contributions import Contributions

LEVEL = 0.95
ROUNDING = 1e-12
"""Means and errors that are 0 by rights may differ from it by rounding."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval, and the spreads that make it wide.

    Attributes:
        mean: Over seeds.
        half_width: Of the interval; None where nothing tells a spread.
        seeds: How many.
        persons: How many test persons were drawn anew in thought; 0: the test set counts as fixed.
        standard_error: Of the mean.
        df: Degrees of freedom of Student's t.
        seed_sd: Standard deviation between seeds on test sets without end; None with one seed.
        person_sd: Of what persons contribute, the same for all seeds.
        interaction_sd: Of what persons contribute for one seed beyond that; with one seed `person_sd` holds both.
    """

    mean: float
    half_width: float | None
    seeds: int
    persons: int = 0
    standard_error: float | None = None
    df: float | None = None
    seed_sd: float | None = None
    person_sd: float | None = None
    interaction_sd: float | None = None

    @property
    def low(self) -> float:
        """Lower end; the mean itself without an interval."""
        return self.mean - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        """Upper end; the mean itself without an interval."""
        return self.mean + (self.half_width or 0.0)

    def p_value(self, null: float = 0.0) -> float:
        """Return the two-sided p-value of the hypothesis that the true mean is `null`.

        Without an interval it is 1, and without any spread 1 or 0.
        """
        if self.standard_error is None:
            return 1.0
        if self.standard_error < ROUNDING:
            return float(abs(self.mean - null) < ROUNDING)
        return float(2 * stats.t.sf(abs(self.mean - null) / self.standard_error, self.df))


def crossed(contributions: Contributions) -> Interval | None:
    """Return the mean over seeds with the interval of a crossed design: every seed answers for every test person.

    Other seeds and other test persons would both give other numbers. This is the analysis of variance of multi-reader
    multi-case studies (Dorfman, Berbaum and Metz 1992; Obuchowski and Rockette 1995), with seeds for readers and
    persons for cases, and with the degrees of freedom of Hillis (2007). With MS_s, MS_p and MS_sp the mean
    squares of S seeds, P persons and their interaction, in which all images of a person count as one unit:

        variance = (MS_s + max(MS_p - MS_sp, 0)) / (S P)
        df = (MS_s + max(MS_p - MS_sp, 0))^2 / (MS_s^2 / (S - 1)), P - 1 at most

    With one seed the interval is that of the persons alone, with P - 1 degrees of freedom: it says nothing about other
    seeds. With one person there is none.

    Args:
        contributions: a statistic by seed and person.

    Returns:
        None without seeds, or where the statistic is undefined.
    """
    values = contributions.values
    seeds, persons = values.shape
    if not seeds or np.isnan(values).any():
        return None
    by_seed, by_person = values.mean(axis=1), values.mean(axis=0)
    mean = float(contributions.estimates.mean())
    if persons == 1:
        return Interval(mean, None, seeds, persons)
    of_persons = seeds * float(by_person.var(ddof=1))
    if seeds == 1:
        return _interval(mean, of_persons / persons, persons - 1, 1, persons, person_sd=math.sqrt(of_persons))
    of_seeds = persons * float(by_seed.var(ddof=1))
    left = values - by_seed[:, None] - by_person + values.mean()
    of_both = float((left**2).sum()) / ((seeds - 1) * (persons - 1))
    excess = max(of_persons - of_both, 0.0)
    return _interval(
        mean,
        (of_seeds + excess) / (seeds * persons),
        degrees_of_freedom(of_seeds, excess, seeds, persons),
        seeds,
        persons,
        seed_sd=math.sqrt(max(of_seeds - of_both, 0.0) / persons),
        person_sd=math.sqrt(excess / seeds),
        interaction_sd=math.sqrt(of_both),
    )


def degrees_of_freedom(of_seeds: float, excess: float, seeds: int, persons: int) -> float:
    """Return the degrees of freedom of `crossed`.

    Args:
        of_seeds: MS_s.
        excess: max(MS_p - MS_sp, 0).
        seeds: S, two or more.
        persons: P, two or more.
    """
    # Seeds that all give the same leave persons as the only spread.
    ratio = 1 + excess / of_seeds if of_seeds > 0 else math.inf
    return min((seeds - 1) * ratio * ratio, persons - 1)


def student_interval(values: Sequence[float]) -> Interval | None:
    """Return the mean of independent repetitions with its 95 % Student t interval; None for no values."""
    count = len(values)
    if count == 0:
        return None
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return _interval(mean, variance / count, count - 1, count, 0, seed_sd=math.sqrt(variance))


def _interval(mean: float, variance: float, df: float, seeds: int, persons: int, **spreads: float) -> Interval:
    error = math.sqrt(variance)
    half_width = float(stats.t.ppf(0.5 + LEVEL / 2, df)) * error
    return Interval(mean, half_width, seeds, persons, error, df, **spreads)


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
        return RatioInterval(mean, None, None, interval.seeds)
    return RatioInterval(mean, math.exp(interval.low), math.exp(interval.high), interval.seeds)

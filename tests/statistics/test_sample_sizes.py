"""How many seeds or test persons would decide."""

import math

import pytest
from scipy import stats

from taskshare.statistics.intervals import Interval, student_interval
from taskshare.statistics.sample_sizes import persons_needed, seeds_needed


def spread(mean, *, seed=0.0, person=0.0, interaction=1e-6, seeds=3, persons=300):
    return Interval(mean, 99.0, seeds, persons, 40.0, 2.0, seed_sd=seed, person_sd=person, interaction_sd=interaction)


def test_seeds_alone_are_students_test():
    """Half a standard deviation is seen with 18 values and not with 17."""
    needed = seeds_needed(spread(1.0, seed=2.0))
    assert needed == 18
    assert stats.t.ppf(0.975, 17) * 2 / math.sqrt(18) < 1 < stats.t.ppf(0.975, 16) * 2 / math.sqrt(17)
    assert seeds_needed(spread(2.0, seed=2.0), null=1.0) == needed
    pair = student_interval([1.0, 5.0])
    assert seeds_needed(pair) == min(n for n in range(2, 50) if stats.t.ppf(0.975, n - 1) * pair.seed_sd < 3 * n**0.5)


def test_persons_alone_need_persons():
    found = spread(1.0, person=20.0)
    assert seeds_needed(found) is None, "another seed finds the same persons hard"
    assert persons_needed(found) == pytest.approx((1.96 * 20) ** 2, rel=0.01)


def test_seeds_alone_are_not_helped_by_persons():
    assert persons_needed(spread(1.0, seed=2.0)) is None


def test_no_number_decides_an_effect_of_nothing():
    assert seeds_needed(spread(0.0, seed=1.0)) is None

"""Student's t where some values are bounds."""

import math

import numpy as np
import pytest
from scipy import stats

from taskshare.statistics.censored import censored_interval


def test_without_bounds_it_is_students_interval():
    values = [1.1, 1.5, 1.2, 0.4]
    found = censored_interval(values, ["exactly"] * 4)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high), abs=1e-5)
    assert found.p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-4)


def test_values_that_are_all_the_same_have_no_width():
    found = censored_interval([1.4, 1.4, 1.4], ["exactly"] * 3)
    assert (found.mean, found.low, found.high) == pytest.approx((1.4, 1.4, 1.4), abs=1e-5)
    assert found.p_value < 1e-6


def test_a_bound_from_below_draws_the_mean_up_and_opens_the_upper_end():
    values = [1.1, 1.5, 1.2, 1.3]
    exact = censored_interval(values, ["exactly"] * 4)
    bound = censored_interval(values, ["exactly", "exactly", "exactly", "at_least"])
    left_out = censored_interval(values[:3], ["exactly"] * 3)
    assert bound.mean > exact.mean
    assert bound.mean > left_out.mean, "what took longer counts"
    assert bound.high > exact.high
    mirrored = censored_interval([-value for value in values], ["exactly", "exactly", "exactly", "at_most"])
    assert (mirrored.low, mirrored.high) == pytest.approx((-bound.high, -bound.low), rel=1e-4)


def test_the_mean_agrees_with_scipys_fit():
    values, known = [1.1, 1.5, 1.2, 1.3, 0.9], ["exactly", "exactly", "exactly", "at_least", "exactly"]
    data = stats.CensoredData(uncensored=[1.1, 1.5, 1.2, 0.9], right=[1.3])
    assert censored_interval(values, known).mean == pytest.approx(stats.norm.fit(data)[0], abs=1e-3)


def test_fewer_than_two_exact_values_tell_no_spread():
    assert censored_interval([1.0, 2.0, 3.0], ["at_least", "exactly", "at_least"]) is None


def test_many_bounds_leave_the_end_open_or_far():
    found = censored_interval([0.5, 0.6, 2.0, 2.0, 2.0], ["exactly", "exactly", *["at_least"] * 3])
    assert found.high > 5
    assert math.isfinite(found.low)

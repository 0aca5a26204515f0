"""Intervals by hand, against an analysis of variance, and at their limits."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from taskshare.statistics.contributions import Contributions
from taskshare.statistics.intervals import Interval, crossed, ratio_interval, student_interval


def test_interval_of_two_seeds_by_hand():
    # t of 0.975 with one degree of freedom is 12.7062; the standard deviation of 80 and 82 is the root of 2.
    interval = student_interval([80.0, 82.0])
    assert interval is not None
    assert interval.mean == 81.0
    assert interval.seeds == 2
    assert interval.half_width == pytest.approx(12.7062 * math.sqrt(2) / math.sqrt(2), abs=1e-3)


def test_interval_of_five_seeds_by_hand():
    interval = student_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert interval is not None
    assert interval.half_width == pytest.approx(2.7764 * math.sqrt(2.5 / 5), abs=1e-3)


def test_one_seed_has_no_interval_and_none_has_no_mean():
    assert student_interval([90.0]) == Interval(90.0, None, 1)
    assert student_interval([]) is None


def contributions(values):
    """Contributions with these values (seeds, persons)."""
    values = np.asarray(values, float)
    estimates = values.mean(axis=1)
    persons = pd.Index(range(values.shape[1]))
    influence = (values - estimates[:, None]) / len(persons)
    return Contributions(tuple(range(len(values))), persons, estimates, influence)


def test_crossed_interval_by_hand():
    # Means of seeds 2 and 4, so MS_s = 2 * 2; of persons 3 and 3, so MS_p = 0; four residuals of 0.5, so MS_sp = 1.
    found = crossed(contributions([[1.5, 2.5], [4.5, 3.5]]))
    assert (found.mean, found.seeds, found.persons) == (3.0, 2, 2)
    assert found.standard_error == pytest.approx(math.sqrt(4 / 4))
    assert found.df == 1
    assert found.half_width == pytest.approx(12.7062, abs=1e-3)
    assert (found.seed_sd, found.person_sd, found.interaction_sd) == pytest.approx((math.sqrt(1.5), 0, 1))


def test_mean_squares_are_those_of_an_analysis_of_variance():
    values = np.random.default_rng(2).normal(size=(4, 30)) + np.random.default_rng(3).normal(size=(4, 1))
    table = pd.DataFrame(values).melt(ignore_index=False, var_name="person").reset_index(names="seed")
    fitted = ols("value ~ C(seed) + C(person)", table).fit()
    squares = anova_lm(fitted)["mean_sq"]
    found = crossed(contributions(values))
    excess = max(squares["C(person)"] - squares["Residual"], 0)
    assert found.standard_error**2 == pytest.approx((squares["C(seed)"] + excess) / 120)
    assert found.df == pytest.approx((squares["C(seed)"] + excess) ** 2 / (squares["C(seed)"] ** 2 / 3))
    assert found.interaction_sd**2 == pytest.approx(squares["Residual"])


def test_persons_that_all_seeds_find_hard_add_degrees_of_freedom():
    """Seeds alike and persons unlike: all there is to know is the persons, as for one seed."""
    person = np.random.default_rng(1).normal(size=50)
    found = crossed(contributions([person] * 3))
    alone = crossed(contributions([person]))
    assert (found.df, found.half_width) == (49, pytest.approx(alone.half_width))
    assert alone.half_width == pytest.approx(stats.t.ppf(0.975, 49) * stats.sem(person))


def test_seeds_that_differ_on_equal_persons_give_students_interval():
    found = crossed(contributions(np.repeat([[80.0], [82.0], [87.0]], 40, axis=1)))
    alone = student_interval([80.0, 82.0, 87.0])
    assert (found.df, found.half_width) == (2, pytest.approx(alone.half_width))
    assert found.seed_sd == pytest.approx(alone.seed_sd)


def test_no_interval_without_seeds_numbers_or_a_second_person():
    assert crossed(contributions(np.empty((0, 3)))) is None
    assert crossed(contributions([[math.nan, 1.0]])) is None
    assert crossed(contributions([[3.0]])).half_width is None


def test_p_value_is_students():
    interval = student_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    for null in (0.0, 2.0):
        assert interval.p_value(null) == pytest.approx(stats.ttest_1samp([1, 2, 3, 4, 5], null).pvalue)
    assert (student_interval([2.0, 2.0]).p_value(2.0), student_interval([2.0, 2.0]).p_value(0.0)) == (1, 0)
    assert student_interval([2.0]).p_value() == 1


def test_ratios_are_averaged_on_the_log_scale():
    found = ratio_interval([2.0, 8.0])
    assert (found.mean, found.count) == (pytest.approx(4), 2)
    assert found.low == pytest.approx(4 * math.exp(-12.7062 * math.log(4) / 2), rel=1e-4)
    assert found.high == pytest.approx(16 / found.low)
    assert ratio_interval([3.0]).low is None
    assert ratio_interval([]) is None

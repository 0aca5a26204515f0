"""Whether a grouping fits: all partitions of the same sizes, and the p-value over them."""

import math

import numpy as np
import pytest
from scipy import stats

from taskshare.statistics.permutation import (
    MOST_PARTITIONS,
    count_partitions,
    group_contrast,
    partitions,
    permutation_test,
)

PAPER = np.array([0, 0, 0, 1, 1, 2, 2])  # the sizes of Fang 2017's groups


@pytest.mark.parametrize(
    ("groups", "count"),
    [(PAPER, 105), ([0, 0, 0, 1, 1], 10), ([0, 0, 1, 1], 3), ([0, 1, 2], 1), ([0, 0], 1)],
)
def test_every_partition_is_listed_once(groups, count):
    listed = list(partitions(np.array(groups)))
    as_sets = {frozenset(frozenset(np.flatnonzero(labels == name)) for name in labels) for labels in listed}
    assert len(listed) == len(as_sets) == count_partitions(np.array(groups)) == count
    sizes = sorted(np.unique(groups, return_counts=True)[1])
    assert all(sorted(np.unique(labels, return_counts=True)[1]) == sizes for labels in listed)


def test_the_p_value_is_that_of_scipys_test_over_all_orders():
    matrix = np.random.default_rng(3).random((6, 6))
    groups = np.array([0, 0, 0, 1, 1, 2])
    matrix[groups[:, None] == groups] += 0.2

    def contrast(labels):
        return group_contrast(matrix, labels)

    found = permutation_test(contrast, groups)
    expected = stats.permutation_test(
        (groups,), contrast, permutation_type="pairings", alternative="greater", n_resamples=math.factorial(6)
    )
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert 0 < found.p_value < 0.5


def test_no_p_value_is_below_the_share_of_the_observed_grouping():
    perfect = (PAPER[:, None] == PAPER).astype(float)
    found = permutation_test(lambda labels: group_contrast(perfect, labels), PAPER)
    assert (found.statistic, found.partitions) == (1.0, 105)
    assert found.p_value == found.smallest_p == 1 / 105


def test_a_statistic_that_all_share_proves_nothing():
    assert permutation_test(lambda labels: 0.1 + 0.2 if labels[0] == 0 else 0.3, PAPER).p_value == 1  # by rounding only
    assert permutation_test(lambda labels: math.nan, PAPER).p_value == 1


def test_many_partitions_are_drawn_at_random_the_same_each_time():
    groups = np.repeat(np.arange(4), 4)
    assert count_partitions(groups) == 2_627_625
    values = np.arange(16.0)

    def spread_of_means(labels):
        return float(np.var([values[labels == name].mean() for name in range(4)]))

    found = permutation_test(spread_of_means, groups)
    assert found == permutation_test(spread_of_means, groups)
    assert found.p_value == found.smallest_p == 1 / (MOST_PARTITIONS + 1)
    mixed = permutation_test(lambda labels: float(labels[0] == labels[1]), groups)
    assert mixed.p_value == pytest.approx(3 / 15, abs=0.02)  # of 15 others, 3 share the first one's group


def test_group_contrast_leaves_the_diagonal_out():
    matrix = np.array([[9, 0.6, 0.1], [0.4, 9, 0.2], [0.3, 0.2, 9]])
    assert group_contrast(matrix, np.array([0, 0, 1])) == pytest.approx(0.5 - 0.2)
    assert math.isnan(group_contrast(matrix, np.array([0, 1, 2])))
    assert math.isnan(group_contrast(matrix, np.array([0, 0, 0])))

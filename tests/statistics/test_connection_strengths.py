"""Alpha as a matrix or as a slope over layers, and the test of groups, by hand."""

import numpy as np
import pandas as pd
import pytest

from taskshare.statistics.connection_strengths import alpha_matrix, alpha_slope, contrast_test, shares

TASKS = ["c", "a", "d", "b"]


def table(value):
    rows = [(layer, s, t, value(layer, s, t)) for layer in (1, 2, 3) for s in "abcd" for t in "abcd"]
    return pd.DataFrame(rows, columns=["layer", "source", "target", "alpha"])


def test_rows_are_sources_columns_targets_and_seeds_are_averaged():
    seeds = [table(lambda layer, s, t, k=k: layer + (s == "a" and t == "b") + k) for k in (0, 2)]
    matrix = alpha_matrix(pd.concat(seeds), TASKS, 3)
    assert matrix[1, 3] == 5
    assert matrix[3, 1] == 4


def test_the_slope_over_layers_is_that_of_a_line():
    slopes = alpha_slope(table(lambda layer, s, t: 0.2 + 0.1 * layer * (s < t)), TASKS)
    assert slopes == pytest.approx(np.array([[0.1 if s < t else 0 for t in TASKS] for s in TASKS]))


def test_groups_that_connect_are_the_best_of_three_pairings():
    matrix = np.where(np.equal.outer([0, 1, 0, 1], [0, 1, 0, 1]), 0.9, 0.1)
    test = contrast_test(matrix, np.array([0, 1, 0, 1]))
    assert (test.statistic, test.p_value, test.partitions) == (pytest.approx(0.8), pytest.approx(1 / 3), 3)
    assert contrast_test(matrix, np.array([0, 1, 0, 1]), sign=-1).p_value == 1


def test_shares_of_a_target_sum_to_1():
    alpha = np.array([[1.0, 0.2], [0.6, 1.0]])
    np.testing.assert_allclose(shares(alpha), [[1 / 1.6, 0.2 / 1.2], [0.6 / 1.6, 1 / 1.2]])

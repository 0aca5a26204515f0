"""Strengths of learned connections, and whether tasks of one group connect more closely (Fang 2017, section 4.3)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from taskshare.statistics.permutation import PermutationTest, group_contrast, permutation_test


def shares(alpha: np.ndarray) -> np.ndarray:
    """Return what each source gives of all that a target gets, 0 to 1; a target's shares sum to 1.

    Args:
        alpha: (from i, to j), at least 0.

    Returns:
        alpha_ij / sum_k alpha_kj, of the same shape; NaN for a target that gets nothing.
    """
    with np.errstate(invalid="ignore"):
        return alpha / alpha.sum(axis=0)


def alpha_matrix(connections: pd.DataFrame, tasks: Sequence[str], layer: int) -> np.ndarray:
    """Return alpha on one layer, float64 (from, to), in the order of `tasks`; a mean over the rows of several seeds.

    Args:
        connections: rows of connections.parquet, of one seed or more.
        tasks: the tasks.
        layer: a layer that is joined.
    """
    rows = connections[connections["layer"] == layer]
    return _square(rows.groupby(["source", "target"])["alpha"].mean(), tasks)


def alpha_slope(connections: pd.DataFrame, tasks: Sequence[str]) -> np.ndarray:
    """Return the least-squares slope of alpha over layers, per layer, float64 (from, to).

    The slope of a difference of means of alpha is the difference of means of its slopes.
    """
    by_layer = connections.groupby(["source", "target", "layer"])["alpha"].mean().astype(float).unstack()
    slopes = np.polyfit(by_layer.columns.to_numpy(float), by_layer.to_numpy().T, 1)[0]
    return _square(pd.Series(slopes, by_layer.index), tasks)


def contrast_test(matrix: np.ndarray, groups: np.ndarray, sign: int = 1) -> PermutationTest:
    """Test whether a matrix (from, to) is larger within groups than between them, or with `sign` -1 smaller.

    Args:
        matrix: (n, n).
        groups: labels (n,).
        sign: 1 or -1.
    """
    return permutation_test(lambda labels: sign * group_contrast(matrix, labels), groups)


def _square(values: pd.Series, tasks: Sequence[str]) -> np.ndarray:
    square = pd.DataFrame(values.unstack("target"))
    return square.reindex(index=list(tasks), columns=list(tasks)).to_numpy(np.float64)

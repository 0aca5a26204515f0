"""Permutation test of whether a grouping fits what was measured: exact while its partitions can be listed."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from taskshare import seeds

MOST_PARTITIONS = 20_000
TOLERANCE = 1e-12
"""Statistics that are equal by rights may differ by rounding."""


@dataclass(frozen=True)
class PermutationTest:
    """Outcome of a one-sided permutation test.

    Attributes:
        statistic: of the observed grouping.
        p_value: share of the partitions whose statistic is at least the observed one, which counts too; above 0.
        smallest_p: 1 / partitions, the least p-value that this test can give.
        partitions: how many groupings were compared.
    """

    statistic: float
    p_value: float
    smallest_p: float
    partitions: int


def permutation_test(statistic: Callable[[np.ndarray], float], groups: np.ndarray) -> PermutationTest:
    """Compare a grouping with all others of the same group sizes (one-sided: greater is more extreme).

    Two labellings that put the same members together are one partition. Beyond 20,000 partitions, the observed one is
    compared with 20,000 random ones (Phipson and Smyth 2010).

    Args:
        statistic: maps integer labels (n,) to a number that does not depend on the groups' names; NaN, where a
            grouping leaves it undefined, counts as extreme.
        groups: the observed grouping's labels (n,) of any dtype; equal labels are one group.
    """
    labels = np.unique(groups, return_inverse=True)[1]
    observed = statistic(labels)
    listed = count_partitions(labels) <= MOST_PARTITIONS
    values = np.array([statistic(other) for other in (partitions(labels) if listed else _drawn(labels))])
    extreme = ~(values < observed - TOLERANCE)
    return PermutationTest(float(observed), float(extreme.mean()), 1 / len(values), len(values))


def count_partitions(groups: np.ndarray) -> int:
    """Return the number of distinct partitions with the group sizes of the labels `groups`, (n,)."""
    sizes = np.unique(groups, return_counts=True)[1].tolist()
    interchangeable = [math.factorial(times) for times in Counter(sizes).values()]
    return math.factorial(len(groups)) // math.prod([*map(math.factorial, sizes), *interchangeable])


def partitions(groups: np.ndarray) -> Iterator[np.ndarray]:
    """Yield integer labels (n,) of every distinct partition with the group sizes of the labels `groups`, (n,)."""
    sizes = np.unique(groups, return_counts=True)[1].tolist()
    labels = np.empty(len(groups), np.int64)

    def fill(waiting: list[int], left: list[int]) -> Iterator[np.ndarray]:
        if not waiting:
            yield labels.copy()
            return
        # The first member that waits says which group comes next, so no partition comes twice.
        first, *others = waiting
        for size in sorted(set(left)):
            rest = left.copy()
            rest.remove(size)
            for companions in itertools.combinations(others, size - 1):
                labels[[first, *companions]] = len(left)
                yield from fill([member for member in others if member not in companions], rest)

    return fill(list(range(len(groups))), sizes)


def _drawn(groups: np.ndarray) -> Iterator[np.ndarray]:
    generator = seeds.generator(0, "permutation test")
    yield groups
    for _ in range(MOST_PARTITIONS):
        yield generator.permutation(groups)


def group_contrast(matrix: np.ndarray, groups: np.ndarray) -> float:
    """Return the mean of a matrix within groups less its mean between groups; the diagonal takes no part.

    Args:
        matrix: (n, n), from each member to each other.
        groups: labels (n,).

    Returns:
        NaN if no group has two members, or there is one group only.
    """
    same = groups[:, None] == groups[None, :]
    within, between = matrix[same & ~np.eye(len(groups), dtype=bool)], matrix[~same]
    return float(within.mean() - between.mean()) if len(within) and len(between) else math.nan

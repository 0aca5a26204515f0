"""What each test person adds to a statistic: balanced accuracies, shares, their differences and means in one form."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Contributions:
    """A statistic by seed, and how far each test person moves it.

    Sums, differences and multiples of statistics are those of their contributions, so a table's cell and a claim that
    combines twenty of them go the same way. Two statistics are combined over the seeds that both have. A person whom
    only one of them has adds nothing to the other.

    Attributes:
        seeds: (S,), in order, each once.
        persons: (P,), each once.
        estimates: float64 (S,), the statistic; NaN where it is undefined.
        influence: float64 (S, P), the statistic's linear part (its empirical influence function, Deville 1999, over P).
            Each row sums to 0.
    """

    seeds: tuple[int, ...]
    persons: pd.Index
    estimates: np.ndarray
    influence: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """The contributions, float64 (S, P); their mean over persons is the statistic."""
        return self.estimates[:, None] + len(self.persons) * self.influence

    def __add__(self, other: Contributions) -> Contributions:
        """Return the sum over common seeds."""
        seeds = tuple(seed for seed in self.seeds if seed in other.seeds)
        persons = self.persons if self.persons.equals(other.persons) else self.persons.union(other.persons, sort=False)
        mine, others = self._of(seeds, persons), other._of(seeds, persons)
        return Contributions(seeds, persons, mine.estimates + others.estimates, mine.influence + others.influence)

    def __mul__(self, factor: float) -> Contributions:
        """Return a multiple."""
        return Contributions(self.seeds, self.persons, factor * self.estimates, factor * self.influence)

    __rmul__ = __mul__

    def __sub__(self, other: Contributions) -> Contributions:
        """Return the difference over common seeds."""
        return self + -1.0 * other

    def _of(self, seeds: tuple[int, ...], persons: pd.Index) -> Contributions:
        """Return the contributions of some of the seeds, and of more persons, who add nothing."""
        rows = [self.seeds.index(seed) for seed in seeds]
        influence = self.influence[rows]
        if persons is not self.persons:
            wide = np.zeros((len(seeds), len(persons)))
            wide[:, persons.get_indexer(self.persons)] = influence
            influence = wide
        return Contributions(seeds, persons, self.estimates[rows], influence)


def mean(parts: Sequence[Contributions]) -> Contributions:
    """Return the mean of statistics, such as a row's over its tasks, for the seeds that all of them have."""
    return (1 / len(parts)) * functools.reduce(Contributions.__add__, parts)


def over_seeds(parts: Sequence[Contributions]) -> Contributions:
    """Return one statistic of several seeds from its contributions by seed, given in the order of the seeds."""
    persons = functools.reduce(
        lambda known, more: known if known.equals(more) else known.union(more, sort=False),
        (part.persons for part in parts),
    )
    wide = [part._of(part.seeds, persons) for part in parts]
    return Contributions(
        seeds=tuple(seed for part in wide for seed in part.seeds),
        persons=persons,
        estimates=np.concatenate([part.estimates for part in wide]),
        influence=np.concatenate([part.influence for part in wide]),
    )


def of_mean(values: np.ndarray, persons: np.ndarray | pd.Categorical, seeds: Sequence[int]) -> Contributions:
    """Return the contributions to a mean over images, such as a detection rate or an accuracy.

    It is a ratio of two sums over persons, of values and of images, for persons have different numbers of images.

    Args:
        values: (S, N), by seed and image; bool for a share.
        persons: (N,), who each image shows; with an image each where that is not known. A pandas Categorical, without
            unused categories, is taken as it is.
        seeds: (S,).
    """
    units = pd.Categorical(persons)
    estimates, influence = _ratios(values, np.ones(len(units), bool), units)
    return Contributions(tuple(seeds), units.categories, estimates, influence)


def of_balanced_accuracy(
    labels: np.ndarray, decisions: np.ndarray, persons: np.ndarray | pd.Categorical, seeds: Sequence[int]
) -> Contributions:
    """Return the contributions to a balanced accuracy, 0 to 1 (Fang 2017, section 4.1).

    It is the mean of acc_p and acc_n, each a ratio of two sums over persons.

    Args:
        labels: (N,) of 0 and 1.
        decisions: bool (S, N), by seed, as `metrics.decide` returns them.
        persons: (N,), as `of_mean` takes them.
        seeds: (S,).

    Returns:
        Estimates of NaN if a class has no images.
    """
    units, positive = pd.Categorical(persons), labels == 1
    right = decisions == positive
    first, second = (_ratios(right, part, units) for part in (positive, ~positive))
    return Contributions(tuple(seeds), units.categories, (first[0] + second[0]) / 2, (first[1] + second[1]) / 2)


def _ratios(values: np.ndarray, part: np.ndarray, units: pd.Categorical) -> tuple[np.ndarray, np.ndarray]:
    """Return mean values (S,) of a part (N,) of the images, and the influence (S, P) of each person on them."""
    codes, count = units.codes[part], len(units.categories)
    images = np.bincount(codes, minlength=count)
    sums = np.array([np.bincount(codes, weights=row, minlength=count) for row in values[:, part]])
    with np.errstate(invalid="ignore"):
        estimates = sums.sum(axis=1) / images.sum()
        return estimates, (sums - estimates[:, None] * images) / images.sum()

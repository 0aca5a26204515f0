"""Paired bootstrap of differences of shares of right answers, over test images and seeds (Fang 2017, reading 25).

With few seeds the interval is narrower than their spread deserves: `n` values drawn from `n` seeds have (n - 1) / n of
the seeds' variance, half of it for two seeds and none for one.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from taskshare import seeds

REPLICATES = 2000
LEVEL = 0.95
BLOCK = 100
"""Replicates that are weighed at once: memory grows with this number times the number of test images."""

Column = tuple[str, str]
"""A job and what it answers for, a task, attribute or landmark, for all seeds of the job."""
Term = tuple[Column, ...]
"""One row of a table, or part of it: its effect is the mean of its columns' shares of right answers."""


@dataclass(frozen=True)
class Contrast:
    """The sum of some terms minus the sum of others.

    Attributes:
        plus: Terms that are added.
        minus: Terms that are subtracted.
        margin: In points. The null hypothesis is that the effect is -margin, so a margin above 0 asks whether it is
            above that (non-inferiority).
    """

    plus: tuple[Term, ...]
    minus: tuple[Term, ...]
    margin: float = 0.0

    @property
    def columns(self) -> set[Column]:
        """Every column that some term needs."""
        return {column for term in (*self.plus, *self.minus) for column in term}


@dataclass(frozen=True)
class Estimate:
    """A contrast's effect in points with its 95 % percentile interval.

    Attributes:
        effect: Mean over seeds.
        low: Lower end.
        high: Upper end.
        p_value: Two-sided, of the null hypothesis that the effect is -margin; at least 2 / (replicates + 1).
        seeds: The seeds that have every column.
    """

    effect: float
    low: float
    high: float
    p_value: float
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class _Images:
    """Test images with right and wrong answers of the nets that were asked; no labels where classes do not count."""

    ids: pd.Index
    positive: np.ndarray | None
    correct: dict[tuple[Column, int], np.ndarray] = field(default_factory=dict)

    @property
    def classes(self) -> list[np.ndarray | slice]:
        """The images whose shares of right answers are averaged: positives and negatives, or all together."""
        return [slice(None)] if self.positive is None else [self.positive, ~self.positive]


class Answers:
    """Which test images of one data set each net got right, by column and seed.

    Answers to the same images with the same labels share them: only a bool per image is kept for each net and column.
    """

    def __init__(self) -> None:
        self._groups: list[_Images] = []
        self._seeds: dict[Column, set[int]] = {}

    def add(
        self, column: Column, seed: int, ids: Sequence[str] | pd.Series, labels: np.ndarray | None, correct: np.ndarray
    ) -> None:
        """Keep one net's answers.

        Args:
            column: The net's job, and what it answers for.
            seed: The net's seed.
            ids: (N,) names of the test images, each once.
            labels: (N,) of 0 and 1, for balanced accuracy; None for the plain share of right answers.
            correct: bool (N,).
        """
        index, positive = pd.Index(ids), None if labels is None else np.asarray(labels) == 1
        for group in self._groups:
            if _equal(positive, group.positive) and index.equals(group.ids):
                break
        else:
            group = _Images(index, positive)
            self._groups.append(group)
        group.correct[column, seed] = np.asarray(correct, dtype=bool)
        self._seeds.setdefault(column, set()).add(seed)

    def seeds(self, contrast: Contrast) -> tuple[int, ...]:
        """Return the seeds that have every column of a contrast, in order."""
        return tuple(sorted(set.intersection(*(self._seeds.get(column, set()) for column in contrast.columns))))

    def replicated(self, generator: np.random.Generator, replicates: int) -> dict[tuple[Column, int], np.ndarray]:
        """Return each net's share of right answers, 0 to 1, float64 (1 + replicates,): the observed one first.

        Every replicate draws as many images as there are, with replacement, from all images of the data set, the same
        ones for every net. It is NaN for a balanced accuracy of which it holds no positives or no negatives.
        """
        ids = functools.reduce(lambda known, more: known.union(more), (group.ids for group in self._groups))
        parts = []
        for group in self._groups:
            positions, correct = ids.get_indexer(group.ids), np.array(list(group.correct.values()), np.float32)
            parts += [(positions[chosen], correct[:, chosen]) for chosen in group.classes]
        shares: list[list[np.ndarray]] = [[] for _ in parts]
        for weights in _weights(generator, len(ids), replicates):
            for part, (positions, correct) in zip(shares, parts, strict=True):
                weighted = weights[positions]
                with np.errstate(invalid="ignore"):
                    part.append((correct @ weighted).astype(np.float64) / weighted.sum(axis=0))
        by_class = iter(shares)
        found: dict[tuple[Column, int], np.ndarray] = {}
        for group in self._groups:
            of_group = [np.concatenate(next(by_class), axis=1) for _ in group.classes]
            found.update(zip(group.correct, np.mean(of_group, axis=0), strict=True))
        return found


def paired_bootstrap(
    dataset: str, answers: Answers, contrasts: Sequence[Contrast], replicates: int = REPLICATES
) -> list[Estimate | None]:
    """Estimate contrasts of one data set with the same draws of test images, and of seeds, for all their terms.

    Args:
        dataset: Name of the data set; the draws depend on it, on the test images and on the seeds alone.
        answers: The nets' answers to the data set's test images.
        contrasts: What to estimate.
        replicates: Number of draws.

    Returns:
        An estimate for each contrast; None if no seed has all of its columns, or one of its columns has no balanced
        accuracy, for its test images all have one label.
    """
    if not any(answers.seeds(contrast) for contrast in contrasts):
        return [None for _ in contrasts]
    shares = answers.replicated(seeds.generator(0, "bootstrap", dataset), replicates)
    estimates = []
    for contrast in contrasts:
        common = answers.seeds(contrast)
        estimates.append(_estimate(dataset, contrast, common, shares, replicates) if common else None)
    return estimates


def _estimate(
    dataset: str,
    contrast: Contrast,
    common: tuple[int, ...],
    shares: dict[tuple[Column, int], np.ndarray],
    replicates: int,
) -> Estimate | None:
    def total(terms: tuple[Term, ...], seed: int) -> np.ndarray:
        means = [np.mean([shares[column, seed] for column in term], axis=0) for term in terms]
        return np.sum(means, axis=0)

    by_seed = 100 * np.array([total(contrast.plus, seed) - total(contrast.minus, seed) for seed in common])
    drawn = seeds.generator(0, "bootstrap", dataset, *common).integers(0, len(common), (len(common), replicates))
    effects = np.take_along_axis(by_seed[:, 1:], drawn, axis=0).mean(axis=0)
    effects = effects[np.isfinite(effects)]
    if not len(effects):
        return None
    low, high = np.quantile(effects, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    tail = min(np.sum(effects <= -contrast.margin), np.sum(effects >= -contrast.margin))
    return Estimate(
        effect=float(by_seed[:, 0].mean()),
        low=float(low),
        high=float(high),
        p_value=float(min(1.0, 2 * (tail + 1) / (len(effects) + 1))),
        seeds=common,
    )


def _equal(labels: np.ndarray | None, others: np.ndarray | None) -> bool:
    return labels is others if labels is None or others is None else np.array_equal(labels, others)


def _weights(generator: np.random.Generator, images: int, replicates: int) -> Iterator[np.ndarray]:
    """Yield how often each image is drawn: ones, then multinomial counts; float32 (images, at most BLOCK).

    Their sums are whole numbers below 2**24, which float32 holds exactly in whatever order they are added.
    """
    yield np.ones((images, 1), np.float32)
    for start in range(0, replicates, BLOCK):
        count = min(BLOCK, replicates - start)
        draws = generator.integers(0, images, (images, count)) * count + np.arange(count)
        yield np.bincount(draws.ravel(), minlength=images * count).reshape(images, count).astype(np.float32)

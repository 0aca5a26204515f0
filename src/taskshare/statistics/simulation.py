"""How often the crossed interval holds the truth, in nets and test sets that are drawn at random."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from taskshare.statistics.contributions import of_balanced_accuracy
from taskshare.statistics.intervals import Interval, crossed

PERSON, IMAGE, ANSWER = 0.5, 0.5, 0.7
"""Standard deviations of what makes a person, an image, and an image for one net alone easier than others."""
PILOTS = 300


@dataclass(frozen=True)
class Design:
    """Nets of several seeds and a test set.

    A net answers right where its skill + person + image + answer, the last three drawn from normal distributions, is
    above 0. So nets agree on what is hard, and on the images of a person even more. A net's true accuracy is its
    design's plus a normal deviation, so the truth about all nets and persons is known.

    Attributes:
        seeds: number of nets.
        seed_spread: standard deviation of the true accuracy between nets, in those of a net's measured accuracy
            between test sets.
        images: least and largest number of images a person; each number between is as likely.
        persons: number of test persons.
        positives: share of images with label 1; each person tends to one label.
        accuracies: acc_p and acc_n.
    """

    seeds: int
    seed_spread: float
    images: tuple[int, int] = (1, 20)
    persons: int = 300
    positives: float = 0.3
    accuracies: tuple[float, float] = (0.75, 0.8)


def coverage(design: Design, replicates: int, generator: np.random.Generator) -> float:
    """Return the share of intervals that hold the true balanced accuracy, 0 to 1.

    Args:
        design: what is drawn.
        replicates: number of draws, of nets and test set anew each time.
        generator: source of chance.
    """
    truth = sum(design.accuracies) / 2
    pilots = [draw(replace(design, seeds=1), 0.0, generator).mean for _ in range(PILOTS if design.seed_spread else 0)]
    seed_sd = design.seed_spread * float(np.std(pilots)) if pilots else 0.0
    intervals = (draw(design, seed_sd, generator) for _ in range(replicates))
    return sum(interval.low <= truth <= interval.high for interval in intervals) / replicates


def draw(design: Design, seed_sd: float, generator: np.random.Generator) -> Interval:
    """Return the interval of one draw, for nets whose true accuracies have the standard deviation `seed_sd`."""
    least, largest = design.images
    persons = np.repeat(np.arange(design.persons), generator.integers(least, largest + 1, design.persons))
    tendency = generator.beta(2 * design.positives, 2 * (1 - design.positives), design.persons)
    labels = (generator.random(len(persons)) < tendency[persons]).astype(np.int8)
    shifts = seed_sd * generator.standard_normal((design.seeds, 1))
    skills = math.hypot(PERSON, IMAGE, ANSWER) * stats.norm.ppf(np.clip(shifts + design.accuracies, 0.01, 0.99))
    ease = PERSON * generator.standard_normal(design.persons)[persons]
    ease += IMAGE * generator.standard_normal(len(persons))
    own = ANSWER * generator.standard_normal((design.seeds, len(persons)), dtype=np.float32)
    right = skills[:, 1 - labels] + ease + own > 0
    interval = crossed(of_balanced_accuracy(labels, right == labels, persons, range(design.seeds)))
    assert interval is not None  # some hundred persons have both labels
    return interval

"""How often the crossed interval holds the truth, in nets and test sets that are drawn at random."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from taskshare.statistics.contributions import of_balanced_accuracy
from taskshare.statistics.intervals import Interval, crossed

PERSON, IMAGE, ANSWER = 0.5, 0.5, 0.7
"""Standard deviations of what makes a person, an image, and an image for one net easier than others, on the scale of
the net's answer. They sum to about 1 in squares."""


@dataclass(frozen=True)
class Design:
    """Nets of several seeds and a test set.

    A net answers right where skill + seed + person + image + answer, the last four drawn from normal distributions, is
    above 0. So nets agree on what is hard, images of a person more so, and the true accuracy is known.

    Attributes:
        seeds: number of nets.
        persons: number of test persons.
        images: least and largest number of images a person; each is as likely as those between.
        seed_spread: standard deviation of accuracy between nets, in those of one net's accuracy between test sets.
        positives: share of images with label 1; each person has a tendency to be one.
        skills: true acc_p and acc_n.
    """

    seeds: int
    seed_spread: float
    images: tuple[int, int] = (1, 20)
    persons: int = 300
    positives: float = 0.3
    skills: tuple[float, float] = (0.85, 0.92)


def coverage(design: Design, replicates: int, generator: np.random.Generator) -> float:
    """Return the share of intervals that hold the true balanced accuracy, 0 to 1.

    Args:
        design: what is drawn.
        replicates: number of draws, of nets and test set anew each time.
        generator: source of chance.
    """
    seed_sd = _seed_sd(design, generator)
    truth = sum(design.skills) / 2
    held = 0
    for _ in range(replicates):
        interval = draw(design, seed_sd, generator)
        held += interval is not None and interval.low <= truth <= interval.high
    return held / replicates


def draw(design: Design, seed_sd: float, generator: np.random.Generator) -> Interval | None:
    """Return the interval of one draw; `seed_sd` is the standard deviation between nets, on the scale of answers."""
    least, largest = design.images
    persons = np.repeat(np.arange(design.persons), generator.integers(least, largest + 1, design.persons))
    tendency = generator.beta(2 * design.positives, 2 * (1 - design.positives), design.persons)
    labels = (generator.random(len(persons)) < tendency[persons]).astype(np.int8)
    # What the probit model adds to the threshold widens the distribution, so the same skill asks for a higher mean.
    width = math.sqrt(seed_sd**2 + PERSON**2 + IMAGE**2 + ANSWER**2)
    means = width * stats.norm.ppf(design.skills)
    shared = PERSON * generator.standard_normal(design.persons)[persons]
    shared += IMAGE * generator.standard_normal(len(persons)) + means[1 - labels]
    own = ANSWER * generator.standard_normal((design.seeds, len(persons)), dtype=np.float32)
    own += seed_sd * generator.standard_normal((design.seeds, 1))
    right = own + shared > 0
    contributions = of_balanced_accuracy(labels, right == labels, persons, range(design.seeds))
    return crossed(contributions)


def _seed_sd(design: Design, generator: np.random.Generator) -> float:
    """Return the standard deviation between nets, on the scale of answers, that gives the design's seed spread."""
    if not design.seed_spread:
        return 0.0
    one_net = replace(design, seeds=1)
    drawn = [draw(one_net, 0.0, generator) for _ in range(200)]
    wanted = design.seed_spread * float(np.std([interval.mean for interval in drawn if interval]))
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)

    def between(seed_sd: float) -> float:
        inner = math.sqrt(PERSON**2 + IMAGE**2 + ANSWER**2)
        means = math.hypot(inner, seed_sd) * stats.norm.ppf(design.skills)
        accuracy = stats.norm.cdf((means + seed_sd * nodes[:, None]) / inner).mean(axis=1)
        mean = np.average(accuracy, weights=weights)
        return math.sqrt(np.average((accuracy - mean) ** 2, weights=weights))

    low, high = 0.0, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if between(middle) > wanted else (middle, high)
    return high

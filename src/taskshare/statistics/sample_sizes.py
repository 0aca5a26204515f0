"""How many seeds or test persons would decide what is undecided, at the effect and the spreads observed."""

import math
from collections.abc import Callable

from scipy import stats

from taskshare.statistics.intervals import LEVEL, Interval, degrees_of_freedom

MOST_SEEDS = 1000
MOST_PERSONS = 10_000_000


def seeds_needed(interval: Interval, null: float = 0.0) -> int | None:
    """Return the least number of seeds whose interval would leave out `null`, on as many test persons as now.

    Args:
        interval: of two seeds or more.
        null: what the interval shall leave out.

    Returns:
        None if 1,000 would not do, for then the test set is too small.
    """
    return _least(lambda seeds: _half_width(interval, seeds, interval.persons), abs(interval.mean - null), MOST_SEEDS)


def persons_needed(interval: Interval, null: float = 0.0) -> int | None:
    """Return the least number of test persons whose interval would leave out `null`, with as many seeds as now.

    Args:
        interval: as `intervals.crossed` returns it, of two seeds or more.
        null: what the interval shall leave out.

    Returns:
        None if ten millions would not do, for then the seeds are too few.
    """
    return _least(
        lambda persons: _half_width(interval, interval.seeds, persons), abs(interval.mean - null), MOST_PERSONS
    )


def _half_width(interval: Interval, seeds: int, persons: int) -> float:
    """Return the half width that mean squares at their expectations give."""
    assert interval.seed_sd is not None
    if interval.person_sd is None or interval.interaction_sd is None:  # seeds alone
        return float(stats.t.ppf(0.5 + LEVEL / 2, seeds - 1)) * interval.seed_sd / math.sqrt(seeds)
    of_seeds = interval.interaction_sd**2 + persons * interval.seed_sd**2
    excess = seeds * interval.person_sd**2
    df = degrees_of_freedom(of_seeds, excess, seeds, persons)
    return float(stats.t.ppf(0.5 + LEVEL / 2, df)) * math.sqrt((of_seeds + excess) / (seeds * persons))


def _least(half_width: Callable[[int], float], distance: float, most: int) -> int | None:
    """Return the least number from 2 to `most` with a half width below a distance; half widths fall with numbers."""
    if half_width(most) >= distance:
        return None
    low, high = 1, most  # too few, enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width(middle) < distance else (middle, high)
    return high

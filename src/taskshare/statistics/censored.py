"""Student's t for values of which some are known only as bounds, such as times to a mark that was never reached."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from taskshare.statistics.intervals import LEVEL

Known = Literal["exactly", "at_least", "at_most"]
FARTHEST = 30.0
"""Standard deviations and more from the values, where an end of an interval counts as infinite."""


@dataclass(frozen=True)
class CensoredInterval:
    """A mean with its 95 % interval, and the p-value of a mean of 0.

    Attributes:
        mean: of the normal distribution that fits best.
        low: lower end; -inf where only upper bounds are known.
        high: upper end; inf likewise.
        p_value: two-sided.
    """

    mean: float
    low: float
    high: float
    p_value: float


def censored_interval(values: Sequence[float], known: Sequence[Known]) -> CensoredInterval | None:
    """Return the mean of normal values of which some are bounds, with its 95 % interval.

    Values are fitted by maximum likelihood (Tobin 1958), in which a bound counts with the probability of what lies
    beyond it; to leave it out would favour the nets that are quick. The interval holds the means whose likelihood ratio
    is not too small. Its threshold is that of Student's t, n log(1 + t^2 / (n - 1)), with n the number of exact values,
    so that without bounds this is Student's interval.

    Args:
        values: (n,), finite.
        known: (n,), whether each value is exact, or the true one is at least or at most as large.

    Returns:
        None with fewer than two exact values, which tell no spread.
    """
    data, kinds = np.asarray(values, np.float64), np.array(known)
    exact = data[kinds == "exactly"]
    if len(exact) < 2:
        return None
    spread = max(float(data.std()), 1e-9)
    centre = float(data.mean())
    scaled = (data - centre) / spread

    def cost(mean: float) -> float:
        return _least_cost(scaled, kinds, mean)

    best = minimize_scalar(cost, bounds=(-FARTHEST, FARTHEST), method="bounded", options={"xatol": 1e-9})
    count = len(exact)
    limit = best.fun + 0.5 * count * math.log1p(float(stats.t.ppf(0.5 + LEVEL / 2, count - 1)) ** 2 / (count - 1))

    def end(direction: int) -> float:
        far = direction * FARTHEST
        if cost(far) <= limit:
            return direction * math.inf
        found: float = brentq(lambda mean: cost(mean) - limit, best.x, far)
        return centre + spread * found

    at_null = 2 * (cost((0 - centre) / spread) - best.fun)
    statistic = math.sqrt(max((count - 1) * math.expm1(min(at_null / count, 500.0)), 0.0))
    return CensoredInterval(
        centre + spread * float(best.x), end(-1), end(1), float(2 * stats.t.sf(statistic, count - 1))
    )


def _least_cost(values: np.ndarray, kinds: np.ndarray, mean: float) -> float:
    """Return the negative log likelihood of a mean with the standard deviation that fits it best."""
    away = values - mean
    exact, beyond = away[kinds == "exactly"], np.where(kinds == "at_least", away, -away)[kinds != "exactly"]

    def cost(log_precision: float) -> float:
        precision = math.exp(log_precision)
        squares = 0.5 * precision**2 * float((exact**2).sum())
        return squares - len(exact) * log_precision - float(stats.norm.logsf(precision * beyond).sum())

    found = minimize_scalar(cost, bounds=(-5.0, 20.0), method="bounded", options={"xatol": 1e-9})
    return float(found.fun)

"""Whether a claim holds that a task is learned so many times sooner (Fang 2017, section 4.4)."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from taskshare.evaluation.claims.entries import Plan
from taskshare.evaluation.claims.judged import JudgedCell, Verdict
from taskshare.evaluation.intervals import ratio_interval


def cell(absent: JudgedCell, ratios: Sequence[float]) -> JudgedCell:
    """Return the geometric mean of ratios with its Student t interval, and the p-value of a ratio of 1."""
    interval = ratio_interval(ratios)
    if interval is None:
        return absent
    found = replace(absent, effect=interval.mean, low=interval.low, high=interval.high, seeds=interval.count)
    if interval.low is None:
        return replace(found, note="one seed: no interval")
    # Ratios that are all the same have no t statistic.
    same = len(set(ratios)) == 1
    p_value = float(interval.mean == 1) if same else float(stats.ttest_1samp(np.log(ratios), 0.0).pvalue)
    return replace(found, p_value=p_value, adjusted=p_value)


def verdict(cell: JudgedCell, bounds: tuple[float, float], goal: str, plan: Plan) -> tuple[Verdict, str]:
    """Judge a ratio by its interval, which should lie within the bounds, and say so in words."""
    numbers = f"training alone takes {cell.effect or math.nan:.1f} times as many iterations to {goal}"
    if cell.low is None or cell.high is None:
        return "undecided", f"With one seed, which decides nothing, {numbers}."
    numbers += f" ({cell.low:.1f} to {cell.high:.1f} times)"
    low, high = bounds
    if cell.seeds < plan.least_seeds:
        return "undecided", f"Fewer than {plan.least_seeds} seeds decide nothing: {numbers}."
    if low <= cell.low and cell.high <= high:
        return "holds", f"As much faster as published: {numbers}."
    if cell.low > high:
        return "does_not_hold", f"Faster by more than {high:g} times: {numbers}."
    if cell.high < 1:
        return "does_not_hold", f"Slower: {numbers}."
    if cell.high < low:
        faster = "Faster, but" if cell.low > 1 else "Perhaps not faster, and"
        return "does_not_hold", f"{faster} not {low:g} times: {numbers}."
    return "undecided", f"The interval is not within {low:g} to {high:g} times: {numbers}."

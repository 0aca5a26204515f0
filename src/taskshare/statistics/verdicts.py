"""What an interval says: of a claim, of several claims at once, and of a published number."""

from collections.abc import Collection, Sequence
from typing import Literal

from statsmodels.stats.multitest import multipletests

from taskshare.statistics.intervals import Interval

Side = Literal["supports", "as_good", "contradicts", "undecided"]
"""What one comparison says of its claim. `as_good`: it supports a claim of "as good as", within the margin."""
Verdict = Literal["holds", "holds_as_good", "does_not_hold", "undecided"]
Standing = Literal["within", "too_wide", "above", "below", "single", "not_run", "unpublished", "incomparable"]


def side(interval: Interval, margin: float, adjusted: float, significance: float, least_seeds: int) -> Side:
    """Say what a comparison says of a claim of "better" (no margin) or of "as good as" (within a margin).

    It is for the claim by its own two-sided test, since all comparisons of a claim have to be (`conjunction`), and
    against it by the p-value that is corrected for all comparisons (`holm`).

    Args:
        interval: of the difference that the claim wants above 0, or above minus the margin.
        margin: what counts as equally good; 0 or more, in the interval's unit.
        adjusted: corrected p-value of the hypothesis that the difference is minus the margin.
        significance: level of the tests, such as 0.05.
        least_seeds: fewer decide nothing.
    """
    if interval.seeds < least_seeds or interval.half_width is None:
        return "undecided"
    if interval.mean > 0 and interval.p_value() < significance:
        return "supports"
    if interval.mean > -margin:
        return "as_good" if margin and interval.p_value(-margin) < significance else "undecided"
    return "contradicts" if adjusted < significance else "undecided"


def is_equivalent(interval: Interval, margin: float, significance: float) -> bool:
    """Return whether two one-sided tests find the difference above -margin and below margin (Schuirmann 1987).

    Each is at half of `significance`, so that at 5 % the interval of 95 % lies within the margins.
    """
    tests = (interval.p_value(-margin), interval.p_value(margin))
    return abs(interval.mean) < margin and max(tests) < significance


def contrast_side(interval: Interval, least: float, significance: float, least_seeds: int) -> Side:
    """Say what a contrast says of a claim that it is above 0; one smaller than `least` decides nothing.

    Args:
        interval: over seeds.
        least: the least effect that counts, above 0.
        significance: level of the two-sided test.
        least_seeds: fewer decide nothing.
    """
    decided = interval.seeds >= least_seeds and interval.p_value() < significance
    if not decided or abs(interval.mean) < least:
        return "undecided"
    return "supports" if interval.mean > 0 else "contradicts"


def conjunction(sides: Collection[Side]) -> Verdict:
    """Return the verdict of a claim of several parts.

    It holds if each part does by its own test: an intersection-union test (Berger 1982), which has the level of its
    parts without a correction. One part against it is enough, so that part needs one (`holm`).
    """
    if "contradicts" in sides:
        return "does_not_hold"
    if "undecided" in sides or not sides:
        return "undecided"
    return "holds_as_good" if "as_good" in sides else "holds"


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979), in the same order."""
    return [float(value) for value in multipletests(p_values, method="holm")[1]] if p_values else []


def standing(
    published: float | None, ours: Interval | None, widest: float | None = None, comparable: bool = True
) -> Standing:
    """Say how our interval stands to a published number, both in the same unit.

    `within`: the published number lies in our interval. `too_wide`: it does, but the interval reaches more than
    `widest` to each side, so that it tells nothing. `above` and `below`: ours lies above or below it. `single`: one
    seed, which decides nothing.
    """
    if ours is None:
        return "not_run"
    if published is None:
        return "unpublished"
    if not comparable:
        return "incomparable"
    if ours.half_width is None or ours.seeds == 1:
        return "single"
    if abs(published - ours.mean) > ours.half_width:
        return "above" if ours.mean > published else "below"
    return "within" if widest is None or ours.half_width <= widest else "too_wide"

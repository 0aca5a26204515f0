"""Whether a claim holds that a task is learned so many times sooner (Fang 2017, section 4.4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from taskshare.evaluation.claims.entries import ConvergenceTest, Plan
from taskshare.evaluation.claims.judged import CellVerdict, JudgedCell, Judgement, Verdict
from taskshare.statistics.censored import Known, censored_interval


@dataclass(frozen=True)
class Time:
    """What a net needed to reach the error, or all that it was trained for.

    Attributes:
        amounts: iterations, images and seconds; NaN for what was not recorded.
        reached: whether it reached the error.
    """

    amounts: tuple[float, float, float]
    reached: bool


def judge(pairs: Sequence[tuple[Time, Time]], error: float, test: ConvergenceTest, plan: Plan) -> Judgement:
    """Judge a claim by the ratio of what training alone and joining need, with its interval over seeds.

    A net that never reaches the error counts with the whole of its training, as a bound of the ratio.

    Args:
        pairs: alone and joining, one pair a seed; none where nothing was run.
        error: the mark, 0 to 1.
        test: how the claim is tested.
        plan: what holds for all claims.
    """
    absent = [JudgedCell(f"{what}, alone / incremental", "times") for what in ("iterations", "images", "seconds")]
    if not pairs:
        return Judgement("not_run", "Not run.", absent, [test.experiment])
    cells = [
        _ratio(cell, [(first.amounts[what], second.amounts[what]) for first, second in pairs], _known(pairs))
        for what, cell in enumerate(absent)
    ]
    goal = f"a training error of {error:g}"
    verdict, headline = _compare_ratio(cells[0], test.bounds, goal, plan)
    late = [sum(not net.reached for net in nets) for nets in zip(*pairs, strict=True)]
    if any(late):
        headline += (
            f" Of {len(pairs)} nets each, {len(pairs) - late[1]} that joined and {len(pairs) - late[0]} alone reached "
            "it; the others count with all of their training, as bounds."
        )
    sides: dict[Verdict, CellVerdict] = {"holds": "supports", "does_not_hold": "contradicts"}
    judged = replace(cells[0], verdict=sides.get(verdict, "undecided"))
    shown = [replace(cell, verdict="shown") for cell in cells[1:]]
    return Judgement(verdict, headline, [judged, *shown], [test.experiment])


def _known(pairs: Sequence[tuple[Time, Time]]) -> list[Known | None]:
    """Return how the ratio of each pair is known; None where neither net reached the error, which tells nothing."""
    kinds: dict[tuple[bool, bool], Known] = {
        (True, True): "exactly",
        (False, True): "at_least",
        (True, False): "at_most",
    }
    return [kinds.get((first.reached, second.reached)) for first, second in pairs]


def _ratio(cell: JudgedCell, amounts: Sequence[tuple[float, float]], known: Sequence[Known | None]) -> JudgedCell:
    """Geometric mean of ratios with its interval over seeds, and the p-value of a ratio of 1."""
    told = [
        (math.log(first / second), kind)
        for (first, second), kind in zip(amounts, known, strict=True)
        if kind and math.isfinite(first / second)
    ]
    exact = [value for value, kind in told if kind == "exactly"]
    if not exact:
        return replace(cell, seeds=len(told), note="no pair of nets that both reached the error")
    if len(exact) == 1:
        return replace(cell, effect=math.exp(exact[0]), seeds=1, note="one seed: no interval")
    if len(set(told)) == 1:  # ratios that are all the same have no spread
        ratio = math.exp(exact[0])
        p_value = float(ratio == 1)
        return replace(cell, effect=ratio, low=ratio, high=ratio, seeds=len(told), p_value=p_value, adjusted=p_value)
    found = censored_interval([value for value, _ in told], [kind for _, kind in told])
    assert found is not None
    bounds = len(told) - len(exact)
    return replace(
        cell,
        effect=math.exp(found.mean),
        low=math.exp(found.low),
        high=math.exp(found.high),
        p_value=found.p_value,
        adjusted=found.p_value,
        seeds=len(told),
        note=f"{bounds} of {len(told)} ratios are bounds" if bounds else "",
    )


def _compare_ratio(cell: JudgedCell, bounds: tuple[float, float], goal: str, plan: Plan) -> tuple[Verdict, str]:
    """Judge a ratio by its interval, which should lie within the bounds, and say so."""
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

"""Claims about how soon a joining task reaches a training error."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from taskshare.config import Convergence, Params
from taskshare.evaluation.claims.entries import ConvergenceTest, Plan
from taskshare.evaluation.claims.judged import CellVerdict, JudgedCell, Judgement, Verdict, enabled_experiment
from taskshare.evaluation.results import Results
from taskshare.statistics.intervals import ratio_interval
from taskshare.statistics.learning_curves import Reached, reach


def judge(params: Params, results: Results, test: ConvergenceTest, plan: Plan) -> Judgement:
    """Judge a claim by the ratio of what training alone and joining need, with its interval over seeds."""
    experiment = enabled_experiment(params, test.experiment, Convergence)
    absent = [JudgedCell(f"{what}, alone / incremental", "times") for what in ("iterations", "images", "seconds")]
    if experiment is None:
        return Judgement("not_run", "Not run.", absent, [test.experiment])
    alone, joining = (_reached(params, results, experiment, run) for run in (experiment.alone, experiment.incremental))
    seeds = sorted(alone.keys() & joining.keys())
    if not seeds:
        return Judgement("not_run", "Not run.", absent, [test.experiment])
    pairs = [(first, second) for seed in seeds if (first := alone[seed]) and (second := joining[seed])]
    iterations = _ratio(absent[0], [first.iteration / second.iteration for first, second in pairs])
    images = _ratio(absent[1], [first.images / second.images for first, second in pairs])
    seconds = _ratio(absent[2], [first.seconds / second.seconds for first, second in pairs])
    goal = f"a training error of {experiment.error:g}"
    verdict, headline = _compare_ratio(iterations, test.bounds, goal, plan)
    if len(pairs) < len(seeds):
        verdict = "undecided"
        reached = [sum(part[seed] is not None for seed in seeds) for part in (joining, alone)]
        headline = f"Of {len(seeds)} nets each, {reached[0]} that joined and {reached[1]} alone reached {goal}."
    sides: dict[Verdict, CellVerdict] = {"holds": "supports", "does_not_hold": "contradicts"}
    cells = [replace(iterations, verdict=sides.get(verdict, "undecided"))]
    cells += [replace(cell, verdict="shown") for cell in (images, seconds)]
    return Judgement(verdict, headline, cells, [test.experiment])


def _reached(params: Params, results: Results, experiment: Convergence, run_name: str) -> dict[int, Reached | None]:
    """When a run's task reached the error, by seed; None where it never did, and no entry where it was not run."""
    reached: dict[int, Reached | None] = {}
    for job in params.jobs(run_name):
        history, timing = results.history(job.name, job.seed), results.timing(job.name, job.seed)
        if experiment.task in job.trained_tasks and history is not None and timing is not None:
            reached[job.seed] = reach(history, timing, experiment.task, experiment.error, experiment.smoothing_images)
    return reached


def _ratio(cell: JudgedCell, ratios: Sequence[float]) -> JudgedCell:
    """Geometric mean of ratios with its Student t interval, and the p-value of a ratio of 1."""
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    interval = ratio_interval(finite)
    if interval is None:
        return cell
    cell = replace(cell, effect=interval.mean, low=interval.low, high=interval.high, seeds=interval.count)
    if interval.low is None:
        return replace(cell, note="one seed: no interval")
    # Ratios that are all the same have no t statistic.
    same = len(set(finite)) == 1
    p_value = float(interval.mean == 1) if same else float(stats.ttest_1samp(np.log(finite), 0.0).pvalue)
    return replace(cell, p_value=p_value, adjusted=p_value)


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

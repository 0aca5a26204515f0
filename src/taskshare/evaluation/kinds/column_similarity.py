"""The claim that task columns learn other low-level features than the shared column (Matsui 2019, section 5)."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from taskshare.config import FeatureMaps, Params
from taskshare.evaluation.claims.entries import FeaturesTest, Plan
from taskshare.evaluation.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all
from taskshare.evaluation.results import Results
from taskshare.statistics.feature_similarity import SHARED, linear_cka
from taskshare.statistics.intervals import Interval, student_interval
from taskshare.statistics.verdicts import holm, side

LEAST_SEEDS = 3


def samples(params: Params, experiment: FeatureMaps, results: Results) -> dict[int, dict[str, np.ndarray]]:
    """Return the features (S, C) by seed and source, the shared column first, at places that are the same for all."""
    found = {}
    for job in params.jobs(experiment.run):
        maps = results.measured(FeatureMaps, job.name, job.seed)
        if maps is not None:
            found[job.seed] = {source: maps[f"sample.{source}"] for source in (SHARED, *job.tasks)}
    return found


def judge(params: Params, results: Results, test: FeaturesTest, plan: Plan) -> Judgement:
    """Judge a claim by how alike task columns are to their shared column, against shared columns of two seeds.

    Two columns that are trained from two starts never have equal features. So "other features" is read as: other than
    another start alone makes them. For each task, the effect is the mean linear CKA of the shared columns of two seeds,
    which differ by their start alone, minus the mean linear CKA of the task's column with the shared column of its own
    net; above 0 is for the claim, which holds only if all tasks support it.

    The pairs of seeds share seeds, so they are not independent, but the seeds are. The jackknife (Arvesen 1969) gives
    each seed's part in the effect: n times the effect of all n seeds minus n - 1 times that of the others. Their mean
    is the effect, and Student's t of them gives p and interval. It needs three seeds: two give one pair of shared
    columns, and nothing says how far another pair would lie from it.

    A task column also takes the shared maps of the layer below, which makes it more like the shared column: that works
    against the claim. What the features stand for, such as contours or wrinkles, no number here says.
    """
    experiment = enabled_experiment(params, test.experiment, FeatureMaps)
    tasks = params.spec(experiment.run).tasks if experiment else []
    cells = [JudgedCell(f"shared columns of two seeds − shared and {task} column", "similarity") for task in tasks]
    features = samples(params, experiment, results) if experiment else {}
    if not features:
        absent = [JudgedCell("shared columns of two seeds − shared and task column", "similarity")]
        return Judgement("not_run", "Not run.", cells or absent, [test.experiment])
    starts = _between(features)
    own = {task: np.array([linear_cka(part[SHARED], part[task]) for part in features.values()]) for task in tasks}
    intervals = [_interval(starts, own[task]) for task in tasks]
    adjusted = iter(holm([interval.p_value() for interval in intervals if interval]))
    cells = [
        _decided(cell, interval, next(adjusted), plan) if interval else _open(cell, starts, own[task])
        for cell, task, interval in zip(cells, tasks, intervals, strict=True)
    ]
    return Judgement(of_all(cells), _headline(starts, own), cells, [test.experiment])


def effect(starts: np.ndarray, own: np.ndarray) -> float:
    """Return the mean similarity of two starts minus that of a column and the shared column of its own net.

    Args:
        starts: (n, n), symmetric, of the shared columns of two seeds; the diagonal does not count.
        own: (n,), of each seed's column and its shared column.
    """
    return float(starts[np.triu_indices(len(own), 1)].mean() - own.mean())


def jackknife(starts: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return each seed's part in `effect`, (n,), for three seeds or more; their mean is the effect."""
    count = len(own)
    whole = effect(starts, own)
    parts = []
    for left_out in range(count):
        kept = np.arange(count) != left_out
        parts.append(count * whole - (count - 1) * effect(starts[np.ix_(kept, kept)], own[kept]))
    return np.array(parts)


def _between(features: Mapping[int, Mapping[str, np.ndarray]]) -> np.ndarray:
    shared = [part[SHARED] for part in features.values()]
    return np.array([[linear_cka(first, second) for second in shared] for first in shared])


def _interval(starts: np.ndarray, own: np.ndarray) -> Interval | None:
    if len(own) < LEAST_SEEDS or np.isnan(own).any() or np.isnan(starts).any():
        return None
    return student_interval(jackknife(starts, own).tolist())


def _decided(cell: JudgedCell, interval: Interval, adjusted: float, plan: Plan) -> JudgedCell:
    return replace(
        cell,
        verdict=side(interval, 0.0, adjusted, plan.significance, plan.least_seeds),
        effect=interval.mean,
        low=interval.low,
        high=interval.high,
        p_value=interval.p_value(),
        adjusted=adjusted,
        seeds=interval.seeds,
    )


def _open(cell: JudgedCell, starts: np.ndarray, own: np.ndarray) -> JudgedCell:
    """Say why a task has no interval."""
    found = replace(cell, verdict="undecided", seeds=len(own))
    if len(own) == 1:
        return replace(found, note="one seed: no second start to compare with")
    if np.isnan(own).any() or np.isnan(starts).any():
        return replace(found, note="the maps of a column are all constant")
    return replace(found, effect=effect(starts, own), note="two seeds: one pair of shared columns, so no interval")


def _headline(starts: np.ndarray, own: Mapping[str, np.ndarray]) -> str:
    said = ", ".join(f"{values.mean():.2f} for {task}" for task, values in own.items())
    if len(starts) == 1:
        return (
            f"Linear CKA with the shared column: {said}. With one seed, which decides nothing, it is not known what "
            "another start alone changes."
        )
    alike = starts[np.triu_indices(len(starts), 1)].mean()
    few = "" if len(starts) >= LEAST_SEEDS else " Two seeds give one such pair, which decides nothing."
    return (
        f"Linear CKA with the shared column of the own net: {said}; of the shared columns of two seeds, which differ "
        f"by their start alone: {alike:.2f}.{few}"
    )

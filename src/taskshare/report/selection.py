"""What the validation images would have selected, for runs whose last weights are kept (Matsui 2019, reading 12)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskshare.config import Params, Run, Table
from taskshare.config.tasks import selection_score
from taskshare.report.results import Results


@dataclass(frozen=True)
class Scores:
    """Validation scores in percent, means over seeds: of the last weights, and of those that were best.

    `task` is a task of the run, or `mean`, by which the best iteration is found.
    """

    task: str
    last: float
    best: float


@dataclass(frozen=True)
class LastOrBest:
    """A run whose last weights are kept though its validation images are scored.

    Attributes:
        run: its name in params.yaml, or that of its job.
        seeds: those that have been run.
        last_iteration: whose weights are kept.
        best_iterations: that with the best mean score over tasks, seed by seed.
        scores: of each task, then their mean.
    """

    run: str
    seeds: list[int]
    last_iteration: int
    best_iterations: list[int]
    scores: list[Scores]


def last_or_best(params: Params, tables: Mapping[str, Table], results: Results) -> list[LastOrBest]:
    """Return the jobs of some tables that keep their last weights and score the validation split, once each."""
    names = dict.fromkeys(name for table in tables.values() for name in table.run_names)
    jobs: dict[str, list[Run]] = {}
    for job in (job for name in names for job in params.jobs(name)):
        if job.training.selection == "last" and "validation" in job.splits:
            jobs.setdefault(job.name, []).append(job)
    found = [_last_or_best(seeds, results) for seeds in jobs.values()]
    return [item for item in found if item]


def _last_or_best(jobs: list[Run], results: Results) -> LastOrBest | None:
    curves = {job.seed: curve for job in jobs if (curve := _curve(job, results)) is not None}
    if not curves:
        return None
    best = {seed: int(np.argmax(curve.mean(axis=1))) for seed, curve in curves.items()}
    last = pd.DataFrame([curve.iloc[-1] for curve in curves.values()]).mean()
    chosen = pd.DataFrame([curve.iloc[best[seed]] for seed, curve in curves.items()]).mean()
    scores = [Scores(task, 100 * last[task], 100 * chosen[task]) for task in jobs[0].trained_tasks]
    return LastOrBest(
        run=jobs[0].name,
        seeds=list(curves),
        last_iteration=max(int(curve.index[-1]) for curve in curves.values()),
        best_iterations=[int(curve.index[best[seed]]) for seed, curve in curves.items()],
        scores=[*scores, Scores("mean", 100 * float(last.mean()), 100 * float(chosen.mean()))],
    )


def _curve(job: Run, results: Results) -> pd.DataFrame | None:
    """Validation scores of a job, 0 to 1: a row per validated iteration, a column per task."""
    history = results.history(job.name, job.seed)
    if history is None:
        return None
    columns = {}
    for task in job.trained_tasks:
        rows = history[history["task"] == task].set_index("iteration")
        columns[task] = rows.get(f"validation_{selection_score(task)}", pd.Series(dtype=float))
    curve = pd.DataFrame(columns).dropna().sort_index()
    return curve if len(curve) else None

"""What each row of a table cost, and what it would be with other weights: the conditions of a fair comparison."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from taskshare.config import SELECTIONS, Params, Run, Selection, Table
from taskshare.config.tasks import selection_score
from taskshare.evaluation import rows
from taskshare.evaluation.results import Results, jobs_of_columns, task_metrics


@dataclass(frozen=True)
class Disclosure:
    """One row of a table; a number is None until every net of at least one seed is there.

    Attributes:
        row: its label.
        images_per_update: by net, each number once.
        images: that one seed of the row has seen in training, of all its nets together.
        multiply_adds: of their training, forward and backward.
        seconds: of their training, mean over seeds.
        parameters: of all nets.
        validation: score of the selected weights on the validation split in percent, mean over tasks and seeds; None
            without such a split.
        means: the row's mean over its columns on the test split in percent, mean over seeds, for each way to select.
    """

    row: str
    images_per_update: list[int]
    images: float | None
    multiply_adds: float | None
    seconds: float | None
    parameters: float | None
    validation: float | None
    means: dict[Selection, float | None]


def disclosures(params: Params, table: Table, columns: Sequence[str], results: Results) -> list[Disclosure]:
    """Return what each row of a table cost, for the jobs that fill its columns."""
    return [_disclosure(params, table, label, columns, results) for label in table.rows]


def _disclosure(params: Params, table: Table, label: str, columns: Sequence[str], results: Results) -> Disclosure:
    runs = table.runs[label]
    found = jobs_of_columns(params, runs, columns)
    jobs = list({job.key: job for seeds in found.values() for job in seeds}.values())
    known = {job.key: entry for job in jobs if (entry := results.provenance(job.name, job.seed))}

    def total(key: str) -> float | None:
        return _by_seed(jobs, lambda job: known[job.key][key] if job.key in known else None, sum)

    means: dict[Selection, float | None] = {}
    for selection in SELECTIONS:
        measured = task_metrics(params, results, runs, found, table.metric, selection)
        by_seed = rows.mean_by_seed(measured, list(found), table.metric)
        means[selection] = fmean(by_seed.values()) if by_seed else None
    return Disclosure(
        row=label,
        images_per_update=list(dict.fromkeys(_images_per_update(job) for job in jobs)),
        images=total("images"),
        multiply_adds=total("multiply_adds"),
        seconds=total("seconds"),
        parameters=total("parameters"),
        validation=_by_seed(jobs, lambda job: validation_score(results, job), fmean),
        means=means,
    )


def _images_per_update(job: Run) -> int:
    pools = len(job.trained_tasks) if job.batches == "pooled" and job.training.update == "joint" else 1
    return pools * job.training.batch_size


def validation_score(results: Results, job: Run) -> float | None:
    """Return the score of a job's selected weights on the validation split, in percent, mean over its tasks."""
    history = results.history(job.name, job.seed)
    if history is None:
        return None
    chosen = history[history["selected"]].set_index("task")
    scores = np.array([chosen[f"validation_{selection_score(task)}"][task] for task in job.trained_tasks], float)
    return None if np.isnan(scores).any() else 100 * float(scores.mean())


def _by_seed(jobs: Sequence[Run], value: Callable[[Run], Any], combine: Callable[[list[float]], float]) -> float | None:
    """Return the mean over seeds of what a seed's nets have together; seeds that lack a net are left out."""
    seeds: dict[int, list[float | None]] = {}
    for job in jobs:
        seeds.setdefault(job.seed, []).append(value(job))
    nets = len({job.name for job in jobs})
    whole = [[part for part in parts if part is not None] for parts in seeds.values()]
    complete = [combine(parts) for parts in whole if len(parts) == nets]
    return fmean(complete) if complete else None

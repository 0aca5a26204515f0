"""Claims about differences between rows of tables: paired bootstrap over test images and seeds."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from taskshare.config import Metric, Params, Run, Table
from taskshare.errors import TaskshareError
from taskshare.evaluation.bootstrap import Answers, Contrast, Estimate, Term, paired_bootstrap
from taskshare.evaluation.claims.entries import AnyTest, Comparison, DifferenceTest, Plan, TableRow
from taskshare.evaluation.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all, side, signed, weakest
from taskshare.evaluation.landmark_errors import detected
from taskshare.evaluation.results import Results, check_one_precision, jobs_of_columns, task_of
from taskshare.evaluation.tables import column_names

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True)
class Corrected:
    """What a comparison comes to, and its p-value after Holm's correction over the report's distinct comparisons."""

    estimate: Estimate
    adjusted: float
    margin: float


Estimates = dict[str, Corrected]
"""By `_key`; a comparison that is not run has no entry."""


def _key(cell: Comparison) -> str:
    """What makes a comparison distinct, whatever it is called."""
    return cell.model_copy(update={"label": ""}).model_dump_json()


def estimate(params: Params, results: Results, plan: Plan, tests: Mapping[str, AnyTest]) -> Estimates:
    """Bootstrap all distinct comparisons, those of a data set and metric with one set of draws, and correct them.

    Raises:
        TaskshareError: a comparison of two data sets or metrics, or of nets that were trained in two precisions.
    """
    together: dict[tuple[str, Metric], dict[str, Contrast]] = {}
    for claim, test in tests.items():
        for cell in test.cells if isinstance(test, DifferenceTest) else []:
            resolved = _resolve(params, claim, cell, plan)
            if resolved:
                dataset, metric, contrast = resolved
                _check_precision(params, results, claim, cell, contrast)
                together.setdefault((dataset, metric), {})[_key(cell)] = contrast
    found: dict[str, tuple[Estimate, float]] = {}
    for (dataset, metric), contrasts in together.items():
        answers = _answers(params, results, metric, contrasts.values())
        estimates = paired_bootstrap(dataset, answers, list(contrasts.values()))
        for (key, contrast), one in zip(contrasts.items(), estimates, strict=True):
            if one:
                found[key] = one, contrast.margin
    adjusted = multipletests([one.p_value for one, _ in found.values()], method="holm")[1] if found else []
    return {
        key: Corrected(one, float(p_value), margin)
        for (key, (one, margin)), p_value in zip(found.items(), adjusted, strict=True)
    }


def _check_precision(params: Params, results: Results, claim: str, cell: Comparison, contrast: Contrast) -> None:
    names = {name for name, _ in contrast.columns}
    jobs = [job for job in params.judged_jobs().values() if job.name in names]
    check_one_precision(results, jobs, f"{claim}: '{cell.label}'")


def _resolve(params: Params, claim: str, cell: Comparison, plan: Plan) -> tuple[str, Metric, Contrast] | None:
    """The data set, the metric and the jobs that a comparison stands for; None if params.yaml lacks some of it."""
    rows = [*cell.plus, *cell.minus]
    metrics: set[Metric] = set()
    held: list[dict[str, Run]] = []
    for name, row, own in rows:
        table = enabled_experiment(params, name, Table)
        if table is None or row not in table.rows:
            return None
        metrics.add(table.metric)
        columns = own or cell.columns or column_names(params, table, None)
        jobs_of = jobs_of_columns(params, table.runs[row], columns)
        held.append({column: jobs_of[column][0] for column in columns if column in jobs_of})
        if own and len(held[-1]) < len(own):
            return None
    dataset = _only(claim, cell, "data set", {job.dataset for jobs in held for job in jobs.values()})
    metric = _only(claim, cell, "metric", metrics)

    def term(row: TableRow, jobs: dict[str, Run]) -> Term:
        alike = [jobs]
        if row.columns is None:
            pairs = zip(rows, held, strict=True)
            alike = [own for other, own in pairs if other.experiment == row.experiment and other.columns is None]
        shared = [column for column in jobs if all(column in own for own in alike)]
        return tuple((jobs[column].name, task_of(column)) for column in shared)

    terms = [term(row, jobs) for row, jobs in zip(rows, held, strict=True)]
    if not (dataset and metric and all(terms)):
        return None
    margin = plan.as_good_as[metric] if cell.wants == "as_good" else 0.0
    return dataset, metric, Contrast(tuple(terms[: len(cell.plus)]), tuple(terms[len(cell.plus) :]), margin)


def _only(claim: str, cell: Comparison, kind: str, values: Collection[Name]) -> Name | None:
    """The one value that all rows of a comparison share; None if they have none."""
    if len(values) > 1:
        raise TaskshareError(
            f"{claim}: '{cell.label}' compares rows of {' and '.join(sorted(values))}; take one {kind}"
        )
    return next(iter(values), None)


def _answers(params: Params, results: Results, metric: Metric, contrasts: Iterable[Contrast]) -> Answers:
    """Read what every job that some contrasts need answered for the test images."""
    wanted: dict[str, set[str]] = {}
    for contrast in contrasts:
        for name, task in contrast.columns:
            wanted.setdefault(name, set()).add(task)
    answers = Answers()
    for job in params.judged_jobs().values():
        for column, ids, labels, right in _read(results, job, metric) if job.name in wanted else ():
            if column in wanted[job.name]:
                answers.add((job.name, column), job.seed, ids, labels, right)
    return answers


def _read(results: Results, job: Run, metric: Metric) -> Iterator[tuple[str, pd.Series, np.ndarray | None, np.ndarray]]:
    """Yield each task, attribute or landmark with image ids, labels if classes count, and which answers are right."""
    if metric == "detection_rate":
        found = results.landmarks(job.name, job.seed)
        for point, part in () if found is None else found.groupby("landmark", sort=False):
            yield str(point), part["id"], None, detected(part["error"].to_numpy())
        return
    scores = results.scores(job.name, job.seed)
    for task, part in () if scores is None else scores.groupby("task", sort=False):
        positive = part["label"].to_numpy() == 1
        right = (part["score"].to_numpy() > 0.5) == positive  # reading 12
        yield str(task), part["id"], positive if metric == "balanced_accuracy" else None, right


def judge(test: DifferenceTest, plan: Plan, found: Estimates) -> Judgement:
    """Judge a claim by its comparisons."""
    cells = []
    planned = test.seeds or plan.seeds
    for comparison in test.cells:
        corrected = found.get(_key(comparison))
        if corrected is None:
            cells.append(JudgedCell(comparison.label, "points"))
            continue
        estimate, seeds = corrected.estimate, len(corrected.estimate.seeds)
        distance = estimate.effect + corrected.margin
        cells.append(
            JudgedCell(
                label=comparison.label,
                unit="points",
                verdict=side(estimate.p_value, corrected.adjusted, distance, seeds, plan),
                effect=estimate.effect,
                low=estimate.low,
                high=estimate.high,
                p_value=estimate.p_value,
                adjusted=corrected.adjusted,
                seeds=seeds,
                margin=corrected.margin,
                note=_few(seeds, planned, plan),
            )
        )
    experiments = [name for cell in test.cells for name, *_ in (*cell.plus, *cell.minus)]
    return Judgement(of_all(cells), _headline(cells), cells, experiments)


def _few(seeds: int, planned: int, plan: Plan) -> str:
    if seeds < plan.least_seeds:
        return f"fewer than {plan.least_seeds} seeds decide nothing"
    return f"planned with {planned} seeds: interval too narrow" if seeds < planned else ""


def _headline(cells: Sequence[JudgedCell]) -> str:
    cell = weakest(cells)
    if cell is None:
        return "Not run."
    supporting, against, absent = (
        sum(other.verdict == verdict for other in cells) for verdict in ("supports", "contradicts", "not_run")
    )
    counts = f"for it: {supporting} of {len(cells)}, against it: {against}" + (f", not run: {absent}" if absent else "")
    interval = f"95 % interval {signed(cell.low)} to {signed(cell.high)}"
    return f"Comparisons {counts}; the weakest is {cell.label}, with {signed(cell.effect)} points ({interval})."

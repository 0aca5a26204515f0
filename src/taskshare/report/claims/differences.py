"""Claims about differences between rows of tables: paired bootstrap over test images and seeds."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from taskshare.config import Metric, Params, Run, Table
from taskshare.errors import TaskshareError
from taskshare.evaluation.bootstrap import Answers, Contrast, Estimate, Term, paired_bootstrap
from taskshare.evaluation.landmarks import detected
from taskshare.report.claims.entries import Claim, Comparison, DifferenceTest, TableRow
from taskshare.report.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all, side, signed, weakest
from taskshare.report.results import Results, jobs_of_columns, task_of
from taskshare.report.tables import column_names

FEW_SEEDS = 5

Place = tuple[str, int]
"""A claim's id, and the number of one of its comparisons."""
Name = TypeVar("Name", bound=str)


def estimate(params: Params, results: Results, claims: Sequence[Claim]) -> dict[Place, Estimate | None]:
    """Bootstrap all comparisons of a data set and metric with one set of draws."""
    estimates: dict[Place, Estimate | None] = {}
    together: dict[tuple[str, Metric], dict[Place, Contrast]] = {}
    for claim in claims:
        for number, cell in enumerate(claim.test.cells if isinstance(claim.test, DifferenceTest) else []):
            estimates[claim.id, number] = None
            resolved = _resolve(params, claim.id, cell)
            if resolved:
                dataset, metric, contrast = resolved
                together.setdefault((dataset, metric), {})[claim.id, number] = contrast
    for (dataset, metric), contrasts in together.items():
        answers = _answers(params, results, metric, contrasts.values())
        found = paired_bootstrap(dataset, answers, list(contrasts.values()))
        estimates.update(zip(contrasts, found, strict=True))
    return estimates


def _resolve(params: Params, claim: str, cell: Comparison) -> tuple[str, Metric, Contrast] | None:
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
    contrast = Contrast(tuple(terms[: len(cell.plus)]), tuple(terms[len(cell.plus) :]), cell.margin)
    return (dataset, metric, contrast) if dataset and metric and all(terms) else None


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
    for job in params.enabled_jobs().values():
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


def judge(test: DifferenceTest, estimates: Sequence[Estimate | None]) -> Judgement:
    """Judge a claim by its comparisons, corrected for their number (Holm)."""
    found = [estimate for estimate in estimates if estimate]
    corrected = multipletests([estimate.p_value for estimate in found], method="holm")[1] if found else []
    adjusted = iter(corrected)
    cells = []
    for comparison, estimate in zip(test.cells, estimates, strict=True):
        if estimate is None:
            cells.append(JudgedCell(comparison.label, "points"))
            continue
        p_value = float(next(adjusted))
        cells.append(
            JudgedCell(
                label=comparison.label,
                unit="points",
                verdict=side(p_value, estimate.effect + comparison.margin, len(estimate.seeds)),
                effect=estimate.effect,
                low=estimate.low,
                high=estimate.high,
                p_value=estimate.p_value,
                adjusted=p_value,
                seeds=len(estimate.seeds),
                margin=comparison.margin,
                note=_few(len(estimate.seeds)),
            )
        )
    experiments = [name for cell in test.cells for name, *_ in (*cell.plus, *cell.minus)]
    return Judgement(of_all(cells), _headline(cells), cells, experiments)


def _few(seeds: int) -> str:
    if seeds == 1:
        return "one seed decides nothing: images alone are redrawn"
    return f"{seeds} seeds: interval too narrow" if seeds < FEW_SEEDS else ""


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

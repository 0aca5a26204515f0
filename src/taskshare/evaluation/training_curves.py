"""Training curves of the rows of a table: loss, error and validation score against the iteration."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskshare.config import Metric, Params, Table
from taskshare.config.tasks import JOINT_TASKS, task_of_answer
from taskshare.evaluation.results import Results, jobs_of_columns, task_of
from taskshare.evaluation.thinning import thin_out

TRAINING = {"training_loss": "training loss", "training_error": "training error (%)"}
VALIDATION: dict[Metric, str] = {
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Mean accuracy",
    "detection_rate": "Detection rate",
}


@dataclass(frozen=True)
class Line:
    """Values by iteration; errors and scores in percent."""

    iterations: list[int]
    values: list[float]


@dataclass(frozen=True)
class RowLines:
    """One quantity of one row.

    Attributes:
        row: label of the row.
        seeds: a line for each seed; none if there is one seed.
        mean: over seeds.
    """

    row: str
    seeds: list[Line]
    mean: Line


@dataclass(frozen=True)
class ColumnCurves:
    """What one picture shows.

    Attributes:
        column: TASK or TASK/GROUP; tasks may be joint ones.
        label: words above the picture.
        rows: labels of the rows that have the column.
        curves: by the words of the axis, the lines of each row; only quantities of which there is a number.
    """

    column: str
    label: str
    rows: list[str]
    curves: dict[str, list[RowLines]]


@dataclass(frozen=True)
class Curves:
    """The training curves of one table, or of several that would show the same ones.

    Attributes:
        experiments: keys in params.yaml.
        rows: labels of all rows, in the table's order.
        columns: a picture each.
        sources: results that they are from.
        validation: name of the validation score; empty without one.
        undefined: jobs with a loss or error that is not finite.
        left_out: rows that go on from a trained net.
        folded: whether the page shows them on demand only.
    """

    experiments: list[str]
    rows: list[str]
    columns: list[ColumnCurves]
    sources: list[str]
    validation: str
    undefined: list[str]
    left_out: list[str]
    folded: bool


def all_curves(
    params: Params,
    tables: Mapping[str, Table],
    labels: Mapping[str, Mapping[str, str]],
    results: Results,
    folded: set[str],
) -> list[Curves]:
    """Return the curves of every table that has been run; tables that would show the same curves share one entry.

    Args:
        params: The configuration.
        tables: By the experiment's key in params.yaml.
        labels: Each table's columns with the words that stand above their pictures.
        results: What has been run.
        folded: The tables whose curves the page shows on demand only.
    """
    found: dict[str, Curves | None] = {}
    for name, table in tables.items():
        columns = _shown_columns(params, table, labels[name])
        key = repr((table.metric, list(table.runs.items()), list(columns)))
        if key not in found:
            found[key] = curves(params, name, table, columns, results, name in folded)
        elif same := found[key]:
            same.experiments.append(name)
    return [item for item in found.values() if item]


def curves(
    params: Params, name: str, experiment: Table, columns: Mapping[str, str], results: Results, folded: bool = False
) -> Curves | None:
    """Return loss, error and validation score of every row of a table, by column; None where nothing is run.

    The validation score is the table's metric. Rows that go on from a trained net are left out; a separation net's
    columns begin anew beside one, so it stays.

    Args:
        params: The configuration.
        name: The experiment's key in params.yaml.
        experiment: Its rows.
        columns: TASK or TASK/GROUP, with the words that stand above its picture; tasks may be joint ones.
        results: What has been run.
        folded: Whether the page shows them on demand only.
    """
    validation = f"validation_{experiment.metric}"
    histories: dict[str, dict[str, list[pd.DataFrame]]] = {}
    sources: dict[str, None] = {}
    undefined: dict[str, None] = {}
    children = [label for label, runs in experiment.runs.items() if any(_goes_on(params, run) for run in runs)]
    shown_rows = {label: runs for label, runs in experiment.runs.items() if label not in children}
    for label, runs in shown_rows.items():
        for run in runs:
            parts = "" if params.job_names(run) == [run] else ".*"
            sources[f"training/{run}{parts}/seed*/history.parquet"] = None
        for column, jobs in jobs_of_columns(params, runs, columns).items():
            for job in jobs:
                history = results.history(job.name, job.seed)
                if history is None:
                    continue
                if not np.isfinite(history[["training_loss", "training_error"]]).all(axis=None):
                    undefined[job.key] = None
                part = history[history["task"] == task_of(column)].sort_values("iteration")
                if validation not in part:  # of an older run
                    part = part.assign(**{validation: np.nan})
                histories.setdefault(column, {}).setdefault(label, []).append(part)
    if not histories:
        return None
    shown = {**TRAINING, validation: "validation (%)"}
    pictures = [
        _column(column, columns[column], histories[column], shown)
        for column in columns
        if any(_any(curve, [histories.get(column, {})]) for curve in shown)
    ]
    return Curves(
        experiments=[name],
        rows=list(shown_rows),
        columns=pictures,
        sources=list(sources),
        validation=VALIDATION[experiment.metric] if _any(validation, histories.values()) else "",
        undefined=list(undefined),
        left_out=children,
        folded=folded,
    )


def _shown_columns(params: Params, table: Table, labels: Mapping[str, str]) -> dict[str, str]:
    """The columns whose curves a table shows: joint tasks instead of the landmarks and attributes they answer for."""
    found = [jobs_of_columns(params, runs, labels) for runs in table.runs.values()]
    columns: dict[str, str] = {}
    for column, label in labels.items():
        for job in (jobs[column][0] for jobs in found if column in jobs):
            task = task_of_answer(task_of(column), job.tasks, job.labels)
            if task in JOINT_TASKS:
                columns[task] = task
            else:
                columns[column] = label
    return columns


def _goes_on(params: Params, run_name: str) -> bool:
    parent = params.runs[run_name].parent
    return parent is not None and not parent.separate


def _any(curve: str, histories: Iterable[Mapping[str, list[pd.DataFrame]]]) -> bool:
    """Whether a curve has any number."""
    return any(part[curve].notna().any() for rows in histories for parts in rows.values() for part in parts)


def _column(column: str, label: str, rows: Mapping[str, list[pd.DataFrame]], curves: Mapping[str, str]) -> ColumnCurves:
    shown = {curve: words for curve, words in curves.items() if _any(curve, [rows])}
    lines = {words: [_lines(row, curve, parts) for row, parts in rows.items()] for curve, words in shown.items()}
    return ColumnCurves(column, label, list(rows), lines)


def _lines(row: str, curve: str, parts: Sequence[pd.DataFrame]) -> RowLines:
    factor = 1 if curve == "training_loss" else 100

    def line(table: pd.DataFrame) -> Line:
        thin = thin_out(table)
        return Line(thin["iteration"].tolist(), (factor * thin[curve]).tolist())

    known = [part.dropna(subset=[curve]) for part in parts]
    mean = pd.concat(known).groupby("iteration")[curve].mean().reset_index()
    return RowLines(row, [line(part) for part in known] if len(parts) > 1 else [], line(mean))

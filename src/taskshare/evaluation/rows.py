"""Rows of the report's tables: our means over seeds and the published numbers, in percent."""

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from taskshare.config import Metric
from taskshare.evaluation.published import MEAN, PublishedRow
from taskshare.statistics import contributions
from taskshare.statistics.contributions import Contributions
from taskshare.statistics.intervals import Interval, crossed, student_interval
from taskshare.statistics.verdicts import Standing, standing

Measured = dict[str, dict[int, dict[str, float]]]
CellVerdict = Standing | Literal["absent", "undefined"]
STANDARD_ERRORS: dict[Metric, str] = {
    "balanced_accuracy": "standard_error",
    "accuracy": "accuracy_standard_error",
    "detection_rate": "standard_error",
}
"""Where metrics.json holds the sampling standard error of a metric."""


@dataclass(frozen=True)
class Cell:
    """One row's numbers for one column, or for the mean over columns; absent: the row's runs do not have the column."""

    column: str
    paper: float | None
    ours: Interval | None
    standard_error: float | None
    verdict: CellVerdict

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's, in points."""
        return None if self.ours is None or self.paper is None else self.ours.mean - self.paper


@dataclass(frozen=True)
class Row:
    """One row: the label, the runs that fill it (none: published only), its cells, and the labels of absent columns."""

    label: str
    runs: list[str]
    note: str
    comparable: bool
    seeds: list[int]
    cells: list[Cell]
    absent: list[str]

    @property
    def printed(self) -> bool:
        """Whether the paper gives a number for any cell."""
        return any(cell.paper is not None for cell in self.cells)

    @property
    def printed_columns(self) -> bool:
        """Whether the paper gives a number for any cell but the mean."""
        return any(cell.paper is not None for cell in self.cells if cell.column != MEAN)


@dataclass(frozen=True)
class ConstantCell:
    """What one answer for all images reaches in one column, or in their mean; None where not measured."""

    column: str
    value: float | None
    standard_error: float | None


@dataclass(frozen=True)
class Accuracies:
    """Mean acc_p and acc_n over seeds of one row, by column; None where not run."""

    label: str
    cells: list[tuple[str, float | None, float | None]]


def row(
    label: str,
    runs: list[str],
    printed: PublishedRow | None,
    measured: Measured,
    held: Sequence[str],
    columns: Mapping[str, str],
    metric: Metric,
    answered: Mapping[str, Contributions],
    widest: float | None = None,
    undefined: Collection[str] = (),
) -> Row:
    """Return a row of a table.

    Args:
        label: Its name.
        runs: The runs that fill it; none: published only.
        printed: The paper's numbers; None if it gives none.
        measured: Metrics by column and seed, as fractions of 1.
        held: The columns that its runs have.
        columns: All columns of the table with their labels.
        metric: What the cells hold.
        answered: Contributions of the test persons to `metric`, by column.
        widest: Half width, in points, beyond which an interval is too wide to tell.
        undefined: The columns that were measured without a result, since all test images have one label.
    """
    comparable = printed.comparable if printed else True
    cells = []
    for column in columns:
        seeds = measured.get(column, {})
        paper = printed.values.get(column) if printed else None
        ours = interval({seed: 100 * seeds[seed][metric] for seed in sorted(seeds)}, answered.get(column))
        known = [found[STANDARD_ERRORS[metric]] for found in seeds.values() if STANDARD_ERRORS[metric] in found]
        standard_error = 100 * sum(known) / len(known) if known else None
        verdict: CellVerdict = standing(paper, ours, widest, comparable) if column in held else "absent"
        if ours is None and column in undefined:
            verdict = "undefined"
        cells.append(Cell(column, paper, ours, standard_error, verdict))
    complete = len(held) == len(columns)
    paper_mean = printed_mean(printed, columns, whole=True)
    ours_mean = interval(mean_by_seed(measured, held, metric), mean_over(answered, held)) if complete else None
    mean_verdict: CellVerdict = standing(paper_mean, ours_mean, widest, comparable) if complete else "absent"
    cells.append(Cell(MEAN, paper_mean, ours_mean, None, mean_verdict))
    return Row(
        label=label,
        runs=runs,
        note=printed.note if printed else "",
        comparable=comparable,
        seeds=sorted({seed for seeds in measured.values() for seed in seeds}),
        cells=cells,
        absent=[text for column, text in columns.items() if runs and column not in held],
    )


def interval(by_seed: Mapping[int, float], answered: Contributions | None) -> Interval | None:
    """Return the mean of a metric over seeds with its interval.

    Args:
        by_seed: The metric, in percent.
        answered: Contributions of the test persons to it, as fractions of 1. Without them, or with those of other
            seeds, the test set counts as fixed.

    Returns:
        None without a seed.
    """
    alone = student_interval(list(by_seed.values()))
    if alone is None or answered is None or answered.seeds != tuple(by_seed):
        return alone
    both = crossed(100 * answered)
    return dataclasses.replace(both, mean=alone.mean) if both else alone


def mean_over(answered: Mapping[str, Contributions], columns: Sequence[str]) -> Contributions | None:
    """Return the contributions to the mean over columns; None if one of them has none."""
    if not columns or not answered.keys() >= set(columns):
        return None
    return contributions.mean([answered[column] for column in columns])


def constant_cells(
    found: Mapping[str, Mapping[str, float]], columns: Iterable[str], metric: Metric
) -> list[ConstantCell]:
    """Return a row of one answer for all images, from its metrics by column as fractions of 1; the mean is last."""
    cells = []
    for column in columns:
        metrics = {key: 100 * value for key, value in found.get(column, {}).items() if not math.isnan(value)}
        cells.append(ConstantCell(column, metrics.get(metric), metrics.get(STANDARD_ERRORS[metric])))
    values = [cell.value for cell in cells if cell.value is not None]
    mean = sum(values) / len(values) if values and len(values) == len(cells) else None
    return [*cells, ConstantCell(MEAN, mean, None)]


def accuracies(label: str, measured: Measured, columns: Iterable[str]) -> Accuracies:
    """Return acc_p and acc_n of a row, in percent."""

    def mean(column: str, key: str) -> float | None:
        seeds = measured.get(column)
        return 100 * sum(seed[key] for seed in seeds.values()) / len(seeds) if seeds else None

    return Accuracies(
        label, [(column, mean(column, "accuracy_positives"), mean(column, "accuracy_negatives")) for column in columns]
    )


def standard_errors(table_rows: Iterable[Row]) -> dict[str, float | None]:
    """Return the largest standard error of some rows by column, in percent; None where no row has one."""
    found: dict[str, float | None] = {}
    for cell in (cell for item in table_rows for cell in item.cells):
        known = [value for value in (found.get(cell.column), cell.standard_error) if value is not None]
        found[cell.column] = max(known, default=None)
    return found


def mean_by_seed(measured: Measured, columns: Sequence[str], metric: Metric) -> dict[int, float]:
    """Return the mean of a metric over `columns` in percent, for the seeds that have every column."""
    seeds = set.intersection(*(set(measured.get(column, {})) for column in columns)) if columns else set()
    return {
        seed: 100 * sum(measured[column][seed][metric] for column in columns) / len(columns) for seed in sorted(seeds)
    }


def printed_mean(printed: PublishedRow | None, columns: Sequence[str] | Mapping[str, str], whole: bool) -> float | None:
    """Return the mean of a printed row over `columns`, in percent; None if the paper does not give it.

    It is computed anew from the printed columns. Where these are not printed, the printed mean stands for it if
    `columns` are the table's columns as a `whole`.
    """
    if printed is None or not columns:
        return None
    if set(columns) <= set(printed.values):
        return sum(printed.values[column] for column in columns) / len(columns)
    return printed.values.get(MEAN) if whole else None

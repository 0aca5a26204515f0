"""What DVC shows of the results: our mean beside the paper's for each row of a table, learning curves, cell pairs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from taskshare import files
from taskshare.config import Params, Run, Table
from taskshare.config.tasks import task_of_answer
from taskshare.evaluation.published import MEAN, load_published, published_tables
from taskshare.evaluation.results import Results, jobs_of_columns, task_of
from taskshare.evaluation.rows import Row
from taskshare.evaluation.tables import ComparisonTable, comparison_table
from taskshare.graph import LEARNING_CURVES, PUBLISHED, ROW_METRICS, row_files

CURVE_COLUMNS = ["table", "row", "split", "iteration", "error"]
PAIR_COLUMNS = ["table", "row", "column", "comparable", "published", "ours"]
DIGITS = 2
"""Decimals of every number, which is in percent."""


def write(params: Params, results: Path, published: Path, out: Path) -> None:
    """Write the files that `dvc metrics` and `dvc plots` show; the same results give the same bytes.

    - `metrics/TABLE/ROW.json`: `ours`, the mean over the row's columns and seeds, and `paper`, the mean of the printed
      numbers of the same columns; what is not known is left out. A file per row, since DVC shows a line per file and
      a column per key. Rows that are not run have none; those of rows that are gone are removed.
    - `learning_curves.csv`: table, row, split, iteration and error, the mean over the row's tasks and seeds: 100 minus
      the table's metric on the validation split, or the training error of rows that are not validated.
    - `published.csv`: table, row, column, comparable, published and ours, for each cell that has both; `column` is
      `mean` where a row has no printed number but its mean.

    Args:
        params: The configuration.
        results: The scale's folder of results, results/SCALE; of any completeness.
        published: The folder of published numbers.
        out: The folder to write to, which is the report's.

    Raises:
        TaskshareError: a result or a published number that cannot be read.
    """
    stored, printed = Results(results), published_tables(load_published(published))
    written: set[Path] = set()
    curves: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for name, experiment in params.enabled(Table).items():
        compared = comparison_table(params, name, experiment, printed.get(name), stored, synthetic=False)
        paths = row_files(name, experiment)
        for row in compared.rows:
            held = jobs_of_columns(params, row.runs, compared.columns)
            jobs = [job for found in held.values() for job in found]
            if jobs and not any(stored.metrics(job.name, job.seed) for job in jobs):
                continue
            path = out / paths[row.label]
            files.write_json(path, row_means(row))
            written.add(path)
            curves.extend(learning_curve(compared, row, held, stored))
            pairs.extend(cell_pairs(name, row))
    _write_csv(out / LEARNING_CURVES, curves, CURVE_COLUMNS)
    _write_csv(out / PUBLISHED, pairs, PAIR_COLUMNS)
    for path in set((out / ROW_METRICS).glob("*/*.json")) - written:
        path.unlink()


def row_means(row: Row) -> dict[str, float]:
    """Return `ours` and `paper` of a row in percent: means over the columns that its runs have, as far as known."""
    cells = [cell for cell in row.cells if cell.column != MEAN and cell.verdict != "absent"]
    whole = row.cells[-1]  # the mean over columns; empty for a row that lacks some
    ours = [cell.ours.mean if cell.ours else None for cell in ([whole] if whole.ours else cells)]
    paper = [cell.paper for cell in (cells if row.absent else [whole])]
    means = {"ours": _mean(ours), "paper": _mean(paper)}
    return {key: value for key, value in means.items() if value is not None}


def learning_curve(
    table: ComparisonTable, row: Row, jobs_by_column: Mapping[str, list[Run]], results: Results
) -> Iterator[dict[str, Any]]:
    """Yield a row's CURVE_COLUMNS for the iterations at which each of its tasks, in every seed, has an error."""
    histories = {
        job.key: history
        for jobs in jobs_by_column.values()
        for job in jobs
        if (history := results.history(job.name, job.seed)) is not None
    }
    learned = {
        (job.key, task)
        for column, jobs in jobs_by_column.items()
        for job in jobs
        if job.key in histories and (task := task_of_answer(task_of(column), job.trained_tasks, job.labels))
    }
    tasks = [histories[key][histories[key]["task"] == task].set_index("iteration") for key, task in sorted(learned)]
    if not tasks:
        return
    errors = {
        "validation": [1 - task[f"validation_{table.metric}"] for task in tasks],
        "training": [task["training_error"] for task in tasks],
    }
    for split, parts in errors.items():
        curve = pd.concat(parts, axis=1).dropna().mean(axis=1).sort_index()
        for iteration, error in curve.items():
            values = (table.id, row.label, split, iteration, round(100 * error, DIGITS))
            yield dict(zip(CURVE_COLUMNS, values, strict=True))
        if len(curve):
            return


def cell_pairs(table: str, row: Row) -> Iterator[dict[str, Any]]:
    """Yield a row's PAIR_COLUMNS for the cells that are both printed and run; the mean only where it stands alone."""
    for cell in row.cells:
        if cell.paper is not None and cell.ours is not None and (cell.column != MEAN or not row.printed_columns):
            numbers = (round(cell.paper, DIGITS), round(cell.ours.mean, DIGITS))
            values = (table, row.label, cell.column, "yes" if row.comparable else "no", *numbers)
            yield dict(zip(PAIR_COLUMNS, values, strict=True))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), DIGITS) if known and len(known) == len(values) else None


def _write_csv(path: Path, rows: list[dict[str, Any]], columns: list[str]) -> None:
    files.write_text(path, pd.DataFrame(rows, columns=columns).to_csv(index=False, lineterminator="\n"))

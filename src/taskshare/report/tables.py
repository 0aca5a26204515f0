"""Published tables beside our numbers, ready for the templates. All numbers are in percent or percentage points."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from taskshare.config import Params, Table
from taskshare.report.data_facts import minority_shares
from taskshare.report.intervals import Interval, Verdict, judge, student_interval
from taskshare.report.published import PublishedRow, PublishedTable
from taskshare.report.results import Results, row_jobs, task_metrics, task_of

MEAN = "mean"
"""Key of the column that holds the mean over the others."""

Measured = dict[str, dict[int, dict[str, float]]]
CellVerdict = Verdict | Literal["absent"]


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


@dataclass(frozen=True)
class Accuracies:
    """Mean acc_p and acc_n over seeds of one row, by column; None where not run."""

    label: str
    cells: list[tuple[str, float | None, float | None]]


@dataclass(frozen=True)
class Difference:
    """Mean over columns of one row minus another's, paired by seed, in points; `count` columns are in both rows."""

    minuend: str
    subtrahend: str
    count: int
    ours: Interval | None
    paper: float | None
    sentence: str


@dataclass(frozen=True)
class Minority:
    """Share of a column's rarer label in the training split, 0 to 0.5: the paper's, and ours if prepared."""

    column: str
    paper: float | None
    ours: float | None


@dataclass(frozen=True)
class ComparisonTable:
    """An experiment's table."""

    id: str
    label: str
    title: str
    source: str
    metric: str
    question: str
    note: str
    readings: list[str]
    columns: dict[str, str]
    rows: list[Row]
    published_rows: list[Row]
    accuracies: list[Accuracies]
    show_accuracies: bool
    minority: list[Minority]
    imbalance: str
    differences: list[Difference]
    synthetic: bool

    @property
    def printed(self) -> bool:
        """Whether the paper gives a number for any row."""
        return any(row.printed for row in (*self.rows, *self.published_rows))

    @property
    def headline(self) -> str:
        """One sentence that counts the verdicts over columns of the rows that are run here."""
        verdicts = [
            cell.verdict
            for row in self.rows
            for cell in row.cells
            if cell.column != MEAN and cell.paper is not None and cell.verdict != "absent"
        ]
        if not verdicts:
            return "The paper gives no number for these rows."
        words: dict[CellVerdict, str] = {
            "within": "within our interval",
            "below": "ours below",
            "above": "ours above",
            "incomparable": "not comparable",
            "single": "with one seed and so undecided",
            "not_run": "not run",
        }
        parts = [f"{verdicts.count(verdict)} {text}" for verdict, text in words.items() if verdict in verdicts]
        return f"{len(verdicts)} comparisons with the paper's numbers: {', '.join(parts)}."


def comparison_table(
    params: Params, name: str, experiment: Table, published: PublishedTable | None, results: Results, synthetic: bool
) -> ComparisonTable:
    """Build the table of an experiment from the metrics that stand in the results.

    Args:
        params: The configuration, which says which runs and seeds are meant.
        name: The experiment's key in params.yaml.
        experiment: Its row labels, runs and columns.
        published: The paper's numbers; None for an experiment of the user's own.
        results: What has been run.
        synthetic: Whether any of its data are generated.
    """
    words = published or PublishedTable(
        title=name, source="No published numbers", metric="Balanced accuracy.", question="", rows={}
    )
    columns = {
        column: words.columns.get(column, _readable(column)) for column in column_names(params, experiment, words)
    }
    runs = experiment.runs
    held = {label: [column for column in columns if row_jobs(params, run, column)] for label, run in runs.items()}
    measured = {label: task_metrics(params, results, run, held[label]) for label, run in runs.items()}
    pairs = [(minuend, subtrahend) for minuend, subtrahend in words.differences if {minuend, subtrahend} <= set(runs)]
    minority, imbalance = _minority(params, experiment, words, columns, results)
    return ComparisonTable(
        id=name,
        label=words.label,
        title=words.title,
        source=words.source,
        metric=words.metric,
        question=words.question,
        note=words.note,
        readings=words.readings,
        columns=columns,
        rows=[_row(label, runs[label], words.rows.get(label), measured[label], held[label], columns) for label in runs],
        published_rows=[
            _row(label, [], row, {}, [], columns) for label, row in words.rows.items() if label not in runs
        ],
        accuracies=[_accuracies(label, measured[label], columns) for label in runs],
        show_accuracies=words.show_accuracies,
        minority=minority,
        imbalance=imbalance,
        differences=[
            _difference(minuend, subtrahend, measured, held, words.rows)
            for minuend, subtrahend in (pairs if words.differences else _successive(list(runs)))
        ],
        synthetic=synthetic,
    )


def column_names(params: Params, experiment: Table, published: PublishedTable | None) -> list[str]:
    """Return a table's columns: those it asks for, else the published ones and every further task of its rows.

    A task that several groups of a run have gives one column per group.
    """
    if experiment.columns:
        return experiment.columns
    names = dict.fromkeys(published.columns if published else [])
    for run_name in experiment.run_names:
        jobs = params.spec(run_name).jobs
        tasks = list(itertools.chain(*jobs.values()))
        for group, members in jobs.items():
            names.update(dict.fromkeys(f"{task}/{group}" if tasks.count(task) > 1 else task for task in members))
    return list(names)


def mean_by_seed(measured: Measured, columns: Sequence[str]) -> dict[int, float]:
    """Return the mean balanced accuracy over `columns` in percent, for the seeds that have every column."""
    seeds = set.intersection(*(set(measured.get(column, {})) for column in columns)) if columns else set()
    return {
        seed: 100 * sum(measured[column][seed]["balanced_accuracy"] for column in columns) / len(columns)
        for seed in sorted(seeds)
    }


def _readable(column: str) -> str:
    task, _, group = column.partition("/")
    return f"{task} (group {group})" if group else task


def _successive(labels: list[str]) -> list[tuple[str, str]]:
    return [(second, first) for first, second in itertools.pairwise(labels)]


def _row(
    label: str,
    runs: list[str],
    printed: PublishedRow | None,
    measured: Measured,
    held: list[str],
    columns: Mapping[str, str],
) -> Row:
    comparable = printed.comparable if printed else True
    cells = []
    for column in columns:
        seeds = measured.get(column, {})
        paper = printed.values.get(column) if printed else None
        ours = student_interval([100 * seeds[seed]["balanced_accuracy"] for seed in sorted(seeds)])
        errors = [100 * seeds[seed]["standard_error"] for seed in sorted(seeds) if "standard_error" in seeds[seed]]
        standard_error = sum(errors) / len(errors) if errors else None
        verdict: CellVerdict = judge(paper, ours, comparable) if column in held else "absent"
        cells.append(Cell(column, paper, ours, standard_error, verdict))
    complete = len(held) == len(columns)
    paper_mean = _printed_mean(printed, columns)
    ours_mean = student_interval(list(mean_by_seed(measured, held).values())) if complete else None
    mean_verdict: CellVerdict = judge(paper_mean, ours_mean, comparable) if complete else "absent"
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


def _printed_mean(printed: PublishedRow | None, columns: Sequence[str] | Mapping[str, str]) -> float | None:
    """The mean of a printed row over `columns`, in percent; None if it lacks one of them."""
    if printed is None or not columns or not set(columns) <= set(printed.values):
        return None
    return sum(printed.values[column] for column in columns) / len(columns)


def _accuracies(label: str, measured: Measured, columns: Mapping[str, str]) -> Accuracies:
    def mean(column: str, key: str) -> float | None:
        seeds = measured.get(column)
        return 100 * sum(seed[key] for seed in seeds.values()) / len(seeds) if seeds else None

    return Accuracies(
        label, [(column, mean(column, "accuracy_positives"), mean(column, "accuracy_negatives")) for column in columns]
    )


def _difference(
    minuend: str,
    subtrahend: str,
    measured: Mapping[str, Measured],
    held: Mapping[str, list[str]],
    printed: Mapping[str, PublishedRow],
) -> Difference:
    both = [column for column in held[minuend] if column in held[subtrahend]]
    first, second = mean_by_seed(measured[minuend], both), mean_by_seed(measured[subtrahend], both)
    ours = student_interval([first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())])
    papers = [_printed_mean(printed.get(label), both) for label in (minuend, subtrahend)]
    paper = papers[0] - papers[1] if papers[0] is not None and papers[1] is not None else None
    return Difference(minuend, subtrahend, len(both), ours, paper, _sentence(minuend, subtrahend, ours))


def _sentence(minuend: str, subtrahend: str, ours: Interval | None) -> str:
    if ours is None:
        return "Not run."
    if ours.half_width is None:
        distance = f"{abs(ours.mean):.1f} points {_side(ours.mean)}"
        return f"{minuend} is {distance} {subtrahend} with one seed; that decides nothing."
    if ours.low <= 0 <= ours.high:
        return "No difference visible: the interval holds zero."
    return f"{minuend} is {_side(ours.mean)} {subtrahend} by {abs(ours.mean):.1f} points; the interval leaves out zero."


def _side(value: float) -> str:
    return "above" if value > 0 else "below"


def _minority(
    params: Params, experiment: Table, published: PublishedTable, columns: Mapping[str, str], results: Results
) -> tuple[list[Minority], str]:
    """Minority proportions of a table whose paper prints them, and what our labels say of the tasks' rank in rarity."""
    if not published.minority:
        return [], ""
    job = next(params.jobs(experiment.run_names[0]))
    shares = minority_shares(results.facts(job.dataset, job.variant_name) or {})
    rows = [Minority(column, published.minority.get(column), shares.get(task_of(column))) for column in columns]
    tasks = {task_of(column): label for column, label in columns.items()}
    if not tasks.keys() <= shares.keys():
        return rows, ""
    ranked = list(shares)
    count, total = len(tasks), len(ranked)
    if set(ranked[:count]) == tasks.keys():
        return rows, f"These are the {count} most imbalanced of the {total} attributes in our training images."
    ranks = ", ".join(f"{label} {ranked.index(task) + 1}" for task, label in tasks.items())
    return rows, (
        f"These are not the {count} most imbalanced of the {total} attributes in our training images; those are "
        f"{', '.join(ranked[:count])}. Ranks of the columns, the rarest label first: {ranks}."
    )

"""Published tables beside our numbers, ready for the templates. All numbers are in percent or percentage points."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskshare.config import Experiment, Params
from taskshare.report.intervals import Interval, Verdict, judge, student_interval
from taskshare.report.published import PublishedRow, PublishedTable
from taskshare.report.results import Results, task_metrics

MEAN = "mean"
"""Key of the column that holds the mean over tasks."""

Measured = dict[str, dict[int, dict[str, float]]]


@dataclass(frozen=True)
class Cell:
    """One row's numbers for one task, or for the mean over tasks."""

    task: str
    paper: float | None
    ours: Interval | None
    standard_error: float | None
    verdict: Verdict

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's, in points."""
        return None if self.ours is None or self.paper is None else self.ours.mean - self.paper


@dataclass(frozen=True)
class Row:
    """One row: the label, the run that fills it (None: published only) and its cells."""

    label: str
    run: str | None
    note: str
    comparable: bool
    seeds: list[int]
    cells: list[Cell]

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
    """Mean over tasks of one row minus another's, paired by seed, in points."""

    minuend: str
    subtrahend: str
    ours: Interval | None
    paper: float | None
    sentence: str


@dataclass(frozen=True)
class ComparisonTable:
    """An experiment's table."""

    id: str
    title: str
    source: str
    metric: str
    question: str
    columns: dict[str, str]
    rows: list[Row]
    published_rows: list[Row]
    accuracies: list[Accuracies]
    differences: list[Difference]
    synthetic: bool

    @property
    def headline(self) -> str:
        """One sentence that counts the verdicts over tasks of the rows that are run here."""
        verdicts = [
            cell.verdict for row in self.rows for cell in row.cells if cell.task != MEAN and cell.paper is not None
        ]
        if not verdicts:
            return "The paper gives no number for these rows."
        words: dict[Verdict, str] = {
            "within": "within our interval",
            "below": "ours below",
            "above": "ours above",
            "incomparable": "not comparable",
            "single": "with one seed and so undecided",
            "not_run": "not run",
        }
        parts = [f"{verdicts.count(verdict)} {text}" for verdict, text in words.items() if verdict in verdicts]
        return f"The paper gives {len(verdicts)} numbers for these rows: {', '.join(parts)}."


def comparison_table(
    params: Params,
    name: str,
    experiment: Experiment,
    published: PublishedTable | None,
    results: Results,
    synthetic: bool,
) -> ComparisonTable:
    """Build the table of an experiment from the metrics that stand in the results.

    Args:
        params: The configuration, which says which runs and seeds are meant.
        name: The experiment's key in params.yaml.
        experiment: Its row labels and runs.
        published: The paper's numbers; None for an experiment of the user's own.
        results: What has been run.
        synthetic: Whether any of its data are generated.
    """
    columns = dict(published.columns) if published else {}
    for run_name in experiment.rows.values():
        for job in params.jobs(run_name):
            for task in job.tasks:
                columns.setdefault(task, task)
    printed = published.rows if published else {}
    measured = {label: task_metrics(params, results, run_name) for label, run_name in experiment.rows.items()}
    rows = [_row(label, run, printed.get(label), measured[label], columns) for label, run in experiment.rows.items()]
    labels = list(experiment.rows)
    return ComparisonTable(
        id=name,
        title=published.title if published else name,
        source=published.source if published else "no published numbers",
        metric=published.metric if published else "Balanced accuracy, the mean of acc_p and acc_n.",
        question=published.question if published else "",
        columns=columns,
        rows=rows,
        published_rows=[
            _row(label, None, row, {}, columns) for label, row in printed.items() if label not in experiment.rows
        ],
        accuracies=[_accuracies(label, measured[label], columns) for label in labels],
        differences=[
            _difference(second, first, measured, printed, columns) for first, second in itertools.pairwise(labels)
        ],
        synthetic=synthetic,
    )


def mean_by_seed(measured: Measured, tasks: Sequence[str]) -> dict[int, float]:
    """Return the mean balanced accuracy over `tasks` in percent, for the seeds that have every task."""
    seeds = set.intersection(*(set(measured.get(task, {})) for task in tasks)) if tasks else set()
    return {
        seed: 100 * sum(measured[task][seed]["balanced_accuracy"] for task in tasks) / len(tasks)
        for seed in sorted(seeds)
    }


def _row(
    label: str, run: str | None, printed: PublishedRow | None, measured: Measured, columns: Mapping[str, str]
) -> Row:
    comparable = printed.comparable if printed else True
    cells = []
    for task in columns:
        seeds = measured.get(task, {})
        paper = printed.values.get(task) if printed else None
        ours = student_interval([100 * seeds[seed]["balanced_accuracy"] for seed in sorted(seeds)])
        errors = [100 * seeds[seed]["standard_error"] for seed in sorted(seeds) if "standard_error" in seeds[seed]]
        standard_error = sum(errors) / len(errors) if errors else None
        cells.append(Cell(task, paper, ours, standard_error, judge(paper, ours, comparable)))
    paper_mean = _printed_mean(printed, columns)
    ours_mean = student_interval(list(mean_by_seed(measured, list(columns)).values()))
    cells.append(Cell(MEAN, paper_mean, ours_mean, None, judge(paper_mean, ours_mean, comparable)))
    return Row(
        label=label,
        run=run,
        note=printed.note if printed else "",
        comparable=comparable,
        seeds=sorted({seed for seeds in measured.values() for seed in seeds}),
        cells=cells,
    )


def _printed_mean(printed: PublishedRow | None, columns: Mapping[str, str]) -> float | None:
    if printed is None or set(printed.values) != set(columns):
        return None
    return sum(printed.values.values()) / len(columns)


def _accuracies(label: str, measured: Measured, columns: Mapping[str, str]) -> Accuracies:
    def mean(task: str, key: str) -> float | None:
        seeds = measured.get(task)
        return 100 * sum(seed[key] for seed in seeds.values()) / len(seeds) if seeds else None

    return Accuracies(
        label, [(task, mean(task, "accuracy_positives"), mean(task, "accuracy_negatives")) for task in columns]
    )


def _difference(
    minuend: str,
    subtrahend: str,
    measured: Mapping[str, Measured],
    printed: Mapping[str, PublishedRow],
    columns: Mapping[str, str],
) -> Difference:
    first = mean_by_seed(measured[minuend], list(columns))
    second = mean_by_seed(measured[subtrahend], list(columns))
    ours = student_interval([first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())])
    papers = [_printed_mean(printed.get(label), columns) for label in (minuend, subtrahend)]
    paper = papers[0] - papers[1] if papers[0] is not None and papers[1] is not None else None
    return Difference(minuend, subtrahend, ours, paper, _sentence(minuend, subtrahend, ours))


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

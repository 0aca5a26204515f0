"""Published tables beside our numbers, ready for the templates. All numbers are in percent or percentage points."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from taskshare.config import Metric, Params, Run, Table
from taskshare.config.tasks import LANDMARK_POINTS, answers
from taskshare.evaluation import rows
from taskshare.evaluation.answers import Answers
from taskshare.evaluation.data_facts import minority_shares
from taskshare.evaluation.names import POINTS
from taskshare.evaluation.published import MEAN, PublishedRow, PublishedTable
from taskshare.evaluation.results import Results, check_one_precision, jobs_of_columns, task_metrics, task_of
from taskshare.evaluation.rows import Accuracies, CellVerdict, ConstantCell, Measured, Row
from taskshare.statistics.contributions import Contributions
from taskshare.statistics.intervals import Interval

CONSTANT = "Constant predictor"
METRICS: dict[Metric, str] = {
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "detection_rate": "Detection rate",
}
WIDEST = 12
"""Columns of the widest table that has a row per model; a wider one has a line per column."""


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
class Numbers:
    """Rows of one metric with what one answer for all images reaches; no cells where the table does not ask for it."""

    rows: list[Row]
    constant: list[ConstantCell]


@dataclass(frozen=True)
class ComparisonTable:
    """An experiment's table.

    Attributes:
        metric: what the cells hold.
        measure: the metric in the words of the paper.
        tall: whether it has a line per column, and rows side by side.
        constant: what one answer for all images reaches; empty where the table does not ask for it.
        balanced: the same rows in balanced accuracy, of a table of accuracies.
        accuracies: acc_p and acc_n, of a table of balanced accuracies.
    """

    id: str
    label: str
    title: str
    source: str
    metric: Metric
    measure: str
    question: str
    note: str
    readings: list[str]
    columns: dict[str, str]
    tall: bool
    rows: list[Row]
    constant: list[ConstantCell]
    published_rows: list[Row]
    balanced: Numbers | None
    accuracies: list[Accuracies]
    show_accuracies: bool
    minority: list[Minority]
    imbalance: str
    differences: list[Difference]
    synthetic: bool

    @property
    def metric_name(self) -> str:
        """The metric as it stands in captions."""
        return METRICS[self.metric]

    @property
    def digits(self) -> int:
        """Decimals of its differences."""
        return _digits(self.tall)

    @property
    def printed(self) -> bool:
        """Whether the paper gives a number for any row."""
        return any(row.printed for row in (*self.rows, *self.published_rows))

    @property
    def headline(self) -> str:
        """One sentence that counts the verdicts over columns of the rows that are run here, or over printed means."""
        judged = [
            cell
            for row in self.rows
            for cell in row.cells
            if cell.paper is not None and cell.verdict != "absent" and (cell.column != MEAN or not row.printed_columns)
        ]
        if not judged:
            return "The paper gives no number for these rows."
        verdicts = [cell.verdict for cell in judged]
        numbers = "means" if all(cell.column == MEAN for cell in judged) else "numbers"
        words: dict[CellVerdict, str] = {
            "within": "within our interval",
            "too_wide": "within an interval that is too wide to tell",
            "below": "ours below",
            "above": "ours above",
            "incomparable": "not comparable",
            "undefined": "undefined",
            "single": "with one seed and so undecided",
            "not_run": "not run",
        }
        parts = [f"{verdicts.count(verdict)} {text}" for verdict, text in words.items() if verdict in verdicts]
        return f"{len(verdicts)} comparisons with the paper's {numbers}: {', '.join(parts)}."


def comparison_table(
    params: Params,
    name: str,
    experiment: Table,
    published: PublishedTable | None,
    results: Results,
    synthetic: bool,
    answers: Answers | None = None,
    widest: Mapping[Metric, float] | None = None,
) -> ComparisonTable:
    """Build the table of an experiment from the metrics that stand in the results.

    Args:
        params: The configuration, which says which runs and seeds are meant.
        name: The experiment's key in params.yaml.
        experiment: Its row labels, runs and columns.
        published: The paper's numbers; None for an experiment of the user's own.
        results: What has been run.
        synthetic: Whether any of its data are generated.
        answers: Those of `results`; without them the intervals take the test set as fixed.
        widest: Half width, in points, beyond which an interval is too wide to tell, by metric; none by default.
    """
    metric = experiment.metric
    words = published or PublishedTable(
        title=name, source="No published numbers", metric=f"{METRICS[metric]}.", question="", rows={}
    )
    columns = {
        column: words.columns.get(column, _readable(column)) for column in column_names(params, experiment, words)
    }
    runs = experiment.runs
    held_jobs = {label: jobs_of_columns(params, run, columns) for label, run in runs.items()}
    held = {label: [*found] for label, found in held_jobs.items()}
    measured = {label: task_metrics(params, results, run, held[label], metric) for label, run in runs.items()}
    jobs = {job.key: job for row in held_jobs.values() for jobs in row.values() for job in jobs}
    check_one_precision(results, jobs.values(), name)
    pairs = [(minuend, subtrahend) for minuend, subtrahend in words.differences if {minuend, subtrahend} <= set(runs)]
    minority, imbalance = _minority(params, experiment, words, columns, results)
    first = params.spec(experiment.run_names[0])
    constant = (results.constant(first.dataset, first.variant) or {}) if experiment.constant else None
    tall = words.tall or len(columns) > WIDEST
    answered = {label: _answered(answers, found, metric) for label, found in held_jobs.items()}
    balanced = None
    if metric == "accuracy":
        both = {label: _answered(answers, found, "balanced_accuracy") for label, found in held_jobs.items()}
        known = {label: task_metrics(params, results, run, held[label]) for label, run in runs.items()}
        unknown = {label: task_metrics(params, results, run, held[label], defined=False) for label, run in runs.items()}
        balanced = _numbers(runs, known, held, columns, constant, both, unknown)
    bound = (widest or {}).get(metric)
    return ComparisonTable(
        id=name,
        label=words.label,
        title=words.title,
        source=words.source,
        metric=metric,
        measure=words.metric,
        question=words.question,
        note=words.note,
        readings=words.readings,
        columns=columns,
        tall=tall,
        rows=[
            rows.row(
                label,
                runs[label],
                words.rows.get(label),
                measured[label],
                held[label],
                columns,
                metric,
                answered[label],
                bound,
                task_metrics(params, results, runs[label], held[label], metric, defined=False),
            )
            for label in runs
        ],
        constant=[] if constant is None else rows.constant_cells(constant, columns, metric),
        published_rows=[
            rows.row(label, [], printed, {}, [], columns, metric, {})
            for label, printed in words.rows.items()
            if label not in runs
        ],
        balanced=balanced,
        accuracies=[rows.accuracies(label, measured[label], columns) for label in runs]
        if metric == "balanced_accuracy"
        else [],
        show_accuracies=words.show_accuracies,
        minority=minority,
        imbalance=imbalance,
        differences=[
            _difference(minuend, subtrahend, measured, answered, held, words.rows, columns, metric, _digits(tall))
            for minuend, subtrahend in (pairs if words.differences else _successive(list(runs)))
        ],
        synthetic=synthetic,
    )


def column_names(params: Params, experiment: Table, published: PublishedTable | None) -> list[str]:
    """Return a table's columns: those it asks for, else the published ones and every further one of its rows.

    A row has a column for each task, and for each landmark or attribute of a joint task, that has the table's metric.
    A task that several groups of a run have gives one column per group.
    """
    if experiment.columns:
        return experiment.columns
    names = dict.fromkeys(published.columns if published else [])
    for run_name in experiment.run_names:
        spec = params.spec(run_name)
        labels = params.datasets[spec.dataset].labels
        tasks = list(itertools.chain(*spec.jobs.values()))
        for group, members in spec.jobs.items():
            for task in members:
                found = [f"{name}/{group}" if tasks.count(task) > 1 else name for name in answers(task, labels)]
                names.update(dict.fromkeys(found))
    return [name for name in names if (task_of(name) in LANDMARK_POINTS) == (experiment.metric == "detection_rate")]


def _answered(answers: Answers | None, jobs: Mapping[str, Sequence[Run]], metric: Metric) -> dict[str, Contributions]:
    """Return the contributions to a row's cells, by column."""
    if answers is None:
        return {}
    found = {column: answers.contributions(own, task_of(column), metric) for column, own in jobs.items()}
    return {column: part for column, part in found.items() if part is not None}


def _digits(tall: bool) -> int:
    """Decimals of differences: means over many columns may differ by less than a tenth of a point."""
    return 2 if tall else 1


def _readable(column: str) -> str:
    task, _, group = column.partition("/")
    name = POINTS.get(task, task)
    return f"{name} (group {group})" if group else name


def _successive(labels: list[str]) -> list[tuple[str, str]]:
    return [(second, first) for first, second in itertools.pairwise(labels)]


def _numbers(
    runs: Mapping[str, list[str]],
    measured: Mapping[str, Measured],
    held: Mapping[str, list[str]],
    columns: Mapping[str, str],
    constant: Mapping[str, Mapping[str, float]] | None,
    answered: Mapping[str, Mapping[str, Contributions]],
    undefined: Mapping[str, Collection[str]],
) -> Numbers:
    """Balanced accuracies of a table of accuracies; nothing of them is printed."""
    metric: Metric = "balanced_accuracy"
    return Numbers(
        [
            rows.row(
                label,
                runs[label],
                None,
                measured[label],
                held[label],
                columns,
                metric,
                answered[label],
                undefined=undefined[label],
            )
            for label in runs
        ],
        [] if constant is None else rows.constant_cells(constant, columns, metric),
    )


def _difference(
    minuend: str,
    subtrahend: str,
    measured: Mapping[str, Measured],
    answered: Mapping[str, Mapping[str, Contributions]],
    held: Mapping[str, list[str]],
    printed: Mapping[str, PublishedRow],
    columns: Mapping[str, str],
    metric: Metric,
    digits: int,
) -> Difference:
    both = [column for column in held[minuend] if column in held[subtrahend]]
    first, second = (rows.mean_by_seed(measured[label], both, metric) for label in (minuend, subtrahend))
    parts = [rows.mean_over(answered[label], both) for label in (minuend, subtrahend)]
    ours = rows.interval(
        {seed: first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())},
        parts[0] - parts[1] if parts[0] and parts[1] else None,
    )
    whole = len(both) == len(columns)
    papers = [rows.printed_mean(printed.get(label), both, whole) for label in (minuend, subtrahend)]
    paper = papers[0] - papers[1] if papers[0] is not None and papers[1] is not None else None
    return Difference(minuend, subtrahend, len(both), ours, paper, _sentence(minuend, subtrahend, ours, digits))


def _sentence(minuend: str, subtrahend: str, ours: Interval | None, digits: int) -> str:
    if ours is None:
        return "Not run."
    distance = f"{abs(ours.mean):.{digits}f} points"
    if ours.seeds == 1:
        return f"{minuend} is {distance} {_side(ours.mean)} {subtrahend} with one seed; that decides nothing."
    if ours.low <= 0 <= ours.high:
        return "No difference visible: the interval holds zero."
    return f"{minuend} is {_side(ours.mean)} {subtrahend} by {distance}; the interval leaves out zero."


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

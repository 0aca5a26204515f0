"""Claims about differences between rows of tables, with an interval over seeds and test persons."""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from taskshare.config import Metric, Params, Run, Table
from taskshare.errors import TaskshareError
from taskshare.evaluation.answers import Answers
from taskshare.evaluation.claims.entries import AnyTest, Comparison, DifferenceTest, Plan, TableRow
from taskshare.evaluation.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all, signed, weakest
from taskshare.evaluation.results import Results, check_one_precision, jobs_of_columns, task_of
from taskshare.evaluation.tables import column_names
from taskshare.statistics import contributions
from taskshare.statistics.contributions import Contributions
from taskshare.statistics.intervals import Interval, crossed
from taskshare.statistics.sample_sizes import persons_needed, seeds_needed
from taskshare.statistics.verdicts import Side, holm, is_equivalent, side

Name = TypeVar("Name", bound=str)


Column = tuple[str, str]
"""A job's name, and the task, attribute or landmark that it answers for."""
Term = tuple[Column, ...]
"""One row of a table, or part of it: the mean of its columns."""


@dataclass(frozen=True)
class Contrast:
    """The sum of some terms minus the sum of others."""

    plus: tuple[Term, ...]
    minus: tuple[Term, ...]

    @property
    def columns(self) -> set[Column]:
        """Every column that some term needs."""
        return {column for term in (*self.plus, *self.minus) for column in term}


@dataclass(frozen=True)
class Corrected:
    """What a comparison comes to in points, and its p-value after Holm's correction over the report's comparisons.

    The claim wants the comparison above minus the margin.
    """

    interval: Interval
    margin: float
    adjusted: float


Estimates = dict[str, Corrected]
"""By `_key`; a comparison that is not run has no entry."""


def _key(cell: Comparison) -> str:
    """What makes a comparison distinct, whatever it is called."""
    return cell.model_copy(update={"label": ""}).model_dump_json()


def estimate(
    params: Params, results: Results, plan: Plan, tests: Mapping[str, AnyTest], answers: Answers | None = None
) -> Estimates:
    """Estimate all distinct comparisons and correct their p-values for their number.

    Raises:
        TaskshareError: a comparison of two data sets or metrics, or of nets that were trained in two precisions.
    """
    answers = answers or Answers(results)
    found: dict[str, tuple[Interval, float]] = {}
    for claim, test in tests.items():
        for cell in test.cells if isinstance(test, DifferenceTest) else []:
            resolved = _resolve(params, claim, cell)
            if _key(cell) in found or resolved is None:
                continue
            metric, contrast = resolved
            _check_precision(params, results, claim, cell, contrast)
            interval = _interval(params, answers, metric, contrast)
            if interval:
                found[_key(cell)] = interval, plan.as_good_as[metric] if cell.wants == "as_good" else 0.0
    adjusted = holm([interval.p_value(-margin) for interval, margin in found.values()])
    return {key: Corrected(*one, p_value) for (key, one), p_value in zip(found.items(), adjusted, strict=True)}


def _check_precision(params: Params, results: Results, claim: str, cell: Comparison, contrast: Contrast) -> None:
    names = {name for name, _ in contrast.columns}
    jobs = [job for job in params.judged_jobs().values() if job.name in names]
    check_one_precision(results, jobs, f"{claim}: '{cell.label}'")


def _resolve(params: Params, claim: str, cell: Comparison) -> tuple[Metric, Contrast] | None:
    """The metric and the jobs that a comparison stands for; None if params.yaml lacks some of it."""
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
    return metric, Contrast(tuple(terms[: len(cell.plus)]), tuple(terms[len(cell.plus) :]))


def _only(claim: str, cell: Comparison, kind: str, values: Collection[Name]) -> Name | None:
    """The one value that all rows of a comparison share; None if they have none."""
    if len(values) > 1:
        raise TaskshareError(
            f"{claim}: '{cell.label}' compares rows of {' and '.join(sorted(values))}; take one {kind}"
        )
    return next(iter(values), None)


def _interval(params: Params, answers: Answers, metric: Metric, contrast: Contrast) -> Interval | None:
    """Return the contrast in points over the seeds that have all of its columns."""
    jobs = [job for job in params.judged_jobs().values() if job.name in {name for name, _ in contrast.columns}]

    def term(columns: Term) -> Contributions | None:
        own = [([job for job in jobs if job.name == name], column) for name, column in columns]
        found = [part for some, column in own if (part := answers.contributions(some, column, metric))]
        return contributions.mean(found) if len(found) == len(columns) else None

    plus, minus = ([term(columns) for columns in terms] for terms in (contrast.plus, contrast.minus))
    signed_terms = [part and factor * part for factor, parts in ((100, plus), (-100, minus)) for part in parts]
    known = [part for part in signed_terms if part is not None]
    return crossed(functools.reduce(Contributions.__add__, known)) if len(known) == len(signed_terms) else None


def judge(test: DifferenceTest, plan: Plan, found: Estimates) -> Judgement:
    """Judge a claim by its comparisons."""
    cells = []
    planned = test.seeds or plan.seeds
    for comparison in test.cells:
        corrected = found.get(_key(comparison))
        if corrected is None:
            cells.append(JudgedCell(comparison.label, "points"))
            continue
        interval, margin = corrected.interval, corrected.margin
        verdict = side(interval, margin, corrected.adjusted, plan.significance, plan.least_seeds)
        known = interval.half_width is not None
        cells.append(
            JudgedCell(
                label=comparison.label,
                unit="points",
                verdict=verdict,
                effect=interval.mean,
                low=interval.low if known else None,
                high=interval.high if known else None,
                p_value=interval.p_value(-margin),
                adjusted=corrected.adjusted,
                seeds=interval.seeds,
                margin=margin,
                note=_note(corrected, verdict, planned, plan),
            )
        )
    experiments = [name for cell in test.cells for name, *_ in (*cell.plus, *cell.minus)]
    return Judgement(of_all(cells), _headline(cells), cells, experiments)


def _note(found: Corrected, verdict: Side, planned: int, plan: Plan) -> str:
    """Say what a reader has to know beside a comparison: too few seeds, how good "as good" is, what would decide."""
    interval, margin = found.interval, found.margin
    if interval.seeds < plan.least_seeds:
        alone = "; the interval is that of the test persons alone" if interval.seeds == 1 else ""
        return f"fewer than {plan.least_seeds} seeds decide nothing{alone}"
    notes = [f"planned with {planned} seeds"] if interval.seeds < planned else []
    equal = margin > 0 and is_equivalent(interval, margin, plan.significance)
    if verdict == "as_good":
        notes.append(
            f"as good: within ±{margin:g} points" if equal else f"no worse by {margin:g} points, perhaps better"
        )
    elif verdict == "undecided":
        notes.append(_needed(interval, -margin))
    return "; ".join(notes)


def _needed(interval: Interval, null: float) -> str:
    """Say how many seeds or test persons would decide, if effect and spreads stayed as they are."""
    seeds, persons = seeds_needed(interval, null), persons_needed(interval, null)
    counts = [f"{seeds:,} seeds"] if seeds else []
    counts += [f"{persons:,} test persons"] if persons else []
    return f"would be decided by {' or '.join(counts)}" if counts else "no number of seeds or persons would decide this"


def _headline(cells: Sequence[JudgedCell]) -> str:
    cell = weakest(cells)
    if cell is None:
        return "Not run."
    supporting, against, absent = (
        sum(other.verdict in verdicts for other in cells)
        for verdicts in (("supports", "as_good"), ("contradicts",), ("not_run",))
    )
    counts = f"for it: {supporting} of {len(cells)}, against it: {against}" + (f", not run: {absent}" if absent else "")
    interval = f"95 % interval {signed(cell.low)} to {signed(cell.high)}"
    return f"Comparisons {counts}; the weakest is {cell.label}, with {signed(cell.effect)} points ({interval})."

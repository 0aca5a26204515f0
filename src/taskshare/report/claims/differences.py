"""Claims about differences between rows of tables: paired bootstrap over test images and seeds."""

from collections.abc import Iterable, Sequence

from statsmodels.stats.multitest import multipletests

from taskshare.config import Params, Table
from taskshare.errors import TaskshareError
from taskshare.evaluation.bootstrap import Answers, Contrast, Estimate, Term, paired_bootstrap
from taskshare.report.claims.entries import Claim, Comparison, DifferenceTest
from taskshare.report.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all, side, signed, weakest
from taskshare.report.results import Results, row_jobs, task_of
from taskshare.report.tables import column_names

FEW_SEEDS = 5


def estimate(params: Params, results: Results, claims: Sequence[Claim]) -> dict[tuple[str, int], Estimate | None]:
    """Bootstrap all comparisons of a data set with one set of draws; by claim and number of the comparison."""
    estimates: dict[tuple[str, int], Estimate | None] = {}
    by_dataset: dict[str, dict[tuple[str, int], Contrast]] = {}
    for claim in claims:
        for number, cell in enumerate(claim.test.cells if isinstance(claim.test, DifferenceTest) else []):
            estimates[claim.id, number] = None
            resolved = _resolve(params, claim.id, cell)
            if resolved:
                dataset, contrast = resolved
                by_dataset.setdefault(dataset, {})[claim.id, number] = contrast
    for dataset, contrasts in by_dataset.items():
        answers = _answers(params, results, contrasts.values())
        found = paired_bootstrap(dataset, answers, list(contrasts.values()))
        estimates.update(zip(contrasts, found, strict=True))
    return estimates


def _resolve(params: Params, claim: str, cell: Comparison) -> tuple[str, Contrast] | None:
    """The data set and the jobs that a comparison stands for; None if params.yaml lacks some of it."""
    rows = {}
    for name, row in (*cell.plus, *cell.minus):
        table = enabled_experiment(params, name, Table)
        if table is None or row not in table.rows:
            return None
        columns = cell.columns or column_names(params, table, None)
        rows[name, row] = {column: jobs[0] for column in columns if (jobs := row_jobs(params, table.runs[row], column))}
    datasets = {job.dataset for jobs in rows.values() for job in jobs.values()}
    if len(datasets) > 1:
        raise TaskshareError(
            f"{claim}: '{cell.label}' compares rows of {' and '.join(sorted(datasets))}; take one data set"
        )

    def term(name: str, row: str) -> Term:
        shared = [column for column in rows[name, row] if all(column in rows[key] for key in rows if key[0] == name)]
        return tuple((rows[name, row][column].name, task_of(column)) for column in shared)

    plus, minus = (tuple(term(*row) for row in part) for part in (cell.plus, cell.minus))
    return (datasets.pop(), Contrast(plus, minus, cell.margin)) if all((*plus, *minus)) else None


def _answers(params: Params, results: Results, contrasts: Iterable[Contrast]) -> Answers:
    """Read the scores of every job that some contrasts need."""
    wanted: dict[str, set[str]] = {}
    for contrast in contrasts:
        for name, task in contrast.columns:
            wanted.setdefault(name, set()).add(task)
    answers = Answers()
    for job in params.enabled_jobs().values():
        scores = results.scores(job.name, job.seed) if job.name in wanted else None
        if scores is None:
            continue
        for task in sorted(wanted[job.name]):
            part = scores[scores["task"] == task]
            positive = part["label"].to_numpy() == 1
            said = part["score"].to_numpy() > 0.5  # reading 12
            answers.add((job.name, task), job.seed, part["id"], positive, said == positive)
    return answers


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
                note=_few(len(estimate.seeds)),
            )
        )
    experiments = [name for cell in test.cells for name, _ in (*cell.plus, *cell.minus)]
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

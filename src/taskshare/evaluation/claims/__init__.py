"""The papers' claims, each judged from the runs that stand in the results."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taskshare.config import Params, Run, Table
from taskshare.errors import TaskshareError
from taskshare.evaluation import kinds
from taskshare.evaluation.answers import Answers
from taskshare.evaluation.claims import differences
from taskshare.evaluation.claims.entries import (
    AnyTest,
    Claim,
    DifferenceTest,
    Plan,
    load_claims,
    load_plan,
)
from taskshare.evaluation.claims.judged import JudgedCell, Verdict, weakest
from taskshare.evaluation.names import paper_of
from taskshare.evaluation.results import Results, generated


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with what the runs say of it."""

    id: str
    claim: str
    says: str
    reading: str
    kind: Literal["difference", "relations", "convergence", "limits", "features", "costs"]
    verdict: Verdict
    headline: str
    cells: list[JudgedCell]
    deciding: JudgedCell | None
    synthetic: bool

    @property
    def paper(self) -> str:
        """What the id starts with: the paper's id, or a name for claims of the user's own."""
        return self.id.rpartition("-claim")[0]

    @property
    def heading(self) -> str:
        """The paper's authors and year."""
        paper = paper_of(self.id)
        return paper.authors if paper else "Own claims"

    @property
    def number(self) -> int:
        """The claim's number, from its id."""
        return int(self.id.rpartition("claim")[2])


def judge_claims(params: Params, results: Results, folder: Path, answers: Answers | None = None) -> list[JudgedClaim]:
    """Judge every claim, as the plan says, from the results that stand there; what they lack is not run.

    An experiment or row that params.yaml does not have, or does not enable, counts as not run too.

    Args:
        params: The configuration, which says which runs and seeds an experiment means.
        results: What has been run.
        folder: reports/, with claims/ and plan.yaml.
        answers: Those of `results`, where something has read some already.

    Raises:
        TaskshareError: a file of claims, the plan, or a result, that cannot be read; a claim without a plan.
    """
    claims, plan = load_claims(folder / "claims"), load_plan(folder / "plan.yaml")
    odd = {claim.id for claim in claims} ^ plan.claims.keys()
    if odd:
        raise TaskshareError(
            f"{folder / 'plan.yaml'}: {min(odd)} stands here or in {folder / 'claims'}, not in both; remove one"
        )
    tests = {claim.id: plan.claims[claim.id] for claim in claims}
    found = differences.estimate(params, results, plan, tests, answers)
    return [_judge(params, results, claim, tests[claim.id], plan, found) for claim in claims]


def departures(params: Params, plan: Plan) -> list[str]:
    """Return in words what at the current scale is not as planned: compared runs with other weights or fewer seeds."""
    found = []
    for claim, test in plan.claims.items():
        if not isinstance(test, DifferenceTest):
            continue
        rows = [row for cell in test.cells for row in (*cell.plus, *cell.minus)]
        tables = [(params.experiments.get(row.experiment), row) for row in rows]
        names = {name for table, row in tables if isinstance(table, Table) for name in table.runs.get(row.row, [])}
        jobs = [job for name in sorted(names) for job in params.jobs(name)]
        wanted = plan.selection.get(claim.partition("-")[0])
        others = {job.training.selection for job in jobs} - {wanted} if wanted else set()
        named = {row.experiment: table.metric for table, row in tables if isinstance(table, Table)}
        for experiment, metric in named.items():
            if plan.metrics.get(experiment, metric) != metric:
                found.append(f"{claim} is judged in {metric.replace('_', ' ')}")
        seeds = min((len(list(group)) for group in _by_name(jobs)), default=0)
        if others:
            found.append(f"{claim} has weights selected as {', '.join(sorted(others))}")
        if seeds < (test.seeds or plan.seeds):
            found.append(f"{claim} has {seeds} of {test.seeds or plan.seeds} seeds")
    return found


def _by_name(jobs: Iterable[Run]) -> list[list[Run]]:
    groups: dict[str, list[Run]] = {}
    for job in jobs:
        groups.setdefault(job.name, []).append(job)
    return list(groups.values())


def _judge(
    params: Params, results: Results, claim: Claim, test: AnyTest, plan: Plan, found: differences.Estimates
) -> JudgedClaim:
    if isinstance(test, DifferenceTest):
        judgement, of_images = differences.judge(test, plan, found), True
    else:
        kind = kinds.JUDGED[test.kind]
        judgement, of_images = kind.judge(params, results, test, plan), kind.of_images
    return JudgedClaim(
        id=claim.id,
        claim=claim.claim,
        says=claim.says,
        reading=claim.reading,
        kind=test.kind,
        verdict=judgement.verdict,
        headline=judgement.headline,
        cells=judgement.cells,
        deciding=weakest(judgement.cells),
        synthetic=of_images and _generated(params, results, judgement.experiments),
    )


def _generated(params: Params, results: Results, experiments: Iterable[str]) -> bool:
    """Whether any data of some experiments are generated."""
    known = {name for name in experiments if name in params.experiments}
    specs = [params.spec(run_name) for name in known for run_name in params.experiments[name].run_names]
    pairs = {(spec.dataset, spec.variant) for spec in specs}
    return any(generated(params, results, dataset, variant) for dataset, variant in pairs)

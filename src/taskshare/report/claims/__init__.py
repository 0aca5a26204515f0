"""The papers' claims, each judged from the runs that stand in the results."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taskshare.config import Params
from taskshare.evaluation.bootstrap import Estimate
from taskshare.report.claims import convergence, costs, differences, features, limits, relations
from taskshare.report.claims.entries import (
    Claim,
    ConvergenceTest,
    CostsTest,
    DifferenceTest,
    FeaturesTest,
    LimitsTest,
    RelationsTest,
    load_claims,
)
from taskshare.report.claims.judged import JudgedCell, Verdict, weakest
from taskshare.report.names import paper_of
from taskshare.report.results import Results, generated


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


def judge_claims(params: Params, results: Results, folder: Path) -> list[JudgedClaim]:
    """Judge every claim from the results that stand there; what they lack is not run.

    An experiment or row that params.yaml does not have, or does not enable, counts as not run too.

    Args:
        params: The configuration, which says which runs and seeds an experiment means.
        results: What has been run.
        folder: reports/claims.

    Raises:
        TaskshareError: a file of claims, or a result, that cannot be read.
    """
    claims = load_claims(folder)
    estimates = differences.estimate(params, results, claims)
    return [_judge(params, results, claim, estimates) for claim in claims]


def _judge(
    params: Params, results: Results, claim: Claim, estimates: dict[tuple[str, int], Estimate | None]
) -> JudgedClaim:
    match claim.test:
        case DifferenceTest() as test:
            judgement = differences.judge(test, [estimates[claim.id, number] for number in range(len(test.cells))])
        case RelationsTest() as test:
            judgement = relations.judge(params, results, test)
        case ConvergenceTest() as test:
            judgement = convergence.judge(params, results, test)
        case LimitsTest() as test:
            judgement = limits.judge(params, results, test)
        case FeaturesTest() as test:
            judgement = features.judge(params, results, test)
        case CostsTest() as test:
            judgement = costs.judge(params, results, test)
    return JudgedClaim(
        id=claim.id,
        claim=claim.claim,
        says=claim.says,
        reading=claim.reading,
        kind=claim.test.kind,
        verdict=judgement.verdict,
        headline=judgement.headline,
        cells=judgement.cells,
        deciding=weakest(judgement.cells),
        # What nets cost does not depend on the images.
        synthetic=claim.test.kind != "costs" and _generated(params, results, judgement.experiments),
    )


def _generated(params: Params, results: Results, experiments: Iterable[str]) -> bool:
    """Whether any data of some experiments are generated."""
    known = {name for name in experiments if name in params.experiments}
    specs = [params.spec(run_name) for name in known for run_name in params.experiments[name].run_names]
    pairs = {(spec.dataset, spec.variant) for spec in specs}
    return any(generated(params, results, dataset, variant) for dataset, variant in pairs)

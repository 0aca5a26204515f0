"""The dynamic net at its two limits: single-task nets, and hard sharing (Fang 2017, section 3, reading 2)."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from taskshare.config import Limits, Params, Run
from taskshare.evaluation.claims.entries import LimitsTest, Plan
from taskshare.evaluation.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all
from taskshare.evaluation.kinds.kind import Kind, Net, Part, Settings
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results


class LimitRow(Part):
    """How far one seed's net is from its limits, at the initial weights.

    Attributes:
        seed: of the run.
        identity: largest difference of logits between alpha = identity and single-task nets, with the first layers one
            by one.
        joined: the same with one convolution for all first layers, as in training.
        equal: largest relative difference between equal alpha and hard sharing, of the trunk's gradient to the sum over
            the subnets, and to n times the gradient of each.
        bound: what rounding can make of `equal`.
    """

    seed: int
    identity: float
    joined: float
    equal: float
    bound: float


class LimitsSummary(Part):
    """What is shown of a `limits` experiment."""

    kind: Literal["limits"] = "limits"
    run: str
    rows: list[LimitRow]


class LimitsKind(Kind):
    """Measured of the initial weights, so nothing has to be trained for it."""

    test = "limits"

    @staticmethod
    def measure(net: Net, settings: Settings, out: Path) -> None:
        """Compare a dynamic net at its two limits with single-task nets and with hard sharing."""
        from taskshare.evaluation.kinds import alpha_limits

        run, prepared = net.need("run", "prepared")
        alpha_limits.measure(run, prepared, out, net.device)

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Limits, results: Results, published: Published | None
    ) -> LimitsSummary | None:
        """Return the largest differences by seed."""
        rows = _rows(params.jobs(experiment.run), results)
        return LimitsSummary(run=experiment.run, rows=rows) if rows else None

    @staticmethod
    def judge(params: Params, results: Results, test: LimitsTest, plan: Plan) -> Judgement:
        """Judge a claim by the largest differences over seeds.

        With alpha = identity nothing may differ; with equal alpha the gradients may differ by what rounding can do.
        """
        identity = JudgedCell("α = identity against single-task nets: largest difference", "difference")
        equal = JudgedCell("equal α against hard sharing: largest relative difference of gradients", "difference")
        experiment = enabled_experiment(params, test.experiment, Limits)
        rows = _rows(params.jobs(experiment.run), results) if experiment else []
        if not rows:
            return Judgement("not_run", "Not run.", [identity, equal], [test.experiment])
        first, joined, second = (max(getattr(row, key) for row in rows) for key in ("identity", "joined", "equal"))
        bound = min(row.bound for row in rows)
        cells = [
            replace(identity, verdict="supports" if first == 0 else "contradicts", effect=first, seeds=len(rows)),
            replace(equal, verdict="supports" if second <= bound else "contradicts", effect=second, seeds=len(rows)),
        ]
        headline = (
            f"At α = 1 to a task's own layers and 0 to all others, the outputs differ from those of single-task nets "
            f"by {first:.1g} at most if each subnet computes its first layer by itself, and by {joined:.1g} if one "
            f"convolution computes all of them, as in training. At α = 1/n for all n tasks the gradients differ from "
            f"hard sharing's by a share of {second:.1g} at most; rounding can make {bound:.1g}."
        )
        return Judgement(of_all(cells), headline, cells, [test.experiment])

    @staticmethod
    def files(params: Params, experiment: Limits) -> list[str]:
        """Return the measured files."""
        return [f"evaluation/{experiment.run}/seed*/{Limits.measurement.file}"]


def _rows(jobs: Iterable[Run], results: Results) -> list[LimitRow]:
    found: dict[int, Any] = {job.seed: results.measured(Limits, job.name, job.seed) for job in jobs}
    return [
        LimitRow(
            seed=seed,
            identity=content["identity"]["maximum_difference"],
            joined=content["identity"]["maximum_difference_with_joined_first_layers"],
            equal=max(content["equal"]["maximum_relative_differences"].values()),
            bound=content["equal"]["bound"],
        )
        for seed, content in found.items()
        if content is not None
    ]

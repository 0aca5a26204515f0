"""The claim that the dynamic net becomes hard sharing, or single-task nets, at its limits."""

from dataclasses import replace

from taskshare.config import Limits, Params
from taskshare.report.claims.entries import LimitsTest
from taskshare.report.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all
from taskshare.report.results import Results

MOST_RELATIVE_DIFFERENCE = 1e-8
"""Below it, float64 gradients count as equal: the order of their sums differs."""


def judge(params: Params, results: Results, test: LimitsTest) -> Judgement:
    """Judge a claim by the largest differences over seeds."""
    identity = JudgedCell("α = identity against single-task nets: largest difference", "difference")
    equal = JudgedCell("equal α against hard sharing: largest relative difference of gradients", "difference")
    experiment = enabled_experiment(params, test.experiment, Limits)
    jobs = list(params.jobs(experiment.run)) if experiment else []
    measured = [content for job in jobs if (content := results.limits(job.name, job.seed)) is not None]
    if not measured:
        return Judgement("not_run", "Not run.", [identity, equal], [test.experiment])
    first = max(content["identity"]["maximum_difference"] for content in measured)
    second = max(max(content["equal"].values()) for content in measured)
    cells = [
        replace(identity, verdict="supports" if first == 0 else "contradicts", effect=first, seeds=len(measured)),
        replace(
            equal,
            verdict="supports" if second < MOST_RELATIVE_DIFFERENCE else "contradicts",
            effect=second,
            seeds=len(measured),
        ),
    ]
    headline = (
        f"With α = identity the outputs differ from those of single-task nets by {first:.1g} at most; with equal α the "
        f"gradients differ from hard sharing's by a share of {second:.1g} at most."
    )
    return Judgement(of_all(cells), headline, cells, [test.experiment])

"""The claim that the dynamic net becomes hard sharing, or single-task nets, at its limits."""

from dataclasses import replace

from taskshare.config import Limits, Params
from taskshare.evaluation.claims.entries import LimitsTest
from taskshare.evaluation.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all
from taskshare.evaluation.results import Results


def judge(params: Params, results: Results, test: LimitsTest) -> Judgement:
    """Judge a claim by the largest differences over seeds.

    With alpha = identity nothing may differ; with equal alpha the gradients may differ by what rounding can do.
    """
    identity = JudgedCell("α = identity against single-task nets: largest difference", "difference")
    equal = JudgedCell("equal α against hard sharing: largest relative difference of gradients", "difference")
    experiment = enabled_experiment(params, test.experiment, Limits)
    jobs = list(params.jobs(experiment.run)) if experiment else []
    measured = [content for job in jobs if (content := results.limits(job.name, job.seed)) is not None]
    if not measured:
        return Judgement("not_run", "Not run.", [identity, equal], [test.experiment])
    first = max(content["identity"]["maximum_difference"] for content in measured)
    joined = max(content["identity"]["maximum_difference_with_joined_first_layers"] for content in measured)
    second = max(max(content["equal"]["maximum_relative_differences"].values()) for content in measured)
    bound = min(content["equal"]["bound"] for content in measured)
    cells = [
        replace(identity, verdict="supports" if first == 0 else "contradicts", effect=first, seeds=len(measured)),
        replace(
            equal,
            verdict="supports" if second <= bound else "contradicts",
            effect=second,
            seeds=len(measured),
        ),
    ]
    headline = (
        f"At α = 1 to a task's own layers and 0 to all others, the outputs differ from those of single-task nets by "
        f"{first:.1g} at most if each subnet "
        f"computes its first layer by itself, and by {joined:.1g} if one convolution computes all of them, as in "
        f"training. At α = 1/n for all n tasks the gradients differ from hard sharing's by a share of {second:.1g} at "
        f"most; rounding can make {bound:.1g}."
    )
    return Judgement(of_all(cells), headline, cells, [test.experiment])

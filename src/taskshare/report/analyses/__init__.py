"""The experiments that are no tables, ready for the template.

Fang 2017: Figures 2, 4, 5 and 6, Table 6 and the limits. Matsui 2019: Table 1, Figures 4 and 6, and the costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from taskshare.config import (
    Architecture,
    Connections,
    Convergence,
    Costs,
    Experiment,
    FeatureMaps,
    Landmarks,
    Limits,
    Params,
    Removal,
    ResponseMaps,
    Table,
    Tuning,
)
from taskshare.evaluation.published import Published, PublishedArchitecture, PublishedChanges, PublishedRatio
from taskshare.evaluation.results import Results, generated
from taskshare.graph import CONNECTIONS, COOCCURRENCE, FEATURE_MAPS, LANDMARKS_FILE, LIMITS, METRICS, RESPONSE_MAPS
from taskshare.report.analyses.architecture import ShownArchitecture, shown_architecture
from taskshare.report.analyses.connections import ShownConnections, shown_connections
from taskshare.report.analyses.convergence import ShownConvergence, shown_convergence
from taskshare.report.analyses.costs import ShownCosts, shown_costs
from taskshare.report.analyses.feature_maps import ShownFeatureMaps, shown_feature_maps
from taskshare.report.analyses.landmarks import ShownLandmarks, shown_landmarks
from taskshare.report.analyses.removal import ShownRemoval, shown_removal
from taskshare.report.analyses.response_maps import ShownMaps, shown_maps
from taskshare.report.analyses.tuning import ShownTuning, shown_tuning


@dataclass(frozen=True)
class LimitRow:
    """How far one seed's net is from its limits, at the initial weights.

    Attributes:
        seed: of the run.
        identity: largest difference of logits between alpha = identity and single-task nets, with the first layers one
            by one.
        joined: the same with one convolution for all first layers, as in training.
        equal: largest relative difference between equal alpha and hard sharing, of the trunk's gradient to the sum over
            the subnets, and to n times the gradient of each.
    """

    seed: int
    identity: float
    joined: float
    equal: float


@dataclass(frozen=True)
class ShownLimits:
    """What is shown of a `limits` experiment."""

    run: str
    rows: list[LimitRow]


Shown = (
    ShownMaps
    | ShownConnections
    | ShownRemoval
    | ShownConvergence
    | ShownLimits
    | ShownLandmarks
    | ShownFeatureMaps
    | ShownCosts
    | ShownArchitecture
    | ShownTuning
)


@dataclass(frozen=True)
class Analysis:
    """An experiment that is no table.

    Attributes:
        kind: as in params.yaml.
        id: the experiment's key in params.yaml.
        title: its heading, the experiment's key if nothing is published.
        question: what it asks; empty if nothing is published.
        note: what a reader has to know.
        source: the place in the paper.
        readings: ids of the deviation register that concern it.
        synthetic: whether its data are generated, and it depends on them.
        files: results that it was made from; * stands for any seed.
        code: the source files that made it.
        shown: what is shown; None where it has not been run.
    """

    kind: str
    id: str
    title: str
    question: str
    note: str
    source: str
    readings: list[str]
    synthetic: bool
    files: list[str]
    code: list[str]
    shown: Shown | None


def analyses(params: Params, results: Results, published: Mapping[str, Published]) -> list[Analysis]:
    """Return every enabled experiment that is no table, in the order of params.yaml.

    Args:
        params: the configuration.
        results: what has been run, of any completeness.
        published: the paper's numbers by experiment.
    """
    return [
        _analysis(params, name, experiment, published.get(name), results)
        for name, experiment in params.experiments.items()
        if params.is_enabled(name) and not isinstance(experiment, Table)
    ]


def _analysis(
    params: Params, name: str, experiment: Experiment, published: Published | None, results: Results
) -> Analysis:
    shown: Shown | None
    first = params.spec(experiment.run_names[0])
    match experiment:
        case ResponseMaps(run=run):
            files = [f"evaluation/{run}/seed*/{content}" for content in (RESPONSE_MAPS, COOCCURRENCE)]
            code, shown = ["response_maps"], shown_maps(params, name, experiment, results)
        case Connections(run=run):
            files = [f"training/{run}/seed*/transfer.parquet", f"evaluation/{run}/seed*/{CONNECTIONS}"]
            code = ["connections", "relations"]
            shown = shown_connections(params, name, experiment, results)
        case Removal(after=after):
            parent = next(params.jobs(after)).start
            files = [f"evaluation/{run}/seed*/{CONNECTIONS}" for run in (parent.job if parent else after, after)]
            files.append(f"training/{after}/seed*/provenance.json")
            printed = published.rows if isinstance(published, PublishedChanges) else {}
            code, shown = ["removal"], shown_removal(params, experiment, printed, results)
        case Convergence(task=task):
            runs = [
                next(job.name for job in params.jobs(run) if task in job.trained_tasks) for run in experiment.run_names
            ]
            files = [f"training/{run}/seed*/{kind}.parquet" for run in runs for kind in ("history", "timing")]
            files += [f"evaluation/{run}/seed*/{METRICS}" for run in runs]
            printed_ratio = published.ratio if isinstance(published, PublishedRatio) else None
            code, shown = ["convergence"], shown_convergence(params, name, experiment, printed_ratio, results)
        case Limits(run=run):
            files = [f"evaluation/{run}/seed*/{LIMITS}"]
            code, shown = ["__init__"], _limits(params, experiment, results)
        case Landmarks(rows=rows):
            found = [next(job.name for job in params.jobs(run) if job.finds_landmarks) for run in rows.values()]
            files = [f"evaluation/{run}/seed*/{LANDMARKS_FILE}" for run in found]
            code, shown = ["landmarks"], shown_landmarks(params, name, experiment, results)
        case FeatureMaps(run=run):
            files = [f"evaluation/{run}/seed*/{FEATURE_MAPS}"]
            code, shown = ["feature_maps"], shown_feature_maps(params, experiment, results)
        case Costs():
            files, code = [f"evaluation/costs/{name}.json"], ["costs"]
            shown = shown_costs(name, experiment, results)
        case Tuning():
            files = [f"training/{trial}*/seed{experiment.seed}/history.parquet" for trial in experiment.rows.values()]
            code, shown = ["tuning"], shown_tuning(params, experiment, results)
        case Architecture():
            printed_layers = published if isinstance(published, PublishedArchitecture) else None
            files, code = [], ["architecture"]
            shown = shown_architecture(params, experiment, printed_layers)
    return Analysis(
        kind=experiment.kind,
        id=name,
        title=". ".join(filter(None, (published.label, published.title))) if published else name,
        question=published.question if published else "",
        note=published.note if published else "",
        source=published.source if published else "no published numbers",
        readings=published.readings if published else [],
        synthetic=not isinstance(experiment, Costs | Architecture)
        and generated(params, results, first.dataset, first.variant),
        files=files,
        code=[f"src/taskshare/report/analyses/{module}.py" for module in code],
        shown=shown,
    )


def _limits(params: Params, experiment: Limits, results: Results) -> ShownLimits | None:
    rows = [
        LimitRow(
            job.seed,
            found["identity"]["maximum_difference"],
            found["identity"]["maximum_difference_with_joined_first_layers"],
            max(found["equal"]["maximum_relative_differences"].values()),
        )
        for job in params.jobs(experiment.run)
        if (found := results.limits(job.name, job.seed))
    ]
    return ShownLimits(experiment.run, rows) if rows else None

"""What each task takes from the others, over training and over layers (Fang 2017, section 4.3, Figures 4 and 5)."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from taskshare.config import Connections, Network, Params, Run
from taskshare.config.base import PositiveInt
from taskshare.evaluation.claims.entries import Plan, RelationsTest
from taskshare.evaluation.claims.judged import Judgement
from taskshare.evaluation.kinds import group_relations
from taskshare.evaluation.kinds.group_relations import Relations
from taskshare.evaluation.kinds.kind import Kind, Net, Part, Settings
from taskshare.evaluation.names import spoken
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results
from taskshare.evaluation.thinning import thin_out


class Images(Settings):
    """How many training images the magnitudes are taken from."""

    images: PositiveInt = Connections.measurement.images or 1


class TaskLines(Part):
    """What one task takes from the others along an axis, and what it says.

    Attributes:
        task: the one that takes.
        companions: the others of its groups.
        x: iterations or layers, (n,).
        lines: by quantity and giving task, (n,): `share`, `influence` (both in percent), and `alpha`.
        reading: in words.
    """

    task: str
    companions: list[str]
    x: list[int]
    lines: dict[str, dict[str, list[float]]]
    reading: str


class Spread(Part):
    """Alpha of one layer in the kept weights, over all pairs of different tasks and all seeds."""

    layer: int
    lowest: float
    mean: float
    highest: float
    deviation: float


class ConnectionsSummary(Part):
    """What is shown of a `connections` experiment; a part that has not been run is empty.

    Attributes:
        run: the net.
        layer: the one that is followed over training.
        tasks: the one to show first, then the others.
        groups: the experiment's groups.
        training: Figure 4, for each of `tasks`.
        training_seeds: seeds that Figure 4 is a mean of.
        iteration: the last one of Figure 4.
        shares: share, in percent, that each of `tasks` (row) gives to each (column) at that iteration; None to itself.
        layers: Figure 5, for each of `tasks`.
        layers_seeds: seeds that Figure 5 is a mean of.
        spreads: how far alpha has spread, by layer.
        start: alpha before training.
        relations: alpha within and between the groups; None where it has not been run.
    """

    kind: Literal["connections"] = "connections"
    run: str
    layer: int
    tasks: list[str]
    groups: dict[str, list[str]]
    training: list[TaskLines]
    training_seeds: list[int]
    iteration: int
    shares: list[list[float | None]]
    layers: list[TaskLines]
    layers_seeds: list[int]
    spreads: list[Spread]
    start: float
    relations: Relations | None


class ConnectionsKind(Kind):
    """Follows the learned connections over training and over layers, and tests the groups."""

    settings = Images
    test = "relations"

    @staticmethod
    def measure(net: Net, settings: Images, out: Path) -> None:
        """Measure what each task takes from the others, layer by layer."""
        from taskshare.evaluation.kinds import connection_magnitudes

        checkpoint, prepared = net.need("checkpoint", "prepared")
        connection_magnitudes.measure(checkpoint, prepared, settings.images, out, net.device)

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Connections, results: Results, published: Published | None
    ) -> ConnectionsSummary | None:
        """Return the numbers of Figures 4 and 5 for every task; None where nothing has been run.

        Reading fang2017-18: what task j takes from task i is s_ij = alpha_ij / sum_k alpha_kj, itself (k = j) left out.
        Raw alpha, and the share of alpha_ij m_i with m_i the mean |h_i|, are shown too, since raw alpha ignores scale.
        """
        jobs = list(params.jobs(experiment.run))
        recorded = _collect(jobs, lambda job: _at_layer(results.transfer(job.name, job.seed), experiment.layer))
        kept = _collect(jobs, lambda job: results.measured(Connections, job.name, job.seed))
        if recorded.empty and kept.empty:
            return None
        first = experiment.task or jobs[0].tasks[0]
        tasks = [first, *(task for task in jobs[0].tasks if task != first)]
        over_training = _means(recorded, "iteration")
        iteration = 0 if recorded.empty else int(recorded["iteration"].max())
        return ConnectionsSummary(
            run=experiment.run,
            layer=experiment.layer,
            tasks=tasks,
            groups=experiment.groups,
            training=[] if recorded.empty else _training(over_training, tasks, experiment.groups),
            training_seeds=_seeds(recorded),
            iteration=iteration,
            shares=_matrix(over_training["share"].xs(iteration, level="iteration"), tasks) if iteration else [],
            layers=[] if kept.empty else _layers(_means(kept, "layer"), tasks, experiment.groups),
            layers_seeds=_seeds(kept),
            spreads=[] if kept.empty else _spreads(kept),
            start=_start(jobs[0]),
            relations=None if kept.empty else group_relations.relations(kept, experiment),
        )

    @staticmethod
    def judge(params: Params, results: Results, test: RelationsTest, plan: Plan) -> Judgement:
        """Judge a claim by an exact permutation test of the groups."""
        return group_relations.judge(params, results, test, plan)

    @staticmethod
    def files(params: Params, experiment: Connections) -> list[str]:
        """Return what training records of alpha, and the measured connections."""
        run = experiment.run
        return [f"training/{run}/seed*/transfer.parquet", f"evaluation/{run}/seed*/{Connections.measurement.file}"]


def _spreads(kept: pd.DataFrame) -> list[Spread]:
    found = kept[kept["source"] != kept["target"]].groupby("layer")["alpha"].agg(["min", "mean", "max", "std"])
    rows = zip(found.index.tolist(), found.to_numpy().tolist(), strict=True)
    names = ("lowest", "mean", "highest", "deviation")
    return [Spread(layer=layer, **dict(zip(names, numbers, strict=True))) for layer, numbers in rows]


def _start(job: Run) -> float:
    assert isinstance(job.network, Network)
    return 1 / (1 + math.exp(-job.network.transfer.initial_beta))


def without_itself(table: pd.DataFrame, weight: pd.Series, keys: Sequence[str]) -> pd.Series:
    """Return each source's share in what its target takes from the others, 0 to 1 (reading 18).

    Args:
        table: source, target and `keys`, without rows from a task to itself.
        weight: of each row, at least 0.
        keys: columns that tell apart what is shared separately, as seed and layer.
    """
    return weight / weight.groupby([table[key] for key in (*keys, "target")]).transform("sum")


def _at_layer(table: pd.DataFrame | None, layer: int) -> pd.DataFrame | None:
    return None if table is None else table[table["layer"] == layer]


def _collect(jobs: Sequence[Run], read: Callable[[Run], pd.DataFrame | None]) -> pd.DataFrame:
    tables = [table.assign(seed=job.seed) for job in jobs if (table := read(job)) is not None and len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _seeds(table: pd.DataFrame) -> list[int]:
    return [] if table.empty else sorted(int(seed) for seed in table["seed"].unique())


def _means(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """Means over seeds of alpha and shares (%), by `key`, source and target, itself left out."""
    if table.empty:
        return table
    others = table[table["source"] != table["target"]]
    quantities = {"alpha": others["alpha"], "share": 100 * without_itself(others, others["alpha"], ["seed", key])}
    if "magnitude" in others:
        weight = others["alpha"] * others["magnitude"]
        quantities["influence"] = 100 * without_itself(others, weight, ["seed", key])
    return others.assign(**quantities).groupby([key, "source", "target"])[list(quantities)].mean()


def _companions(task: str, groups: Mapping[str, list[str]]) -> list[str]:
    """The other tasks of a task's groups."""
    together = [other for members in groups.values() if task in members for other in members if other != task]
    return list(dict.fromkeys(together))


def _training(means: pd.DataFrame, tasks: Sequence[str], groups: Mapping[str, list[str]]) -> list[TaskLines]:
    shown = []
    last = means.index.get_level_values("iteration").max()
    for task in tasks:
        companions = _companions(task, groups)
        end = means["share"].xs((last, task), level=("iteration", "target")).sort_values(ascending=False, kind="stable")
        shown.append(_lines(task, companions, means[["share", "alpha"]], _training_reading(task, end, companions)))
    return shown


def _layers(means: pd.DataFrame, tasks: Sequence[str], groups: Mapping[str, list[str]]) -> list[TaskLines]:
    shown = []
    for task in tasks:
        companions = _companions(task, groups)
        own = means[means.index.get_level_values("target") == task].droplevel("target")
        quantities = means[["share", "alpha", "influence"]]
        shown.append(_lines(task, companions, quantities, _layers_reading(task, own, companions)))
    return shown


def _lines(task: str, companions: list[str], means: pd.DataFrame, reading: str) -> TaskLines:
    own = thin_out(pd.DataFrame(means.xs(task, level="target").unstack("source")))
    lines = {
        str(quantity): {str(source): own[quantity][source].tolist() for source in own[quantity]} for quantity in means
    }
    return TaskLines(task=task, companions=companions, x=own.index.tolist(), lines=lines, reading=reading)


def _training_reading(task: str, end: pd.Series, companions: Sequence[str]) -> str:
    text = (
        f"At the end {spoken(task)} takes most from {spoken(end.index[0])} ({end.iloc[0]:.1f} %) and "
        f"least from {spoken(end.index[-1])} ({end.iloc[-1]:.1f} %); equal shares would be "
        f"{100 / len(end):.1f} %."
    )
    if companions:
        places = [f"{place} ({spoken(other)})" for place, other in enumerate(end.index, 1) if other in companions]
        text += f" Of the {len(end)} others, its own group holds place {' and '.join(places)}."
    return text


def _layers_reading(task: str, own: pd.DataFrame, companions: Sequence[str]) -> str:
    """`own`: share, alpha and influence by layer and source."""
    layers = own.index.get_level_values("layer")
    first, last = layers.min(), layers.max()
    share = own["share"].unstack("source")
    width = share.max(axis=1) - share.min(axis=1)
    text = (
        f"Largest and smallest share are {width[first]:.1f} points apart at layer {first} and {width[last]:.1f} points "
        f"at layer {last}."
    )
    if companions:
        of_group = share[list(companions)].sum(axis=1)
        even = 100 * len(companions) / share.shape[1]
        text += (
            f" The own group gives {of_group[first]:.1f} % at layer {first} and {of_group[last]:.1f} % at layer {last} "
            f"(equal shares: {even:.1f} %)."
        )
    influence = own["influence"].xs(last, level="layer")
    text += (
        f" With feature magnitudes, {spoken(str(influence.idxmax()))} weighs most at layer {last} "
        f"({influence.max():.1f} %)."
    )
    return text


def _matrix(shares: pd.Series, tasks: Sequence[str]) -> list[list[float | None]]:
    return [
        [None if source == target else shares.loc[[(source, target)]].item() for target in tasks] for source in tasks
    ]

"""What each task takes from the others, over training and over layers (Fang 2017, section 4.3, Figures 4 and 5)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskshare.config import Connections, Network, Params, Run
from taskshare.evaluation.results import Results
from taskshare.report import figures, svg
from taskshare.report.analyses import drawing as pictures
from taskshare.report.analyses.relations import Relations, relations
from taskshare.report.figures import LegendEntry, Look

EMPHASIS = 2.4
"""Width of the lines of tasks in the same group, in points."""
QUANTITIES = {
    "share": "share without itself (%)",
    "alpha": "α",
    "influence": "share of α × magnitude (%)",
}


@dataclass(frozen=True)
class TaskPictures:
    """What one task takes from the others: a picture per quantity, and what they say."""

    task: str
    pictures: list[str]
    reading: str


@dataclass(frozen=True)
class LayerNumbers:
    """What the first task takes from `source`, by layer; shares in percent."""

    source: str
    values: list[float]


@dataclass(frozen=True)
class Spread:
    """Alpha of one layer in the kept weights, over all pairs of different tasks and all seeds."""

    layer: int
    lowest: float
    mean: float
    highest: float
    deviation: float


@dataclass(frozen=True)
class ShownConnections:
    """What is shown of a `connections` experiment; a part that has not been run is empty.

    Attributes:
        run: the net.
        layer: the one that is followed over training.
        tasks: the one to show first, then the others.
        groups: the experiment's groups.
        legend: how each task's lines look.
        training: Figure 4, for each of `tasks`.
        training_seeds: seeds that Figure 4 is a mean of.
        iteration: the last one of Figure 4.
        shares: share, in percent, that each of `tasks` (row) gives to each (column) at that iteration; None to itself.
        layers: Figure 5, for each of `tasks`.
        layers_seeds: seeds that Figure 5 is a mean of.
        layer_numbers: the numbers of Figure 5 for the first task, by quantity.
        layer_names: its layers.
        spreads: how far alpha has spread, by layer.
        start: alpha before training.
        relations: alpha within and between the groups; None where it has not been run.
    """

    run: str
    layer: int
    tasks: list[str]
    groups: dict[str, list[str]]
    legend: list[LegendEntry]
    training: list[TaskPictures]
    training_seeds: list[int]
    iteration: int
    shares: list[list[float | None]]
    layers: list[TaskPictures]
    layers_seeds: list[int]
    layer_numbers: dict[str, list[LayerNumbers]]
    layer_names: list[int]
    spreads: list[Spread]
    start: float
    relations: Relations | None


def shown_connections(params: Params, name: str, experiment: Connections, results: Results) -> ShownConnections | None:
    """Draw Figures 4 and 5 for every task, and test the groups; None where nothing has been run.

    Reading 18: what task j takes from task i is s_ij = alpha_ij / sum_k alpha_kj, itself (k = j) left out. Beside it
    stand raw alpha and the share of alpha_ij m_i, with m_i the mean |h_i|, since raw alpha ignores scale.
    """
    jobs = list(params.jobs(experiment.run))
    recorded = _collect(jobs, lambda job: _at_layer(results.transfer(job.name, job.seed), experiment.layer))
    kept = _collect(jobs, lambda job: results.connections(job.name, job.seed))
    if recorded.empty and kept.empty:
        return None
    first = experiment.task or jobs[0].tasks[0]
    tasks = [first, *(task for task in jobs[0].tasks if task != first)]
    looks = pictures.group_looks(tasks, experiment.groups)
    over_training = _means(recorded, "iteration")
    over_layers = _means(kept, "layer")
    iteration = 0 if recorded.empty else int(recorded["iteration"].max())
    layers = [] if kept.empty else sorted(int(layer) for layer in kept["layer"].unique())
    with svg.style():
        return ShownConnections(
            run=experiment.run,
            layer=experiment.layer,
            tasks=tasks,
            groups=experiment.groups,
            legend=_legend(tasks, experiment.groups, looks),
            training=[] if recorded.empty else _training(name, experiment, over_training, tasks, looks),
            training_seeds=_seeds(recorded),
            iteration=iteration,
            shares=_matrix(over_training["share"].xs(iteration, level="iteration"), tasks) if iteration else [],
            layers=[] if kept.empty else _layers(name, experiment, over_layers, tasks, looks),
            layers_seeds=_seeds(kept),
            layer_numbers={} if kept.empty else _layer_numbers(over_layers, tasks, layers),
            layer_names=layers,
            spreads=[] if kept.empty else _spreads(kept),
            start=_start(jobs[0]),
            relations=None if kept.empty else relations(kept, experiment),
        )


def _spreads(kept: pd.DataFrame) -> list[Spread]:
    found = kept[kept["source"] != kept["target"]].groupby("layer")["alpha"].agg(["min", "mean", "max", "std"])
    rows = zip(found.index.tolist(), found.to_numpy().tolist(), strict=True)
    return [Spread(int(layer), *numbers) for layer, numbers in rows]


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


def _legend(tasks: Sequence[str], groups: Mapping[str, list[str]], looks: Mapping[str, Look]) -> list[LegendEntry]:
    order = [*dict.fromkeys(task for members in groups.values() for task in members)]
    order += [task for task in tasks if task not in order]
    return [LegendEntry(task, looks[task][0], figures.DASHES.get(str(looks[task][1]), "5 1 1 1")) for task in order]


def _companions(task: str, groups: Mapping[str, list[str]]) -> list[str]:
    """The other tasks of a task's groups."""
    together = [other for members in groups.values() if task in members for other in members if other != task]
    return list(dict.fromkeys(together))


def _training(
    name: str, experiment: Connections, means: pd.DataFrame, tasks: list[str], looks: Mapping[str, Look]
) -> list[TaskPictures]:
    shown = []
    for task in tasks:
        companions = _companions(task, experiment.groups)
        drawn = [
            _panel(name, "training", task, quantity, means, "iteration", looks, companions)
            for quantity in ("share", "alpha")
        ]
        last = means.index.get_level_values("iteration").max()
        end = means["share"].xs((last, task), level=("iteration", "target")).sort_values(ascending=False, kind="stable")
        shown.append(TaskPictures(task, drawn, _training_reading(task, end, companions)))
    return shown


def _layers(
    name: str, experiment: Connections, means: pd.DataFrame, tasks: list[str], looks: Mapping[str, Look]
) -> list[TaskPictures]:
    shown = []
    for task in tasks:
        companions = _companions(task, experiment.groups)
        drawn = [_panel(name, "layers", task, quantity, means, "layer", looks, companions) for quantity in QUANTITIES]
        own = means[means.index.get_level_values("target") == task].droplevel("target")
        shown.append(TaskPictures(task, drawn, _layers_reading(task, own, companions)))
    return shown


def _layer_numbers(means: pd.DataFrame, tasks: Sequence[str], layers: Sequence[int]) -> dict[str, list[LayerNumbers]]:
    target, *sources = tasks
    return {
        quantity: [
            LayerNumbers(source, [means[quantity].loc[[(layer, source, target)]].item() for layer in layers])
            for source in sources
        ]
        for quantity in QUANTITIES
    }


def _panel(
    name: str,
    figure: str,
    task: str,
    quantity: str,
    means: pd.DataFrame,
    key: str,
    looks: Mapping[str, Look],
    companions: list[str],
) -> str:
    own = means[quantity].xs(task, level="target").unstack("source")
    own = figures.thin_out(own)
    lines = [
        pictures.Line(
            x=own.index.to_numpy(np.float64),
            y=own[source].to_numpy(np.float64),
            look=looks[source],
            label=source,
            width=EMPHASIS if source in companions else 1.2,
        )
        for source in own.columns
    ]
    even = None if quantity == "alpha" else 100 / len(lines)
    return pictures.line_panel(
        figures.key(name, figure, quantity, task),
        f"{QUANTITIES[quantity]} that {task} takes from {', '.join(own.columns)}, by {key}",
        f"To {pictures.spoken(task)}",
        lines,
        key,
        QUANTITIES[quantity],
        even,
    )


def _training_reading(task: str, end: pd.Series, companions: Sequence[str]) -> str:
    text = (
        f"At the end {pictures.spoken(task)} takes most from {pictures.spoken(end.index[0])} ({end.iloc[0]:.1f} %) and "
        f"least from {pictures.spoken(end.index[-1])} ({end.iloc[-1]:.1f} %); equal shares would be "
        f"{100 / len(end):.1f} %."
    )
    if companions:
        places = [
            f"{place} ({pictures.spoken(other)})" for place, other in enumerate(end.index, 1) if other in companions
        ]
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
        f" With feature magnitudes, {pictures.spoken(str(influence.idxmax()))} weighs most at layer {last} "
        f"({influence.max():.1f} %)."
    )
    return text


def _matrix(shares: pd.Series, tasks: Sequence[str]) -> list[list[float | None]]:
    return [
        [None if source == target else shares.loc[[(source, target)]].item() for target in tasks] for source in tasks
    ]

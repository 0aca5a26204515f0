"""Response-contrast maps, co-occurrence, and the groups that follow from them (Fang 2017, section 2, Figure 2)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskshare.config import Params, ResponseMaps
from taskshare.evaluation.grouping import PIXELS, agreement, cluster, l1_distances
from taskshare.evaluation.permutation import PermutationTest
from taskshare.evaluation.results import Results
from taskshare.report import figures, svg
from taskshare.report.analyses import drawing as pictures


@dataclass(frozen=True)
class AttributeMap:
    """An attribute's response-contrast map, mean over seeds; `mean` is its mean contrast."""

    attribute: str
    mean: float
    picture: str


@dataclass(frozen=True)
class Pairs:
    """A number for every pair of the groups' tasks: (n, n), its picture and what it says."""

    numbers: list[list[float]]
    picture: str
    reading: str


@dataclass(frozen=True)
class Grouping:
    """Groups that follow from a measure, and how they agree with the paper's.

    Attributes:
        label: the measure.
        groups: the tasks of each group.
        agreement: adjusted Rand index with the paper's groups, tested.
        seeds: whether each seed alone gives the same groups; empty for a measure without seeds.
    """

    label: str
    groups: list[list[str]]
    agreement: PermutationTest
    seeds: dict[int, bool]


@dataclass(frozen=True)
class ShownMaps:
    """What is shown of a `response_maps` experiment.

    Attributes:
        run: the net whose responses are compared.
        layer: 1 to 5.
        size: rows and columns of a map.
        seeds: those that the maps are means of.
        tasks: of the groups, in their order.
        limit: contrast of the brightest colour.
        colours: the colour scale, a CSS gradient.
        maps: of the groups' tasks.
        others: of all other attributes.
        reading: what the maps say.
        distances: L1 distances of raw maps.
        normalised: numbers of the distances of maps scaled to sum 1, (n, n).
        frequencies: share of the training images with both attributes; None where co-occurrence was not measured.
        images: training images that co-occurrence was counted on.
        printed: the paper's groups.
        groupings: derived groups.
        dendrogram: picture of the tree over raw distances.
        verdict: what the derived groups say.
    """

    run: str
    layer: int
    size: tuple[int, int]
    seeds: list[int]
    tasks: list[str]
    limit: float
    colours: str
    maps: list[AttributeMap]
    others: list[AttributeMap]
    reading: str
    distances: Pairs
    normalised: list[list[float]]
    frequencies: Pairs | None
    images: int
    printed: list[list[str]]
    groupings: list[Grouping]
    dendrogram: str
    verdict: str


def shown_maps(params: Params, name: str, experiment: ResponseMaps, results: Results) -> ShownMaps | None:
    """Compare the groups that maps and co-occurrence give with the paper's; None where no map was measured.

    Reading 22: maps are compared by L1 distance. Groups are derived by average linkage, cut into as many as the paper
    has, since the paper selects its groups by hand. The maps of several seeds are averaged before distances are taken.
    """
    jobs = list(params.jobs(experiment.run))
    tables = {job.seed: table for job in jobs if (table := results.response_maps(job.name, job.seed)) is not None}
    by_seed = {seed: _maps(table, experiment.layer) for seed, table in tables.items()}
    if not by_seed or not all(by_seed.values()):
        return None
    pixels = _maps(next(iter(tables.values())), PIXELS)
    mean = {
        attribute: np.mean([maps[attribute] for maps in by_seed.values()], axis=0) for attribute in _common(by_seed)
    }
    tasks, printed = first_groups(experiment.groups, mean)
    limit = max(float(values.max()) for values in mean.values()) or 1.0
    drawn = [
        AttributeMap(attribute, float(values.mean()), pictures.contrast_map(values, limit, f"Map of {attribute}"))
        for attribute, values in mean.items()
    ]
    count = len(set(printed))

    def distances(maps: Mapping[str, np.ndarray], normalise: bool) -> np.ndarray:
        return l1_distances(np.stack([maps[task] for task in tasks]), normalise)

    def grouping(label: str, normalise: bool) -> Grouping:
        derived = cluster(distances(mean, normalise), count)
        alone = {seed: cluster(distances(maps, normalise), count) for seed, maps in by_seed.items()}
        same = {seed: _groups(tasks, labels) == _groups(tasks, derived) for seed, labels in alone.items()}
        return Grouping(label, _groups(tasks, derived), agreement(derived, printed), same)

    raw = distances(mean, normalise=False)
    groupings = [grouping("L1 distance of raw maps", False), grouping("L1 distance of maps scaled to sum 1", True)]
    without_net = cluster(distances(pixels, normalise=False), count)
    label = "L1 distance of pixel differences, without a net"
    groupings.append(Grouping(label, _groups(tasks, without_net), agreement(without_net, printed), {}))
    counted = next((t for job in jobs if (t := results.cooccurrence(job.name, job.seed)) is not None), None)
    frequencies = None if counted is None else _frequencies(counted, tasks)
    if frequencies is not None:
        apart = np.where(np.eye(len(tasks), dtype=bool), 0.0, 1 - frequencies)
        derived = cluster(apart, count)
        groupings.append(Grouping("co-occurrence", _groups(tasks, derived), agreement(derived, printed), {}))
    first = next(iter(mean.values()))
    with svg.style():
        return ShownMaps(
            run=experiment.run,
            layer=experiment.layer,
            size=(first.shape[0], first.shape[1]),
            seeds=list(by_seed),
            tasks=tasks,
            limit=limit,
            colours=pictures.colour_scale(),
            maps=[item for task in tasks for item in drawn if item.attribute == task],
            others=[item for item in drawn if item.attribute not in tasks],
            reading=_map_reading({task: mean[task] for task in tasks}),
            distances=_distance_pairs(name, raw, tasks, printed),
            normalised=distances(mean, normalise=True).tolist(),
            frequencies=None if frequencies is None else _frequency_pairs(name, frequencies, tasks),
            images=0 if counted is None else int(counted["total"].iloc[0]),
            printed=_groups(tasks, printed),
            groupings=groupings,
            dendrogram=pictures.dendrogram(
                figures.key(name, "tree"), f"Tree of {', '.join(tasks)} by L1 distance", raw, tasks, count
            ),
            verdict=_verdict(groupings, _groups(tasks, printed)),
        )


def first_groups(groups: Mapping[str, Sequence[str]], known: Collection[str]) -> tuple[list[str], np.ndarray]:
    """Return the tasks of the groups that are known, and the number (n,) of the first group of each."""
    labels: dict[str, int] = {}
    for number, members in enumerate(groups.values()):
        for task in members:
            if task in known:
                labels.setdefault(task, number)
    return list(labels), np.array(list(labels.values()))


def listed(names: Sequence[str]) -> str:
    """Return names as words: `a, b and c`."""
    spoken = [pictures.spoken(name) for name in names]
    return " and ".join([", ".join(spoken[:-1]), spoken[-1]]) if len(spoken) > 1 else "".join(spoken)


def _maps(table: pd.DataFrame, layer: int) -> dict[str, np.ndarray]:
    table = table[table["layer"] == layer]
    return {
        str(attribute): part.pivot(index="row", columns="column", values="contrast").to_numpy(np.float64)
        for attribute, part in table.groupby("attribute", sort=False)
    }


def _common(by_seed: Mapping[int, Mapping[str, np.ndarray]]) -> list[str]:
    first, *others = by_seed.values()
    return [attribute for attribute in first if all(attribute in maps for maps in others)]


def _groups(tasks: Sequence[str], labels: np.ndarray) -> list[list[str]]:
    """Groups in the order of their first tasks."""
    return [[task for task, own in zip(tasks, labels, strict=True) if own == label] for label in dict.fromkeys(labels)]


def _frequencies(table: pd.DataFrame, tasks: list[str]) -> np.ndarray:
    share = table.assign(share=table["images"] / table["total"]).pivot(index="first", columns="second", values="share")
    return share.reindex(index=tasks, columns=tasks).to_numpy(np.float64)


def _map_reading(maps: Mapping[str, np.ndarray]) -> str:
    means = {task: float(values.mean()) for task, values in maps.items()}
    strongest, weakest = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    halves: dict[str, list[str]] = {"upper half": [], "middle row": [], "lower half": []}
    for task, values in maps.items():
        place = (np.unravel_index(values.argmax(), values.shape)[0] + 0.5) / len(values)
        halves["upper half" if place < 0.5 else "lower half" if place > 0.5 else "middle row"].append(task)
    places = "; ".join(f"in the {half} for {listed(tasks)}" for half, tasks in halves.items() if tasks)
    return (
        f"Contrast is strongest for {pictures.spoken(strongest)} (mean {means[strongest]:.3g}) and weakest for "
        f"{pictures.spoken(weakest)} ({means[weakest]:.3g}). The brightest cell lies {places}."
    )


def _distance_pairs(name: str, raw: np.ndarray, tasks: list[str], printed: np.ndarray) -> Pairs:
    rows, columns = np.triu_indices(len(tasks), 1)
    values = raw[rows, columns]
    near, far = (listed([tasks[rows[place]], tasks[columns[place]]]) for place in (values.argmin(), values.argmax()))
    same = printed[rows] == printed[columns]
    reading = f"Nearest are {near} ({values.min():.3g}), farthest {far} ({values.max():.3g})."
    if same.any():
        reading += (
            f" The mean distance is {values[same].mean():.3g} within the paper's groups and "
            f"{values[~same].mean():.3g} between them."
        )
    digits = 2 if values.max() < 10 else 1
    picture = pictures.heat_map(
        figures.key(name, "distances"),
        f"L1 distances of the maps of {', '.join(tasks)}",
        "L1 distance",
        raw,
        tasks,
        digits,
    )
    return Pairs(raw.tolist(), picture, reading)


def _frequency_pairs(name: str, frequencies: np.ndarray, tasks: list[str]) -> Pairs:
    rows, columns = np.triu_indices(len(tasks), 1)
    values = frequencies[rows, columns]
    often, seldom = ([tasks[rows[place]], tasks[columns[place]]] for place in (values.argmax(), values.argmin()))
    reading = (
        f"Most often together: {listed(often)}, in {100 * values.max():.1f} % of the training images; "
        f"least often: {listed(seldom)}, in {100 * values.min():.1f} %."
    )
    picture = pictures.heat_map(
        figures.key(name, "cooccurrence"),
        f"Share of training images with both of two attributes, for {', '.join(tasks)}, in percent",
        "Co-occurrence (%)",
        100 * frequencies,
        tasks,
        1,
    )
    return Pairs((100 * frequencies).tolist(), picture, reading)


def _verdict(groupings: Sequence[Grouping], printed: list[list[str]]) -> str:
    equal = [item.label for item in groupings if item.groups == printed]
    unequal = [item.label for item in groupings if item.groups != printed]
    parts = [f"The paper's groups come out of: {', '.join(equal)}."] if equal else []
    parts += [f"Other groups come out of: {', '.join(unequal)}."] if unequal else []
    by_chance = [item.label for item in groupings if item.agreement.p_value > 0.05]
    if by_chance:
        parts.append(f"Agreement that chance would give as well (p above 0.05): {', '.join(by_chance)}.")
    return " ".join(parts)

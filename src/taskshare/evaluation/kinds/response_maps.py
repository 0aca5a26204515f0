"""Response-contrast maps, co-occurrence, and the groups that follow from them (Fang 2017, section 2, Figure 2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import pandas as pd
from pydantic import Field
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from taskshare.config import Params, ResponseMaps, Run
from taskshare.data.cooccurrence import cooccurrence
from taskshare.evaluation.kinds.kind import Kind, Net, Part, Settings
from taskshare.evaluation.kinds.task_groups import grouped_tasks
from taskshare.evaluation.names import listed, spoken
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results
from taskshare.pictures import png
from taskshare.statistics.grouping import PIXELS, agreement, cluster, l1_distances
from taskshare.statistics.permutation import PermutationTest

CELLS_PER_SIDE = 64
"""A map with more cells along one side is drawn coarser."""


class Layer(Settings):
    """Whose maps are measured."""

    layer: Annotated[int, Field(ge=1, le=5)] = 5


class AttributeMap(Part):
    """An attribute's response-contrast map, mean over seeds: its mean contrast, and the picture as a data URI."""

    attribute: str
    mean: float
    picture: str


class Pairs(Part):
    """A number for every pair of the groups' tasks, (n, n), and what it says."""

    numbers: list[list[float]]
    reading: str


class Grouping(Part):
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


class ResponseMapsSummary(Part):
    """What is shown of a `response_maps` experiment.

    Attributes:
        run: the net whose responses are compared.
        layer: 1 to 5.
        size: rows and columns of a map.
        seeds: those that the maps are means of.
        tasks: of the groups, in their order.
        limit: contrast of the brightest colour.
        maps: of the groups' tasks.
        others: of all other attributes.
        reading: what the maps say.
        distances: L1 distances of raw maps.
        normalised: numbers of the distances of maps scaled to sum 1, (n, n).
        frequencies: share of the training images with both attributes; None where the labels are not there.
        images: training images that co-occurrence was counted on.
        published: the paper's groups.
        groupings: derived groups.
        merges: the tree of average linkage over raw distances, (n - 1, 4), as SciPy has it.
        verdict: what the derived groups say.
    """

    kind: Literal["response_maps"] = "response_maps"
    run: str
    layer: int
    size: tuple[int, int]
    seeds: list[int]
    tasks: list[str]
    limit: float
    maps: list[AttributeMap]
    others: list[AttributeMap]
    reading: str
    distances: Pairs
    normalised: list[list[float]]
    frequencies: Pairs | None
    images: int
    published: list[list[str]]
    groupings: list[Grouping]
    merges: list[list[float]]
    verdict: str


class ResponseMapsKind(Kind):
    """Compares the groups that maps and co-occurrence give with the paper's."""

    settings = Layer

    @staticmethod
    def measure(net: Net, settings: Layer, out: Path) -> None:
        """Measure the response-contrast map of every attribute."""
        from taskshare.evaluation.kinds import contrast_maps

        checkpoint, prepared = net.need("checkpoint", "prepared")
        contrast_maps.measure(checkpoint, prepared, settings.layer, out, net.device)

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: ResponseMaps, results: Results, published: Published | None
    ) -> ResponseMapsSummary | None:
        """Derive groups of tasks, and compare them with the paper's; None where no map was measured.

        Reading fang2017-22: maps are compared by L1 distance. Groups are derived by average linkage, cut into as many
        as the paper has, since the paper selects its groups by hand. The maps of several seeds are averaged before
        distances are taken.
        """
        jobs = list(params.jobs(experiment.run))
        found = {job.seed: results.measured(ResponseMaps, job.name, job.seed) for job in jobs}
        tables = {seed: table for seed, table in found.items() if table is not None}
        by_seed = {seed: _maps(table, experiment.layer) for seed, table in tables.items()}
        if not by_seed or not all(by_seed.values()):
            return None
        mean = {
            attribute: np.mean([maps[attribute] for maps in by_seed.values()], axis=0) for attribute in _common(by_seed)
        }
        tasks, groups = grouped_tasks(experiment.groups, mean)
        pixels = _stack(_maps(next(iter(tables.values())), PIXELS), tasks)
        together, images = _cooccurrence(results, jobs[0], tasks)
        stacked, stacked_by_seed = _stack(mean, tasks), {seed: _stack(maps, tasks) for seed, maps in by_seed.items()}
        raw = l1_distances(stacked, normalise=False)
        groupings = _groupings(stacked, stacked_by_seed, pixels, together, tasks, groups)
        limit = max(float(values.max()) for values in mean.values()) or 1.0
        drawn = [
            AttributeMap(attribute=attribute, mean=float(values.mean()), picture=_picture(values, limit))
            for attribute, values in mean.items()
        ]
        return ResponseMapsSummary(
            run=experiment.run,
            layer=experiment.layer,
            size=stacked.shape[1:],
            seeds=list(by_seed),
            tasks=tasks,
            limit=limit,
            maps=[item for task in tasks for item in drawn if item.attribute == task],
            others=[item for item in drawn if item.attribute not in tasks],
            reading=_map_reading(dict(zip(tasks, stacked, strict=True))),
            distances=Pairs(numbers=raw.tolist(), reading=_distance_reading(raw, tasks, groups)),
            normalised=l1_distances(stacked, normalise=True).tolist(),
            frequencies=None if together is None else _frequency_pairs(together, tasks),
            images=images,
            published=_groups(tasks, groups),
            groupings=groupings,
            merges=hierarchy.linkage(squareform(raw), "average").tolist(),
            verdict=_verdict(groupings, _groups(tasks, groups)),
        )

    @staticmethod
    def files(params: Params, experiment: ResponseMaps) -> list[str]:
        """Return the measured maps, and the labels."""
        spec = params.spec(experiment.run)
        maps = f"evaluation/{experiment.run}/seed*/{ResponseMaps.measurement.file}"
        return [maps, f"data/{spec.dataset}/{spec.variant}/train.parquet"]


def _groupings(
    mean: np.ndarray,
    by_seed: Mapping[int, np.ndarray],
    pixels: np.ndarray,
    together: np.ndarray | None,
    tasks: Sequence[str],
    groups: np.ndarray,
) -> list[Grouping]:
    """The groups that follow from maps (n, h, w), scaled or not, from pixels, and from shares of images (n, n)."""
    count = len(set(groups.tolist()))

    def grouping(label: str, distances: np.ndarray, of_seeds: Mapping[int, np.ndarray]) -> Grouping:
        derived = cluster(distances, count)
        own = _groups(tasks, derived)
        seeds = {seed: _groups(tasks, cluster(alone, count)) == own for seed, alone in of_seeds.items()}
        return Grouping(label=label, groups=own, agreement=agreement(derived, groups), seeds=seeds)

    found = [
        grouping(
            label,
            l1_distances(mean, normalise),
            {seed: l1_distances(maps, normalise) for seed, maps in by_seed.items()},
        )
        for label, normalise in (("L1 distance of raw maps", False), ("L1 distance of maps scaled to sum 1", True))
    ]
    found.append(grouping("L1 distance of pixel differences, without a net", l1_distances(pixels, normalise=False), {}))
    if together is not None:
        apart = np.where(np.eye(len(tasks), dtype=bool), 0.0, 1 - together)
        found.append(grouping("co-occurrence", apart, {}))
    return found


def _stack(maps: Mapping[str, np.ndarray], tasks: Sequence[str]) -> np.ndarray:
    return np.stack([maps[task] for task in tasks])


def _cooccurrence(results: Results, job: Run, tasks: Sequence[str]) -> tuple[np.ndarray | None, int]:
    """The share of the training images with both of two tasks (n, n), and how many images there are."""
    table = results.label_table(job.dataset, job.variant_name, "train")
    if table is None:
        return None, 0
    return cooccurrence(table, job.labels, tasks) / len(table), len(table)


def _picture(values: np.ndarray, limit: float) -> str:
    """A map (rows, columns), 0 to `limit`, in the colours of viridis."""
    rows, columns = (min(side, CELLS_PER_SIDE) for side in values.shape)
    coarse = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
    shades = np.rint(255 * np.clip(coarse / limit, 0, 1)).astype(np.uint8)
    return png(cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS))


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


def _map_reading(maps: Mapping[str, np.ndarray]) -> str:
    means = {task: float(values.mean()) for task, values in maps.items()}
    strongest, weakest = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    halves: dict[str, list[str]] = {"upper half": [], "middle row": [], "lower half": []}
    for task, values in maps.items():
        place = (np.unravel_index(values.argmax(), values.shape)[0] + 0.5) / len(values)
        halves["upper half" if place < 0.5 else "lower half" if place > 0.5 else "middle row"].append(task)
    places = "; ".join(f"in the {half} for {listed(tasks)}" for half, tasks in halves.items() if tasks)
    return (
        f"Contrast is strongest for {spoken(strongest)} (mean {means[strongest]:.3g}) and weakest for "
        f"{spoken(weakest)} ({means[weakest]:.3g}). The brightest cell lies {places}."
    )


def _distance_reading(raw: np.ndarray, tasks: list[str], groups: np.ndarray) -> str:
    rows, columns = np.triu_indices(len(tasks), 1)
    values = raw[rows, columns]
    near, far = (listed([tasks[rows[place]], tasks[columns[place]]]) for place in (values.argmin(), values.argmax()))
    same = groups[rows] == groups[columns]
    reading = f"Nearest are {near} ({values.min():.3g}), farthest {far} ({values.max():.3g})."
    if same.any():
        reading += (
            f" The mean distance is {values[same].mean():.3g} within the paper's groups and "
            f"{values[~same].mean():.3g} between them."
        )
    return reading


def _frequency_pairs(together: np.ndarray, tasks: list[str]) -> Pairs:
    rows, columns = np.triu_indices(len(tasks), 1)
    values = together[rows, columns]
    often, seldom = ([tasks[rows[place]], tasks[columns[place]]] for place in (values.argmax(), values.argmin()))
    reading = (
        f"Most often together: {listed(often)}, in {100 * values.max():.1f} % of the training images; "
        f"least often: {listed(seldom)}, in {100 * values.min():.1f} %."
    )
    return Pairs(numbers=(100 * together).tolist(), reading=reading)


def _verdict(groupings: Sequence[Grouping], published: list[list[str]]) -> str:
    equal = [item.label for item in groupings if item.groups == published]
    unequal = [item.label for item in groupings if item.groups != published]
    parts = [f"The paper's groups come out of: {', '.join(equal)}."] if equal else []
    parts += [f"Other groups come out of: {', '.join(unequal)}."] if unequal else []
    by_chance = [item.label for item in groupings if item.agreement.p_value > 0.05]
    if by_chance:
        parts.append(f"Agreement that chance would give as well (p above 0.05): {', '.join(by_chance)}.")
    return " ".join(parts)

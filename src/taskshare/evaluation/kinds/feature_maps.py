"""Maps of the shared column and of the task columns, and how alike their features are (Matsui 2019, Figure 6)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from taskshare.config import FeatureMaps, Params
from taskshare.config.base import PositiveInt
from taskshare.evaluation.claims.entries import FeaturesTest, Plan
from taskshare.evaluation.claims.judged import Judgement
from taskshare.evaluation.kinds import column_similarity
from taskshare.evaluation.kinds.column_similarity import samples
from taskshare.evaluation.kinds.kind import Kind, Net, Number, Part, Settings
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results
from taskshare.pictures import png
from taskshare.statistics.feature_similarity import SHARED, explained_share, linear_cka

MAPS_SHOWN = 8
TILE = 64
"""Most pixels of a drawn map along one side; larger maps are drawn coarser."""
GAP = 2


class Block(Settings):
    """Whose last convolution is measured."""

    block: PositiveInt = 1


class ColumnMaps(Part):
    """The maps of one column in pictures, as data URIs.

    Attributes:
        source: `shared` or a task.
        channels: those shown, counted from 1, the one with the largest variance first.
        total: channels that the layer has.
        mean: mean over the test images.
        example: of the example image; None where pictures of single samples are not wanted.
    """

    source: str
    channels: list[int]
    total: int
    mean: str
    example: str | None


class Similarity(Part):
    """How alike the features of two columns are; a number is None where a column's maps are all constant.

    Attributes:
        label: the two columns, first and second.
        between: `columns` of one net, or nets of two `seeds`.
        cka: linear CKA, mean over `count` pairs.
        low: the lowest of them.
        high: the highest.
        forward: share of the second's variance that a linear fit from the first explains, mean.
        backward: share of the first's variance that a fit from the second explains, mean.
        count: how many pairs.
    """

    label: str
    between: str
    cka: Number
    low: Number
    high: Number
    forward: Number
    backward: Number
    count: int


class FeatureMapsSummary(Part):
    """What is shown of a `feature_maps` experiment.

    Attributes:
        run: the net.
        layer: the convolution whose rectified maps are shown, as the paper calls it.
        size: rows and columns of a map.
        seed: the net that the pictures are of.
        seeds: those that the numbers are from.
        places: of the test images, where the features of two columns were compared.
        image: the example image as a data URI; None where pictures of single samples are not wanted.
        image_id: its id; empty without it.
        columns: the shared one first.
        similarities: of columns, then of seeds.
        reading: what the numbers say.
    """

    kind: Literal["feature_maps"] = "feature_maps"
    run: str
    layer: str
    size: tuple[int, int]
    seed: int
    seeds: list[int]
    places: int
    image: str | None
    image_id: str
    columns: list[ColumnMaps]
    similarities: list[Similarity]
    reading: str


class FeatureMapsKind(Kind):
    """Shows the maps of the first seed, and compares the columns of all seeds."""

    settings = Block
    test = "features"

    @staticmethod
    def measure(net: Net, settings: Block, out: Path) -> None:
        """Measure the feature maps of the shared column and of the task columns."""
        from taskshare.evaluation.kinds import column_maps

        checkpoint, prepared = net.need("checkpoint", "prepared")
        column_maps.measure(checkpoint, prepared, settings.block, out, net.device)

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: FeatureMaps, results: Results, published: Published | None
    ) -> FeatureMapsSummary | None:
        """Return pictures of the maps, and how alike the columns are; None where nothing was measured."""
        features = samples(params, experiment, results)
        if not features:
            return None
        seed = next(iter(features))
        maps = results.measured(FeatureMaps, experiment.run, seed)
        assert maps is not None  # `samples` has read the same file
        with_image = params.report.example_images
        similarities = _similarities(features)
        return FeatureMapsSummary(
            run=experiment.run,
            layer=str(maps["facts"]["name"]),
            size=maps[f"mean.{SHARED}"].shape[1:],
            seed=seed,
            seeds=list(features),
            places=len(features[seed][SHARED]),
            image=png(maps["image"][..., ::-1]) if with_image else None,
            image_id=str(maps["facts"]["id"]) if with_image else "",
            columns=[_column(source, maps, with_image) for source in features[seed]],
            similarities=similarities,
            reading=_reading(similarities),
        )

    @staticmethod
    def judge(params: Params, results: Results, test: FeaturesTest, plan: Plan) -> Judgement:
        """Judge a claim by how alike task columns are to their shared column, against shared columns of two seeds."""
        return column_similarity.judge(params, results, test, plan)

    @staticmethod
    def files(params: Params, experiment: FeatureMaps) -> list[str]:
        """Return the measured maps."""
        return [f"evaluation/{experiment.run}/seed*/{FeatureMaps.measurement.file}"]


def _similarities(features: dict[int, dict[str, np.ndarray]]) -> list[Similarity]:
    sources, seeds = list(next(iter(features.values()))), list(features)
    found = []
    for number, first in enumerate(sources):
        for second in sources[number + 1 :]:
            pairs = [(own[first], own[second]) for own in features.values()]
            found.append(_similarity(f"{first}, {second}", "columns", pairs))
    for source in sources if len(seeds) > 1 else []:
        pairs = [
            (features[first][source], features[second][source])
            for number, first in enumerate(seeds)
            for second in seeds[number + 1 :]
        ]
        found.append(_similarity(f"{source}, {source}", "seeds", pairs))
    return found


def _similarity(label: str, between: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Similarity:
    alike = [linear_cka(first, second) for first, second in pairs]
    forward = [explained_share(first, second) for first, second in pairs]
    backward = [explained_share(second, first) for first, second in pairs]
    return Similarity(
        label=label,
        between=between,
        cka=float(np.mean(alike)),
        low=float(np.min(alike)),
        high=float(np.max(alike)),
        forward=float(np.mean(forward)),
        backward=float(np.mean(backward)),
        count=len(pairs),
    )


def _reading(similarities: Sequence[Similarity]) -> str:
    own = {
        item.label.removeprefix(f"{SHARED}, "): item.cka
        for item in similarities
        if item.between == "columns" and item.label.startswith(SHARED)
    }
    said = ", ".join(f"{task} {'–' if cka is None else f'{cka:.2f}'}" for task, cka in own.items())
    text = f"Linear CKA of the shared column with the column of each task: {said}."
    between_seeds = [item.cka for item in similarities if item.between == "seeds"]
    if not between_seeds:
        return f"{text} With one seed it is not known what another start alone changes."
    starts = between_seeds[0]
    if starts is None:
        return text
    less = [task for task, cka in own.items() if cka is not None and cka < starts]
    return (
        f"{text} The shared columns of two seeds, which differ by their start alone, have {starts:.2f}; less alike "
        f"than those: {' and '.join(less) or 'none'}."
    )


def _column(source: str, maps: Mapping[str, Any], with_example: bool) -> ColumnMaps:
    variance = maps[f"sample.{source}"].var(axis=0, dtype=np.float64)
    channels = np.argsort(-variance, kind="stable")[:MAPS_SHOWN]
    return ColumnMaps(
        source=source,
        channels=(channels + 1).tolist(),
        total=len(variance),
        mean=png(_strip(maps[f"mean.{source}"][channels])),
        example=png(_strip(maps[f"example.{source}"][channels])) if with_example else None,
    )


def _strip(maps: np.ndarray) -> np.ndarray:
    """Maps (n, h, w) side by side as uint8 grey: each from its smallest value, black, to its largest, white."""
    rows, columns = (min(side, TILE) for side in maps.shape[1:])
    strip = np.full((rows, len(maps) * (columns + GAP) - GAP), 255, np.uint8)
    for number, values in enumerate(maps):
        tile = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
        tile = (tile - tile.min()) / (np.ptp(tile) or 1)
        left = number * (columns + GAP)
        strip[:, left : left + columns] = np.rint(255 * tile)
    return strip

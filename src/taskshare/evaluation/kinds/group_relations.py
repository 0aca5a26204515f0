"""Whether tasks of one group are more strongly connected than tasks of different groups (Fang 2017, section 4.3)."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskshare.config import Connections
from taskshare.evaluation.permutation import PermutationTest, group_contrast
from taskshare.evaluation.relations import alpha_matrix, contrast_test
from taskshare.report.analyses.response_maps import first_groups

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class LayerRelation:
    """Mean alpha of one layer, mean over seeds, within the groups and between them."""

    layer: int
    within: float
    between: float


@dataclass(frozen=True)
class Relations:
    """Alpha within and between groups, and the test at one layer.

    Attributes:
        layers: every joined layer.
        layer: the one that is tested.
        test: of the contrast, within less between; None where that layer is not joined.
        seeds: the contrast at that layer by seed.
        reading: what this says.
    """

    layers: list[LayerRelation]
    layer: int
    test: PermutationTest | None
    seeds: dict[int, float]
    reading: str


def relations(kept: pd.DataFrame, experiment: Connections) -> Relations | None:
    """Compare alpha within and between the experiment's groups; None if no two tasks share a group, or all do.

    Args:
        kept: connections.parquet of every seed, with a column `seed`.
        experiment: its groups, and the layer that is tested.
    """
    tasks, groups = first_groups(experiment.groups, set(kept["source"]))
    same = groups[:, None] == groups[None, :]
    pairs = ~np.eye(len(tasks), dtype=bool)
    if not (same & pairs).any() or same.all():
        return None

    layers = []
    for layer in sorted(kept["layer"].unique().tolist()):
        alpha = alpha_matrix(kept, tasks, layer)
        layers.append(LayerRelation(layer, float(alpha[same & pairs].mean()), float(alpha[~same].mean())))
    tested = kept[kept["layer"] == experiment.layer]
    if tested.empty:
        return Relations(layers, experiment.layer, None, {}, f"Layer {experiment.layer} is not joined: no test.")
    test = contrast_test(alpha_matrix(tested, tasks, experiment.layer), groups)
    seeds = {
        seed: group_contrast(alpha_matrix(tested[tested["seed"] == seed], tasks, experiment.layer), groups)
        for seed in tested["seed"].unique().tolist()
    }
    return Relations(layers, experiment.layer, test, seeds, _reading(layers, experiment.layer, test, seeds))


def _reading(layers: list[LayerRelation], layer: int, test: PermutationTest, seeds: dict[int, float]) -> str:
    own = next(item for item in layers if item.layer == layer)
    clearest = max(layers, key=lambda item: item.within - item.between)
    same_sign = sum(math.copysign(1, value) == math.copysign(1, test.statistic) for value in seeds.values())
    text = (
        f"At layer {layer} mean α is {own.within:.3f} within the groups and {own.between:.3f} between them, so "
        f"{'larger' if own.within > own.between else 'not larger'} within, as in {same_sign} of {len(seeds)} "
        f"seed{'s' if len(seeds) > 1 else ''} alone. Of the {test.partitions} ways to form groups of these sizes, a "
        f"share of p = {test.p_value:.4f} gives as large a difference; p cannot be smaller than {test.smallest_p:.4f}"
    )
    text += ", so nothing can be significant here." if test.smallest_p > SIGNIFICANT else "."
    return f"{text} The difference is largest at layer {clearest.layer}."

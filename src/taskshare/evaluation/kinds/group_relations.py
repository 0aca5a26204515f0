"""Whether tasks of one group are more strongly connected than tasks of different groups (Fang 2017, section 4.3)."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from taskshare.config import Connections, Params
from taskshare.evaluation.claims.entries import Plan, RelationsTest
from taskshare.evaluation.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all, signed
from taskshare.evaluation.kinds.kind import Part
from taskshare.evaluation.kinds.task_groups import grouped_tasks
from taskshare.evaluation.results import Results
from taskshare.statistics.connection_strengths import alpha_matrix, alpha_slope, contrast_test
from taskshare.statistics.intervals import student_interval
from taskshare.statistics.permutation import PermutationTest, group_contrast
from taskshare.statistics.verdicts import contrast_side

SIGNIFICANT = 0.05


class LayerRelation(Part):
    """Mean alpha of one layer, mean over seeds, within the groups and between them."""

    layer: int
    within: float
    between: float


class Relations(Part):
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
    tasks, groups = grouped_tasks(experiment.groups, set(kept["source"]))
    same = groups[:, None] == groups[None, :]
    pairs = ~np.eye(len(tasks), dtype=bool)
    if not (same & pairs).any() or same.all():
        return None

    layers = []
    for layer in sorted(kept["layer"].unique().tolist()):
        alpha = alpha_matrix(kept, tasks, layer)
        within, between = float(alpha[same & pairs].mean()), float(alpha[~same].mean())
        layers.append(LayerRelation(layer=layer, within=within, between=between))
    tested = kept[kept["layer"] == experiment.layer]
    if tested.empty:
        reading = f"Layer {experiment.layer} is not joined: no test."
        return Relations(layers=layers, layer=experiment.layer, test=None, seeds={}, reading=reading)
    test = contrast_test(alpha_matrix(tested, tasks, experiment.layer), groups)
    seeds = {
        seed: group_contrast(alpha_matrix(tested[tested["seed"] == seed], tasks, experiment.layer), groups)
        for seed in tested["seed"].unique().tolist()
    }
    reading = _reading(layers, experiment.layer, test, seeds)
    return Relations(layers=layers, layer=experiment.layer, test=test, seeds=seeds, reading=reading)


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


def judge(params: Params, results: Results, test: RelationsTest, plan: Plan) -> Judgement:
    """Judge a claim by the contrast of the groups in each seed's net, with a two-sided test over seeds.

    The exact permutation test of the groups, on the mean of the nets, is told beside it: with few tasks its p-value
    cannot be small, whatever the connections.
    """
    experiment = enabled_experiment(params, test.experiment, Connections)
    absent = JudgedCell("α within − between groups", "alpha")
    if test.statistic == "trend":
        absent = JudgedCell("rise of α within − between groups", "alpha per layer")
    jobs = params.jobs(experiment.run) if experiment else ()
    tables = [table for job in jobs if (table := results.measured(Connections, job.name, job.seed)) is not None]
    layers = set(tables[0]["layer"]) if tables else set()
    if experiment is None or (len(layers) < 2 if test.statistic == "trend" else experiment.layer not in layers):
        return Judgement("not_run", "Not run.", [absent], [test.experiment])
    tasks, groups = grouped_tasks(experiment.groups, set(tables[0]["source"]))

    def matrix(rows: pd.DataFrame) -> np.ndarray:
        return alpha_slope(rows, tasks) if test.statistic == "trend" else alpha_matrix(rows, tasks, experiment.layer)

    permuted = contrast_test(matrix(pd.concat(tables)), groups)
    interval = student_interval([group_contrast(matrix(table), groups) for table in tables])
    assert interval is not None
    known = interval.half_width is not None
    note = f"permutation test: p = {permuted.p_value:.3f}; it cannot be below 1 of {permuted.partitions} groupings"
    if len(tables) < plan.least_seeds:
        note += f"; fewer than {plan.least_seeds} seeds decide nothing"
    elif abs(interval.mean) < test.least:
        note += f"; smaller than {test.least:g}, the least that counts"
    cell = replace(
        absent,
        verdict=contrast_side(interval, test.least, plan.significance, plan.least_seeds),
        effect=interval.mean,
        low=interval.low if known else None,
        high=interval.high if known else None,
        p_value=interval.p_value() if known else None,
        adjusted=interval.p_value() if known else None,
        seeds=interval.seeds,
        note=note,
    )
    headline = f"On layer {experiment.layer}, α within the groups less α between them is {signed(interval.mean, 3)}"
    if test.statistic == "trend":
        headline = f"From layer to layer, α within less between the groups changes by {signed(interval.mean, 4)}"
    if known:
        headline += f" on average over {interval.seeds} seeds (p = {interval.p_value():.3f})"
    headline += f"; among {permuted.partitions} groupings, exact p = {permuted.p_value:.3f}"
    return Judgement(of_all([cell]), f"{headline}.", [cell], [test.experiment])

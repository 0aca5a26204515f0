"""Claims about which tasks connect with which: exact permutation tests of groups."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from taskshare.config import Connections, Params
from taskshare.evaluation.permutation import group_contrast, permutation_test
from taskshare.report.claims.entries import RelationsTest
from taskshare.report.claims.judged import (
    SIGNIFICANCE,
    JudgedCell,
    Judgement,
    enabled_experiment,
    of_all,
    side,
    signed,
)
from taskshare.report.intervals import student_interval
from taskshare.report.results import Results


def judge(params: Params, results: Results, test: RelationsTest) -> Judgement:
    """Judge a claim by an exact permutation test of the groups."""
    experiment = enabled_experiment(params, test.experiment, Connections)
    absent = JudgedCell("α within − between groups", "alpha")
    if test.statistic == "trend":
        absent = JudgedCell("rise of α within − between groups", "alpha per layer")
    jobs = params.jobs(experiment.run) if experiment else ()
    tables = [table for job in jobs if (table := results.connections(job.name, job.seed)) is not None]
    layers = set(tables[0]["layer"]) if tables else set()
    if experiment is None or (len(layers) < 2 if test.statistic == "trend" else experiment.layer not in layers):
        return Judgement("not_run", "Not run.", [absent], [test.experiment])
    groups = np.array([name for name, tasks in experiment.groups.items() for _ in tasks])
    by_seed = [_matrix(table, experiment, test.statistic) for table in tables]
    mean = np.mean(by_seed, axis=0)
    found = permutation_test(lambda labels: group_contrast(mean, labels), groups)
    opposite = permutation_test(lambda labels: -group_contrast(mean, labels), groups)
    spread = student_interval([group_contrast(matrix, groups) for matrix in by_seed])
    known = spread is not None and spread.half_width is not None
    cell = replace(
        absent,
        verdict=side(min(found.p_value, opposite.p_value), found.statistic, len(tables)),
        effect=found.statistic,
        low=spread.low if spread and known else None,
        high=spread.high if spread and known else None,
        p_value=found.p_value,
        adjusted=found.p_value,
        seeds=len(tables),
        note=f"smallest p that is possible: {found.smallest_p:.3f}, 1 of {found.partitions} groupings"
        + ("; one seed decides nothing" if len(tables) == 1 else ""),
    )
    headline = f"On layer {experiment.layer}, α within the groups less α between them is {signed(found.statistic, 3)}"
    if test.statistic == "trend":
        headline = f"From layer to layer, α within less between the groups changes by {signed(found.statistic, 4)}"
    headline += f"; exact p = {found.p_value:.3f} among {found.partitions} groupings"
    if found.smallest_p > SIGNIFICANCE:
        headline += f", and p cannot be below {found.smallest_p:.2f}, so this test cannot decide"
    return Judgement(of_all([cell]), f"{headline}.", [cell], [test.experiment])


def _matrix(table: pd.DataFrame, experiment: Connections, statistic: Literal["contrast", "trend"]) -> np.ndarray:
    """Alpha (from, to) in the groups' order: on the experiment's layer, or its least-squares slope from layer to layer.

    The slope of a difference of means of alpha is the difference of means of its slopes.
    """
    tasks = [task for members in experiment.groups.values() for task in members]
    by_layer = table.pivot(index=["source", "target"], columns="layer", values="alpha").astype(float)
    if statistic == "contrast":
        chosen = by_layer[experiment.layer]
    else:
        chosen = pd.Series(np.polyfit(by_layer.columns.to_numpy(float), by_layer.to_numpy().T, 1)[0], by_layer.index)
    return chosen.unstack("target").loc[tasks, tasks].to_numpy()

"""Claims about which tasks connect with which: exact permutation tests of groups."""

from dataclasses import replace

import numpy as np
import pandas as pd

from taskshare.config import Connections, Params
from taskshare.evaluation.claims.entries import Plan, RelationsTest
from taskshare.evaluation.claims.judged import (
    CellVerdict,
    JudgedCell,
    Judgement,
    enabled_experiment,
    of_all,
    side,
    signed,
)
from taskshare.evaluation.results import Results
from taskshare.statistics.connection_strengths import alpha_matrix, alpha_slope, contrast_test
from taskshare.statistics.intervals import student_interval
from taskshare.statistics.permutation import PermutationTest, group_contrast


def judge(params: Params, results: Results, test: RelationsTest, plan: Plan) -> Judgement:
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
    tasks = [task for members in experiment.groups.values() for task in members]

    def matrix(rows: pd.DataFrame) -> np.ndarray:
        return alpha_slope(rows, tasks) if test.statistic == "trend" else alpha_matrix(rows, tasks, experiment.layer)

    mean = matrix(pd.concat(tables))
    found, opposite = contrast_test(mean, groups), contrast_test(mean, groups, sign=-1)
    spread = student_interval([group_contrast(matrix(table), groups) for table in tables])
    known = spread is not None and spread.half_width is not None
    cell = replace(
        absent,
        verdict=_verdict(found, opposite, len(tables), test, plan),
        effect=found.statistic,
        low=spread.low if spread and known else None,
        high=spread.high if spread and known else None,
        p_value=found.p_value,
        adjusted=found.p_value,
        seeds=len(tables),
        note=f"smallest p that is possible: {found.smallest_p:.3f}, 1 of {found.partitions} groupings"
        + (f"; fewer than {plan.least_seeds} seeds decide nothing" if len(tables) < plan.least_seeds else ""),
    )
    headline = f"On layer {experiment.layer}, α within the groups less α between them is {signed(found.statistic, 3)}"
    if test.statistic == "trend":
        headline = f"From layer to layer, α within less between the groups changes by {signed(found.statistic, 4)}"
    headline += f"; exact p = {found.p_value:.3f} among {found.partitions} groupings"
    if found.smallest_p > plan.significance:
        headline += f", and p cannot be below {found.smallest_p:.2f}, so this test cannot decide"
    return Judgement(of_all([cell]), f"{headline}.", [cell], [test.experiment])


def _verdict(
    found: PermutationTest, opposite: PermutationTest, seeds: int, test: RelationsTest, plan: Plan
) -> CellVerdict:
    """Say what the contrast says of its claim; one that is smaller than the least that counts decides nothing."""
    p_value = min(found.p_value, opposite.p_value)
    return side(p_value, p_value, found.statistic, seeds, plan) if abs(found.statistic) >= test.least else "undecided"

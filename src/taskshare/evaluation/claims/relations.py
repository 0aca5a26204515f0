"""Claims about which tasks connect with which: a contrast of groups, tested over seeds."""

from dataclasses import replace

import numpy as np
import pandas as pd

from taskshare.config import Connections, Params
from taskshare.evaluation.claims.entries import Plan, RelationsTest
from taskshare.evaluation.claims.judged import JudgedCell, Judgement, enabled_experiment, of_all, signed
from taskshare.evaluation.results import Results
from taskshare.statistics.connection_strengths import alpha_matrix, alpha_slope, contrast_test
from taskshare.statistics.intervals import student_interval
from taskshare.statistics.permutation import group_contrast
from taskshare.statistics.verdicts import contrast_side


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
    tables = [table for job in jobs if (table := results.connections(job.name, job.seed)) is not None]
    layers = set(tables[0]["layer"]) if tables else set()
    if experiment is None or (len(layers) < 2 if test.statistic == "trend" else experiment.layer not in layers):
        return Judgement("not_run", "Not run.", [absent], [test.experiment])
    groups = np.array([name for name, tasks in experiment.groups.items() for _ in tasks])
    tasks = [task for members in experiment.groups.values() for task in members]

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

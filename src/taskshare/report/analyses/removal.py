"""Shares of the connections before and after tasks are removed (Fang 2017, section 4.3, Table 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from taskshare.config import Params, Removal
from taskshare.evaluation.results import Results
from taskshare.report.analyses import drawing as pictures


@dataclass(frozen=True)
class Frozen:
    """Digests of what must not change when tasks are removed, of one seed."""

    seed: int
    before: str
    after: str

    @property
    def unchanged(self) -> bool:
        """Whether it is the same."""
        return self.before == self.after


@dataclass(frozen=True)
class ShownRemoval:
    """What is shown of a `removal` experiment. Numbers are percentage points, from each task (row) to each (column).

    Attributes:
        before: the parent run.
        after: the run without the removed tasks.
        removed: the tasks that were cut off.
        layer: whose connections are compared.
        tasks: the kept tasks.
        seeds: those that have both runs.
        changes: share after less share before, mean over seeds.
        paper: the printed changes; None where the paper gives none.
        sums: of each column of `changes`.
        paper_sums: of each column of `paper`; None where a number is missing.
        former: what each task took from the removed ones.
        correlation: Spearman's, of our changes with the printed ones off the diagonal; None without both.
        relearned: mean absolute difference to what cutting off alone gives, with alpha unchanged.
        frozen: digests by seed.
        reading: what the changes say.
    """

    before: str
    after: str
    removed: list[str]
    layer: int
    tasks: list[str]
    seeds: list[int]
    changes: list[list[float]]
    paper: list[list[float | None]]
    sums: list[float]
    paper_sums: list[float | None]
    former: list[float]
    correlation: float | None
    relearned: float
    frozen: list[Frozen]
    reading: str


def shown_removal(
    params: Params, experiment: Removal, printed: Mapping[str, Mapping[str, float]], results: Results
) -> ShownRemoval | None:
    """Compare the shares of a run with its parent's; None where no seed has both.

    Reading 17: the entries are shares s_ij = alpha_ij / sum_k alpha_kj, the own connection among them, since alpha_ii
    is fixed and yet the printed diagonal moves. A column's sum is then what the task took from the removed ones.

    Args:
        params: the configuration.
        experiment: the run after removal; its parent is the run before.
        printed: the paper's changes in points, from task to task.
        results: what has been run.
    """
    before, after, frozen = {}, {}, []
    jobs = list(params.jobs(experiment.after))
    start, tasks = jobs[0].start, jobs[0].tasks
    assert start is not None
    for job in jobs:
        parent, child = results.connections(start.job, job.seed), results.connections(job.name, job.seed)
        if parent is None or child is None:
            continue
        before[job.seed], after[job.seed] = _shares(parent, experiment.layer), _shares(child, experiment.layer)
        digests = ((results.provenance(job.name, job.seed) or {}).get("start") or {}).get("frozen")
        if digests:
            frozen.append(Frozen(job.seed, digests["before"], digests["after"]))
    if not before or any(table.empty for table in (*before.values(), *after.values())):
        return None
    removed = [task for task in params.spec(start.job).tasks if task not in tasks]
    parents = np.mean([table.loc[tasks, tasks] for table in before.values()], axis=0)
    children = np.mean([table.loc[tasks, tasks] for table in after.values()], axis=0)
    former = np.mean([table.loc[removed, tasks].sum() for table in before.values()], axis=0)
    cut_off = np.mean([table.loc[tasks, tasks] / table.loc[tasks, tasks].sum() for table in before.values()], axis=0)
    changes = 100 * (children - parents)
    paper = [[printed.get(source, {}).get(target) for target in tasks] for source in tasks]
    correlation = _correlation(changes, np.array(paper, np.float64))
    relearned = float(100 * np.abs(children - cut_off).mean())
    return ShownRemoval(
        before=start.job,
        after=experiment.after,
        removed=removed,
        layer=experiment.layer,
        tasks=tasks,
        seeds=list(before),
        changes=changes.tolist(),
        paper=paper,
        sums=changes.sum(axis=0).tolist(),
        paper_sums=[None if None in column else sum(column) for column in zip(*paper, strict=True)],
        former=(100 * former).tolist(),
        correlation=correlation,
        relearned=relearned,
        frozen=frozen,
        reading=_reading(changes, tasks, correlation, relearned),
    )


def _shares(table: pd.DataFrame, layer: int) -> pd.DataFrame:
    """Shares, 0 to 1, from source (row) to target (column)."""
    return table[table["layer"] == layer].pivot(index="source", columns="target", values="share").astype(np.float64)


def _correlation(ours: np.ndarray, paper: np.ndarray) -> float | None:
    used = ~np.eye(len(ours), dtype=bool) & ~np.isnan(paper)
    if used.sum() < 3 or np.ptp(ours[used]) == 0 or np.ptp(paper[used]) == 0:
        return None
    return float(stats.spearmanr(ours[used], paper[used]).statistic)


def _reading(changes: np.ndarray, tasks: Sequence[str], correlation: float | None, relearned: float) -> str:
    row, column = divmod(int(changes.argmax()), len(tasks))
    source, target = pictures.spoken(tasks[row]), pictures.spoken(tasks[column])
    place = f"the share of {source} in itself" if row == column else f"from {source} to {target}"
    text = (
        f"The largest change is {_number(changes.max(), '+.1f')} points, {place}; {(changes < 0).sum()} of "
        f"{changes.size} shares fall. On average an entry lies {relearned:.2f} points from what cutting off alone "
        f"gives: the part learned anew."
    )
    if correlation is not None:
        text += f" Off the diagonal, Spearman's correlation with the paper's changes is {_number(correlation, '.2f')}."
    return text


def _number(value: float, form: str) -> str:
    return format(value, form).replace("-", "−")

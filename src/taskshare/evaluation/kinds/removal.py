"""Shares of the connections before and after tasks are removed (Fang 2017, section 4.3, Table 6)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from taskshare.config import Params, Removal
from taskshare.evaluation.claims.judged import signed
from taskshare.evaluation.kinds.kind import Kind, Part
from taskshare.evaluation.names import spoken
from taskshare.evaluation.published import Published, PublishedChanges
from taskshare.evaluation.results import Results


class Frozen(Part):
    """Digests of what must not change when tasks are removed, of one seed."""

    seed: int
    before: str
    after: str

    @property
    def unchanged(self) -> bool:
        """Whether it is the same."""
        return self.before == self.after


class RemovalSummary(Part):
    """What is shown of a `removal` experiment. Numbers are percentage points, from each task (row) to each (column).

    Attributes:
        before: the parent run.
        after: the run without the removed tasks.
        removed: the tasks that were cut off.
        layer: whose connections are compared.
        tasks: the kept tasks.
        seeds: those that have both runs.
        changes: share after less share before, mean over seeds.
        paper: the published changes; None where the paper gives none.
        sums: of each column of `changes`.
        paper_sums: of each column of `paper`; None where a number is missing.
        former: what each task took from the removed ones.
        correlation: Spearman's, of our changes with the published ones off the diagonal; None without both.
        relearned: mean absolute difference to what cutting off alone gives, with alpha unchanged.
        frozen: digests by seed.
        reading: what the changes say.
    """

    kind: Literal["removal"] = "removal"
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


class RemovalKind(Kind):
    """Compares connections that the kind `connections` measures, of a run and of its parent."""

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Removal, results: Results, published: Published | None
    ) -> RemovalSummary | None:
        """Compare the shares of a run with its parent's; None where no seed has both.

        Reading fang2017-17: the entries are shares s_ij = alpha_ij / sum_k alpha_kj, the own connection among them,
        since alpha_ii is fixed and yet the published diagonal moves. A column's sum is then what the task took from the
        removed ones.
        """
        jobs = list(params.jobs(experiment.after))
        start, tasks = jobs[0].start, jobs[0].tasks
        assert start is not None
        before, after, frozen = {}, {}, []
        for job in jobs:
            parent, child = (results.measured(Removal, name, job.seed) for name in (start.job, job.name))
            if parent is None or child is None:
                continue
            before[job.seed], after[job.seed] = _shares(parent, experiment.layer), _shares(child, experiment.layer)
            digests = ((results.provenance(job.name, job.seed) or {}).get("start") or {}).get("frozen")
            if digests:
                frozen.append(Frozen(seed=job.seed, before=digests["before"], after=digests["after"]))
        if not before or any(table.empty for table in (*before.values(), *after.values())):
            return None
        removed = [task for task in params.spec(start.job).tasks if task not in tasks]
        changes, former, relearned = _changes(before, after, tasks, removed)
        rows: Mapping[str, Mapping[str, float]] = published.rows if isinstance(published, PublishedChanges) else {}
        paper = [[rows.get(source, {}).get(target) for target in tasks] for source in tasks]
        correlation = _correlation(changes, np.array(paper, np.float64))
        return RemovalSummary(
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
            former=former.tolist(),
            correlation=correlation,
            relearned=relearned,
            frozen=frozen,
            reading=_reading(changes, tasks, correlation, relearned),
        )

    @staticmethod
    def files(params: Params, experiment: Removal) -> list[str]:
        """Return the connections of both runs, and what says that nothing else changed."""
        start = next(params.jobs(experiment.after)).start
        runs = [*([start.job] if start else []), experiment.after]
        measured = [f"evaluation/{run}/seed*/{Removal.measurement.file}" for run in runs]
        return [*measured, f"training/{experiment.after}/seed*/provenance.json"]


def _changes(
    before: Mapping[int, pd.DataFrame], after: Mapping[int, pd.DataFrame], tasks: list[str], removed: list[str]
) -> tuple[np.ndarray, np.ndarray, float]:
    """The changes of shares (from, to), what each task took from removed ones, and what was learned anew, in points."""
    parents = np.mean([table.loc[tasks, tasks] for table in before.values()], axis=0)
    children = np.mean([table.loc[tasks, tasks] for table in after.values()], axis=0)
    former = np.mean([table.loc[removed, tasks].sum() for table in before.values()], axis=0)
    cut_off = np.mean([table.loc[tasks, tasks] / table.loc[tasks, tasks].sum() for table in before.values()], axis=0)
    return 100 * (children - parents), 100 * former, float(100 * np.abs(children - cut_off).mean())


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
    source, target = spoken(tasks[row]), spoken(tasks[column])
    place = f"the share of {source} in itself" if row == column else f"from {source} to {target}"
    text = (
        f"The largest change is {signed(changes.max(), 1)} points, {place}; {(changes < 0).sum()} of "
        f"{changes.size} shares fall. On average an entry lies {relearned:.2f} points from what cutting off alone "
        f"gives: the part learned anew."
    )
    if correlation is not None:
        number = f"{correlation:.2f}".replace("-", "−")
        text += f" Off the diagonal, Spearman's correlation with the paper's changes is {number}."
    return text

"""The task transfer connections of a dynamic run at the end of its training (Fang 2017, section 3)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskshare.config import Network, Params
from taskshare.evaluation.results import Results


@dataclass(frozen=True)
class Transfer:
    """Alpha of one run at the end of training, mean over seeds.

    Attributes:
        run: its entry in params.yaml.
        tasks: of its net.
        seeds: that it was run with.
        iteration: the last one.
        start: alpha before training.
        limit: half the range of colours around the start.
        moved: largest distance of an alpha from the start.
        layers: by layer, alpha (from, to); None where there is no connection.
        source: results that it is from.
    """

    run: str
    tasks: list[str]
    seeds: list[int]
    iteration: int
    start: float
    limit: float
    moved: float
    layers: dict[int, list[list[float | None]]]
    source: str

    @property
    def last_layer(self) -> int:
        """The uppermost layer with connections."""
        return max(self.layers)


def transfer(params: Params, run_name: str, results: Results) -> Transfer | None:
    """Return the learned alpha of a dynamic run; None where the run has none."""
    jobs = list(params.jobs(run_name))
    tables = {}
    for job in jobs:
        table = results.transfer(job.name, job.seed)
        if table is not None and len(table):
            tables[job.seed] = table[table["iteration"] == table["iteration"].max()]
    tasks, network = jobs[0].tasks, jobs[0].network
    if not tables or not isinstance(network, Network):
        return None
    final = pd.concat(tables.values())
    means = {place: float(mean) for place, mean in final.groupby(["layer", "source", "target"])["alpha"].mean().items()}
    layers = {
        int(layer): [[means.get((layer, source, target)) for target in tasks] for source in tasks]
        for layer in sorted(final["layer"].unique())
    }
    start = float(1 / (1 + np.exp(-network.transfer.initial_beta)))
    others = [
        alpha
        for rows in layers.values()
        for source, row in enumerate(rows)
        for target, alpha in enumerate(row)
        if source != target and alpha is not None
    ]
    moved = max((abs(alpha - start) for alpha in others), default=0.0)
    return Transfer(
        run=run_name,
        tasks=tasks,
        seeds=sorted(tables),
        iteration=int(final["iteration"].max()),
        start=start,
        limit=max(0.05, moved),
        moved=moved,
        layers=layers,
        source=f"training/{run_name}/seed*/transfer.parquet",
    )

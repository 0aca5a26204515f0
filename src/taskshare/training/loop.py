"""The training loop: step, record, say, save."""

import datetime
import math
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from taskshare import device
from taskshare.config import Run, Selection, VggNetwork
from taskshare.errors import TaskshareError
from taskshare.networks.build import SharingNetwork, build_for
from taskshare.networks.dynamic import ParallelSubnets
from taskshare.networks.parents import start_of
from taskshare.training import optimisers, resume
from taskshare.training.batches import Batches, DeviceBatches, Pixels
from taskshare.training.gradients import Gradients, GraphedGradients
from taskshare.training.history import SCORES, History
from taskshare.training.objectives import ColumnsObjective, Objective, Score, objective
from taskshare.training.selection import BestWeights
from taskshare.training.validation import Validation

FINITE_CHECK_EVERY = 10
SAY_EVERY = 10.0
"""Seconds between two lines of progress."""


@dataclass
class Progress:
    """How far a job is: iterations done, images seen, seconds and multiply-adds spent on them."""

    iteration: int = 0
    images: int = 0
    seconds: float = 0.0
    multiply_adds: int = 0


@dataclass
class Clock:
    """When this process began, last said something and last saved, in seconds; and the progress `before` it began."""

    before: Progress
    begun: float = field(default_factory=time.perf_counter)
    said: float = 0.0
    saved: float = 0.0

    def __post_init__(self) -> None:
        self.said = self.saved = self.begun

    def images_per_second(self, progress: Progress) -> float:
        """Return the mean rate since this process began."""
        return (progress.images - self.before.images) / (progress.seconds - self.before.seconds)


class Loop:
    """One training job.

    Args:
        run: what to train.
        prepared: folder with train.npy, train.parquet and, if validated, validation.npy and validation.parquet.
        manifests: for each task that is trained, its manifest.
        where: the device.
        inherited: what the net takes from the run's parent, by name.
        cuda_graphs: whether a step on a GPU is replayed as one CUDA graph.
    """

    def __init__(
        self,
        run: Run,
        prepared: Path,
        manifests: list[Path],
        where: torch.device,
        inherited: dict[str, Tensor],
        cuda_graphs: bool = False,
    ) -> None:
        self.run = run
        self.tasks = run.trained_tasks
        self.device = where
        self.bfloat16 = device.computes_in_bfloat16(run.training, where)
        targets = objective(run, pd.read_parquet(prepared / "train.parquet"))
        pools = [pd.read_parquet(path)["index"].to_numpy() for path in manifests]
        self.batches = DeviceBatches(Batches(run, targets.pool_labels, pools), where, run.training.iterations)
        self.validation = Validation(run, prepared, where, self.bfloat16) if "validation" in run.splits else None
        self.start = start_of(run)
        self.network = _network(run, targets, inherited)
        self.frozen = self.start.freeze(self.network)
        self.network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = optimisers.optimiser(self.network, run)
        self.scheduler = optimisers.scheduler(self.optimiser, run.training)
        self.objective = targets.to(where)
        pixels = Pixels(prepared / "train.npy", where)
        # Only one graph for a whole step: what updates once for each pool computes as on a CPU.
        self.graphed = cuda_graphs and where.type == "cuda" and run.training.update == "joint"
        kind = GraphedGradients if self.graphed else Gradients
        self.gradients = kind(self.network, self.objective, pixels, where, self.bfloat16)
        self.progress = Progress()
        self.history = History()
        self.best = BestWeights()
        # Since the last row of the history: loss, wrong answers and samples of each task.
        self.sums = torch.zeros(3, len(self.tasks), dtype=torch.float64, device=where)

    def run_to_end(self, path: Path) -> None:
        """Iterate until the last iteration, from the checkpoint at `path` if there is one.

        Raises:
            TaskshareError: if the loss is no longer finite.
        """
        training, progress = self.run.training, self.progress
        self.restore(path)
        clock = Clock(Progress(**asdict(progress)))
        while progress.iteration < training.iterations:
            self.step()
            progress.seconds = clock.before.seconds + time.perf_counter() - clock.begun
            last = progress.iteration == training.iterations
            if progress.iteration % FINITE_CHECK_EVERY == 0 or last:
                self.check_finite()
            validating = progress.iteration % training.validate_every == 0 or last
            if validating or (training.record_every and progress.iteration % training.record_every == 0):
                self.record(clock, validating)
            if last or time.perf_counter() - clock.said >= SAY_EVERY:
                self.say(clock)
            if not last and time.perf_counter() - clock.saved >= training.checkpoint_every:
                self.save(path)
                clock.saved = time.perf_counter()

    def step(self) -> None:
        """Make one update, or in turn one for each pool (`update: per_pool`)."""
        if self.progress.iteration == 0:
            with FlopCounterMode(display=False) as counter:
                self._step()
            self.progress.multiply_adds = counter.get_total_flops() // 2 * self.run.training.iterations
        else:
            self._step()

    def _step(self) -> None:
        indices = self.batches.indices(self.progress.iteration)
        self.network.train()
        self.start.keep_statistics(self.network)
        alone = [slice(task, task + 1) for task in range(len(self.tasks))]
        for tasks in alone if self.run.training.update == "per_pool" else [slice(None)]:
            self.sums[:, tasks] += self.gradients(indices, tasks)
            self.optimiser.step()
        self.scheduler.step()
        self.progress.iteration += 1
        self.progress.images += indices.numel()

    def check_finite(self) -> None:
        """Raise TaskshareError if the loss is not finite."""
        if not torch.isfinite(self.sums[0]).all():
            raise TaskshareError(
                f"{self.run.key}: the loss is not finite at iteration {self.progress.iteration}; "
                "lower training.learning_rate of this run in params.yaml"
            )

    def record(self, clock: Clock, validating: bool) -> None:
        """Add rows to the history; if validating, score the validation images and keep the best weights."""
        loss, wrong, count = self.sums.tolist()
        self.sums.zero_()
        scores = self.validation.scores(self.network) if self.validation and validating else None
        for task, name in enumerate(self.tasks):
            score: Score = scores[task] if scores else {}
            self.history.rows["history"].append(
                {
                    "iteration": self.progress.iteration,
                    "images": self.progress.images,
                    "task": name,
                    "training_loss": loss[task] / count[task],
                    "training_error": wrong[task] / count[task],
                    **{f"validation_{measure}": score.get(measure, math.nan) for measure in SCORES},
                    "selected": False,
                }
            )
        if validating and isinstance(self.network, ParallelSubnets):
            self._record_connections(self.network)
        rate = clock.images_per_second(self.progress)
        self.history.rows["timing"].append(
            {"iteration": self.progress.iteration, "seconds": self.progress.seconds, "images_per_second": rate}
        )
        if scores:
            selecting = dict(zip(self.tasks, self.objective.selection_scores(scores), strict=True))
            self.best.offer(self.progress.iteration, selecting, self.network)

    def _record_connections(self, network: ParallelSubnets) -> None:
        for layer, alpha in network.connection_strengths().items():
            for source, row in zip(self.run.tasks, alpha.tolist(), strict=True):
                for target, strength in list(zip(self.run.tasks, row, strict=True))[-len(self.tasks) :]:
                    self.history.rows["transfer"].append(
                        {
                            "iteration": self.progress.iteration,
                            "layer": layer,
                            "source": source,
                            "target": target,
                            "alpha": strength,
                        }
                    )

    def say(self, clock: Clock) -> None:
        """Print a line of progress."""
        progress, iterations = self.progress, self.run.training.iterations
        rows = self.history.rows["history"][-len(self.tasks) :]
        loss = np.mean([row["training_loss"] for row in rows]) if rows else math.nan
        rate = clock.images_per_second(progress)
        missing = progress.images / progress.iteration * (iterations - progress.iteration)
        left = datetime.timedelta(seconds=round(missing / rate))
        tell(
            f"{self.run.key}: iteration {progress.iteration} of {iterations}, loss {loss:.4f}, {rate:.0f} images/s, "
            f"{left} left"
        )
        clock.said = time.perf_counter()

    def save(self, path: Path) -> None:
        """Write the checkpoint."""
        resume.save(
            path,
            {
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "scheduler": self.scheduler.state_dict(),
                "best": asdict(self.best),
                "rows": self.history.rows,
                "sums": self.sums,
                "progress": asdict(self.progress),
            },
        )

    def restore(self, path: Path) -> None:
        """Go on from the checkpoint at `path`, if there is one."""
        state = resume.load(path)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.best = BestWeights(**state["best"])
        self.history = History(state["rows"])
        self.sums.copy_(state["sums"])
        vars(self.progress).update(state["progress"])
        tell(f"{self.run.key}: goes on after iteration {self.progress.iteration} of {self.run.training.iterations}")

    @property
    def main_iteration(self) -> int:
        """The iteration whose weights stand for the whole net."""
        return self.best.main_iteration(self.run.training.selection, self.progress.iteration)

    def selections(self) -> dict[Selection, dict[str, int]]:
        """Return for each way to select, as far as the validation split allows it, the iteration for each task."""
        return self.best.selections(self.tasks, self.progress.iteration)

    def kept_states(self) -> dict[int, dict[str, Tensor]]:
        """Return the weights of every iteration that some selection names."""
        return {**self.best.kept, self.progress.iteration: self.network.state_dict()}


def _network(run: Run, targets: Objective, inherited: dict[str, Tensor]) -> SharingNetwork:
    """Return the net as it starts, on the CPU."""
    network = build_for(run)
    network.load_state_dict({**network.state_dict(), **inherited})
    if isinstance(run.network, VggNetwork) and run.network.first_outputs == "constant":
        assert isinstance(targets, ColumnsObjective)
        for task, head in zip(run.tasks, network.heads, strict=True):  # type: ignore[arg-type]
            head.start_at(targets.constant(task))
    return network


def tell(line: str) -> None:
    """Print a line for whoever watches the job."""
    print(line, file=sys.stderr, flush=True)

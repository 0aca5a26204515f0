"""One training job: from prepared arrays and manifests to weights, history and provenance."""

import datetime
import math
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.flop_counter import FlopCounterMode

from taskshare import device, files
from taskshare.config import Network, Run, Selection, Training, VggNetwork
from taskshare.config.checks import can_start, wanted_parent
from taskshare.data.arrays import ImageArray
from taskshare.errors import TaskshareError
from taskshare.graph import OTHER_WEIGHTS, PROVENANCE, TRAINING_FILES, WEIGHTS
from taskshare.networks import inherit, weights
from taskshare.networks.build import SharingNetwork, build_for, count_parameters, to_input
from taskshare.networks.dynamic import ParallelSubnets, is_connection
from taskshare.networks.inference import logits
from taskshare.training import checkpoint, provenance
from taskshare.training.batches import Batches, Pixels
from taskshare.training.history import SCORES, History
from taskshare.training.objectives import ColumnsObjective, Score, objective

VALIDATION_BLOCK = 256
FINITE_CHECK_EVERY = 10
ALL = ""


def train(
    run: Run,
    prepared: Path,
    manifests: list[Path],
    out: Path,
    wanted_device: str = "auto",
    parent: Path | None = None,
) -> None:
    """Train a run, or go on with it, and write its files into `out`.

    While it is under way, a folder `work-DIGEST` in `out` holds its checkpoint; the digest is that of configuration
    and inputs, so a changed run never goes on from another's state. A run that was killed and goes on ends in the
    same bytes as one that was not. Of two processes that are asked for the same, one trains and the other waits.

    Args:
        run: what to train.
        prepared: folder with train.npy, train.parquet and, if validated, validation.npy and validation.parquet.
        manifests: for each task that is trained, its manifest.
        out: folder for weights.safetensors, other_weights.safetensors, history.parquet, transfer.parquet,
            timing.parquet and provenance.json.
        wanted_device: `auto`, `cpu` or `cuda`.
        parent: weights.safetensors of the run's parent, for the same seed; None for a run that has no parent.

    Raises:
        TaskshareError: if the loss is no longer finite, there is nothing to validate on though selection needs it, or
            `parent` is not a checkpoint that the run can start from.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")  # stays there: removed, it would no longer hold back who waits for it
    waited = not files.acquire_at_once(lock)
    if waited:
        # Its Snakemake was killed, and a second one asks for the same.
        _say(f"{run.key}: another process trains it; waits for its result")
        lock.acquire()
    try:
        _train(run, prepared, manifests, out, wanted_device, parent, may_be_finished=waited)
    finally:
        lock.release()


def _train(
    run: Run,
    prepared: Path,
    manifests: list[Path],
    out: Path,
    wanted_device: str,
    parent: Path | None,
    may_be_finished: bool,
) -> None:
    started, code = datetime.datetime.now(datetime.UTC), provenance.code()
    images = [prepared / f"{split}.{kind}" for split in run.splits for kind in ("npy", "parquet")]
    inherited = _inherited(run, parent)
    inputs = {path.name: files.sha256(path) for path in [*images, *manifests]}
    if parent is not None:
        inputs[f"parent {parent.name}"] = files.sha256(parent)
    configuration = run.model_dump()
    if may_be_finished and _is_finished(out, configuration, inputs):
        _say(f"{run.key}: finished by the other process")
        return
    work = out / f"work-{files.digest([configuration, inputs])[:16]}"
    device.set_up(run.training.threads)
    session = _Session(run, prepared, manifests, device.choose(wanted_device), inherited)
    session.run_to_end(work / "checkpoint.pt")

    selections = session.selections()
    session.history.select(selections[run.training.selection])
    kept = session.kept_states()
    weights.save(out / WEIGHTS, kept.pop(session.main_iteration), run)
    weights.save_others(out / OTHER_WEIGHTS, kept, selections, run)
    session.history.write(out)
    machine = device.describe(session.device)
    files.write_json(
        out / PROVENANCE,
        {
            "run": configuration,
            "configuration_digest": files.digest(configuration),
            "inputs": inputs,
            "start": session.start_record(),
            **code,
            "versions": provenance.versions(),
            "device": machine["device"],
            "processor": machine["processor"],
            "precision": "bfloat16" if session.bfloat16 else "float32",
            "parameters": count_parameters(session.network),
            "selected_iteration": session.main_iteration,
            "selections": selections,
            "seconds": round(session.seconds, 3),
            "images": session.images,
            "multiply_adds": session.multiply_adds,
            "peak_memory_bytes": provenance.peak_memory_bytes(),
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    )
    for folder in out.glob("work-*"):  # this run's, and those of configurations that were given up
        shutil.rmtree(folder, ignore_errors=True)


def _is_finished(out: Path, configuration: dict[str, Any], inputs: dict[str, str]) -> bool:
    """Return whether a run has been trained from these inputs, and nothing of it was removed since."""
    if not all((out / name).exists() for name in TRAINING_FILES):
        return False
    found = files.read_json(out / PROVENANCE)
    return found["configuration_digest"] == files.digest(configuration) and found["inputs"] == inputs


def _inherited(run: Run, parent: Path | None) -> dict[str, Tensor]:
    """Return what the run takes over from its parent's checkpoint, by the names in its own network."""
    if run.start is None:
        return {}
    if parent is None:
        raise TaskshareError(f"{run.key}: starts from {run.start.job}; give that run's weights with --parent")
    old, network = weights.load(parent)
    if (old.dataset, old.variant) != (run.dataset, run.variant):
        raise TaskshareError(
            f"{parent}: a parent of another data set ({old.dataset}, {old.variant_name}); {run.key} learns from "
            f"{run.dataset}, {run.variant_name}"
        )
    if not can_start(run.start.kind, run.network, old.network) or old.seed != run.seed:
        raise TaskshareError(
            f"{parent}: {old.key}, {old.network.scheme}, is not the net that {run.key} starts from; it needs "
            f"{wanted_parent(run.start.kind)}, and the same seed"
        )
    if run.start.kind == "separation":
        return inherit.inherited_state(run, old, network.state_dict())
    wanted = [task for task in run.tasks if run.start.kind == "removal" or task not in run.trained_tasks]
    missing = [task for task in wanted if task not in old.tasks]
    has = f"{parent}: its tasks are {', '.join(old.tasks)}"
    if missing:
        raise TaskshareError(f"{has}; {run.key} starts from {missing[0]} too")
    if run.start.kind == "incremental" and old.tasks != wanted:
        raise TaskshareError(f"{has}; {run.key} starts from {', '.join(wanted)}")
    return inherit.inherited_state(run, old, network.state_dict())


class _Session:
    """The moving parts of one training job."""

    def __init__(
        self,
        run: Run,
        prepared: Path,
        manifests: list[Path],
        where: torch.device,
        inherited: dict[str, Tensor],
    ) -> None:
        self.run = run
        self.tasks = run.trained_tasks
        self.device = where
        self.bfloat16 = device.computes_in_bfloat16(run.training, where)
        self.objective = objective(run, pd.read_parquet(prepared / "train.parquet"))
        pools = [pd.read_parquet(path)["index"].to_numpy() for path in manifests]
        self.batches = Batches(run, self.objective.pool_labels, pools)
        self.pixels = Pixels(prepared / "train.npy", where)
        self.validation: ImageArray | None = None
        if "validation" in run.splits:
            self._open_validation(prepared)
        network = build_for(run)
        network.load_state_dict({**network.state_dict(), **inherited})
        if isinstance(run.network, VggNetwork) and run.network.first_outputs == "constant":
            assert isinstance(self.objective, ColumnsObjective)
            for task, head in zip(run.tasks, network.heads, strict=True):  # type: ignore[arg-type]
                head.start_at(self.objective.constant(task))
        inherit.freeze(run, network)
        self.inherited = inherited
        self.network: SharingNetwork = network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = _optimiser(self.network, run)
        self.scheduler = LambdaLR(self.optimiser, partial(_schedule, run.training))
        self.iteration = 0
        self.images = 0
        self.seconds = 0.0
        self.multiply_adds = 0
        self.history = History()
        # By task, and by ALL for the mean over tasks: the best score so far and its iteration.
        self.best: dict[str, tuple[float, int]] = {}
        self.kept: dict[int, dict[str, Tensor]] = {}
        # Sums since the last row of the history: loss, wrong predictions and samples of each task.
        self.sums = torch.zeros(3, len(self.tasks), dtype=torch.float64, device=where)

    def _open_validation(self, prepared: Path) -> None:
        self.validation = ImageArray(prepared / "validation.npy")
        if not len(self.validation):
            raise TaskshareError(
                f"{self.run.key}: training.selection: best needs a validation split, and {self.run.dataset} has none; "
                f"take selection: last, or set datasets.{self.run.dataset}.validation_fraction"
            )
        self.validation_objective = objective(self.run, pd.read_parquet(prepared / "validation.parquet"))
        if self.run.training.selection != "last":
            self.validation_objective.check_selectable()

    def run_to_end(self, path: Path) -> None:
        """Iterate until the last iteration, from the checkpoint at `path` if there is one."""
        training = self.run.training
        state = checkpoint.load(path)
        if state is not None:
            self._restore(state)
            _say(f"{self.run.key}: goes on after iteration {self.iteration} of {training.iterations}")
        begun, before = time.perf_counter(), self.seconds
        images_before, saved, said = self.images, begun, begun
        while self.iteration < training.iterations:
            if self.iteration:
                self._step()
            else:
                with FlopCounterMode(display=False) as counter:
                    self._step()
                self.multiply_adds = counter.get_total_flops() // 2 * training.iterations
            now = time.perf_counter()
            self.seconds = before + now - begun
            last = self.iteration == training.iterations
            if self.iteration % FINITE_CHECK_EVERY == 0 or last:
                self._check_finite()
            rate = (self.images - images_before) / (now - begun)
            validating = self.iteration % training.validate_every == 0 or last
            if validating or (training.record_every and self.iteration % training.record_every == 0):
                self._record(rate, validating)
            if now - said >= 10 or last:
                self._say_progress(rate, (now - begun) / (self.images - images_before))
                said = now
            if now - saved >= training.checkpoint_every and not last:
                checkpoint.save(path, self._state())
                saved = now

    @property
    def main_iteration(self) -> int:
        """The iteration whose weights stand for the whole net."""
        return self.iteration if self.run.training.selection == "last" else self.best[ALL][1]

    def selections(self) -> dict[Selection, dict[str, int]]:
        """Return for each way to select, as far as the validation split allows it, the iteration for each task."""
        found: dict[Selection, dict[str, int]] = {"last": dict.fromkeys(self.tasks, self.iteration)}
        if self.best:
            found["best"] = dict.fromkeys(self.tasks, self.best[ALL][1])
            found["best_per_task"] = {task: self.best[task][1] for task in self.tasks}
        return found

    def kept_states(self) -> dict[int, dict[str, Tensor]]:
        """Return the weights of every iteration that some selection names."""
        return {**self.kept, self.iteration: self.network.state_dict()}

    def start_record(self) -> dict[str, Any] | None:
        """Return where the run started, and the digests of what was frozen: the parent's, and what is there now."""
        if self.run.start is None:
            return None
        state = self.network.state_dict()
        frozen = inherit.frozen_names(self.run, self.network)
        before = inherit.digest({name: self.inherited[name] for name in frozen})
        after = inherit.digest({name: state[name] for name in frozen})
        return {**self.run.start.model_dump(), "frozen": {"before": before, "after": after}}

    def _step(self) -> None:
        indices = self.batches.indices(self.iteration)
        targets = torch.from_numpy(self.objective.targets(indices)).to(self.device)
        self.network.train()
        inherit.keep_statistics(self.run, self.network)
        if self.run.training.update == "per_pool":
            for task, pool in enumerate(indices):
                self._update(pool, targets[:, [task]], slice(task, task + 1))
        else:
            self._update(indices.reshape(-1), targets, slice(None))
        self.scheduler.step()
        self.iteration += 1
        self.images += indices.size

    def _update(self, indices: np.ndarray, targets: Tensor, tasks: slice) -> None:
        """One gradient step on the sum of the tasks' costs (Fang 2017, eqs 5 and 6; Matsui 2019, eq 1)."""
        inputs = to_input(self.pixels.batch(indices))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            outputs = self.network(inputs).float()
        losses, wrong = self.objective.compare(outputs, targets, tasks)
        self.optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()
        self.optimiser.step()
        with torch.no_grad():
            count = torch.full_like(wrong, len(targets))
            self.sums[:, tasks] += torch.stack([losses.detach() * count, wrong * count, count])

    def _check_finite(self) -> None:
        if not torch.isfinite(self.sums[0]).all():
            raise TaskshareError(
                f"{self.run.key}: the loss is not finite at iteration {self.iteration}; "
                "lower training.learning_rate of this run in params.yaml"
            )

    def _record(self, rate: float, validating: bool) -> None:
        loss, wrong, count = self.sums.tolist()
        self.sums.zero_()
        scores = self._validate() if validating else None
        for task, name in enumerate(self.tasks):
            self.history.rows["history"].append(
                {
                    "iteration": self.iteration,
                    "images": self.images,
                    "task": name,
                    "training_loss": loss[task] / count[task],
                    "training_error": wrong[task] / count[task],
                    **{f"validation_{name}": (scores[task] if scores else {}).get(name, math.nan) for name in SCORES},
                    "selected": False,
                }
            )
        if validating and isinstance(self.network, ParallelSubnets):
            self._record_connections(self.network)
        self.history.rows["timing"].append(
            {"iteration": self.iteration, "seconds": self.seconds, "images_per_second": rate}
        )
        if scores:
            self._keep_best(self.objective.selection_scores(scores))

    def _keep_best(self, scores: list[float]) -> None:
        candidates = {ALL: float(np.mean(scores)), **dict(zip(self.tasks, scores, strict=True))}
        better = {key: score for key, score in candidates.items() if score > self.best.get(key, (-math.inf, 0))[0]}
        if better:
            self.best |= {key: (score, self.iteration) for key, score in better.items()}
            self.kept[self.iteration] = {name: value.clone() for name, value in self.network.state_dict().items()}
            named = {iteration for _, iteration in self.best.values()}
            self.kept = {iteration: state for iteration, state in self.kept.items() if iteration in named}

    def _record_connections(self, network: ParallelSubnets) -> None:
        for layer, alpha in network.connection_strengths().items():
            for source, row in zip(self.run.tasks, alpha.tolist(), strict=True):
                for target, strength in list(zip(self.run.tasks, row, strict=True))[-len(self.tasks) :]:
                    self.history.rows["transfer"].append(
                        {
                            "iteration": self.iteration,
                            "layer": layer,
                            "source": source,
                            "target": target,
                            "alpha": strength,
                        }
                    )

    def _validate(self) -> list[Score] | None:
        """Return each task's scores on the validation split; None without one."""
        if self.validation is None:
            return None
        outputs = logits(self.network, self.validation.blocks(VALIDATION_BLOCK), self.device, self.bfloat16)
        return self.validation_objective.score(outputs)

    def _say_progress(self, rate: float, seconds_per_image: float) -> None:
        loss = self.history.rows["history"][-len(self.tasks) :]
        mean = np.mean([row["training_loss"] for row in loss]) if loss else math.nan
        missing = self.images / self.iteration * (self.run.training.iterations - self.iteration)
        left = datetime.timedelta(seconds=round(missing * seconds_per_image))
        _say(
            f"{self.run.key}: iteration {self.iteration} of {self.run.training.iterations}, loss {mean:.4f}, "
            f"{rate:.0f} images/s, {left} left"
        )

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "best": self.best,
            "kept": self.kept,
            "rows": self.history.rows,
            "sums": self.sums,
            "numbers": [self.iteration, self.images, self.seconds, self.multiply_adds],
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.best, self.kept = state["best"], state["kept"]
        self.history = History(state["rows"])
        self.sums.copy_(state["sums"])
        self.iteration, self.images, self.seconds, self.multiply_adds = state["numbers"]


def _optimiser(network: nn.Module, run: Run) -> torch.optim.Optimizer:
    """Weight decay is on convolutions and matrices only; what joins subnets has its own rate (Fang 2017, reading 8)."""
    training = run.training
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    connections = [parameter for name, parameter in named if is_connection(name)]
    weights_and_biases = [parameter for name, parameter in named if not is_connection(name)]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in weights_and_biases if p.dim() > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in weights_and_biases if p.dim() <= 1]},
    ]
    if isinstance(run.network, Network) and connections:
        rate = training.learning_rate * run.network.connection_rate_factor
        groups.append({"params": connections, "lr": rate})
    match training.optimiser:
        case "sgd":
            return torch.optim.SGD(groups, lr=training.learning_rate, momentum=training.momentum)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=training.learning_rate, momentum=training.momentum)
        case "adagrad":
            return torch.optim.Adagrad(groups, lr=training.learning_rate)


def _schedule(training: Training, iteration: int) -> float:
    """Return the factor on the learning rate at an iteration, counted from 0."""
    rising = training.warm_up * training.iterations
    factor = min(1.0, (iteration + 1) / (rising + 1))
    if training.schedule == "constant":
        return factor
    return factor * 0.5 * (1 + math.cos(math.pi * iteration / training.iterations))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

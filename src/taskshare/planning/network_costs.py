"""What a net's step and a block of forward passes ask for, counted on tensors that have shapes and no memory."""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from taskshare.config import Network, Run, Start, Training, Variant
from taskshare.evaluation.scoring import BLOCK
from taskshare.networks.build import build_for
from taskshare.networks.parents import start_of

# SGD with momentum and weight decay: each weight's kernels, and how often they read or write a number for it.
UPDATE_KERNELS, UPDATE_PASSES = 4, 11


@dataclass(frozen=True)
class Work:
    """What a call computes.

    Attributes:
        flops: a multiplication and its addition are two.
        bytes: that its kernels read and write, all of it as float32.
        kernels: operations that are called one after the other, views left out.
    """

    flops: float
    bytes: float
    kernels: float

    def times(self, factor: float) -> "Work":
        """Return the work of so many calls."""
        return Work(factor * self.flops, factor * self.bytes, factor * self.kernels)

    def and_more(self, count: float, kernels: float) -> "Work":
        """Return the work with more bytes and kernels."""
        return Work(self.flops, self.bytes + count, self.kernels + kernels)


@dataclass(frozen=True)
class NetworkCosts:
    """What a run's net costs. Bytes are those of float32.

    Attributes:
        step: forward, backward and update of one batch.
        block: forward of one block of `BLOCK` images.
        state_bytes: weights and running statistics, as they are saved.
        trained_bytes: the weights that are trained; gradients and momentum have this size each.
        step_bytes: the most that a step holds at once, weights among it.
        block_bytes: the most that the forward of a block holds at once, weights, gradients and momentum among it.
    """

    step: Work
    block: Work
    state_bytes: int
    trained_bytes: int
    step_bytes: int
    block_bytes: int

    @property
    def learning_bytes(self) -> int:
        """Gradients and momentum."""
        return 2 * self.trained_bytes


def step_images(run: Run) -> int:
    """Return how many images a step sees: a batch, or the batches of all tasks' pools at once."""
    together = run.batches == "pooled" and run.training.update == "joint"
    return run.training.batch_size * (len(run.trained_tasks) if together else 1)


def most_states(run: Run) -> int:
    """Return of how many iterations weights are kept at most: the last, the best for all tasks, and those for each."""
    if "validation" not in run.splits:
        return 1
    return 2 + (len(run.trained_tasks) if len(run.trained_tasks) > 1 else 0)


def network_costs(run: Run) -> NetworkCosts:
    """Return what a run's net costs; nothing is computed, so a net of any size takes a fraction of a second."""
    return _counted(*shapes(run))


def shapes(run: Run) -> tuple[str, int]:
    """Return what a run's costs depend on: its net as a run without names, seed and rates, and images of a step."""
    # What changes no shape is made equal, so that nets of one kind are counted once.
    same: dict[str, Any] = {"name": "", "seed": 0, "dataset": "", "variant_name": "", "training": Training()}
    same |= {"sampling": "original", "resampling": "duplicated"}
    same["variant"] = Variant(size=run.variant.size, colour=run.variant.colour)
    if run.start:
        same["start"] = Start(job="", kind=run.start.kind)
    if isinstance(run.network, Network):
        # Each task has one output, whatever its name.
        names = iter(str(number) for number in range(len(run.tasks)))
        same["generations"] = [[next(names) for _ in generation] for generation in run.generations]
        same |= {"tasks": [str(number) for number in range(len(run.tasks))], "labels": []}
        transfer = run.network.transfer.model_copy(update={"learning_rate_factor": 1.0, "initial_beta": 0.0})
        same["network"] = run.network.model_copy(update={"transfer": transfer})
    return run.model_copy(update=same).model_dump_json(), step_images(run)


@cache
def _counted(run_json: str, images: int) -> NetworkCosts:
    run = Run.model_validate_json(run_json)
    with torch.device("meta"), _Shapes():
        network = build_for(run)
    start_of(run).freeze(network)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    trained_bytes = _bytes(trained)
    shape = (run.variant.channels, run.variant.size, run.variant.size)

    def step() -> None:
        network.train()(torch.empty(images, *shape, device="meta")).square().mean().backward()

    def forward() -> None:
        with torch.no_grad():
            network.eval()(torch.empty(BLOCK, *shape, device="meta"))

    step_work, step_bytes = _measured(network, step)
    block_work, block_bytes = _measured(network, forward)
    return NetworkCosts(
        step=step_work.and_more(UPDATE_PASSES * trained_bytes, UPDATE_KERNELS * len(trained)),
        block=block_work,
        state_bytes=_bytes(network.state_dict().values()),
        trained_bytes=trained_bytes,
        step_bytes=step_bytes + trained_bytes,  # momentum; gradients are made in the step
        block_bytes=block_bytes + 2 * trained_bytes,
    )


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _measured(network: nn.Module, call: Callable[[], None]) -> tuple[Work, int]:
    """Return the work of a call, and the most bytes that are held at once, the network's own among them."""
    with FlopCounterMode(display=False) as counter, Meter() as meter:
        meter.hold(*network.parameters(), *network.buffers())
        call()
    return Work(counter.get_total_flops(), meter.bytes, meter.kernels), meter.peak


class _Shapes(TorchFunctionMode):
    """Nets are built without values: nothing is drawn, and what would lie in the CPU's memory has a shape only."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is Tensor.normal_:
            return args[0]
        kwargs = kwargs or {}
        if kwargs.get("device") == "cpu":
            kwargs = {**kwargs, "device": "meta"}
        return function(*args, **kwargs)


class Meter(TorchDispatchMode):
    """Counts what is computed inside its block.

    Attributes:
        kernels: operations that are called, views left out.
        bytes: that they read and write.
        peak: the most bytes that tensors held at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernels = self.bytes = self.held = self.peak = 0
        self.storages: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        written = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if not function.is_view:
            self.kernels += 1
            self.bytes += _bytes(leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor))
            self.bytes += _bytes(written)
        self.hold(*written)
        return result

    def hold(self, *tensors: Tensor) -> None:
        """Count the memory of tensors until nothing refers to it any more."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if storage not in self.storages:
                self.storages.add(storage)
                self.held += storage.nbytes()
                self.peak = max(self.peak, self.held)
                weakref.finalize(storage, self._release, storage.nbytes())

    def _release(self, count: int) -> None:
        self.held -= count

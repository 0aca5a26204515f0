"""What nets cost: parameters, FLOPs and times (Matsui 2019, section 1)."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from taskshare import device, files, seeds
from taskshare.config import Run
from taskshare.networks.build import build_for, count_parameters, to_input
from taskshare.networks.parents import start_of

SECONDS = 3.0
"""For the times of all nets together, after a warm-up."""
LEAST_ROUNDS = 3


def measure(nets: Mapping[str, Sequence[Run]], batch_size: int, out: Path, wanted_device: str = "auto") -> None:
    """Write what nets with their initial weights cost, as JSON.

    The file has `device`, `processor`, `threads`, `batch_size`, `size` (of the images, in pixels), and by label `nets`:
    `nets` (how many must run), `parameters` and `trained_parameters` (those that the last stage of training does not
    freeze), `forward_flops` and `training_flops` (of one image; forward and backward of the last stage; a
    multiplication and its addition are two), and `image_seconds`, `batch_seconds` (forward) and
    `training_step_seconds` (forward, backward and SGD with momentum on one batch). Nets that must run together cost
    their sum.

    Times are medians, in float32, of calls that take turns over all nets, so that a machine that slows down slows all;
    with rate 0, so that no net changes. The objective is the mean square of the outputs: the real ones are as cheap
    beside the convolutions.

    Args:
        nets: the runs, of one variant, whose nets must run together, by label.
        batch_size: images of a batch.
        out: the file to write.
        wanted_device: `auto`, `cpu` or `cuda`.
    """
    first = next(iter(nets.values()))[0]
    threads, size = first.training.threads, first.variant.size
    device.set_up(threads)
    where = device.choose(wanted_device)
    generator = torch.Generator().manual_seed(seeds.derive(0, "costs"))
    shape = (batch_size, size, size, first.variant.channels)
    pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    batch = to_input(pixels.to(where))
    groups = {label: _Group(runs, where) for label, runs in nets.items()}
    found = {label: group.counts(batch[:1]) for label, group in groups.items()}
    seconds = time_in_turns(
        {
            (label, name): call
            for label, group in groups.items()
            for name, call in (
                ("image_seconds", lambda group=group: group.forward(batch[:1])),
                ("batch_seconds", lambda group=group: group.forward(batch)),
                ("training_step_seconds", lambda group=group: group.training_step(batch)),
            )
        },
        where,
        SECONDS,
    )
    for (label, name), median in seconds.items():
        found[label][name] = median
    machine = device.describe(where)
    where_and_what = {"device": machine["device"], "processor": machine["processor"], "threads": threads, "size": size}
    files.write_json(out, {**where_and_what, "batch_size": batch_size, "nets": found})


def time_in_turns(
    calls: Mapping[tuple[str, str], Callable[[], object]], where: torch.device, seconds: float
) -> dict[tuple[str, str], float]:
    """Return the median seconds of each call; all are called once a round, for `seconds`, and three rounds at least."""
    taken: dict[tuple[str, str], list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    begun, rounds = time.perf_counter(), 0
    while rounds < LEAST_ROUNDS or time.perf_counter() - begun < seconds:
        for name, call in calls.items():
            _wait(where)
            started = time.perf_counter()
            call()
            _wait(where)
            taken[name].append(time.perf_counter() - started)
        rounds += 1
    return {name: statistics.median(values) for name, values in taken.items()}


class _Group:
    """Nets that must run together."""

    def __init__(self, runs: Sequence[Run], where: torch.device) -> None:
        self.networks: list[nn.Module] = []
        self.optimisers = []
        for run in runs:
            network = build_for(run)
            start_of(run).freeze(network)
            network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
            trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
            self.networks.append(network)
            self.optimisers.append(torch.optim.SGD(trained, lr=0.0, momentum=run.training.momentum))

    def forward(self, images: Tensor) -> None:
        """Answer for images (N, C, H, W)."""
        with torch.no_grad():
            for network in self.networks:
                network.eval()(images)

    def training_step(self, images: Tensor) -> None:
        """Learn from images (N, C, H, W), at rate 0."""
        for network, optimiser in zip(self.networks, self.optimisers, strict=True):
            network.train()(images).square().mean().backward()
            optimiser.step()
            optimiser.zero_grad()

    def counts(self, image: Tensor) -> dict[str, float]:
        """What one image, (1, C, H, W), and the nets' parameters come to: all but the times."""
        parameters = [parameter for network in self.networks for parameter in network.parameters()]
        return {
            "nets": len(self.networks),
            "parameters": sum(count_parameters(network) for network in self.networks),
            "trained_parameters": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
            "forward_flops": _flops(lambda: self.forward(image)),
            "training_flops": _flops(lambda: self.training_step(image)),
        }


def _flops(call: Callable[[], None]) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def _wait(where: torch.device) -> None:
    if where.type == "cuda":
        torch.cuda.synchronize(where)

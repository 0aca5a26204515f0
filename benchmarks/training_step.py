"""The dynamic network's training step: a naive loop in float32, ours, and a matrix product of equal work.

`python benchmarks/training_step.py [--json FILE]`. The ways take turns in processes of their own, so that one's memory
settings and caches do not serve another; the medians of one run are compared.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from taskshare import config, device
from taskshare.networks.build import build, to_input
from taskshare.networks.dynamic import DynamicMultiTask
from taskshare.networks.subnet import HIDDEN_LAYERS

TASKS = [f"task{number}" for number in range(7)]
SIZE = 64
WAYS = ("naive", "ours", "matrix product")


class NaiveDynamic(DynamicMultiTask):
    """What one writes first: a loop over subnets, and a sum over all pairs of tasks."""

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, tasks)."""
        features = [images] * len(TASKS)
        for number in range(HIDDEN_LAYERS):
            layers = [subnet.layers[number] for subnet in self.subnets]
            responses = []
            for layer, inputs in zip(layers, features, strict=True):
                if number == HIDDEN_LAYERS - 1:
                    inputs = inputs.flatten(1)
                if layer.extra_edge:
                    inputs = F.pad(inputs, (0, 1, 0, 1))
                response = F.relu(layer.operation(inputs))
                responses.append(F.max_pool2d(response, 2) if layer.pool_first else response)
            alpha = self.transfers[str(number + 1)].alpha()
            features = []
            for target, layer in enumerate(layers):
                mixed = sum(alpha[source, target] * response for source, response in enumerate(responses))
                features.append(layer.normalisation(mixed))
        logits = [subnet.classify(inputs) for subnet, inputs in zip(self.subnets, features, strict=True)]
        return torch.stack(logits, dim=1)


def make_step(way: str, batch: int, threads: int) -> Callable[[], None]:
    """Return a function that does one training step: forward, backward and update."""
    network = build(config.Network(scheme="dynamic"), TASKS, SIZE, 1, seed=1)
    pixels = torch.randint(0, 256, (len(TASKS) * batch, SIZE, SIZE, 1), dtype=torch.uint8)
    labels = torch.randint(0, 2, (batch, len(TASKS))).float()
    where = torch.device("cpu")
    bfloat16 = False
    if way == "naive":
        torch.set_num_threads(threads)
        network.__class__ = NaiveDynamic
    else:
        device.set_up(threads)
        network.to(memory_format=torch.channels_last)
        bfloat16 = device.computes_in_bfloat16(config.Training(), where)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        inputs = to_input(pixels)
        if way == "naive":
            inputs = inputs.contiguous()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            outputs = network(inputs).float()
        outputs = outputs.unflatten(0, (len(TASKS), batch)).diagonal(dim1=0, dim2=2)
        optimiser.zero_grad(set_to_none=True)
        F.binary_cross_entropy_with_logits(outputs, labels, reduction="none").mean(0).sum().backward()
        optimiser.step()

    return step


def measure(way: str, batch: int, threads: int, steps: int) -> float:
    """Return seconds of one step: the median of `steps` after two to warm up."""
    if way == "matrix product":
        step = make_step("ours", batch, threads)
        with FlopCounterMode(display=False) as counter:
            step()
        bfloat16 = device.computes_in_bfloat16(config.Training(), torch.device("cpu"))
        dtype, size = torch.bfloat16 if bfloat16 else torch.float32, 2048
        left, right = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)

        def step() -> None:
            torch.mm(left, right)

        factor = counter.get_total_flops() / (2 * size**3)
    else:
        step, factor = make_step(way, batch, threads), 1.0
    for _ in range(2):  # the first steps take memory from the system
        step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return factor * statistics.median(times)


def main() -> None:
    """Measure the ways in turn and print their medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16, help="images of each of the seven tasks")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(measure(options.way, options.batch, options.threads, options.steps))
        return
    numbers = [f"--{name}={getattr(options, name)}" for name in ("batch", "threads", "steps")]
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            command = [sys.executable, __file__, "--way", way, *numbers]
            seconds[way].append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    print(f"7 tasks, {SIZE}x{SIZE}, {options.batch} images of each, {options.threads} threads")
    for way, median in medians.items():
        print(f"{way:15} {1000 * median:8.0f} ms   naive / this {medians['naive'] / median:5.2f}")
    print(f"ours / matrix product of equal work {medians['ours'] / medians['matrix product']:.2f}")
    if options.json:
        options.json.write_text(json.dumps({"seconds": seconds, "medians": medians}, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""The dynamic network's training step: a naive loop in float32, ours, and a matrix product of equal work.

`python benchmarks/training_step.py [--json FILE]`. The medians of one run are compared.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from turns import compare, median_seconds

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


def measure(options: argparse.Namespace) -> float:
    """Return seconds of one step."""
    if options.way != "matrix product":
        return median_seconds(make_step(options.way, options.batch, options.threads), options.steps)
    step = make_step("ours", options.batch, options.threads)
    with FlopCounterMode(display=False) as counter:
        step()
    bfloat16 = device.computes_in_bfloat16(config.Training(), torch.device("cpu"))
    dtype, size = torch.bfloat16 if bfloat16 else torch.float32, 2048
    left, right = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    return counter.get_total_flops() / (2 * size**3) * median_seconds(lambda: torch.mm(left, right), options.steps)


def main() -> None:
    """Measure the ways in turn and print their medians and ratios."""
    options, medians = compare(__doc__, __file__, WAYS, measure)
    print(f"7 tasks, {SIZE}x{SIZE}, {options.batch} images of each, {options.threads} threads")
    for way, median in medians.items():
        print(f"{way:15} {1000 * median:8.0f} ms   naive / this {medians['naive'] / median:5.2f}")
    print(f"ours / matrix product of equal work {medians['ours'] / medians['matrix product']:.2f}")


if __name__ == "__main__":
    main()

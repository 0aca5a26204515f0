"""A joining task's training step against a whole dynamic net's step, per image.

`python benchmarks/incremental_step.py [--json FILE]`. Seven tasks at the papers' size: all seven trained together,
and the seventh trained with six frozen ones.
"""

import argparse
from collections.abc import Callable

import torch
from torch.nn import functional as F
from turns import compare, median_seconds

from taskshare import config, device
from taskshare.networks.build import build, to_input

TASKS = [f"task{number}" for number in range(7)]
SIZE = 64
WAYS = ("whole", "incremental")


def make_step(way: str, batch: int, threads: int) -> tuple[Callable[[], None], int]:
    """Return a function that does one training step, and the number of its images."""
    device.set_up(threads)
    generations = [] if way == "whole" else [TASKS[:-1], TASKS[-1:]]
    network = build(config.Network(scheme="dynamic"), TASKS, SIZE, 1, 1, generations)
    network.to(memory_format=torch.channels_last)
    trained = TASKS if way == "whole" else TASKS[-1:]
    images = len(trained) * batch
    pixels = torch.randint(0, 256, (images, SIZE, SIZE, 1), dtype=torch.uint8)
    labels = torch.randint(0, 2, (batch, len(trained))).float()
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(learned, lr=0.01, momentum=0.9)
    bfloat16 = device.computes_in_bfloat16(config.Training(), torch.device("cpu"))
    network.train()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            outputs = network(to_input(pixels))[:, -len(trained) :].float()
        if len(trained) > 1:
            outputs = outputs.unflatten(0, (len(trained), batch)).diagonal(dim1=0, dim2=2)
        optimiser.zero_grad(set_to_none=True)
        F.binary_cross_entropy_with_logits(outputs, labels, reduction="none").mean(0).sum().backward()
        optimiser.step()

    return step, images


def measure(options: argparse.Namespace) -> float:
    """Return seconds for one image."""
    step, images = make_step(options.way, options.batch, options.threads)
    return median_seconds(step, options.steps) / images


def main() -> None:
    """Measure both in turn and print their medians and the ratio."""
    options, medians = compare(__doc__, __file__, WAYS, measure)
    print(f"7 tasks, {SIZE}x{SIZE}, batches of {options.batch}, {options.threads} threads")
    for way, median in medians.items():
        print(f"{way:12} {1000 * median:8.2f} ms an image")
    print(f"incremental / whole {medians['incremental'] / medians['whole']:.2f}")


if __name__ == "__main__":
    main()

"""A joining task's training step against a whole dynamic net's step, per image.

`python benchmarks/incremental_step.py [--json FILE]`. Seven tasks at the papers' size: all seven trained together,
and the seventh trained with six frozen ones. The two take turns in processes of their own; the medians of one run are
compared.
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
from torch.nn import functional as F

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


def measure(way: str, batch: int, threads: int, steps: int) -> float:
    """Return seconds for one image: the median of `steps` steps after two to warm up."""
    step, images = make_step(way, batch, threads)
    for _ in range(2):  # the first steps take memory from the system
        step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times) / images


def main() -> None:
    """Measure both in turn and print their medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16, help="images of each trained task")
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
    print(f"7 tasks, {SIZE}x{SIZE}, batches of {options.batch}, {options.threads} threads")
    for way, median in medians.items():
        print(f"{way:12} {1000 * median:8.2f} ms an image")
    print(f"incremental / whole {medians['incremental'] / medians['whole']:.2f}")
    if options.json:
        options.json.write_text(json.dumps({"seconds_per_image": seconds, "medians": medians}, indent=2) + "\n")


if __name__ == "__main__":
    main()

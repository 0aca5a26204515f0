"""Memory and time of a training step of Matsui 2019's nets at scale paper, in batches of 32 at 128x128.

`python benchmarks/columns_step.py [--batch N] [--json FILE]`. Memory is computed from what a step keeps: weights,
gradients and momentum in float32, activations as autograd saves them (bfloat16 under autocast, each storage once). On a
GPU the peak and the time are measured too; on a CPU the time is, if `--time` asks for it.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from taskshare import config, device
from taskshare.networks.build import build_for, to_input
from taskshare.networks.parents import start_of

RUNS = ("celeba-columns", "celeba-separation", "celeba-separation-channelwise")
PROBE = 2
"""Images from which the activations of a batch are computed: they grow with their number."""


class Step:
    """A run's net with what a training step needs, on a device."""

    def __init__(self, run: config.Run, where: torch.device) -> None:
        self.where = where
        self.size = run.variant.size
        self.network = build_for(run)
        start_of(run).freeze(self.network)
        self.network.to(where, memory_format=torch.channels_last)
        self.trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.SGD(self.trained, lr=1e-4, momentum=0.9)

    def loss(self, batch: int) -> Tensor:
        """Return a loss of random images through the net, in bfloat16 where the device may."""
        pixels = torch.randint(0, 256, (batch, self.size, self.size, 3), dtype=torch.uint8, device=self.where)
        with torch.autocast(self.where.type, torch.bfloat16):
            return self.network(to_input(pixels)).float().square().mean()

    def __call__(self, batch: int) -> None:
        """Do one training step."""
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(batch).backward()
        self.optimiser.step()

    def activations(self, batch: int) -> int:
        """Return the bytes that autograd keeps from forward to backward, without the parameters."""
        own = {parameter.untyped_storage().data_ptr() for parameter in self.network.parameters()}
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = self.loss(batch)
        total = sum(kept.values())
        del loss
        return total


def measure(run: config.Run, batch: int, timed: bool) -> dict[str, float]:
    """Return GB and seconds of one step of a run."""
    where = device.choose("auto")
    step = Step(run, where)
    # What does not grow with the batch are bfloat16 copies of the weights.
    one, two = step.activations(PROBE), step.activations(2 * PROBE)
    activations = one + (two - one) / PROBE * (batch - PROBE)
    weights = 4 * sum(parameter.numel() for parameter in step.network.parameters())
    learning = 2 * 4 * sum(parameter.numel() for parameter in step.trained)
    found = {
        "weights_gb": weights / 1e9,
        "gradients_and_momentum_gb": learning / 1e9,
        "activations_gb": activations / 1e9,
        "computed_gb": (weights + learning + activations) / 1e9,
    }
    if where.type == "cuda":
        step(batch)
        torch.cuda.reset_peak_memory_stats()
    if where.type == "cuda" or timed:
        start = time.perf_counter()
        step(batch)
        if where.type == "cuda":
            torch.cuda.synchronize()
            found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
        found["step_seconds"] = time.perf_counter() - start
    return found


def main() -> None:
    """Measure the three nets one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--time", action="store_true", help="time a step on a CPU too: a minute or more each")
    parser.add_argument("--json", type=Path, help="file for every number")
    options = parser.parse_args()
    device.set_up(options.threads)
    params = config.load(Path(__file__).parents[1] / "params.yaml", {"scale": "paper"}, check_sources=False)
    results = {}
    for name in RUNS:
        results[name] = measure(next(params.jobs(name)), options.batch, options.time)
        print(name, ", ".join(f"{key} {value:.2f}" for key, value in results[name].items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

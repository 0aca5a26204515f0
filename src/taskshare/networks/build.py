"""From a configuration to a network with its initial weights."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from taskshare import config, seeds
from taskshare.networks import scheme
from taskshare.networks.dynamic import ParallelSubnets
from taskshare.networks.incremental import IncrementalMultiTask
from taskshare.networks.separation import Separation
from taskshare.networks.shapes import output_count
from taskshare.networks.subnet import Subnet
from taskshare.networks.vgg import HardVgg

SharingNetwork = nn.Module
"""Maps images (N, C, H, W) to logits (N, tasks), or to the outputs of vgg nets, (N, K)."""


def build(
    network: config.Network,
    tasks: list[str],
    image_size: int,
    image_channels: int,
    seed: int,
    generations: Sequence[list[str]] = (),
) -> SharingNetwork:
    """Return a network that maps images (N, C, H, W) to logits (N, tasks), in float32 on the CPU.

    A subnet's initial weights depend on `seed` and its task's name only, so the subnets of single-task and dynamic
    networks of one seed start equal.

    Args:
        network: scheme and switches.
        tasks: the tasks in the order of the logits.
        image_size: height and width of the images in pixels.
        image_channels: 1 for grey, 3 for RGB.
        seed: seed of the run.
        generations: dynamic: the tasks by the time they joined, in the order of `tasks`; none: all at once.

    Raises:
        TaskshareError: if the images are too small for the network.
    """

    def subnet(owner: str, first: int = 1, last: int = 7) -> Subnet:
        return Subnet(network, image_size, image_channels, _generator(seed, owner), first, last)

    first_tasks, *later = generations or [tasks]
    whole = scheme.find(network.scheme).build(network, first_tasks, subnet)
    for joining in later:
        whole = IncrementalMultiTask(cast(ParallelSubnets, whole), [subnet(task) for task in joining], network)
    return whole


def build_vgg(
    network: config.VggNetwork, tasks: list[str], labels: list[str], image_size: int, seed: int
) -> HardVgg | Separation:
    """Return a network that maps RGB images (N, 3, H, W) to outputs (N, K), in float32 on the CPU.

    The initial weights of a task's part depend on `seed` and the task's name only.

    Args:
        network: scheme and switches.
        tasks: the tasks in the order of their outputs.
        labels: the data set's attributes.
        image_size: height and width of the images in pixels.
        seed: seed of the run.
    """
    vgg = HardVgg if network.scheme == "hard" else Separation
    outputs = [output_count(task, labels) for task in tasks]
    return vgg(network, image_size, outputs, _generator(seed, "shared"), [_generator(seed, task) for task in tasks])


def build_for(run: config.Run) -> SharingNetwork:
    """Return a run's network with its initial weights."""
    variant = run.variant
    if isinstance(run.network, config.VggNetwork):
        return build_vgg(run.network, run.tasks, run.labels, variant.size, run.seed)
    return build(run.network, run.tasks, variant.size, variant.channels, run.seed, run.generations)


def _generator(seed: int, owner: str) -> torch.Generator:
    return torch.Generator().manual_seed(seeds.derive(seed, "weights", owner))


def to_input(pixels: Tensor) -> Tensor:
    """Map uint8 pixels (N, H, W, C) to float32 in -1..1, (N, C, H, W), channels last in memory."""
    return pixels.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)


def count_parameters(network: nn.Module) -> int:
    """Return the number of learned values, frozen ones too; beta of a task to itself takes no part."""
    count = sum(parameter.numel() for parameter in network.parameters())
    for name, parameter in network.named_parameters():
        if name.endswith(".beta"):
            count -= parameter.numel() // parameter.shape[0]  # (sources, targets): one source of each target is itself
    return count

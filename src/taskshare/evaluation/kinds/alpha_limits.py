"""The dynamic net at its two limits: single-task nets, and hard sharing (Fang 2017, section 3, reading 2)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from taskshare import device, files, rounding
from taskshare.config import Network, Run
from taskshare.data.arrays import ImageArray
from taskshare.data.labels import task_labels
from taskshare.errors import TaskshareError
from taskshare.networks.build import build_for, to_input

IMAGES = 36
PASSES = 14  # seven layers, forward and backward
CANCELLATION = 40  # gradients whose terms cancel to less than a fortieth of their magnitudes are not foreseen
LAST_NORMALISATION = "layers.5.normalisation"  # layer 6's, behind the last mix: it belongs to its task alone
IDENTITY_KEYS = ("maximum_difference", "maximum_difference_with_joined_first_layers")
EQUAL_KEYS = ("of_the_sum", "of_each_subnet")


def measure(run: Run, prepared: Path, out: Path, wanted_device: str = "auto") -> None:
    """Write limits.json: how far a run's net, before training, is from what its limits should be.

    All nets have initial weights of the run's seed and see training images. `identity` holds what
    `identity_differences` returns, `equal` what `equal_differences` does and, as `bound`, what rounding can make of it.

    Args:
        run: with the dynamic scheme.
        prepared: folder with train.npy and train.parquet, as the run was trained on.
        out: the file.
        wanted_device: `auto`, `cpu` or `cuda`.

    Raises:
        TaskshareError: if the run has another scheme.
    """
    if run.network.scheme != "dynamic":
        raise TaskshareError(f"{run.name}: has no connections; take a run with network.scheme: dynamic")
    device.set_up(run.training.threads)
    where = device.choose(wanted_device)
    images, labels = (part.to(where) for part in _batch(run, prepared))
    files.write_json(
        out,
        {
            "identity": dict(zip(IDENTITY_KEYS, identity_differences(run, images), strict=True)),
            "equal": {
                "maximum_relative_differences": dict(
                    zip(EQUAL_KEYS, equal_differences(run, images, labels), strict=True)
                ),
                "bound": rounding_bound(images),
            },
        },
    )


def identity_differences(run: Run, images: Tensor) -> tuple[float, float]:
    """Return the largest differences of logits between alpha = identity and single-task nets.

    Compared are training mode, with the statistics of the batch, and then evaluation mode, in float32. The first is of
    subnets that compute their first layers one by one, as single-task nets do: the operations are the same, so it is 0,
    bit for bit. The second is of first layers that are computed at once, as training does it: it is rounding.

    Args:
        run: with the dynamic scheme.
        images: float32 (N, C, H, W).
    """
    nets = [_network(run, [task], scheme="single").to(images.device) for task in run.tasks]
    alone = _both_modes(images, *nets)
    dynamic = _network(run, run.tasks, alpha="identity").to(images.device)
    joined = _both_modes(images, dynamic)
    dynamic = _network(run, run.tasks, alpha="identity").to(images.device)  # with fresh running statistics
    dynamic.joins_first_layers = False
    one_by_one = _both_modes(images, dynamic)
    return (one_by_one - alone).abs().max().item(), (joined - alone).abs().max().item()


def equal_differences(run: Run, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the largest relative differences between gradients at alpha = 1/n and those of hard sharing's trunk.

    All n subnets have the trunk's weights, and all nets see one batch in training mode. A difference is that of the
    gradients of the summed cost, for each tensor of the trunk its largest entry over the largest entry of the trunk's
    gradient. All is computed in float64: rounding in float32 turns over a ReLU or the maximum of a pool here and there,
    and with it some gradients by percents.

    Args:
        run: with the dynamic scheme.
        images: float32 (N, C, H, W).
        labels: float32 (N, tasks) of 1, 0, and -1 for images that are not part of the task.

    Returns:
        The difference of the sum over the subnets, 0 for every alpha whose columns sum to 1; and the largest one of n
        times a subnet's own gradient, 0 only for alpha = 1/n on all layers. The normalisation behind the last mix is
        left out of the second: it learns from its own task alone.
    """
    hard = _network(run, run.tasks, scheme="hard", shared_layers=6).to(images.device, torch.float64)
    dynamic = _network(run, run.tasks, alpha="equal").to(images.device, torch.float64)
    for subnet, branch in zip(dynamic.subnets, hard.branches, strict=True):
        subnet.layers.load_state_dict(hard.trunk.layers.state_dict())
        subnet.output.load_state_dict(branch.output.state_dict())
    for network in (hard, dynamic):
        outputs = network.train()(images.double())
        costs = binary_cross_entropy_with_logits(outputs, labels.double(), labels >= 0, reduction="none")
        costs.mean(0).sum().backward()
    of_sum, of_each = [], []
    for name, parameter in hard.trunk.named_parameters():
        expected = parameter.grad
        gradients = torch.stack([subnet.get_parameter(name).grad for subnet in dynamic.subnets])
        largest = expected.abs().max()
        of_sum.append(((gradients.sum(0) - expected).abs().max() / largest).item())
        if not name.startswith(LAST_NORMALISATION):
            of_each.append(((len(gradients) * gradients - expected).abs().max() / largest).item())
    return max(of_sum), max(of_each)


def rounding_bound(images: Tensor) -> float:
    """Return how far rounding can move what `equal_differences` returns.

    The longest sums are those of the first layer's gradients, over all pixels of all images; `PASSES` sums follow each
    other. A difference is told as a share of the largest entry, which cancellation can make `CANCELLATION` times
    smaller than the magnitudes that were added up.

    Args:
        images: (N, C, H, W).
    """
    batch, _, height, width = images.shape
    return CANCELLATION * rounding.largest_difference(batch * height * width, torch.float64, PASSES)


def _both_modes(images: Tensor, *networks: Any) -> Tensor:
    """Return the logits (2, N, tasks) of nets side by side, in training mode and then in evaluation mode."""
    with torch.no_grad():
        return torch.stack(
            [torch.cat([net.train(training)(images) for net in networks], dim=1) for training in (True, False)]
        )


def _network(run: Run, tasks: list[str], alpha: str = "learned", **changes: Any) -> Any:
    """A network of `tasks` that learn at once, with the run's initial weights and switches but for the changes."""
    assert isinstance(run.network, Network)
    transfer = run.network.transfer.model_copy(update={"alpha": alpha})
    network = run.network.model_copy(update={"transfer": transfer, **changes})
    fresh = {"tasks": tasks, "network": network, "start": None, "generations": []}
    return build_for(run.model_copy(update=fresh))


def _batch(run: Run, prepared: Path) -> tuple[Tensor, Tensor]:
    """Images that have a label of a task, spread evenly over the training split, and their labels as float32."""
    table = pd.read_parquet(prepared / "train.parquet")
    labels = np.stack([task_labels(table, run.labels, task) for task in run.tasks], axis=1)
    labelled = np.flatnonzero((labels >= 0).any(axis=1))
    count = min(IMAGES, len(labelled))
    indices = labelled[np.arange(count) * len(labelled) // count]
    pixels = torch.from_numpy(ImageArray(prepared / "train.npy").read(indices))
    return to_input(pixels), torch.from_numpy(labels[indices].astype(np.float32))

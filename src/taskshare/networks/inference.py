"""A checkpoint's network on its device, and its outputs over many images, block by block."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from taskshare import device
from taskshare.config import Run
from taskshare.networks import weights
from taskshare.networks.build import SharingNetwork, to_input

BLOCK = {"cpu": 256, "cuda": 4096}
"""Images that a net looks at together, by the type of device."""


def open_checkpoint(path: Path, wanted_device: str) -> tuple[Run, SharingNetwork, torch.device]:
    """Return a checkpoint's run, its network in evaluation mode where it is computed, and that device, set up.

    Args:
        path: weights.safetensors of a run.
        wanted_device: `auto`, `cpu` or `cuda`.

    Raises:
        TaskshareError: as `weights.load` and `device.choose` do.
    """
    run, network = weights.load(path)
    device.set_up(run.training.threads)
    where = device.choose(wanted_device)
    return run, network.to(where), where


def logits(
    network: SharingNetwork, blocks: Iterable[np.ndarray | Tensor], where: torch.device, bfloat16: bool = False
) -> np.ndarray:
    """Return float32 outputs (N, outputs), of subnets one logit a task, of uint8 images in blocks of (n, H, W, C).

    The network computes in evaluation mode and is left in the mode it was in.
    """
    was_training = network.training
    network.eval()
    results = []
    with torch.inference_mode(), device.precision(where, bfloat16):
        for block in blocks:
            results.append(network(to_input(torch.as_tensor(block).to(where))).float().cpu().numpy())
    network.train(was_training)
    return np.concatenate(results)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each task's label 1, 0 to 1, from logits of any shape."""
    return expit(logits)

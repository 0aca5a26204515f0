"""Logits of a network over many images, block by block."""

from collections.abc import Iterable

import numpy as np
import torch

from taskshare.networks.build import SharingNetwork, to_input


def logits(
    network: SharingNetwork, blocks: Iterable[np.ndarray], device: torch.device, bfloat16: bool = False
) -> np.ndarray:
    """Return float32 logits (N, tasks) of uint8 images that come in blocks of shape (n, H, W, C).

    The network computes in evaluation mode and is left in the mode it was in.
    """
    was_training = network.training
    network.eval()
    results = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        for block in blocks:
            results.append(network(to_input(torch.from_numpy(block).to(device))).float().cpu().numpy())
    network.train(was_training)
    return np.concatenate(results)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each task's label 1, 0 to 1, from logits of any shape."""
    return 1 / (1 + np.exp(-logits))

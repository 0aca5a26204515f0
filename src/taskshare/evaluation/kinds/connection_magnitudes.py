"""Learned task transfer connections: alpha, and the influence that it stands for (Fang 2017, section 4.3)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from taskshare import files
from taskshare.data.arrays import ImageArray
from taskshare.errors import TaskshareError
from taskshare.networks.build import to_input
from taskshare.networks.dynamic import ParallelSubnets
from taskshare.networks.inference import open_checkpoint
from taskshare.statistics.connection_strengths import shares

BLOCK = 64
SCHEMA = {
    "layer": "int8",
    "source": "str",
    "target": "str",
    "alpha": "float32",
    "share": "float32",
    "magnitude": "float32",
    "influence": "float32",
}


def measure(checkpoint: Path, prepared: Path, images: int, out: Path, wanted_device: str = "auto") -> None:
    """Write connections.parquet: a row for each joined layer, source and target.

    `alpha` is the learned connection, 0 where there is none; `share` is alpha_ij / sum_k alpha_kj, the own connection
    among them (readings 17 and 18); `magnitude` is the mean of |h_i| over images and units, before the mix; and
    `influence` is alpha_ij m_i / sum_k alpha_kj m_k, since raw alpha ignores the scale of what it weighs (reading 18).

    Args:
        checkpoint: weights.safetensors of a run with the dynamic scheme.
        prepared: folder with train.npy, as the run was trained on.
        images: how many training images, spread evenly over the split, the magnitudes are taken from.
        out: the file.
        wanted_device: `auto`, `cpu` or `cuda`.

    Raises:
        TaskshareError: if the run has another scheme.
    """
    run, network, where = open_checkpoint(checkpoint, wanted_device)
    if not isinstance(network, ParallelSubnets):
        raise TaskshareError(f"{checkpoint}: has no connections; take a run with network.scheme: dynamic")
    magnitudes = response_magnitudes(network, _spread(ImageArray(prepared / "train.npy"), images), where)
    tables = []
    for layer, strengths in network.connection_strengths().items():
        alpha, magnitude = strengths.cpu().numpy().astype(np.float64), magnitudes[layer]
        tables.append(
            pd.DataFrame(
                {
                    "layer": layer,
                    "source": np.repeat(run.tasks, len(alpha)),
                    "target": np.tile(run.tasks, len(alpha)),
                    "alpha": alpha.ravel(),
                    "share": shares(alpha).ravel(),
                    "magnitude": np.repeat(magnitude, len(alpha)),
                    "influence": shares(alpha * magnitude[:, None]).ravel(),
                }
            )
        )
    with files.atomic(out) as partial:
        pd.concat(tables, ignore_index=True).astype(SCHEMA).to_parquet(partial, index=False)


def response_magnitudes(
    network: ParallelSubnets, blocks: Iterator[np.ndarray], where: torch.device
) -> dict[int, np.ndarray]:
    """Return the mean absolute response of each task, float64 (tasks,), by layer; a mean over images and units.

    Args:
        network: in evaluation mode, on the device.
        blocks: uint8 images (n, H, W, C).
        where: the device.
    """
    sums: dict[int, np.ndarray] = {}
    count = 0
    with torch.inference_mode():
        for block in blocks:
            trace = network.trace(to_input(torch.from_numpy(block).to(where)))
            for layer, responses in trace.responses.items():
                means = torch.stack([response.abs().mean(dtype=torch.float64) for response in responses])
                sums[layer] = sums.get(layer, 0) + len(block) * means.cpu().numpy()
            count += len(block)
    return {layer: total / count for layer, total in sums.items()}


def _spread(array: ImageArray, wanted: int) -> Iterator[np.ndarray]:
    count = min(wanted, len(array))
    indices = np.arange(count) * len(array) // count
    for start in range(0, count, BLOCK):
        yield array.read(indices[start : start + BLOCK])

"""Response-contrast maps of attributes (Fang 2017, section 2, Figure 2, reading 22)."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from taskshare import files
from taskshare.config import Run
from taskshare.data.arrays import ImageArray
from taskshare.data.labels import has_both_labels, task_labels
from taskshare.errors import TaskshareError
from taskshare.networks.build import to_input
from taskshare.networks.hard import HardSharing
from taskshare.networks.inference import open_checkpoint
from taskshare.networks.subnet import Subnet
from taskshare.statistics.grouping import PIXELS

BLOCK = 256


def measure(checkpoint: Path, prepared: Path, layer: int, out: Path, wanted_device: str = "auto") -> None:
    """Write response_maps.parquet, of the training split.

    The maps, layer, attribute, row, column (from 0) and contrast, are those of every label with both values among the
    training images: the mean over channels of |mean map of the positives - mean map of the negatives|. Beside the maps
    of `layer` stand those of layer 0, the pixels in -1..1 themselves: what can be had without a net. Labels are the
    attributes of the data set; those of images of classes are the run's tasks.

    Args:
        checkpoint: weights.safetensors of a run with hard sharing.
        prepared: folder with train.npy and train.parquet, as the run was trained on.
        layer: 1 to 5, the convolution whose rectified (and, before layer 5, pooled) output counts.
        out: the file.
        wanted_device: `auto`, `cpu` or `cuda`.

    Raises:
        TaskshareError: if the run has another scheme.
    """
    run, network, where = open_checkpoint(checkpoint, wanted_device)
    if not isinstance(network, HardSharing):
        raise TaskshareError(f"{checkpoint}: has no shared layers; take a run with network.scheme: hard")
    labels = _labels(run, pd.read_parquet(prepared / "train.parquet"))
    both = {name: values for name, values in labels.items() if has_both_labels(values)}
    images = ImageArray(prepared / "train.npy")
    trunk, members = network.trunk, np.stack(list(both.values()))
    tables = [
        _table(number, list(both), contrast_maps(trunk, number, images, members, where)) for number in (PIXELS, layer)
    ]
    with files.atomic(out) as partial:
        pd.concat(tables, ignore_index=True).to_parquet(partial, index=False)


def contrast_maps(trunk: Subnet, layer: int, images: ImageArray, labels: np.ndarray, where: torch.device) -> np.ndarray:
    """Return the response-contrast maps, float64 (labels, height, width), of a trunk in evaluation mode.

    Args:
        trunk: first layers of a network, on the device.
        layer: whose responses are compared, 1 to 5, or 0 for the pixels.
        images: N images.
        labels: (labels, N) of 1, 0, and -1 for images that take no part.
        where: the device.
    """
    count = torch.from_numpy(np.concatenate([(labels == 1).sum(1), (labels == 0).sum(1)])).to(where)
    sums: Tensor | None = None
    start = 0
    with torch.inference_mode():
        for block in images.blocks(BLOCK):
            responses = _responses(trunk, layer, to_input(torch.from_numpy(block).to(where))).double()
            own = labels[:, start : start + len(block)]
            # One matrix product gives all labels' sums: the rows of positives above those of negatives.
            members = torch.from_numpy(np.concatenate([own == 1, own == 0])).to(where, torch.float64)
            part = members @ responses.flatten(1)
            sums = part if sums is None else sums + part
            shape = responses.shape[1:]
            start += len(block)
        assert sums is not None
        positives, negatives = (sums / count[:, None]).chunk(2)
        return (positives - negatives).abs().unflatten(1, shape).mean(1).cpu().numpy()


def _labels(run: Run, table: pd.DataFrame) -> dict[str, np.ndarray]:
    names = run.labels if run.layout == "attributes" else run.tasks
    return {name: task_labels(table, run.labels, name) for name in names}


def _responses(trunk: Subnet, layer: int, features: Tensor) -> Tensor:
    if layer == PIXELS:
        return features
    for earlier in trunk.layers[: layer - 1]:
        features = earlier(features)
    return trunk.layers[layer - 1].respond(features)  # type: ignore[operator]


def _table(layer: int, names: list[str], maps: np.ndarray) -> pd.DataFrame:
    count, height, width = maps.shape
    row, column = np.indices((height, width)).reshape(2, -1)
    return pd.DataFrame(
        {
            "layer": layer,
            "attribute": np.repeat(names, height * width),
            "row": np.tile(row, count),
            "column": np.tile(column, count),
            "contrast": maps.ravel(),
        }
    ).astype({"layer": "int8", "attribute": "str", "row": "int16", "column": "int16", "contrast": "float32"})

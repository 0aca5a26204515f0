"""Feature maps of the shared column and the task columns of a separation net (Matsui 2019, Figure 6)."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import save as serialise

from taskshare import files, seeds
from taskshare.config import Run, VggNetwork
from taskshare.data.arrays import ImageArray
from taskshare.data.catalogue import LANDMARK_COLUMNS
from taskshare.errors import TaskshareError
from taskshare.evaluation.landmark_errors import points, turn
from taskshare.networks.build import to_input
from taskshare.networks.inference import open_checkpoint
from taskshare.networks.separation import Separation
from taskshare.networks.shapes import Convolution, layer_plan
from taskshare.statistics.feature_similarity import SHARED

BLOCK = 16
PLACES = 2000


def measure(checkpoint: Path, prepared: Path, block: int, out: Path, wanted_device: str = "auto") -> None:
    """Write the rectified maps that the columns of a separation net have of the test images, as a safetensors file.

    SOURCE stands for `shared` and for each task of the run. float32 `mean.SOURCE` (C, h, w) is the mean over the test
    images, `example.SOURCE` (C, h, w) belongs to the example image, uint8 `image` (H, W, 3), and `sample.SOURCE`
    (S, C) holds the channels at up to 2,000 places of the test images, in the order of the images. The places, drawn
    once, and the example are the same for every run and seed on the same prepared images. The metadata `taskshare`
    are JSON: `id` of the example, `block`, and `name` of the convolution.

    Args:
        checkpoint: weights.safetensors of a run with the separation scheme whose columns start at the image.
        prepared: folder with test.npy and test.parquet, prepared as the run's own data were.
        block: counted from 1; the maps are those of its last convolution, before the pool.
        out: the file to write.
        wanted_device: `auto`, `cpu` or `cuda`.

    Raises:
        TaskshareError: if the run has another scheme, task columns that start later, or no such block.
    """
    run, network, where = open_checkpoint(checkpoint, wanted_device)
    plan = run.network
    if not isinstance(network, Separation) or not isinstance(plan, VggNetwork) or plan.branch_block:
        raise TaskshareError(
            f"{checkpoint}: has no task columns from the image up; take a run with network.scheme: separation and "
            "without branch_block"
        )
    layer, convolution = _last_of(block, layer_plan(plan, run.variant.size), checkpoint)
    images, table = ImageArray(prepared / "test.npy"), pd.read_parquet(prepared / "test.parquet")
    example = most_frontal(table)
    places = sample_places(run, len(images), convolution.size)
    maps = _Maps([SHARED, *run.tasks], places, convolution.size, example)
    with torch.inference_mode():
        for pixels in images.blocks(BLOCK):
            shared, own = network.maps(to_input(torch.from_numpy(pixels).to(where)))
            maps.add([shared[layer], *(column[layer] for column in own)])  # type: ignore[list-item]
    tensors = maps.tensors() | {"image": images.read(np.array([example]))[0]}
    facts = {"id": str(table["id"].iloc[example]), "block": block, "name": convolution.name}
    with files.atomic(out) as partial:
        partial.write_bytes(serialise(tensors, {"taskshare": json.dumps(facts, sort_keys=True)}))


def most_frontal(table: pd.DataFrame) -> int:
    """Return the row of the face that looks most straight ahead, the first one of equals.

    A rule chooses the example, since a choice by eye would suit what it is to show.

    Args:
        table: the landmarks in original pixels, LANDMARK_COLUMNS.
    """
    return int(turn(points(table, LANDMARK_COLUMNS)).argmin())


def sample_places(run: Run, images: int, size: int) -> np.ndarray:
    """Return up to 2,000 places in the maps of all images: sorted int64, (image * size + row) * size + column."""
    count = images * size**2
    generator = seeds.generator(0, "feature maps", run.dataset, run.variant_name)
    return np.sort(generator.choice(count, min(PLACES, count), replace=False))


def _last_of(block: int, plan: Sequence[Convolution], checkpoint: Path) -> tuple[int, Convolution]:
    found = [(number, layer) for number, layer in enumerate(plan) if layer.block == block]
    if not found:
        raise TaskshareError(f"{checkpoint}: has {plan[-1].block} blocks of convolutions, not {block}; take another")
    return found[-1]


class _Maps:
    """Sums, samples and the example's maps of each source, from maps that come block by block."""

    def __init__(self, sources: Sequence[str], places: np.ndarray, size: int, example: int) -> None:
        self.places, self.size, self.example = places, size, example
        self.sums: dict[str, torch.Tensor] = {}
        self.examples: dict[str, np.ndarray] = {}
        self.samples: dict[str, list[np.ndarray]] = {source: [] for source in sources}
        self.count = 0

    def add(self, maps: Sequence[torch.Tensor]) -> None:
        """Take the maps (n, C, size, size) of the next n images, one tensor a source."""
        number = len(maps[0])
        start, end = (bound * self.size**2 for bound in (self.count, self.count + number))
        local = torch.from_numpy(self.places[(self.places >= start) & (self.places < end)] - start)
        for (source, samples), values in zip(self.samples.items(), maps, strict=True):
            part = values.sum(0, dtype=torch.float64)
            self.sums[source] = self.sums[source] + part if self.count else part
            samples.append(values.permute(0, 2, 3, 1).flatten(0, 2)[local.to(values.device)].cpu().numpy())
            if self.count <= self.example < self.count + number:
                self.examples[source] = values[self.example - self.count].cpu().numpy()
        self.count += number

    def tensors(self) -> dict[str, np.ndarray]:
        """Return what the file holds of each source."""
        found = {}
        for source, samples in self.samples.items():
            found[f"mean.{source}"] = (self.sums[source] / self.count).float().cpu().numpy()
            found[f"example.{source}"] = np.ascontiguousarray(self.examples[source])
            found[f"sample.{source}"] = np.concatenate(samples)
        return found

"""Which samples make up the batch of an iteration: a function of the run and the iteration alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from taskshare import seeds
from taskshare.config import Run
from taskshare.data.arrays import ImageArray

AHEAD = 128
"""Iterations whose batches go to a GPU in one copy."""


class Stream:
    """An endless sequence of samples: the pool in a new random order for each pass.

    Args:
        samples: the pool, (N,) of any dtype.
        seed: seed of the run.
        names: name of the stream; streams of other names have other orders.
    """

    def __init__(self, samples: np.ndarray, seed: int, *names: str | int) -> None:
        self._samples = samples
        self._seed = seed
        self._names = names
        self._orders: dict[int, np.ndarray] = {}

    def take(self, start: int, count: int) -> np.ndarray:
        """Return the samples at positions `start` to `start + count - 1` of the sequence."""
        size = len(self._samples)
        positions = np.arange(start, start + count)
        passes, places = positions // size, positions % size
        chosen = [self._order(number)[places[passes == number]] for number in np.unique(passes).tolist()]
        return self._samples[np.concatenate(chosen)]

    def _order(self, number: int) -> np.ndarray:
        if number not in self._orders:
            # Only the pass in hand and its predecessor are asked for.
            self._orders = {key: order for key, order in self._orders.items() if key == number - 1}
            shuffle = seeds.generator(self._seed, "batches", *self._names, number)
            self._orders[number] = shuffle.permutation(len(self._samples))
        return self._orders[number]


class Batches:
    """Batches of a run.

    Pooled: one batch from each task's own pool, half positives and half negatives if the pools are resampled
    (Fang 2017, sections 4.1 and 4.2; reading 10). Shared: one batch with the labels of all tasks.

    Args:
        run: the run.
        labels: int8 (tasks, N), the label of each training image for each task that is trained, or -1; None where the
            batch is shared.
        pools: for each task, the indices of its manifest, (M,).
    """

    def __init__(self, run: Run, labels: np.ndarray | None, pools: list[np.ndarray]) -> None:
        self._size = run.training.batch_size
        self._streams: list[list[Stream]] = []
        if labels is None:
            # In the order of the split: a manifest's own begins with one label, and differs from task to task.
            self._streams = [[Stream(np.sort(pools[0]), run.seed, "shared")]]
            return
        for task, own, pool in zip(run.trained_tasks, labels, pools, strict=True):
            halves = [pool[own[pool] == label] for label in (0, 1)] if run.sampling == "resampled" else [pool]
            self._streams.append([Stream(half, run.seed, task, part) for part, half in enumerate(halves)])

    def indices(self, iteration: int) -> np.ndarray:
        """Return the training images of an iteration: (pools, batch size), one pool if the batch is shared."""
        rows = []
        for parts in self._streams:
            count = self._size // len(parts)
            rows.append(np.concatenate([part.take(iteration * count, count) for part in parts]))
        return np.stack(rows)


class DeviceBatches:
    """The batches of a run as tensors on a device; a GPU gets those of many iterations in one copy.

    Args:
        batches: which samples.
        device: where the indices shall lie.
        iterations: of the run; none is drawn beyond.
    """

    def __init__(self, batches: Batches, device: torch.device, iterations: int) -> None:
        self._batches = batches
        self._device = device
        self._iterations = iterations
        self._ahead = 1 if device.type == "cpu" else AHEAD
        self._start = 0
        self._block: Tensor | None = None

    def indices(self, iteration: int) -> Tensor:
        """Return the training images of an iteration, int64 (pools, batch size); iterations are asked for in order."""
        if self._block is None or not 0 <= iteration - self._start < len(self._block):
            self._start = iteration
            last = min(iteration + self._ahead, self._iterations)
            drawn = np.stack([self._batches.indices(number) for number in range(iteration, last)])
            self._block = torch.from_numpy(drawn.astype(np.int64)).to(self._device)
        return self._block[iteration - self._start]


class Pixels:
    """A split's images where the network computes: on a GPU whole, as uint8; for the CPU read from the file.

    Args:
        path: prepared .npy file.
        device: where batches shall lie.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        self.array = ImageArray(path)
        self._resident: Tensor | None = None
        if device.type != "cpu":
            self._resident = torch.empty(self.array.shape, dtype=torch.uint8, device=device)
            start = 0
            for block in self.array.blocks(4096):
                self._resident[start : start + len(block)] = torch.from_numpy(block).to(device)
                start += len(block)

    def __len__(self) -> int:
        return len(self.array)

    def batch(self, indices: Tensor) -> Tensor:
        """Return uint8 images (n, H, W, C) on the device, from int64 indices (n,) on it."""
        if self._resident is not None:
            return self._resident[indices]
        return torch.from_numpy(self.array.read(indices.numpy()))

    def blocks(self, size: int) -> Iterator[Tensor]:
        """Yield all images in order, uint8 (n, H, W, C) on the device with n = `size`, the last perhaps fewer."""
        if self._resident is not None:
            yield from self._resident.split(size)
        else:
            yield from map(torch.from_numpy, self.array.blocks(size))

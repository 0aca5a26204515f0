"""The scores of a net on its validation images."""

from pathlib import Path

import pandas as pd
import torch

from taskshare.config import Run
from taskshare.errors import TaskshareError
from taskshare.networks.build import SharingNetwork
from taskshare.networks.inference import BLOCK, logits
from taskshare.training.batches import Pixels
from taskshare.training.objectives import Score, objective


class Validation:
    """The validation split of a run.

    Args:
        run: the run.
        prepared: folder with validation.npy and validation.parquet.
        device: where the net computes.
        bfloat16: whether it computes in bfloat16.

    Raises:
        TaskshareError: if there is no image, or none of one label for a task that is selected by balanced accuracy.
    """

    def __init__(self, run: Run, prepared: Path, device: torch.device, bfloat16: bool) -> None:
        self._pixels = Pixels(prepared / "validation.npy", device)
        self._device = device
        self._bfloat16 = bfloat16
        if not len(self._pixels):
            raise TaskshareError(
                f"{run.key}: training.selection: best needs a validation split, and {run.dataset} has none; "
                f"take selection: last, or set datasets.{run.dataset}.validation_fraction"
            )
        self._objective = objective(run, pd.read_parquet(prepared / "validation.parquet"))
        if run.training.selection != "last":
            self._objective.check_selectable()

    def scores(self, network: SharingNetwork) -> list[Score]:
        """Return each trained task's scores."""
        blocks = self._pixels.blocks(BLOCK[self._device.type])
        return self._objective.score(logits(network, blocks, self._device, self._bfloat16))

"""One answer for all images: how much of a score needs no image at all (Matsui 2019, reading 3)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from taskshare import files
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS
from taskshare.evaluation import landmark_errors
from taskshare.statistics.metrics import decide
from taskshare.statistics.metrics import measure as measure_labels


def measure(prepared: Path, labels: Sequence[str], size: int, out: Path) -> None:
    """Score one answer for all test images, and write it as the metrics.json of a net is written.

    The answer is the mean of the training images' landmarks, as fractions of the prepared image, and for each attribute
    the label that more training images have (0 if both are as common).

    Args:
        prepared: folder with train.parquet and test.parquet of a data set of the attributes layout.
        labels: the data set's attributes.
        size: height and width of the prepared images, in pixels.
        out: the JSON file, {"tasks": {NAME: {...}}}, for the five points and every attribute.
    """
    train = pd.read_parquet(prepared / "train.parquet", columns=[*labels, *PREPARED_LANDMARKS])
    test = pd.read_parquet(prepared / "test.parquet", columns=[*labels, *PREPARED_LANDMARKS, *LANDMARK_COLUMNS])
    said = dict(zip(labels, decide(train[list(labels)].mean().to_numpy()), strict=True))
    found = {label: measure_labels(test[label].to_numpy(), np.full(len(test), bool(said[label]))) for label in labels}
    errors = landmark_errors.constant_errors(train, test, size)
    files.write_json(out, {"tasks": landmark_errors.measure_landmarks(errors) | found})

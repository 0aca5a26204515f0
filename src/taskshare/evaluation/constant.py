"""One answer for all images: how much of a score needs no image at all (Matsui 2019, reading 3)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from taskshare import files
from taskshare.data.catalogue import LANDMARKS
from taskshare.data.prepare import PREPARED_LANDMARKS
from taskshare.evaluation import landmarks
from taskshare.evaluation.scoring import measure as measure_labels


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
    test = pd.read_parquet(prepared / "test.parquet", columns=[*labels, *PREPARED_LANDMARKS, *LANDMARKS])
    said = train[list(labels)].mean() > 0.5
    found = {label: measure_labels(test[label].to_numpy(), np.full(len(test), bool(said[label]))) for label in labels}
    errors = landmark_errors(train, test, size)
    files.write_json(out, {"tasks": landmarks.measure_landmarks(errors) | found})


def landmark_errors(train: pd.DataFrame, test: pd.DataFrame, size: int) -> np.ndarray:
    """Return the errors of the mean training landmarks on test images, float32 (N, 5).

    Args:
        train: label table of the training images.
        test: label table of the test images.
        size: height and width of the prepared images, in pixels.
    """
    answer = landmarks.to_fractions(_points(train, PREPARED_LANDMARKS), size).mean(axis=0)
    given = np.broadcast_to(landmarks.from_fractions(answer, size), (len(test), *answer.shape))
    truth = _points(test, LANDMARKS)
    return landmarks.errors(truth, landmarks.to_original(given, _points(test, PREPARED_LANDMARKS), truth))


def _points(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Landmarks, float64 (N, 5, 2)."""
    return table[list(columns)].to_numpy(np.float64).reshape(len(table), -1, 2)

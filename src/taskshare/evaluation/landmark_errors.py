"""Errors of five facial landmarks, and whether each is found (Matsui 2019, section 4.1, eq 2)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.data.align import map_points, similarity
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS

DETECTED = 0.1
"""A point is found if its error is at most this (alpha in eq 2)."""


def errors(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the distance of each point to its true place, in distances of the true eyes (eq 2).

    Args:
        truth: (N, 5, 2), x and y in pixels of the original images, in the order of LANDMARK_POINTS.
        predicted: (N, 5, 2), likewise.

    Returns:
        float32 (N, 5), at least 0: the precision that is stored, so that what is found is the same for every reader.
    """
    eyes = np.linalg.norm(truth[:, 1] - truth[:, 0], axis=-1)
    return (np.linalg.norm(predicted - truth, axis=-1) / eyes[:, None]).astype(np.float32)


def detected(errors: np.ndarray) -> np.ndarray:
    """Return whether points with these errors, of any shape, are found."""
    return errors <= np.float32(DETECTED)


def turn(truth: np.ndarray) -> np.ndarray:
    """Return how far each face is turned to a side, float64 (N,): 0 from the front, about 0.5 and more in profile.

    That is the distance of the nose from the middle between the eyes, along the line through the eyes, in distances of
    the eyes. A head that tilts changes nothing.

    Args:
        truth: (N, 5, 2), in pixels of any image.
    """
    eyes = (truth[:, 1] - truth[:, 0]).astype(np.float64)
    nose = truth[:, 2] - truth[:, :2].mean(axis=1)
    return np.abs((nose * eyes).sum(axis=1)) / (eyes**2).sum(axis=1)


def to_original(points: np.ndarray, prepared: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Bring points from pixels of prepared images to pixels of the original ones.

    Images are prepared by a similarity transform (`data.images.prepare_image`), so the one that brings an image's
    prepared landmarks to its original ones undoes it, but for rounding. With the last two exchanged, points go from
    original to prepared images.

    Args:
        points: (N, 5, 2), x and y in prepared pixels.
        prepared: (N, 5, 2), the landmarks in prepared pixels.
        original: (N, 5, 2), the same landmarks in original pixels.

    Returns:
        float32 (N, 5, 2).

    Raises:
        taskshare.data.align.LandmarkError: the landmarks of an image all lie at one place.
    """
    triples = zip(points, prepared, original, strict=True)
    mapped = [map_points(similarity(before, after), own) for own, before, after in triples]
    return np.array(mapped, np.float32).reshape(len(points), -1, 2)


def to_fractions(points: np.ndarray, size: int) -> np.ndarray:
    """Return points (..., 2) as fractions of a square image (reading 2), from pixels whose first centre is (0, 0).

    The image's borders lie at 0 and 1.

    Args:
        points: x and y in prepared pixels.
        size: Height and width of the prepared image.
    """
    return (points + 0.5) / size


def from_fractions(fractions: np.ndarray, size: int) -> np.ndarray:
    """Undo `to_fractions`."""
    return fractions * size - 0.5


def points(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return the landmarks of a label table, float64 (N, 5, 2), from LANDMARK_COLUMNS or PREPARED_LANDMARKS."""
    return table[list(columns)].to_numpy(np.float64).reshape(len(table), -1, 2)


def constant_errors(train: pd.DataFrame, test: pd.DataFrame, size: int) -> np.ndarray:
    """Return the errors of one answer for all images, the mean training landmarks, as `errors` does.

    Args:
        train: label table of the training images.
        test: label table of the test images.
        size: height and width of the prepared images, in pixels.
    """
    answer = to_fractions(points(train, PREPARED_LANDMARKS), size).mean(axis=0)
    given = np.broadcast_to(from_fractions(answer, size), (len(test), *answer.shape))
    truth = points(test, LANDMARK_COLUMNS)
    return errors(truth, to_original(given, points(test, PREPARED_LANDMARKS), truth))


def measure_landmarks(errors: np.ndarray) -> dict[str, dict[str, float | int]]:
    """Return how well each point is found.

    Args:
        errors: (N, 5), as `errors` returns them.

    Returns:
        For each of LANDMARK_POINTS the detection rate and its standard error from the finite number of images, 0 to 1,
        the mean error in distances of the eyes, and the number of images.
    """
    images = len(errors)
    rates, means = detected(errors).mean(axis=0), errors.mean(axis=0, dtype=np.float64)
    return {
        point: {
            "detection_rate": float(rate),
            "standard_error": float(np.sqrt(rate * (1 - rate) / images)),
            "normalised_error": float(mean),
            "images": images,
        }
        for point, rate, mean in zip(LANDMARK_POINTS, rates, means, strict=True)
    }


def table(ids: Sequence[str] | pd.Series, truth: np.ndarray, predicted: np.ndarray, errors: np.ndarray) -> pd.DataFrame:
    """Return the points of each image as landmarks.parquet holds them.

    Args:
        ids: (N,) names of the images.
        truth: (N, 5, 2), in original pixels.
        predicted: (N, 5, 2), likewise.
        errors: (N, 5).

    Returns:
        id, landmark (one of LANDMARK_POINTS), x, y, predicted_x, predicted_y and error, all float32: five rows an
        image, in the order of the images.
    """
    count = len(LANDMARK_POINTS)
    values = np.concatenate([truth.reshape(-1, 2), predicted.reshape(-1, 2), errors.reshape(-1, 1)], axis=1)
    measured = pd.DataFrame(values.astype(np.float32), columns=["x", "y", "predicted_x", "predicted_y", "error"])
    measured.insert(0, "id", np.repeat(np.asarray(ids, dtype=object), count))
    measured.insert(1, "landmark", np.tile(np.array(LANDMARK_POINTS, dtype=object), len(errors)))
    return measured.astype({"id": "str", "landmark": "str"})

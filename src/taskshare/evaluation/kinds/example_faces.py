"""Example faces with the landmarks that nets find in them (Matsui 2019, Figure 4)."""

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from taskshare.config import Params, Run
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.data.arrays import ImageArray
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS
from taskshare.evaluation.kinds.kind import Part
from taskshare.evaluation.landmark_errors import DETECTED, detected, points, to_fractions, to_original, turn
from taskshare.evaluation.results import Results
from taskshare.pictures import png

PROFILE_SHARE = 0.1
"""Part of the test faces that counts as profile faces: those that are turned most."""
TILE = 96
"""Most pixels of a face in the pictures along one side; larger images are drawn coarser."""


class Face(Part):
    """Where the points of a face lie, as shares of its width: the annotated ones, and those that a net predicts.

    Attributes:
        truth: x and y of each point, 0 to 1.
        predicted: likewise; of points that are no numbers, none.
        radius: within which of the annotated points a predicted one counts as found.
    """

    truth: list[tuple[float, float]]
    predicted: list[tuple[float, float]]
    radius: float


class Strip(Part):
    """The example faces with the landmarks of one row.

    Attributes:
        label: the row's.
        picture: the faces side by side, as a data URI.
        faces: from left to right.
        found: how many of the points are found.
        count: of all points.
    """

    label: str
    picture: str
    faces: list[Face]
    found: int
    count: int


class Example(Part):
    """A face of the examples: the image's id, how far it is turned, and whether it is one of the profile faces."""

    id: str
    turn: float
    profile: bool


@dataclass(frozen=True)
class Found:
    """What one net found: ids (N,), true and predicted points (N, 5, 2) in original pixels, errors (N, 5)."""

    job: Run
    ids: pd.Index
    truth: np.ndarray
    predicted: np.ndarray
    errors: np.ndarray

    @property
    def in_profile(self) -> np.ndarray:
        """Bool (N,): the faces that are turned most; of equals the first ones."""
        return np.isin(np.arange(len(self.ids)), _turned(self.truth)[: max(1, round(PROFILE_SHARE * len(self.ids)))])


def found_by(params: Params, run: str, results: Results) -> dict[int, Found]:
    """The nets of a run that find landmarks and have results, by seed."""
    found = {}
    for job in params.jobs(run):
        table = results.landmarks(job.name, job.seed) if job.finds_landmarks else None
        if table is not None:
            truth, predicted = (
                table[columns].to_numpy(np.float64).reshape(-1, len(LANDMARK_POINTS), 2)
                for columns in (["x", "y"], ["predicted_x", "predicted_y"])
            )
            ids = pd.Index(table["id"].iloc[:: len(LANDMARK_POINTS)])
            found[job.seed] = Found(job, ids, truth, predicted, table["error"].to_numpy().reshape(len(truth), -1))
    return found


def _turned(truth: np.ndarray) -> np.ndarray:
    """Places of the faces (N,), the one that is turned most first; of equals the first one."""
    return np.argsort(-turn(truth), kind="stable")


def examples(net: Found, count: int) -> tuple[list[Example], np.ndarray]:
    """The example faces and their places: half those that are turned most, half evenly spaced among the others."""
    order, turns = _turned(net.truth), turn(net.truth)
    profile, rest = order[: count // 2], order[count // 2 :]
    others = min(count - len(profile), len(rest))
    even = rest[(2 * np.arange(others) + 1) * len(rest) // (2 * max(others, 1))]
    places = np.concatenate([profile, even])
    shown = [Example(id=str(net.ids[place]), turn=float(turns[place]), profile=place in profile) for place in places]
    return shown, places


def strip(results: Results, label: str, net: Found, ids: pd.Index) -> Strip | None:
    """Return where the points of some faces lie in their pictures; None where a face or the images are not there."""
    path = results.prepared(net.job.dataset, net.job.variant_name, "test")
    table = results.label_table(net.job.dataset, net.job.variant_name, "test")
    if path is None or table is None:
        return None
    own, places = net.ids.get_indexer(ids), pd.Index(table["id"]).get_indexer(ids)
    if min(*own, *places) < 0:
        return None
    original, seen = (points(table, columns)[places] for columns in (LANDMARK_COLUMNS, PREPARED_LANDMARKS))
    predicted = to_original(net.predicted[own], original, seen)  # the other way round: from original to prepared
    size = net.job.variant.size
    found = detected(net.errors[own])
    faces = [_face(*face) for face in zip(to_fractions(seen, size), to_fractions(predicted, size), strict=True)]
    picture = _side_by_side(ImageArray(path).read(places))
    return Strip(label=label, picture=picture, faces=faces, found=int(found.sum()), count=found.size)


def _face(truth: np.ndarray, predicted: np.ndarray) -> Face:
    radius = DETECTED * float(np.hypot(*(truth[1] - truth[0])))
    known = predicted[np.isfinite(predicted).all(axis=1)]
    return Face(truth=truth.tolist(), predicted=known.tolist(), radius=radius)


def _side_by_side(images: np.ndarray) -> str:
    """Return images, uint8 (n, H, W, 1 or 3), as one PNG in a data URI."""
    side = min(TILE, images.shape[1])
    picture = np.hstack([cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images])
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return png(picture)

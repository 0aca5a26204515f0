"""What a reader of raw data returns: the list of images with their labels, and a way to load one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

LANDMARK_COLUMNS: tuple[str, ...] = (
    "lefteye_x",
    "lefteye_y",
    "righteye_x",
    "righteye_y",
    "nose_x",
    "nose_y",
    "leftmouth_x",
    "leftmouth_y",
    "rightmouth_x",
    "rightmouth_y",
)
"""Landmark columns in the order of list_landmarks_align_celeba.txt; "left" is the left side of the image."""

PREPARED_LANDMARKS: tuple[str, ...] = tuple(f"prepared_{name}" for name in LANDMARK_COLUMNS)
"""Columns of the label table with the landmarks in pixels of the prepared image."""


class BadImageError(Exception):
    """An image that cannot be decoded.

    Attributes:
        id: The image's id in the catalogue.
        reason: Why it cannot be used, in a few words.
    """

    def __init__(self, id: str, reason: str) -> None:
        super().__init__(id, reason)
        self.id = id
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.id}: {self.reason}"


@dataclass(frozen=True)
class Catalogue:
    """The images of one data set with their labels; the pixels are read one image at a time.

    Attributes:
        table: One row per image, sorted by `id` (str, unique): `split` ("train", "validation" or "test") and,
            for the attributes layout, one int8 column (0 or 1) per label, the float32 columns `LANDMARK_COLUMNS`
            (pixels of the original image) and int32 `identity` (-1 where the file lacks it); for the classes layout
            int8 `class` (index into the labels of the data set).
        load: From an id to the image, uint8 RGB (height, width, 3). Raises BadImageError. May be called from several
            threads at once and be sent to other processes.
        bad: Ids left out by the reader, with the reason.
        official: Whether the checksums of the files equal those of the official files.
        synthetic: Whether the source declares itself synthetic (it holds a file SYNTHETIC.txt).
        files: For each archive and label file its size and checksum: {"bytes": int, "sha256": str}.
    """

    table: pd.DataFrame
    load: Callable[[str], np.ndarray]
    bad: list[tuple[str, str]]
    official: bool
    synthetic: bool
    files: dict[str, dict]

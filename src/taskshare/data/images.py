"""The preparation of one image: the same for the workflow and for prediction on a new picture."""

import cv2
import numpy as np

from taskshare.config import Variant
from taskshare.data import align


def prepare_image(
    image: np.ndarray, landmarks: np.ndarray | None, variant: Variant
) -> tuple[np.ndarray, np.ndarray | None]:
    """Align or crop an image, bring it to the variant's size and colour, and equalise its histogram.

    Fang 2017, section 4, trains on aligned, histogram-equalised grey faces: `align`, `equalise` and `colour: grey`.
    Without `align`, the largest centred square is brought to the size.

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: float32 (5, 2), x and y in pixels of `image`, or None; `align` needs them.
        variant: How to prepare.

    Returns:
        The image, uint8 (size, size, C) with C = 1 (luma) or 3 (RGB), and the landmarks in its pixels, float32 (5, 2),
        or None.

    Raises:
        align.LandmarkError: the landmarks are missing though `align` needs them, or determine no alignment.
    """
    if variant.colour == "grey":
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if landmarks is not None:
        align.check(landmarks)
    if variant.align:
        if landmarks is None:
            raise align.LandmarkError("no landmarks to align by")
        matrix = align.to_template(landmarks, variant.size)
        image = align.warp(image, matrix, variant.size)
    else:
        image, matrix = _centre_square(image, variant.size)
    if variant.equalise:
        image = _equalise(image)
    return image.reshape(variant.size, variant.size, -1), None if landmarks is None else align.map_points(
        matrix, landmarks
    )


def _centre_square(image: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest centred square at the given size, and the matrix (2, 3) from old to new pixels."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    scale = size / side
    shift = 0.5 * scale - 0.5
    matrix = np.array([[scale, 0, shift - left * scale], [0, scale, shift - top * scale]])
    interpolation = cv2.INTER_AREA if size <= side else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=interpolation), matrix


def _equalise(image: np.ndarray) -> np.ndarray:
    """Equalise the histogram of a grey image, or of the luma of an RGB image."""
    if image.ndim == 2:
        return cv2.equalizeHist(image)
    converted = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    converted[..., 0] = cv2.equalizeHist(np.ascontiguousarray(converted[..., 0]))
    return cv2.cvtColor(converted, cv2.COLOR_YCrCb2RGB)

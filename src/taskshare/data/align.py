"""Similarity transforms (rotation, scale, shift) between five landmarks and a fixed template."""

import cmath
import math

import cv2
import numpy as np

TEMPLATE = np.array([[0.355, 0.420], [0.645, 0.420], [0.500, 0.586], [0.368, 0.726], [0.632, 0.726]])
"""Left eye, right eye, nose, left and right mouth corner in an aligned image, as fractions of its width and height.

The proportions are the mean of CelebA's aligned faces, made symmetric. The distance of the eyes, 0.29, leaves
room for hat, chin and sideburns.
"""


class LandmarkError(ValueError):
    """Landmarks that determine no alignment; the message is the reason, in a few words."""


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the similarity transform that brings `source` closest to `target` in the sense of least squares.

    The closed form in the plane of Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns" (1991), without reflection.

    Args:
        source: Points (n, 2), x and y.
        target: Their places, (n, 2).

    Returns:
        float64 (2, 3), a matrix for `map_points` and `cv2.warpAffine`.

    Raises:
        LandmarkError: a point is not finite, or the points determine no rotation and scale.
    """
    # As complex numbers, a similarity is a product: the best factor is <source, target> / <source, source>. Plain
    # numbers, because NumPy's overhead on five points takes as long as decoding a small image.
    before = [complex(x, y) for x, y in source.tolist()]
    after = [complex(x, y) for x, y in target.tolist()]
    if not all(map(cmath.isfinite, before)):
        raise LandmarkError("landmarks are not finite")
    before_mean, after_mean = sum(before) / len(before), sum(after) / len(after)
    product = sum((p - before_mean).conjugate() * (q - after_mean) for p, q in zip(before, after, strict=True))
    spread = sum(abs(p - before_mean) ** 2 for p in before)
    if spread < 1e-6 or abs(product) < 1e-6 * spread:
        raise LandmarkError("landmarks determine no rotation and scale")
    factor = product / spread
    shift = after_mean - factor * before_mean
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def map_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (n, 2) under an affine map (2, 3) as float32."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def check(landmarks: np.ndarray) -> None:
    """Raise LandmarkError if a point of (5, 2), in pixels, is not finite, or the eyes lie less than a pixel apart."""
    if not np.isfinite(landmarks).all():
        raise LandmarkError("landmarks are not finite")
    if math.dist(landmarks[0].tolist(), landmarks[1].tolist()) < 1:
        raise LandmarkError("the eyes lie less than a pixel apart")


def to_template(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Return the matrix (2, 3) from an image's pixels to those of its aligned image.

    Args:
        landmarks: (5, 2) in pixels, in the order of TEMPLATE; the centre of the first pixel is (0, 0).
        size: Height and width of the aligned image.

    Raises:
        LandmarkError: the landmarks determine no alignment.
    """
    return similarity(landmarks, TEMPLATE * size - 0.5)


def warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Return the image under a similarity transform, uint8 (size, size) or (size, size, C).

    Beyond its border the image goes on as its mirror image, which keeps the histogram. An image that shrinks to less
    than half is first reduced by averaging pixels, so that fine texture does not alias.

    Args:
        image: uint8 (H, W) or (H, W, C).
        matrix: (2, 3), from pixels of `image` to pixels of the result.
        size: Height and width of the result.
    """
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    if scale < 0.5:
        height, width = image.shape[:2]
        # A whole factor is many times faster than one that brings the scale to 1.
        reduced = np.ceil(np.array([width, height]) / int(1 / scale)).astype(int)
        image = cv2.resize(image, (int(reduced[0]), int(reduced[1])), interpolation=cv2.INTER_AREA)
        enlarge = [width, height] / reduced
        # A pixel's centre is at a whole number, so a reduction also shifts by half a pixel.
        matrix = np.column_stack([matrix[:, :2] * enlarge, matrix[:, 2] + matrix[:, :2] @ (enlarge / 2 - 0.5)])
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)

"""A picture that shapes of a posed head are painted on."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float32]
Shape = FloatArray | Sequence[tuple[float, float]]
Colour = Sequence[float] | NDArray[np.floating]

WIDTH, HEIGHT = 178, 218
# The mean position of the point between the eyes in CelebA's aligned images.
EYES_CENTRE = (88.5, 112.0)
# Half axes of the ellipsoid that stands for the front of the head: across, down, forward.
HEAD_HALF_AXES = (48.0, 78.0, 40.0)
# cv2 takes coordinates as integers; four fractional bits place an edge on a sixteenth of a pixel.
FRACTIONAL_BITS = 4


@functools.cache
def _spline_basis(count: int, steps: int, closed: bool) -> FloatArray:
    """Return the matrix that turns `count` control points into the points of a Catmull-Rom spline."""
    time = np.arange(steps) / steps
    weights = 0.5 * np.stack(
        [
            -time + 2 * time**2 - time**3,
            2 - 5 * time**2 + 3 * time**3,
            time + 4 * time**2 - 3 * time**3,
            -(time**2) + time**3,
        ],
        axis=1,
    )
    segments = count if closed else count - 1
    basis = np.zeros((segments * steps + (not closed), count))
    for segment in range(segments):
        for offset in range(4):
            point = segment + offset - 1
            point = point % count if closed else min(max(point, 0), count - 1)
            basis[segment * steps : (segment + 1) * steps, point] += weights[:, offset]
    if not closed:
        basis[-1, -1] = 1
    return basis.astype(np.float32)


def curve(points: ArrayLike, closed: bool = False, steps: int = 6) -> FloatArray:
    """Return a smooth curve through points of shape (n, 2 or more)."""
    control = np.asarray(points, dtype=np.float32)
    return _spline_basis(len(control), steps, closed) @ control


def ellipse(x: float, y: float, half_width: float, half_height: float, degrees: float = 0.0) -> FloatArray:
    """Return the outline of an ellipse as points of shape (32, 2); positive angles turn clockwise on the screen."""
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    turn = np.deg2rad(degrees)
    along, across = half_width * np.cos(angle), half_height * np.sin(angle)
    return np.stack(
        [x + along * np.cos(turn) - across * np.sin(turn), y + along * np.sin(turn) + across * np.cos(turn)], axis=1
    ).astype(np.float32)


@functools.cache
def _linear_basis(count: int, length: int) -> FloatArray:
    """Return the matrix (length, count) that interpolates `count` values evenly over `length` points."""
    place = np.linspace(0, count - 1, length)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(count))).astype(np.float32)


def ribbon(points: ArrayLike, widths: Sequence[float]) -> FloatArray:
    """Return the outline of a band along a smooth curve, its width interpolated between `widths`."""
    line = curve(points)
    direction = np.empty_like(line)
    direction[1:-1] = line[2:] - line[:-2]
    direction[0], direction[-1] = line[1] - line[0], line[-1] - line[-2]
    length = np.hypot(direction[:, 0], direction[:, 1]) + 1e-6
    half_width = _linear_basis(len(widths), len(line)) @ np.asarray(widths, dtype=np.float32) / 2
    across = direction[:, ::-1] * np.array((-1, 1), dtype=np.float32) * (half_width / length)[:, None]
    return np.concatenate([line + across, (line - across)[::-1]])


def mirrored(points: ArrayLike) -> FloatArray:
    """Return points with the sign of x flipped: the same shape on the other half of the face."""
    return np.asarray(points, dtype=np.float32) * (-1, 1)


@dataclass(frozen=True)
class Pose:
    """How the head is turned: yaw, pitch and roll in degrees, size against CelebA's mean, shift in pixels."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    shift: tuple[float, float]

    def project(self, points: ArrayLike, relief: float = 0.0) -> FloatArray:
        """Return where points of the face lie in the picture, in pixels.

        Args:
            points: shape (n, 2), in pixels of CelebA's mean aligned face, from the point between the eyes.
            relief: how far the points stand out of the head, in the same unit.
        """
        flat = np.asarray(points, dtype=np.float32)
        across, down, forward = HEAD_HALF_AXES
        inside = 1 - (flat[:, 0] / across) ** 2 - (flat[:, 1] / down) ** 2
        # The picture is centred between the eyes: depth counts from there.
        depth = forward * (np.sqrt(np.maximum(0, inside)) - 1) + relief
        yaw, pitch, roll = math.radians(self.yaw), math.radians(self.pitch), math.radians(self.roll)
        x = flat[:, 0] * math.cos(yaw) + depth * math.sin(yaw)
        y = flat[:, 1] * math.cos(pitch) + depth * math.sin(pitch)
        placed = np.empty_like(flat)
        placed[:, 0] = (x * math.cos(roll) - y * math.sin(roll)) * self.scale + (EYES_CENTRE[0] + self.shift[0])
        placed[:, 1] = (x * math.sin(roll) + y * math.cos(roll)) * self.scale + (EYES_CENTRE[1] + self.shift[1])
        return placed


def _blurred(coverage: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    """Return coverage blurred by a standard deviation in pixels, the same for any number of threads.

    Above one pixel two box filters of that deviation take the Gaussian's place: their cost does not grow with it.
    """
    if deviation < 1:
        return np.asarray(cv2.GaussianBlur(coverage, (0, 0), deviation), dtype=np.uint8)
    size = 2 * round((math.sqrt(6 * deviation**2 + 1) - 1) / 2) + 1
    return np.asarray(cv2.blur(cv2.blur(coverage, (size, size)), (size, size)), dtype=np.uint8)


class Canvas:
    """An RGB picture, 218 x 178, on which shapes of a face are blended one after the other.

    Attributes:
        pixels: float32 of shape (3, 218, 178), 0 to 255; channels come first, since blending is then twice as fast.
        pose: where points of the face lie.
        grain: float32 of shape (218, 178), 0 to 1: the texture of hair.
    """

    def __init__(self, pose: Pose, background: FloatArray, grain: FloatArray):
        self.pixels = background
        self.pose = pose
        self.grain = grain

    def mask(
        self, shapes: Sequence[Shape], softness: float = 0.0, relief: float = 0.0
    ) -> tuple[tuple[slice, slice], FloatArray]:
        """Return the window that shapes cover and their coverage in it, 0 to 1.

        Args:
            shapes: outlines of shape (n, 2) in coordinates of the face.
            softness: standard deviation of the blur of the edges, in pixels of CelebA's mean face.
            relief: how far the shapes stand out of the head.
        """
        every = self.pose.project(np.concatenate(shapes), relief)
        blur = softness * self.pose.scale
        margin = 2.5 * blur + 2
        (low_x, low_y), (high_x, high_y) = every.min(axis=0).tolist(), every.max(axis=0).tolist()
        left, top = max(int(low_x - margin), 0), max(int(low_y - margin), 0)
        right, bottom = min(math.ceil(high_x + margin), WIDTH), min(math.ceil(high_y + margin), HEIGHT)
        window = slice(top, max(bottom, top)), slice(left, max(right, left))
        coverage = np.zeros((max(bottom - top, 0), max(right - left, 0)), dtype=np.uint8)
        if coverage.size == 0:
            return window, coverage.astype(np.float32)
        corners = np.rint((every - np.array((left, top), dtype=np.float32)) * 2**FRACTIONAL_BITS).astype(np.int32)
        start = 0
        for shape in shapes:
            end = start + len(shape)
            cv2.fillPoly(coverage, [corners[start:end]], 255, cv2.LINE_AA, FRACTIONAL_BITS)
            start = end
        if blur:
            coverage = _blurred(coverage, blur)
        return window, coverage * np.float32(1 / 255)

    def paint(
        self,
        shapes: Sequence[Shape],
        colour: Colour,
        opacity: float = 1.0,
        softness: float = 0.0,
        relief: float = 0.0,
        texture: float = 0.0,
        within: FloatArray | None = None,
    ) -> None:
        """Blend a colour over shapes.

        Args:
            shapes: outlines of shape (n, 2) in coordinates of the face.
            colour: RGB, 0 to 255.
            opacity: 0 (nothing) to 1 (covers).
            softness: see `mask`.
            relief: see `mask`.
            texture: 0 to 1, how much the grain thins the colour.
            within: coverage (218, 178) that bounds the shapes.
        """
        window, alpha = self.mask(shapes, softness, relief)
        alpha = alpha * np.float32(opacity)
        if texture:
            alpha *= 1 - np.float32(texture) * self.grain[window]
        if within is not None:
            alpha *= within[window]
        region = self.pixels[:, *window]
        region += alpha * (np.asarray(colour, dtype=np.float32)[:, None, None] - region)

    def shade(
        self,
        shapes: Sequence[Shape],
        factor: float,
        softness: float,
        within: FloatArray | None = None,
    ) -> None:
        """Multiply the brightness under shapes: a factor below 1 is a shadow, above 1 a highlight."""
        window, alpha = self.mask(shapes, softness)
        if within is not None:
            alpha = alpha * within[window]
        self.pixels[:, *window] *= 1 + alpha * np.float32(factor - 1)

    def coverage(self, shape: Shape, softness: float = 0.0) -> FloatArray:
        """Return the coverage of one shape over the whole picture, (218, 178), to bound others by."""
        whole = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
        window, alpha = self.mask([shape], softness)
        whole[window] = alpha
        return whole

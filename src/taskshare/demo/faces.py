"""Faces drawn from their labels, in the size and alignment of CelebA's pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

from taskshare import seeds
from taskshare.demo import features, head
from taskshare.demo.beard import facial_hair
from taskshare.demo.canvas import HEIGHT, WIDTH, Canvas, Pose
from taskshare.demo.look import Identity, Look

FloatArray = NDArray[np.float32]


def _draw_pose(generator: np.random.Generator) -> Pose:
    yaw, pitch, roll = generator.normal(0, 1, 3) * (10, 6.5, 3.5)
    shift_x, shift_y = generator.normal(0, 4.2, 2).clip(-10, 10)
    return Pose(
        yaw=float(np.clip(yaw, -24, 24)),
        pitch=float(np.clip(pitch, -14, 14)),
        roll=float(np.clip(roll, -9, 9)),
        scale=float(np.clip(generator.normal(1.06, 0.06), 0.9, 1.2)),
        shift=(float(shift_x), float(shift_y)),
    )


def _light(pixels: FloatArray, generator: np.random.Generator) -> None:
    """Light the picture from one side, let shadows fall on it, tint it, and change its exposure, in place."""
    across = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    field = 1 + np.float32(0.42 * generator.beta(1.6, 2.0)) * np.tanh(2 * _ramp(across, down, generator))
    for _ in range(generator.integers(3)):
        edge, sharpness, depth = generator.uniform(-0.35, 0.35), generator.uniform(4, 14), generator.uniform(0.15, 0.6)
        shadow = np.tanh(np.float32(sharpness) * (_ramp(across, down, generator) - np.float32(edge)))
        field *= 1 - np.float32(depth / 2) * (1 + shadow)
    exposure = np.exp(generator.normal(-0.08, 0.13)) * generator.normal(1, 0.03, 3)
    pixels *= field * exposure.astype(np.float32)[:, None, None]
    haze = generator.uniform(0, 45) * generator.random()
    pixels *= np.float32(1 - haze / 255)
    pixels += np.float32(haze)


def _ramp(across: FloatArray, down: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return a ramp over the picture in a random direction, float32 of shape (218, 178), about -1 to 1."""
    angle = generator.uniform(0, 2 * np.pi)
    return np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * down


def _photograph(pixels: FloatArray, look: Look) -> NDArray[np.uint8]:
    """Return the picture with the blur and the noise of a camera, uint8 of shape (218, 178, 3)."""
    generator = look.generator
    blur = generator.uniform(0.3, 1.0) + 2.2 * (look["Blurry"] if look.has("Blurry") else 0)
    sharp = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    picture = np.asarray(cv2.GaussianBlur(sharp, (0, 0), blur), dtype=np.float32)
    coarse = np.float32(generator.uniform(2, 9)) * generator.standard_normal(
        (HEIGHT // 2, WIDTH // 2), dtype=np.float32
    )
    picture += cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)[..., None]
    return picture.clip(0, 255).round().astype(np.uint8)


def draw_face(
    attributes: NDArray[np.bool_], identity: int, seed: int, index: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw one face from its labels.

    Every label has its visible form; how strongly it shows differs from face to face, as do pose, light, colours,
    background, blur and noise. Pictures of one identity share skin, hair hue and the measures of the face.

    Args:
        attributes: labels of shape (40,) in CelebA's order.
        identity: number of the person.
        seed: seed of the data set.
        index: number of the picture in the data set.

    Returns:
        The picture, RGB uint8 of shape (218, 178, 3), and the landmarks, float32 of shape (5, 2): x and y in pixels of
        left eye, right eye, nose, left and right corner of the mouth ("left" is where x is smaller, as in CelebA). The
        landmarks are exact: they take the way through the pose that the drawing takes.
    """
    generator = seeds.generator(seed, "face", index)
    look = Look(attributes, Identity.draw(identity, seed), generator)
    canvas = Canvas(_draw_pose(generator), head.background(look), head.grain(generator))
    is_long = head.hair_behind(canvas, look)
    head.body(canvas, look)
    bare = head.skin(canvas, look)
    features.cheeks(canvas, look, bare)
    facial_hair(canvas, look, bare)
    features.mouth(canvas, look)
    features.nose(canvas, look)
    features.eyes(canvas, look)
    head.hair(canvas, look, is_long)
    features.glasses(canvas, look)
    features.earrings(canvas, look)
    head.hat(canvas, look)
    _light(canvas.pixels, generator)
    points, relief = features.landmarks(look)
    placed = [canvas.pose.project(point[None], height)[0] for point, height in zip(points, relief, strict=True)]
    return _photograph(canvas.pixels, look), np.stack(placed)

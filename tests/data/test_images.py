import cv2
import numpy as np
import pytest

from taskshare.config import Variant
from taskshare.data import align
from taskshare.data.images import prepare_image


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)


def dots(size: tuple[int, int], points: np.ndarray, radius: float) -> np.ndarray:
    """White image with a soft black dot at each point."""
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.min([np.hypot(x - px, y - py) for px, py in points], axis=0)
    grey = 255 * (1 - np.exp(-((distance / radius) ** 2)))
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def centroid(image: np.ndarray, point: np.ndarray, radius: int) -> np.ndarray:
    """Centre of mass of the darkness around a point."""
    left, top = np.round(point).astype(int) - radius
    darkness = 255.0 - image[top : top + 2 * radius + 1, left : left + 2 * radius + 1, 0]
    y, x = np.mgrid[top : top + 2 * radius + 1, left : left + 2 * radius + 1]
    return np.array([(darkness * x).sum(), (darkness * y).sum()]) / darkness.sum()


@pytest.mark.parametrize(("scale", "degrees"), [(0.9, 25), (1.0, 0), (2.3, -40), (4.0, 10), (9.0, 170)])
def test_a_turned_scaled_and_shifted_face_lands_on_the_template(scale: float, degrees: float) -> None:
    size = 64
    radians = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    template = align.TEMPLATE * size - 0.5
    landmarks = ((template - 32) @ turn.T + (300, 330)).astype(np.float32)
    image, prepared = prepare_image(
        dots((650, 600), landmarks, 1.5 * scale), landmarks, Variant(size=size, colour="rgb", align=True)
    )
    assert prepared is not None
    np.testing.assert_allclose(prepared, template, atol=1e-3)
    for point in template:  # what lay under the landmark is where the template wants it
        np.testing.assert_allclose(centroid(image, point, 4), point, atol=0.1)


def test_the_transform_is_the_best_one_for_landmarks_of_another_shape() -> None:
    generator = np.random.default_rng(3)
    source, target = generator.normal(size=(2, 5, 2)) * 20
    matrix = align.similarity(source, target)

    def error(candidate: np.ndarray) -> float:
        return float(((align.map_points(candidate, source) - target) ** 2).sum())

    best = error(matrix)
    for change in generator.normal(size=(20, 4)) * 0.01:
        rotation = matrix[:, :2] + np.array([[change[0], -change[1]], [change[1], change[0]]])
        assert error(np.column_stack([rotation, matrix[:, 2] + change[2:]])) > best


def test_landmarks_go_there_and_back() -> None:
    landmarks = np.array([[70, 110], [108, 114], [88, 132], [72, 150], [104, 154]], np.float32)
    for variant in (Variant(size=48, align=True), Variant(size=48)):
        prepared = prepare_image(noise(218, 178), landmarks, variant)[1]
        assert prepared is not None
        back = align.similarity(prepared, landmarks)
        np.testing.assert_allclose(align.map_points(back, prepared), landmarks, atol=1e-3)


@pytest.mark.parametrize(
    ("landmarks", "reason"),
    [
        (np.full((5, 2), 30.0), "less than a pixel"),
        (np.array([[30, 40], [30, 40], [30, 50], [20, 60], [40, 60]]), "less than a pixel"),
        (np.array([[30, 40], [50, np.nan], [40, 50], [30, 60], [50, 60]]), "not finite"),
        (None, "no landmarks"),
    ],
)
def test_landmarks_that_determine_no_face_are_refused(landmarks: np.ndarray | None, reason: str) -> None:
    with pytest.raises(align.LandmarkError, match=reason):
        prepare_image(noise(90, 90), landmarks, Variant(size=32, align=True))


def test_a_strong_reduction_does_not_alias() -> None:
    stripes = np.zeros((1200, 1200, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the result can show: its mean is all that may be left
    landmarks = (align.TEMPLATE * 1100 + 50).astype(np.float32)
    image, _ = prepare_image(stripes, landmarks, Variant(size=64, align=True))
    assert image.std() < 8  # 127 where stripes survive
    assert abs(image.mean() - 127.5) < 2


def test_a_class_image_of_the_right_size_stays_as_it_is() -> None:
    image = noise(32, 32)
    prepared, landmarks = prepare_image(image, None, Variant(size=32, colour="rgb"))
    np.testing.assert_array_equal(prepared, image)
    assert landmarks is None


def test_landmarks_that_no_error_can_be_measured_by_are_refused_without_alignment_too() -> None:
    with pytest.raises(align.LandmarkError, match="the eyes lie less than a pixel apart"):
        prepare_image(noise(60, 44), np.full((5, 2), 21.5, np.float32), Variant(size=22, colour="rgb"))


def test_without_alignment_the_centred_square_is_averaged() -> None:
    image = noise(60, 44)
    points = np.array([[21.5, 21.5], [30, 21.5], [25, 30], [22, 35], [29, 35]], np.float32)
    prepared, landmarks = prepare_image(image, points, Variant(size=22, colour="rgb"))
    means = image[8:52].reshape(22, 2, 22, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(prepared, means, atol=1)
    np.testing.assert_allclose(landmarks[0], [(21.5 + 0.5) / 2 - 0.5, (21.5 - 8 + 0.5) / 2 - 0.5], atol=1e-5)


def test_a_small_image_is_enlarged() -> None:
    assert prepare_image(noise(8, 8), None, Variant(size=16))[0].shape == (16, 16, 1)


@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_equalisation_spreads_a_dull_image_over_all_grey_levels(colour: str) -> None:
    dull = (100 + noise(64, 64)[..., :1] // 16).repeat(3, axis=2)
    prepared, _ = prepare_image(dull, None, Variant(size=64, colour=colour, equalise=True))
    luma = prepared[..., 0] if colour == "grey" else cv2.cvtColor(prepared, cv2.COLOR_RGB2GRAY)
    assert luma.min() == 0
    assert luma.max() == 255
    counts = np.histogram(luma, bins=4, range=(0, 256))[0]
    assert counts.min() > 0.2 * luma.size


def test_grey_is_luma() -> None:
    green = np.zeros((16, 16, 3), np.uint8)
    green[..., 1] = 200
    assert np.unique(prepare_image(green, None, Variant(size=16))[0]).tolist() == [round(0.587 * 200)]

"""Errors of landmarks by hand, and the way from fractions of a prepared image to pixels of the original and back."""

import numpy as np
import pandas as pd
import pytest

from taskshare.config import Variant
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.data.images import prepare_image
from taskshare.evaluation import landmark_errors

FACE = np.array([[70, 110], [108, 114], [88, 132], [72, 150], [104, 154]], np.float32)
EYES = np.hypot(38, 4)
VARIANTS = [Variant(size=48, colour="rgb", align=True), Variant(size=48, colour="rgb")]


def test_an_error_is_a_distance_over_that_of_the_true_eyes():
    truth = np.array([[[0, 0], [30, 40], [20, 60], [10, 90], [40, 90]]], float)  # the eyes lie 50 apart
    predicted = truth + np.array([[0, 0], [3, 4], [-6, 8], [0, 5], [5.1, 0]])
    found = landmark_errors.errors(truth, predicted)
    assert found == pytest.approx(np.array([[0, 0.1, 0.2, 0.1, 0.102]]))
    assert landmark_errors.detected(found).tolist() == [[True, True, False, True, False]], "0.1 itself is found"


def test_moving_and_turning_both_changes_no_error():
    generator = np.random.default_rng(1)
    truth, predicted = generator.normal(50, 20, (2, 30, 5, 2))
    turn = 3 * np.array([[0.8, -0.6], [0.6, 0.8]])
    moved = [points @ turn.T + 7 for points in (truth, predicted)]
    np.testing.assert_allclose(landmark_errors.errors(*moved), landmark_errors.errors(truth, predicted), rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=["aligned", "centre square"])
@pytest.mark.parametrize("height_and_width", [(218, 178), (150, 400)])
def test_points_of_a_prepared_image_come_back_to_the_original(variant, height_and_width):
    generator = np.random.default_rng(2)
    originals = FACE + generator.normal(0, 3, (4, 5, 2)).astype(np.float32)
    image = np.zeros((*height_and_width, 3), np.uint8)
    prepared = np.array([prepare_image(image, points, variant)[1] for points in originals])
    fractions = landmark_errors.to_fractions(prepared, variant.size)
    back = landmark_errors.to_original(landmark_errors.from_fractions(fractions, variant.size), prepared, originals)
    np.testing.assert_allclose(back, originals, atol=1e-3)


def test_another_point_goes_where_the_image_went():
    """The prepared centre square halves a 200-pixel image: a prepared pixel is two original ones."""
    prepared = prepare_image(np.zeros((200, 200, 3), np.uint8), FACE, Variant(size=100, colour="rgb"))[1]
    moved = landmark_errors.to_original((prepared + np.array([1.5, -2]))[None], prepared[None], FACE[None])
    np.testing.assert_allclose(moved[0], FACE + np.array([3, -4]), atol=1e-3)


@pytest.mark.parametrize(("nose", "expected"), [((88, 132), 0.0), ((117, 132), 0.5), ((30, 132), 1.0)])
def test_a_turned_face_has_its_nose_beside_the_middle_of_the_eyes(nose, expected):
    face = np.array([[59, 110], [117, 110], nose, [72, 150], [104, 154]], float)  # the eyes lie 58 apart
    tilt = np.array([[0.8, -0.6], [0.6, 0.8]])
    assert landmark_errors.turn(np.stack([face, face @ tilt.T, 3 * face - 7])) == pytest.approx(expected, abs=0.001)


def test_fractions_are_0_and_1_at_the_borders():
    corners = np.array([[-0.5, -0.5], [47.5, 47.5], [23.5, 0]])
    fractions = landmark_errors.to_fractions(corners, 48)
    assert fractions.tolist() == [[0, 0], [1, 1], [0.5, 0.5 / 48]]
    np.testing.assert_allclose(landmark_errors.from_fractions(fractions, 48), corners)


def test_each_point_has_its_rate_and_its_mean_error():
    found = np.zeros((4, 5), np.float32)
    found[:, 2] = [0.05, 0.1, 0.15, 0.5]
    measured = landmark_errors.measure_landmarks(found)
    assert list(measured) == list(LANDMARK_POINTS)
    assert measured["nose"] == pytest.approx(
        {"detection_rate": 0.5, "standard_error": 0.25, "normalised_error": 0.2, "images": 4}
    )
    assert measured["lefteye"]["detection_rate"] == 1


def test_the_table_has_five_rows_an_image_in_the_order_of_the_images(tmp_path):
    truth = np.stack([FACE, FACE + 1])
    predicted = truth + np.float32(0.5)
    found = landmark_errors.errors(truth, predicted)
    landmark_errors.table(pd.Series(["b.jpg", "a.jpg"]), truth, predicted, found).to_parquet(
        tmp_path / "landmarks.parquet"
    )
    table = pd.read_parquet(tmp_path / "landmarks.parquet")
    assert table["id"].tolist() == ["b.jpg"] * 5 + ["a.jpg"] * 5
    assert table["landmark"].tolist() == [*LANDMARK_POINTS] * 2
    assert table.iloc[7][["x", "y", "predicted_x", "predicted_y"]].tolist() == [89, 133, 89.5, 133.5]
    assert table["error"].to_numpy() == pytest.approx(np.sqrt(0.5) / EYES)
    assert (table.dtypes.iloc[2:] == np.float32).all()

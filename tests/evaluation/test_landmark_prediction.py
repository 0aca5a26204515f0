"""Landmarks of pictures that are not the run's own, in the pixels of the pictures."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from taskshare import config
from taskshare.data.catalogue import LANDMARK_COLUMNS
from taskshare.evaluation import outside
from taskshare.networks import weights
from taskshare.networks.build import build_for

FRACTIONS = np.array([[0.25, 0.5], [0.75, 0.5], [0.5, 0.625], [0.375, 0.75], [0.625, 0.75]])
FACE = np.array([[40, 60], [70, 60], [55, 75], [45, 90], [65, 90]], dtype=np.float64)


@pytest.fixture
def make_net(tmp_path):
    """A checkpoint that gives the same landmarks, as fractions, for every image."""

    def make(align):
        run = config.Run.model_validate(
            {
                "name": "still",
                "dataset": "faces",
                "layout": "attributes",
                "labels": ["Smiling", "Young"],
                "variant_name": "rgb",
                "variant": {"size": 16, "colour": "rgb", "align": align},
                "tasks": ["landmarks", "attributes"],
                "sampling": "original",
                "resampling": "duplicated",
                "batches": "shared",
                "network": {
                    "backbone": "vgg",
                    "scheme": "hard",
                    "channels": [4],
                    "convolutions": [1],
                    "fully_connected": 4,
                },
                "training": {},
                "seed": 1,
            }
        )
        network = build_for(run)
        network.heads[0].start_at(torch.tensor(FRACTIONS, dtype=torch.float32).flatten())
        weights.save(tmp_path / "weights.safetensors", network.state_dict(), run)
        weights.save_others(tmp_path / "other_weights.safetensors", {}, {run.training.selection: {}}, run)
        return tmp_path / "weights.safetensors"

    return make


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (120, 100, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "tall.png"), noise)
    cv2.imwrite(str(folder / "wide.png"), noise.transpose(1, 0, 2))
    return folder


def predicted(path):
    table = pd.read_csv(path, index_col="image")
    assert list(table.columns) == ["Smiling", "Young", *LANDMARK_COLUMNS]
    return table[list(LANDMARK_COLUMNS)]


def test_without_alignment_they_need_no_landmarks_and_follow_the_centre_square(make_net, pictures, tmp_path):
    outside.predict(make_net(align=False), pictures, None, tmp_path / "out.csv", "cpu")
    found = predicted(tmp_path / "out.csv")
    # The square is 100 pixels wide, and 10 rows or columns lie before it.
    expected = 100 * FRACTIONS - 0.5
    np.testing.assert_allclose(found.loc["tall.png"].to_numpy().reshape(5, 2), expected + np.array([0, 10]), atol=0.02)
    np.testing.assert_allclose(found.loc["wide.png"].to_numpy().reshape(5, 2), expected + np.array([10, 0]), atol=0.02)


def test_with_alignment_they_follow_each_pictures_own_transform(make_net, pictures, tmp_path):
    rows = [[name, *(FACE + shift).flatten()] for name, shift in (("tall.png", 0), ("wide.png", 5))]
    pd.DataFrame(rows, columns=["image", *LANDMARK_COLUMNS]).to_csv(tmp_path / "points.csv", index=False)
    outside.predict(make_net(align=True), pictures, tmp_path / "points.csv", tmp_path / "out.csv", "cpu")
    found = predicted(tmp_path / "out.csv")
    np.testing.assert_allclose(found.loc["wide.png"], found.loc["tall.png"] + 5, atol=0.02)
    # Aligned faces stand upright: equal heights of the eyes before are equal heights after.
    assert found.loc["tall.png", "lefteye_y"] == pytest.approx(found.loc["tall.png", "righteye_y"], abs=0.02)

"""One answer for all images, beside scikit-learn's constant predictors."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score

from taskshare.config import Variant
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS
from taskshare.data.images import prepare_image
from taskshare.evaluation import constant

SIZE = 44
IMAGE = np.zeros((218, 178, 3), np.uint8)
FACE = np.array([[70, 110], [108, 114], [88, 132], [72, 150], [104, 154]], np.float32)
LABELS = ["Common", "Rare"]


def loose_faces(count):
    """Faces of other shapes around one place, (count, 5, 2)."""
    return FACE + np.random.default_rng(count).normal(0, 4, (count, 5, 2)).astype(np.float32)


def write_split(folder, split, faces, share=0.5, align=False):
    """Images with these landmarks, and attributes that so many share."""
    variant = Variant(size=SIZE, colour="rgb", align=align)
    prepared = np.array([prepare_image(IMAGE, face, variant)[1] for face in faces])
    drawn = np.random.default_rng(len(faces)).random((len(faces), 2))
    table = pd.DataFrame((drawn < share).astype(np.int8), columns=LABELS)
    table[list(LANDMARK_COLUMNS)] = faces.reshape(len(faces), 10)
    table[list(PREPARED_LANDMARKS)] = prepared.reshape(len(faces), 10)
    table.to_parquet(folder / f"{split}.parquet", index=False)


def measured(folder):
    constant.measure(folder, LABELS, SIZE, folder / "out" / "metrics.json")
    return json.loads((folder / "out" / "metrics.json").read_text())["tasks"]


def test_landmarks_are_the_mean_of_the_training_images(tmp_path):
    """Without alignment the preparation is the same for every image, so the mean in original pixels is the answer."""
    train, test = loose_faces(60), loose_faces(40)
    write_split(tmp_path, "train", train)
    write_split(tmp_path, "test", test)
    found = measured(tmp_path)
    distance = np.hypot(*np.moveaxis(test - train.mean(axis=0), -1, 0))
    error = distance / np.hypot(*(test[:, 1] - test[:, 0]).T)[:, None]
    for number, point in enumerate(LANDMARK_POINTS):
        assert found[point]["normalised_error"] == pytest.approx(error[:, number].mean(), rel=1e-4)
        assert found[point]["detection_rate"] == pytest.approx((error[:, number] <= 0.1).mean())
        assert found[point]["images"] == 40


def test_the_answer_is_given_in_the_prepared_image_and_goes_back_with_it(tmp_path):
    """Turned, shifted and scaled copies of one face are one face once they are aligned."""
    angles = np.random.default_rng(1).uniform(-0.5, 0.5, 50)
    turns = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)], axis=1).reshape(50, 2, 2)
    faces = (np.linspace(0.5, 1.5, 50)[:, None, None] * (FACE - 90) @ turns + 90).astype(np.float32)
    rates = {}
    for align in (True, False):
        write_split(tmp_path, "train", faces[::2], align=align)
        write_split(tmp_path, "test", faces[1::2], align=align)
        rates[align] = [measured(tmp_path)[point]["detection_rate"] for point in LANDMARK_POINTS]
    assert rates[True] == [1] * 5
    assert max(rates[False]) < 0.5


def test_labels_are_the_commoner_ones_of_the_training_images(tmp_path):
    for split, count, share in (("train", 60, (0.8, 0.2)), ("test", 40, (0.3, 0.4))):
        write_split(tmp_path, split, loose_faces(count), share)
    found = measured(tmp_path)
    train, test = (pd.read_parquet(tmp_path / f"{split}.parquet") for split in ("train", "test"))
    for label in LABELS:
        same = DummyClassifier(strategy="most_frequent").fit(np.zeros((60, 1)), train[label])
        assert found[label]["accuracy"] == accuracy_score(test[label], same.predict(np.zeros((40, 1))))
        assert found[label]["balanced_accuracy"] == 0.5
    assert (found["Common"]["accuracy_positives"], found["Rare"]["accuracy_positives"]) == (1, 0)

"""What docs/troubleshooting.md says of training and evaluation: each remedy, when followed, works."""

import cv2
import numpy as np
import pandas as pd
import pytest

from taskshare.data.arrays import ImageArrayWriter
from taskshare.evaluation import outside, scoring
from taskshare.graph import WEIGHTS
from taskshare.networks import weights
from taskshare.networks.build import build_for
from taskshare.training import resume
from taskshare.training.job import train

LAST = {"iterations": 2, "selection": "last"}


@pytest.fixture
def trained(make_run, prepared, manifests_of, tmp_path):
    """Train a run for two iterations, into a folder."""

    def do(folder="out", images=prepared, **training):
        run = make_run("hard", training={**LAST, **training})
        train(run, images, manifests_of(run), tmp_path / folder, "cpu")
        return tmp_path / folder / WEIGHTS

    return do


@pytest.fixture
def without(prepared, tmp_path):
    """The prepared images with another split in place of one."""

    def make(split, images=None, **labels):
        folder = tmp_path / "changed"
        folder.mkdir()
        for file in prepared.glob("*.*"):
            (folder / file.name).symlink_to(file)
        if images is not None:
            (folder / f"{split}.npy").unlink()
            with ImageArrayWriter(folder / f"{split}.npy", (16, 16, 1)) as writer:
                writer.append(images)
        table = pd.read_parquet(folder / f"{split}.parquet").assign(**labels)
        (folder / f"{split}.parquet").unlink()
        table.to_parquet(folder / f"{split}.parquet", index=False)
        return folder

    return make


@pytest.mark.remedy("the loss is not finite at iteration")
def test_a_lower_learning_rate_trains(refused, trained):
    with refused():
        trained(learning_rate=1e30, precision="float32", iterations=30)
    assert trained(learning_rate=0.01, precision="float32", iterations=30).exists()


@pytest.mark.remedy("needs a validation split")
def test_the_last_weights_need_no_validation_images(refused, trained, without):
    images = without("validation", images=np.empty((0, 16, 16, 1), np.uint8))
    with refused():
        trained(images=images, selection="best")
    assert trained(images=images).exists()


@pytest.mark.remedy("images of one label only")
def test_the_last_weights_need_no_balanced_accuracy(refused, trained, without):
    images = without("validation", Rare=0)
    with refused():
        trained(images=images, selection="best")
    assert trained(images=images).exists()


@pytest.mark.remedy("no such checkpoint")
def test_a_net_is_evaluated_once_it_is_trained(refused, trained, prepared, tmp_path):
    with refused():
        scoring.evaluate(tmp_path / "out" / WEIGHTS, prepared, "test", tmp_path, "cpu")
    scoring.evaluate(trained(), prepared, "test", tmp_path, "cpu")


@pytest.mark.remedy("damaged checkpoint")
def test_a_net_is_evaluated_when_the_damaged_file_was_removed_and_trained_again(refused, trained, prepared, tmp_path):
    path = trained()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with refused():
        scoring.evaluate(path, prepared, "test", tmp_path, "cpu")
    path.unlink()
    scoring.evaluate(trained(), prepared, "test", tmp_path, "cpu")


@pytest.mark.remedy("damaged checkpoint")
def test_a_job_starts_anew_when_its_damaged_state_was_removed(refused, tmp_path):
    path = tmp_path / "checkpoint.pt"
    resume.save(path, {"iteration": 1})
    path.write_bytes(path.read_bytes()[:-1])
    with refused():
        resume.load(path)
    path.unlink()
    assert resume.load(path) is None


@pytest.mark.remedy("its run aligned the images by landmarks")
def test_aligned_images_are_predicted_with_their_landmarks(refused, make_run, tmp_path):
    run = make_run("hard", variant={"size": 16, "colour": "grey", "align": True})
    weights.save(tmp_path / WEIGHTS, build_for(run).state_dict(), run)
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/face.png"), np.full((40, 40, 3), 90, np.uint8))
    points = dict(zip(outside.LANDMARK_COLUMNS, (12, 15, 28, 15, 20, 22, 14, 30, 26, 30), strict=True))
    pd.DataFrame({"image": ["face.png"], **{name: [value] for name, value in points.items()}}).to_csv(
        tmp_path / "landmarks.csv", index=False
    )
    with refused():
        outside.predict(tmp_path / WEIGHTS, tmp_path / "images", None, tmp_path / "out.csv", "cpu")
    outside.predict(tmp_path / WEIGHTS, tmp_path / "images", tmp_path / "landmarks.csv", tmp_path / "out.csv", "cpu")
    assert len(pd.read_csv(tmp_path / "out.csv")) == 1

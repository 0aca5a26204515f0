"""From raw faces to scores: inside the workflow's folders, on another source, and on loose pictures."""

import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from taskshare import config
from taskshare.data import manifests
from taskshare.data.arrays import ImageArrayWriter
from taskshare.data.prepare import prepare
from taskshare.demo.attributes import ATTRIBUTES
from taskshare.demo.generated_sources import write_celeba
from taskshare.errors import TaskshareError
from taskshare.evaluation import outside, scoring
from taskshare.networks import weights
from taskshare.networks.build import build
from taskshare.training.job import train
from taskshare.verify import tolerance

TASKS = ["Smiling", "No_Beard"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small net trained on drawn faces: archive, prepared folder and checkpoint."""
    folder = tmp_path_factory.mktemp("faces")
    archive, prepared = folder / "faces.tar", folder / "prepared"
    write_celeba(archive, train=120, validation=30, test=40, seed=1, workers=1)
    variant = config.Variant(size=16, colour="grey", align=True, equalise=True)
    dataset = config.Dataset(layout="attributes", labels=list(ATTRIBUTES), variants={})
    prepare("celeba", dataset, archive, "synthetic", variant, prepared, "stop", 1)
    run = config.Run(
        name="faces",
        dataset="celeba",
        layout="attributes",
        labels=list(ATTRIBUTES),
        variant_name="grey",
        variant=variant,
        tasks=TASKS,
        sampling="resampled",
        resampling="duplicated",
        batches="pooled",
        network=config.Network(scheme="hard", channels=[4, 4, 4, 4, 4], fully_connected=8),
        training=config.Training(iterations=40, batch_size=16, validate_every=20, learning_rate=0.05),
        seed=1,
    )
    table = pd.read_parquet(prepared / "train.parquet")
    paths = [prepared / "manifests" / f"{task}.parquet" for task in TASKS]
    for path, task in zip(paths, TASKS, strict=True):
        manifests.write(path, table, run.labels, task, "resampled", "duplicated", 1)
    train(run, prepared, paths, folder / "run", "cpu")
    return archive, prepared, folder / "run" / "weights.safetensors"


def test_scores_of_every_test_image_give_the_metrics(trained, tmp_path):
    _, prepared, checkpoint = trained
    metrics = scoring.evaluate(checkpoint, prepared, "test", tmp_path, "cpu")
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert scores.groupby("task")["id"].nunique().to_dict() == {"Smiling": 40, "No_Beard": 40}
    for task, part in scores.groupby("task"):
        expected = balanced_accuracy_score(part["label"], part["score"] > 0.5)
        assert metrics["tasks"][task]["balanced_accuracy"] == pytest.approx(expected)


def test_another_source_is_prepared_as_the_checkpoints_own(trained, tmp_path):
    archive, prepared, checkpoint = trained
    scoring.evaluate(checkpoint, prepared, "test", tmp_path / "inside", "cpu")
    outside.evaluate_source(checkpoint, archive, "test", tmp_path / "outside", "stop", "cpu")
    for file in ("scores.parquet", "metrics.json"):
        assert (tmp_path / "inside" / file).read_bytes() == (tmp_path / "outside" / file).read_bytes()


def test_a_source_with_test_images_only_is_enough(trained, pictures, tmp_path):
    _, prepared, checkpoint = trained
    source = tmp_path / "source"
    shutil.copytree(pictures, source)
    kept = {path.name for path in (source / "img_align_celeba").iterdir()}
    for name, header in (("list_attr_celeba.txt", 2), ("list_landmarks_align_celeba.txt", 2)):
        lines = (source / name).read_text().splitlines()
        rows = [line for line in lines[header:] if line.split()[0] in kept]
        (source / name).write_text("\n".join([str(len(rows)), lines[1], *rows]) + "\n")
    for name in ("list_eval_partition.txt", "identity_CelebA.txt"):
        rows = [line for line in (source / name).read_text().splitlines() if line.split()[0] in kept]
        (source / name).write_text("\n".join(rows) + "\n")
    metrics = outside.evaluate_source(checkpoint, source, "test", None, "stop", "cpu")
    assert metrics == scoring.evaluate(checkpoint, prepared, "test", tmp_path, "cpu")


def test_a_split_without_images_or_without_a_label_is_one_line(trained, tmp_path):
    _, prepared, checkpoint = trained
    table = pd.read_parquet(prepared / "test.parquet")
    (tmp_path / "test.npy").symlink_to(prepared / "test.npy")
    table.assign(Smiling=1).to_parquet(tmp_path / "test.parquet")
    with pytest.raises(TaskshareError, match="the test split has images of one label only for Smiling"):
        scoring.evaluate(checkpoint, tmp_path, "test", tmp_path, "cpu")
    with ImageArrayWriter(tmp_path / "validation.npy", (16, 16, 1)):
        pass
    with pytest.raises(TaskshareError, match="the validation split has no images"):
        scoring.evaluate(checkpoint, tmp_path, "validation", tmp_path, "cpu")


@pytest.fixture(scope="module")
def pictures(trained, tmp_path_factory):
    """The test faces as a folder of pictures, with CelebA's list of landmarks."""
    folder = tmp_path_factory.mktemp("pictures")
    with tarfile.open(trained[0]) as archive:
        archive.extractall(folder, filter="data")
    partition = pd.read_csv(folder / "celeba/list_eval_partition.txt", sep=r"\s+", header=None, index_col=0)[1]
    for name in partition.index[partition != 2]:
        (folder / "celeba/img_align_celeba" / name).unlink()
    return folder / "celeba"


def test_predicted_pictures_have_the_scores_of_the_evaluation(trained, pictures, tmp_path):
    _, prepared, checkpoint = trained
    scoring.evaluate(checkpoint, prepared, "test", tmp_path, "cpu")
    scores = pd.read_parquet(tmp_path / "scores.parquet").pivot(index="id", columns="task", values="score")
    command = [sys.executable, "-m", "taskshare", "predict", "--checkpoint", checkpoint, "--device", "cpu"]
    command += ["--images", pictures / "img_align_celeba", "--out", tmp_path / "predicted.csv"]
    subprocess.run([*command, "--landmarks", pictures / "list_landmarks_align_celeba.txt"], check=True)
    predicted = pd.read_csv(tmp_path / "predicted.csv", index_col="image")
    assert list(predicted.columns) == TASKS
    share = tolerance(weights.longest_sum(checkpoint))  # the batches have other sizes
    np.testing.assert_allclose(predicted[TASKS], scores.loc[predicted.index, TASKS], rtol=0, atol=share)


def test_landmarks_may_come_as_csv(pictures, tmp_path):
    listed = outside.read_landmarks(pictures / "list_landmarks_align_celeba.txt")
    listed.to_csv(tmp_path / "landmarks.csv", index_label="file")
    pd.testing.assert_frame_equal(outside.read_landmarks(tmp_path / "landmarks.csv"), listed, check_names=False)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_of_landmarks_lacks_a_column(separator, tmp_path):
    table = pd.DataFrame({"lefteye_x": [1.0], "lefteye_y": [2.0]}, index=["a.jpg"])
    table.to_csv(tmp_path / "landmarks.csv", sep=separator, encoding="utf-8-sig")
    with pytest.raises(
        TaskshareError, match=r"landmarks\.csv: not a table of landmarks .*\(no column righteye_x, righ"
    ):
        outside.read_landmarks(tmp_path / "landmarks.csv")


def test_files_that_are_no_image_stop_a_prediction_or_are_left_out(trained, pictures, tmp_path, capsys):
    folder = tmp_path / "folder"
    shutil.copytree(pictures / "img_align_celeba", folder / "below")
    (folder / "notes.txt").write_text("x")
    first, *others = sorted(path.name for path in (folder / "below").iterdir())
    (folder / "below" / first).write_bytes(b"no image")
    landmarks = outside.read_landmarks(pictures / "list_landmarks_align_celeba.txt")
    landmarks.rename(lambda name: f"below/{name}").to_csv(tmp_path / "points.csv")
    arguments = trained[2], folder, tmp_path / "points.csv", tmp_path / "x.csv", "cpu"
    with pytest.raises(TaskshareError, match=rf"below/{first}: not an image .*--on-bad-image skip"):
        outside.predict(*arguments)
    assert not (tmp_path / "x.csv").exists()
    outside.predict(*arguments, on_bad_image="skip")
    assert list(pd.read_csv(tmp_path / "x.csv")["image"]) == [f"below/{name}" for name in others]
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == [f"below/{first}", "notes.txt"]


def test_a_picture_without_landmarks_is_named(trained, pictures, tmp_path):
    landmarks = outside.read_landmarks(pictures / "list_landmarks_align_celeba.txt")
    first = min(path.name for path in (pictures / "img_align_celeba").iterdir())
    landmarks.drop(index=first).to_csv(tmp_path / "landmarks.csv")
    with pytest.raises(TaskshareError, match=f"{first}: no row in "):
        outside.predict(trained[2], pictures / "img_align_celeba", tmp_path / "landmarks.csv", tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
def test_a_file_that_is_no_checkpoint_is_refused(damage, trained, tmp_path):
    path = tmp_path / "weights.safetensors"
    content = trained[2].read_bytes()
    path.write_bytes(content[:-100] if damage == "truncated" else b"\x80\x04K\x01.")
    with pytest.raises(TaskshareError, match="no checkpoint of taskshare"):
        weights.load(path)


def test_loaded_weights_are_those_that_were_saved(trained):
    run, network = weights.load(trained[2])
    fresh = build(run.network, run.tasks, 16, 1, run.seed)
    assert not network.training
    changed = [name for name, value in network.state_dict().items() if not value.equal(fresh.state_dict()[name])]
    assert "trunk.layers.0.operation.weight" in changed

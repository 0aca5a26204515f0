"""Mistakes that a user can make, each with the line that it gives and the change that mends it."""

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from taskshare import config
from taskshare.cli import app
from taskshare.config import Dataset
from taskshare.data import align
from taskshare.data.arrays import ImageArray, ImageArrayWriter
from taskshare.data.catalogue import LANDMARK_COLUMNS, BadImageError
from taskshare.data.image_files import ImageFiles
from taskshare.data.sources import open_source
from taskshare.errors import TaskshareError
from taskshare.evaluation.outside import read_landmarks
from taskshare.evaluation.published import load_published
from taskshare.graph import Graph

PARAMS = Path(__file__).parents[1] / "params.yaml"
LABELS = {"attributes": ["Bald", "Smiling"], "classes": ["cat", "dog"]}
SEPARATION = {"backbone": "vgg", "scheme": "separation"}
VGG = {"dataset": "celeba", "variant": "rgb", "sampling": "original", "batches": "shared", "network": SEPARATION}
CHILD = {"parent": {"run": "celeba-columns", "separate": True}, "network": SEPARATION}


@pytest.fixture
def content():
    return yaml.safe_load(PARAMS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("path", "mistake", "line", "mended"),
    [
        (
            "runs/cifar10-hard/network",
            {"scheme": "hard", "options": {"width": 2}},
            "options: hard has none; they are for a scheme of your own",
            {"scheme": "hard"},
        ),
        (
            "runs/celeba-separation/network",
            {**SEPARATION, "concatenation": "none"},
            "concatenation: none goes with a branch_block, and without channelwise",
            {**SEPARATION, "concatenation": "everywhere"},
        ),
        (
            "runs/celeba-separation/network",
            {**SEPARATION, "first_mixers": "identity"},
            "first_mixers: identity goes with channelwise: true",
            {**SEPARATION, "first_mixers": "identity", "channelwise": True},
        ),
        (
            "runs/celeba-single-original/training",
            {"update": "per_pool"},
            "scales.demo with runs.celeba-single-original: update: per_pool needs batches: pooled",
            {"update": "joint"},
        ),
        ("runs/celeba-hard-branch5/tasks", ["Bald", "Bald"], "tasks: one is listed twice", ["Bald", "Smiling"]),
        (
            "runs/mine",
            {**VGG, "tasks": ["landmarks"]},
            "network.scheme: separation needs parent: {run: RUN, separate: true}",
            CHILD,
        ),
        (
            "experiments/matsui2019-tuning/training/validation",
            False,
            "tuning goes by validation scores; set training.validation: true",
            True,
        ),
    ],
)
def test_a_mistake_in_params_is_named_and_mended(path, mistake, line, mended, content):
    *parents, last = path.split("/")
    place = content
    for key in parents:
        place = place[key]
    place[last] = mistake
    with pytest.raises(TaskshareError) as caught:
        config.validate(content)
    assert line in str(caught.value)
    place[last] = mended
    config.validate(content)


def test_an_experiment_must_be_enabled(content):
    for experiment in content["experiments"].values():
        experiment["enabled"] = False
    with pytest.raises(TaskshareError, match="experiments: none is enabled; enable one"):
        config.validate(content)
    content["experiments"]["fang2017-table5"]["enabled"] = True
    config.validate(content)


def test_an_empty_params_file_is_named(tmp_path):
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(TaskshareError, match=r"holds no keys; take the project's params\.yaml as a start"):
        config.load(tmp_path / "mine.yaml")


def test_a_measurement_needs_an_experiment_that_asks_for_it(tmp_path):
    with pytest.raises(TaskshareError, match="no enabled experiment asks for its connections; see params"):
        Graph(config.load(PARAMS), tmp_path).measure_options("connections", "cifar10-hard", "1")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("evaluate --checkpoint net", "evaluate: give either --prepared or --source"),
        ("evaluate --checkpoint net --prepared x --source y", "evaluate: give either --prepared or --source"),
        ("measure pictures --out x", "measure: no kind 'pictures'; there are response_maps, connections"),
        ("measure convergence --out x", "measure: this kind measures nothing of a net; it shows what others record"),
        ("measure connections --out x", "measure: this kind needs --checkpoint"),
        ("measure costs --out x --run no.json", "no.json: No such file or directory; give JSON or the path of a JSON"),
        (f"check --params {PARAMS} --set scale", "--set scale: give KEY=VALUE"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(arguments, line):
    done = CliRunner().invoke(app, arguments.split())
    assert done.exit_code == 1
    assert done.stderr.startswith(f"taskshare: {line}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("layout", "files", "line"),
    [
        ("classes", {"cifar-10-batches-py/batches.meta": ""}, "the batches are not whole, missing: data_batch_1, "),
        (
            "classes",
            {"trainLabels.csv": "id,name\n1,cat\n", "train/1.png": ""},
            "needs the columns id and label, a label for each id and each id once; mend it",
        ),
        (
            "attributes",
            {"list_attr_celeba.txt": "0\nBald Smiling\n"},
            "nor img_align_celeba.zip beside the label files",
        ),
        (
            "attributes",
            {"list_attr_celeba.txt": "0\nBald Smiling\n", "img_align_celeba/1.jpg": ""},
            r"list_attr_celeba.txt: holds no rows; take the whole file",
        ),
        ("classes", {"../pets.rar": ""}, "pets.rar: neither a folder nor an archive; allowed: .tar, "),
    ],
)
def test_a_source_that_is_not_whole_is_named(layout, files, line, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name, text in files.items():
        path = source / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        source = path if name.startswith("..") else source
    dataset = Dataset(layout=layout, labels=LABELS[layout], variants={})
    with pytest.raises(TaskshareError) as caught, open_source("mine", dataset, source):
        pass
    assert line in str(caught.value)


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(BadImageError, match="cannot be read: Is a directory"):
        ImageFiles(tmp_path)("a.png")


@pytest.mark.parametrize(
    ("points", "line"),
    [
        (np.full((5, 2), np.nan), "landmarks are not finite"),
        (np.ones((5, 2)), "landmarks determine no rotation and scale"),
        (np.arange(10.0).reshape(5, 2), None),
    ],
)
def test_landmarks_must_determine_how_a_face_lies(points, line):
    with pytest.raises(align.LandmarkError, match=line) if line else nullcontext():
        align.similarity(points, align.TEMPLATE)


def test_a_table_of_landmarks_names_each_image_once(tmp_path):
    path, row = tmp_path / "landmarks.csv", ",".join(["a.png", *"1234567890"])
    header = ",".join(["image", *LANDMARK_COLUMNS])
    path.write_text("\n".join([header, row, row]))
    with pytest.raises(TaskshareError, match=r"a\.png is listed twice\); see --help"):
        read_landmarks(path)
    path.write_text("\n".join([header, row]))
    assert len(read_landmarks(path)) == 1


def test_an_array_that_is_cut_while_it_is_read_is_named(tmp_path):
    path = tmp_path / "train.npy"
    with ImageArrayWriter(path, (4, 4, 1)) as writer:
        writer.append(np.zeros((9, 4, 4, 1), np.uint8))
    images = ImageArray(path)
    os.truncate(path, path.stat().st_size - 16)
    with pytest.raises(TaskshareError, match="was shortened while it was read; prepare the data again"):
        list(images.blocks(9))


def test_published_numbers_stand_in_one_file(tmp_path):
    published = PARAMS.parent / "reports/published/fang2017.yaml"
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(published.read_text())
    with pytest.raises(TaskshareError, match=r"b\.yaml: .*: stands in another file too; keep one of them"):
        load_published(tmp_path)
    (tmp_path / "b.yaml").write_text("a: [")
    with pytest.raises(TaskshareError, match=r"b\.yaml: not valid YAML: "):
        load_published(tmp_path)
    (tmp_path / "b.yaml").unlink()
    assert load_published(tmp_path)

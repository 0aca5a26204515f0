"""`taskshare new`: from a folder or archive to a params file that runs."""

import shutil
import tarfile

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from taskshare import config, new
from taskshare.cli import app
from taskshare.data.catalogue import LANDMARK_COLUMNS
from taskshare.errors import TaskshareError


def write_image(path, size=(24, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), 90, np.uint8))


def write_birds(folder, classes=("crow", "owl", "robin", "wren"), train=12, test=3):
    for split, count in (("train", train), ("test", test)):
        for name in classes:
            for number in range(count):
                write_image(folder / split / name / f"{number}.png")
    return folder


def write_faces(folder, **attributes):
    """Files in CelebA's layout; of each attribute the share of images that have it."""
    images, splits = 60, [0] * 40 + [1] * 10 + [2] * 10
    names = [f"{number:06d}.jpg" for number in range(images)]
    for name in names:
        write_image(folder / "img_align_celeba" / name)
    order = np.random.default_rng(0).permutation(images) / images
    rows = [
        " ".join([name, *("1" if order[i] < share else "-1" for share in attributes.values())])
        for i, name in enumerate(names)
    ]
    points = [f"{name} {' '.join('5' for _ in LANDMARK_COLUMNS)}" for name in names]
    for file, header, lines in (("attr", attributes, rows), ("landmarks_align", LANDMARK_COLUMNS, points)):
        (folder / f"list_{file}_celeba.txt").write_text("\n".join([str(images), " ".join(header), *lines]) + "\n")
    partition = (f"{name} {split}\n" for name, split in zip(names, splits, strict=True))
    (folder / "list_eval_partition.txt").write_text("".join(partition))
    return folder


@pytest.fixture(autouse=True)
def machine_without_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def run_new(*arguments):
    return CliRunner().invoke(app, ["new", *map(str, arguments)])


def test_an_archive_of_classes_becomes_a_params_file_that_is_valid(tmp_path, monkeypatch):
    write_birds(tmp_path / "birds")
    with tarfile.open(tmp_path / "birds.tar", "w") as archive:
        archive.add(tmp_path / "birds", "birds")
    shutil.rmtree(tmp_path / "birds")
    monkeypatch.chdir(tmp_path)

    done = run_new("birds", "--source", "birds.tar")

    assert done.exit_code == 0, done.output
    assert "birds.tar: classes layout, 60 images, 4 classes" in done.output
    assert "images: 48 train, 0 validation, 12 test" in done.output
    assert "pixels: 20x24 to 20x24" in done.output
    assert "next: snakemake --cores all --configfile birds.yaml" in done.output
    params = config.load(tmp_path / "birds.yaml")
    assert params.source("birds") == str(tmp_path / "birds.tar")
    assert [job.key for job in params.enabled_jobs().values()] == [
        "birds-single.crow.owl/seed1",
        "birds-single.robin.wren/seed1",
        "birds-hard/seed1",
        "birds-dynamic/seed1",
    ]
    assert params.variant("birds", "rgb").size == 16


def test_attributes_are_tasks_if_images_of_both_values_can_teach_them(tmp_path):
    source = write_faces(tmp_path / "faces", Smiling=0.5, Bald=0.02, Male=0.6, Human=1.0)
    seen = new.look("faces", source)
    assert (seen.layout, seen.labels) == ("attributes", ["Smiling", "Bald", "Male", "Human"])
    assert seen.splits == {"train": 40, "validation": 10, "test": 10}
    assert seen.tasks == ["Smiling", "Male"]
    new.write(seen, tmp_path / "faces.yaml", tmp_path)
    assert config.load(tmp_path / "faces.yaml").runs["faces-dynamic"].tasks == ["Smiling", "Male"]


def test_unreadable_images_are_named_and_left_out(tmp_path):
    source = write_birds(tmp_path / "birds")
    (source / "train/owl/3.png").write_bytes(b"\x89PNG")
    seen = new.look("birds", source)
    assert new.describe(seen)[-1] == (
        "unreadable: 1 of the images, which are left out; the first: train/owl/3.png: truncated: the end of the file "
        "is missing"
    )
    new.write(seen, tmp_path / "birds.yaml", tmp_path)
    assert config.load(tmp_path / "birds.yaml").data.on_bad_image == "skip"


def test_names_are_the_users(tmp_path):
    classes = ("001.Black crow", "Great Owl", "Zaunkönig", "yes")
    seen = new.look("birds", write_birds(tmp_path / "birds", classes))
    new.write(seen, tmp_path / "birds.yaml", tmp_path)
    params = config.load(tmp_path / "birds.yaml")
    assert params.datasets["birds"].labels == list(classes)
    assert params.runs["birds-hard"].tasks == ["001.Black crow.Great Owl", "Zaunkönig.yes"]


def test_a_folder_with_one_csv_is_read(tmp_path):
    labels = ["crow", "owl", "wren"] * 20
    for number, _ in enumerate(labels):
        write_image(tmp_path / "birds/train" / f"{number}.png")
    rows = [f"{number},{label}" for number, label in enumerate(labels)]
    (tmp_path / "birds/trainLabels.csv").write_text("\n".join(["id,label", *rows]) + "\n")
    seen = new.look("birds", tmp_path / "birds")
    assert seen.splits == {"train": 48, "validation": 0, "test": 12}
    new.write(seen, tmp_path / "birds.yaml", tmp_path)
    assert config.load(tmp_path / "birds.yaml").runs["birds-dynamic"].tasks == ["crow.owl", "wren.crow"]


def test_small_classes_hold_nothing_out(tmp_path):
    seen = new.look("birds", write_birds(tmp_path / "birds", train=4))
    new.write(seen, tmp_path / "birds.yaml", tmp_path)
    params = config.load(tmp_path / "birds.yaml")
    assert params.datasets["birds"].validation_fraction == 0
    assert next(params.jobs("birds-hard")).training.selection == "last"


@pytest.mark.parametrize(
    ("classes", "tasks"),
    [("abc", ["a.b", "c.a"]), ("abcd", ["a.b", "c.d"]), ("abcde", ["a.b", "c.d", "e.a"])],
)
def test_every_class_is_in_a_task(classes, tasks, tmp_path):
    assert new.look("letters", write_birds(tmp_path / "letters", classes, train=1, test=1)).tasks == tasks


def test_a_class_folder_is_no_task_of_its_own(tmp_path):
    done = run_new("birds", "--source", write_birds(tmp_path / "birds", ("crow", "owl")), "--out", tmp_path / "p.yaml")
    assert done.exit_code == 1
    assert done.stderr == f"taskshare: {tmp_path}/birds: sharing needs two tasks: give three classes or more\n"
    assert not (tmp_path / "p.yaml").exists()


def test_a_folder_without_a_layout_is_told_what_is_read(tmp_path):
    with pytest.raises(TaskshareError, match=r"neither list_attr_celeba\.txt nor train/CLASS in it"):
        new.look("birds", tmp_path)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "birds.yaml").write_text("mine")
    with pytest.raises(TaskshareError, match="is there already; remove it, or give another name"):
        new.write(new.look("birds", write_birds(tmp_path / "birds")), tmp_path / "birds.yaml", tmp_path)
    assert (tmp_path / "birds.yaml").read_text() == "mine"


def test_a_key_of_the_params_file_is_no_name(tmp_path):
    done = run_new("seeds", "--source", tmp_path)
    assert done.stderr == "taskshare: seeds: is a key of params.yaml; give the data set another name\n"


def test_fewer_iterations_are_written_where_the_machine_is_slow(tmp_path, monkeypatch):
    seen = new.look("birds", write_birds(tmp_path / "birds", train=60, test=1))
    iterations = []
    for minutes in (15.0, 0.0):
        monkeypatch.setattr(new, "MINUTES", minutes)
        new.write(seen, tmp_path / f"{minutes}.yaml", tmp_path)
        written = yaml.safe_load((tmp_path / f"{minutes}.yaml").read_text())
        iterations.append(written["scales"]["birds"]["training"]["birds"]["iterations"])
    assert iterations == [500, 120]

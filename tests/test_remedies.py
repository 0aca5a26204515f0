"""What docs/troubleshooting.md says of params.yaml, of data and of starting: each remedy, when followed, works."""

import errno
import os
import subprocess
import sys
import tarfile
import zipfile
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from taskshare import config, device, new, working_folder
from taskshare.config import Dataset, Variant
from taskshare.data import archives, manifests, prepare, sources
from taskshare.graph import Graph
from taskshare.networks.build import build_for

PARAMS = Path(__file__).parents[1] / "params.yaml"
PETS = Dataset(layout="classes", labels=["cat", "dog"], variants={})
FACES = Dataset(layout="attributes", labels=["Bald", "Smiling"], variants={})


def write_pets(folder, labels=PETS.labels, count=6):
    for split in ("train", "test"):
        for label in labels:
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                cv2.imwrite(str(folder / split / label / f"{number}.png"), np.full((20, 20, 3), 9 * number, np.uint8))
    return folder


def write_faces(folder, labels=FACES.labels, smiling=(1, -1, 1, -1, 1, -1)):
    (folder / "img_align_celeba").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, value in enumerate(smiling):
        cv2.imwrite(str(folder / f"img_align_celeba/{number}.jpg"), np.full((20, 20, 3), 9 * number, np.uint8))
        rows.append(f"{number}.jpg {1 - 2 * (number % 2)} {value}")
    (folder / "list_attr_celeba.txt").write_text("\n".join([str(len(rows)), " ".join(labels), *rows]) + "\n")
    splits = "".join(f"{number}.jpg {split}\n" for number, split in enumerate((0, 0, 0, 0, 1, 2)))
    (folder / "list_eval_partition.txt").write_text(splits)
    return folder


def read(folder, dataset=PETS):
    with sources.open_source("own", dataset, folder) as catalogue:
        return catalogue.table


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def prepared(folder, out, on_bad_image="stop"):
    prepare.prepare("pets", PETS, folder, "path", Variant(size=8), out, on_bad_image, 1)
    return out


@pytest.mark.remedy("another workflow is running in this folder")
def test_a_folder_is_free_when_the_other_workflow_ends(refused, tmp_path):
    claim = "import sys, pathlib; from taskshare import working_folder as w; w.claim(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", f"{claim}; print('claimed', flush=True); sys.stdin.read()", tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "claimed\n"
        with refused():
            working_folder.check_locks(tmp_path)
        other.stdin.close()
    working_folder.check_locks(tmp_path)


@pytest.mark.remedy("belongs to another user")
def test_a_copy_of_ones_own_can_be_claimed(refused, tmp_path, monkeypatch):
    def not_ours(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    with monkeypatch.context() as patch:
        patch.setattr(working_folder.os, "open", not_ours)
        with refused():
            working_folder.check_locks(tmp_path)
    (tmp_path / "copy").mkdir()
    working_folder.check_locks(tmp_path / "copy")


@pytest.mark.remedy("cannot be written to")
def test_a_folder_is_written_to_when_its_permissions_allow_it(refused, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)  # to root, all folders are open
        with refused():
            working_folder.check_writable(tmp_path / "results")
    working_folder.check_writable(tmp_path / "results")


@pytest.mark.remedy("unknown key; allowed:")
def test_a_key_that_the_line_lists_is_taken(refused):
    with refused():
        config.load(PARAMS, {"data.on_bad_imag": "skip"})
    assert config.load(PARAMS, {"data.on_bad_image": "skip"}).data.on_bad_image == "skip"


@pytest.mark.remedy("allowed: synthetic, download, or an existing path")
def test_a_source_that_is_there_is_taken(refused, tmp_path):
    with refused():
        config.load(PARAMS, {"celeba": str(tmp_path / "faces")})
    (tmp_path / "faces").mkdir()
    assert config.load(PARAMS, {"celeba": str(tmp_path / "faces")})


@pytest.mark.remedy("not valid YAML")
def test_the_line_that_is_no_yaml_is_named(refused, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(PARAMS.read_text().replace("scale: demo", "scale:\tdemo\n\tseeds: 1"))
    with refused() as line:
        config.load(path)
    assert "line 3" in str(line.value)
    path.write_text(PARAMS.read_text())
    assert config.load(path)


@pytest.mark.remedy("vanish before layer 5")
def test_small_images_need_padding_or_more_pixels(refused):
    content = yaml.safe_load(PARAMS.read_text())
    network = content["runs"]["cifar10-hard"]["network"] = {"scheme": "hard", "padding": "valid"}
    sizes = content["scales"]["demo"]["image_sizes"]["cifar10"]
    with refused():
        build_for(next(config.validate(content).jobs("cifar10-hard")))
    for change in ({"padding": "same"}, {"padding": "valid", "size": 68}):
        network["padding"] = change["padding"]
        sizes["rgb"] = change.get("size", 16)
        assert build_for(next(config.validate(content).jobs("cifar10-hard")))


@pytest.mark.remedy("no such training job at scale")
def test_a_job_of_the_list_is_there(refused, tmp_path):
    graph = Graph(config.load(PARAMS), tmp_path)
    with refused():
        graph.job("cifar10-hard", "99")
    run, _, seed = next(iter(graph.jobs)).partition("/seed")
    assert graph.job(run, seed)


@pytest.mark.remedy("truncated or corrupt archive")
def test_an_archive_that_was_fetched_again_is_read(refused, tmp_path):
    archive = tmp_path / "pets.tar"
    with tarfile.open(archive, "w") as file:
        file.add(write_pets(tmp_path / "pets"), "pets")
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with refused():
        read(archive)
    archive.write_bytes(whole)
    assert len(read(archive)) == 24


@pytest.mark.remedy("so it is not unpacked")
def test_plain_files_are_unpacked(refused, tmp_path):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as file:
        file.writestr("../pets.txt", "")
    with refused(), archives.extracted(tmp_path / "pets.zip"):
        pass
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as file:
        file.writestr("pets.txt", "")
    with archives.extracted(tmp_path / "pets.zip") as folder:
        assert (folder / "pets.txt").exists()


@pytest.mark.remedy("cannot be unpacked into")
def test_another_temporary_folder_has_room(refused, tmp_path, monkeypatch):
    with tarfile.open(tmp_path / "pets.tar", "w") as file:
        file.add(write_pets(tmp_path / "pets"), "pets")
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractall", full_disk)
        with refused():
            read(tmp_path / "pets.tar")
    assert len(read(tmp_path / "pets.tar")) == 24


@pytest.mark.remedy("mend it, or leave such images out with data.on_bad_image: skip")
def test_a_broken_image_is_repaired_or_left_out(refused, tmp_path):
    broken = write_pets(tmp_path / "pets") / "train/cat/0.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:40])
    with refused():
        prepared(tmp_path / "pets", tmp_path / "out")
    assert prepared(tmp_path / "pets", tmp_path / "out", on_bad_image="skip")
    broken.write_bytes(whole)
    assert prepared(tmp_path / "pets", tmp_path / "out")


@pytest.mark.remedy("no image; each class needs some in each split")
def test_a_class_without_images_gets_some(refused, tmp_path):
    folder = write_pets(tmp_path)
    only = [*(folder / "test/dog").iterdir()]
    for path in only:
        path.rename(tmp_path / path.name)
    with refused():
        read(folder)
    for path in only:
        (tmp_path / path.name).rename(path)
    assert len(read(folder)) == 24


@pytest.mark.remedy("the classes are not those of the configuration")
def test_labels_are_set_to_the_folders(refused, tmp_path):
    folder = write_pets(tmp_path, ["cat", "cow"])
    with refused():
        read(folder)
    assert len(read(folder, PETS.model_copy(update={"labels": ["cat", "cow"]}))) == 24


@pytest.mark.remedy("the columns are not those of the configuration")
def test_labels_are_set_to_the_columns(refused, tmp_path):
    folder = write_faces(tmp_path, ["Bald", "Grins"])
    with refused():
        read(folder, FACES)
    assert len(read(folder, FACES.model_copy(update={"labels": ["Bald", "Grins"]}))) == 6


@pytest.mark.remedy("no training image has label")
def test_a_task_with_one_answer_is_left_out(refused, tmp_path):
    table = read(write_faces(tmp_path, smiling=[1] * 6), FACES)
    with refused():
        manifests.write(tmp_path / "m", table, FACES.labels, "Smiling", "resampled", "duplicated", 1)
    manifests.write(tmp_path / "m", table, FACES.labels, "Bald", "resampled", "duplicated", 1)


@pytest.mark.remedy("sharing needs two tasks")
def test_a_third_class_makes_a_second_task(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    folder = write_pets(tmp_path / "pets", count=10)
    with refused():
        new.write(new.look("pets", folder), tmp_path / "pets.yaml", tmp_path)
    write_pets(folder, ["cow"], count=10)
    new.write(new.look("pets", folder), tmp_path / "pets.yaml", tmp_path)
    assert config.load(tmp_path / "pets.yaml")


@pytest.mark.remedy("a process was killed, perhaps for lack of memory")
def test_one_worker_is_no_process_of_its_own(refused, tmp_path, monkeypatch):
    def killed(*_):
        raise BrokenProcessPool

    monkeypatch.setattr(prepare, "_IMAGES_PER_PROCESS", 1)
    monkeypatch.setattr(prepare.ProcessPoolExecutor, "submit", killed)
    folder = write_pets(tmp_path / "pets")
    with refused():
        prepare.prepare("pets", PETS, folder, "path", Variant(size=8), tmp_path / "out", "stop", 2)
    assert prepared(folder, tmp_path / "out")


@pytest.mark.remedy("torch cannot use the GPU here")
def test_the_cpu_is_taken_where_the_gpu_cannot_be_used(refused, monkeypatch):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device.torch.backends.cuda, "is_built", lambda: False)
    with refused():
        device.choose("cuda")
    assert device.choose("cpu").type == "cpu"

"""A disk that is full: one clear line, nothing half written, and the same call goes on when there is space."""

import mmap
import os
import subprocess
import tarfile
from contextlib import ExitStack, contextmanager

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from taskshare.cli import app
from taskshare.config import Dataset, Variant
from taskshare.data.archives import extracted
from taskshare.errors import TaskshareError
from taskshare.graph import OTHER_WEIGHTS, WEIGHTS
from taskshare.training import resume
from taskshare.training.job import train

PAGE = mmap.PAGESIZE  # bytes: what a tmpfs hands out at a time
CAPACITY = 256 * PAGE
WRITTEN = (WEIGHTS, OTHER_WEIGHTS, "history.parquet", "transfer.parquet", "timing.parquet", "provenance.json")
BIT_EQUAL = WRITTEN[:4]  # the others hold times


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 pages."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={CAPACITY}", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    # Lazily, for a failed test may have a file open.
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(disk, left):
    """Leave `left` bytes of a disk free for as long as the block runs."""
    free = os.statvfs(disk).f_bavail * PAGE
    filler = disk / "filler"
    filler.write_bytes(bytes(free - left))
    yield
    filler.unlink()


def room_for(contents):
    """Bytes of disk that files take."""
    return sum(-(-len(content) // PAGE) * PAGE for content in contents)


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def assert_full(done, path, kept=False):
    """The call ended with one line that names `path`; no half file is left, and none that takes space for nothing."""
    assert done.exit_code == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("taskshare: ")]
    assert lines == [f"taskshare: {path}: No space left on device; make space and call again; finished work is kept"]
    assert "Traceback" not in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert path.exists() == kept
    assert not list(path.parent.rglob("*.partial*"))


@pytest.fixture
def command_of(prepared, manifests_of):
    def command(run, out):
        options = ["train", "--run", run.model_dump_json(), "--prepared", prepared, "--out", out, "--device", "cpu"]
        return [*options, *(f"--manifests={path}" for path in manifests_of(run))]

    return command


@pytest.fixture
def undisturbed(make_run, prepared, manifests_of, tmp_path):
    def contents(run):
        train(run, prepared, manifests_of(run), tmp_path / "undisturbed", "cpu")
        return {name: (tmp_path / "undisturbed" / name).read_bytes() for name in WRITTEN}

    return contents


@pytest.mark.parametrize("file", WRITTEN)
def test_a_training_job_goes_on_when_there_is_space(file, make_run, command_of, undisturbed, small_disk):
    run = make_run("hard", training={"checkpoint_every": 3600})
    expected = undisturbed(run)
    command, out = command_of(run, small_disk / "out"), small_disk / "out"
    with filled(small_disk, room_for(expected[name] for name in WRITTEN[: WRITTEN.index(file)])):
        assert_full(call(*command), out / file)
    assert call(*command).exit_code == 0
    assert {name: (out / name).read_bytes() for name in BIT_EQUAL} == {name: expected[name] for name in BIT_EQUAL}


def test_a_disk_that_fills_in_the_middle_of_training_keeps_the_state_so_far(
    make_run, command_of, undisturbed, small_disk, monkeypatch
):
    run = make_run("hard", training={"iterations": 40, "checkpoint_every": 1e-6})
    expected = undisturbed(run)
    command, out = command_of(run, small_disk / "out"), small_disk / "out"
    save = resume.save
    with ExitStack() as until_there_is_space, monkeypatch.context() as patched:

        def fill_and_save(path, state):
            if state["progress"]["iteration"] == 26:
                until_there_is_space.enter_context(filled(small_disk, 0))
            save(path, state)

        patched.setattr(resume, "save", fill_and_save)
        assert_full(call(*command), next(out.glob("work-*")) / "checkpoint.pt", kept=True)
    second = call(*command)
    assert second.exit_code == 0
    assert "goes on after iteration 25 of 40" in second.stderr
    assert {name: (out / name).read_bytes() for name in BIT_EQUAL} == {name: expected[name] for name in BIT_EQUAL}


@pytest.fixture
def pictures(tmp_path):
    """Ten pictures each of cats and dogs."""
    folder = tmp_path / "pictures"
    for split in ("train", "test"):
        for label, value in (("cat", 40), ("dog", 200)):
            (folder / split / label).mkdir(parents=True)
            for number in range(10):
                picture = np.full((32, 32, 3), value + number, np.uint8)
                cv2.imwrite(str(folder / split / label / f"{number}.png"), picture)
    return folder


@pytest.mark.parametrize("file", ["train.npy", "test.npy", "train.parquet", "test.parquet", "facts.json"])
def test_a_preparation_goes_on_when_there_is_space(file, pictures, tmp_path, small_disk):
    variant = Variant(size=32, colour="rgb")
    dataset = Dataset(layout="classes", labels=["cat", "dog"], variants={})
    command = ["prepare", "--name", "pets", "--dataset", dataset.model_dump_json()]
    command += ["--variant", variant.model_dump_json(), "--source", pictures, "--out"]
    assert call(*command, tmp_path / "undisturbed").exit_code == 0
    expected = {path.name: path.read_bytes() for path in (tmp_path / "undisturbed").iterdir()}
    order = sorted(expected, key=lambda name: (tmp_path / "undisturbed" / name).stat().st_mtime_ns)
    out = small_disk / "out"
    with filled(small_disk, room_for(expected[name] for name in order[: order.index(file)])):
        assert_full(call(*command, out), out / file)
        # What is there under its final name is whole.
        assert all(path.read_bytes() == expected[path.name] for path in out.iterdir())
    assert call(*command, out).exit_code == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == expected


def test_an_archive_that_does_not_fit_is_one_line(tmp_path, small_disk):
    archive = tmp_path / "faces.tar"
    (tmp_path / "picture").write_bytes(bytes(2 * CAPACITY))
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "picture", "picture")
    with (
        pytest.raises(TaskshareError, match=r"faces\.tar: cannot be unpacked into .*: No space left on device"),
        extracted(archive, small_disk),
    ):
        pass
    assert not list(small_disk.iterdir())

"""What makes Snakemake prepare a data set again: another source, or other content of it."""

import os
from pathlib import Path

import pytest

from taskshare import config
from taskshare.graph import Graph

PARAMS = Path(__file__).parents[1] / "params.yaml"


@pytest.fixture
def fingerprint(tmp_path):
    """The fingerprint of a folder that stands as CIFAR-10, seen from a working folder."""
    (tmp_path / "work").mkdir()

    def of(source):
        params = config.load(PARAMS, {"cifar10": str(source)}, check_sources=False)
        return Graph(params, tmp_path / "work").source_fingerprint("cifar10")

    return of


def write(folder, content=b"12345"):
    (folder / "train" / "cat").mkdir(parents=True)
    (folder / "train" / "cat" / "1.png").write_bytes(content)
    os.utime(folder / "train" / "cat" / "1.png", (1000, 1000))
    return folder


def test_another_folder_of_images_is_seen(tmp_path, fingerprint):
    first, second = write(tmp_path / "A"), write(tmp_path / "B", b"1234567")
    assert fingerprint(first) != fingerprint(second)


@pytest.mark.parametrize("change", [
    lambda path: path.write_bytes(b"1234567"),
    lambda path: os.utime(path, (2000, 2000)),
    lambda path: path.rename(path.with_name("2.png")),
    lambda path: path.with_name("2.png").write_bytes(b""),
    lambda path: path.unlink(),
])  # fmt: skip
def test_other_content_of_a_folder_is_seen(change, tmp_path, fingerprint):
    folder = write(tmp_path / "A")
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    change(folder / "train" / "cat" / "1.png")
    assert fingerprint(folder) != before


def test_an_archive_that_was_replaced_by_an_older_one_is_seen(tmp_path, fingerprint):
    archive = tmp_path / "cifar.tar"
    archive.write_bytes(b"12345")
    before = fingerprint(archive)
    os.utime(archive, (1000, 1000))
    assert fingerprint(archive) != before


def test_what_travels_with_the_working_folder_has_other_times_in_a_clone(tmp_path, fingerprint):
    folder = write(tmp_path / "work" / "raw" / "A")
    before = fingerprint("raw/A")
    os.utime(folder / "train" / "cat" / "1.png", (2000, 2000))
    assert fingerprint("raw/A") == before


@pytest.mark.parametrize("kind", ["synthetic", "download"])
def test_generated_and_downloaded_data_have_rules_of_their_own(kind, fingerprint):
    assert fingerprint(kind) == ""

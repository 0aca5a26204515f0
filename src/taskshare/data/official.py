"""The official files of both data sets: their addresses and checksums, as torchvision lists them."""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taskshare.data import attributes_layout, classes_layout
from taskshare.data.torchvision_import import import_torchvision

DRIVE = "https://drive.usercontent.google.com/download?id={id}&export=download&confirm=t"
CELEBA_FILES = (attributes_layout.IMAGE_ARCHIVE, *attributes_layout.LABEL_FILES)


@dataclass(frozen=True)
class OfficialFile:
    """One file to fetch: its name, address and MD5 in hexadecimal."""

    name: str
    url: str
    md5: str


def official_files(name: Literal["celeba", "cifar10"]) -> list[OfficialFile]:
    """Return the files that a data set consists of, as it is published."""
    datasets = import_torchvision("datasets")
    if name == "cifar10":
        published = datasets.CIFAR10
        return [OfficialFile(classes_layout.ARCHIVE, published.url, published.tgz_md5)]
    listed = {file: OfficialFile(file, DRIVE.format(id=id), md5) for id, md5, file in datasets.CelebA.file_list}
    return [listed[file] for file in CELEBA_FILES]


def batch_checksums() -> dict[str, str]:
    """Return the MD5 of each file inside CIFAR-10's archive."""
    published = import_torchvision("datasets").CIFAR10
    return {**dict(published.train_list + published.test_list), published.meta["filename"]: published.meta["md5"]}


def md5(path: Path) -> str:
    """Return the MD5 of a file in hexadecimal; memory does not grow with the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def is_official_celeba(folder: Path, images: Path) -> bool:
    """Return whether label files and images are CelebA's official ones.

    Images that were unpacked before can only be judged if the official archive still lies beside them: each is then
    compared with the archive's checksum of it.

    Args:
        folder: Holds the label files and img_align_celeba.zip, all together or in the distribution's own folders.
        images: Holds the images.
    """
    for file in official_files("celeba"):
        path = attributes_layout.locate(folder, file.name)
        if path is None or md5(path) != file.md5:
            return False
    packed = attributes_layout.locate(folder, attributes_layout.IMAGE_ARCHIVE)
    assert packed is not None
    with zipfile.ZipFile(packed) as archive:
        checksums = {Path(entry.filename).name: entry.CRC for entry in archive.infolist() if not entry.is_dir()}
    present = {path.name: path for path in images.iterdir()}
    return present.keys() == checksums.keys() and all(
        zlib.crc32(path.read_bytes()) == checksums[name] for name, path in present.items()
    )


def is_official_cifar10(folder: Path) -> bool:
    """Return whether the batches in a folder are CIFAR-10's official ones."""
    checksums = batch_checksums()
    return all((folder / name).is_file() and md5(folder / name) == checksum for name, checksum in checksums.items())

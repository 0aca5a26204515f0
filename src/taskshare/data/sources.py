"""Raw data sets: an archive or folder in one of the two layouts, opened as a catalogue."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from taskshare.config import Dataset
from taskshare.data import attributes_layout, classes_layout, official
from taskshare.data.archives import extracted
from taskshare.data.catalogue import Catalogue
from taskshare.data.image_files import ImageFiles
from taskshare.errors import TaskshareError
from taskshare.files import sha256

SYNTHETIC = "SYNTHETIC.txt"


@contextmanager
def open_source(name: str, dataset: Dataset, path: Path) -> Iterator[Catalogue]:
    """Open a raw data set; what was unpacked for it is removed at the end.

    Args:
        name: The data set's name, for messages.
        dataset: Its layout and labels.
        path: An archive (.tar, .tar.gz, .tgz, .tar.xz, .zip) or a folder. The layout's files lie in its root or one
            level below; img_align_celeba.zip and cifar-10-python.tar.gz may still be packed.

    Raises:
        TaskshareError: if the archive is broken, the layout is not found, or a label file is wrong. A single image
            that is broken or lacks labels is no such error: it is listed in `Catalogue.bad`, or found by `load`.
    """
    with ExitStack() as stack:
        root = stack.enter_context(extracted(path))
        files = {} if path.is_dir() else {path.name: _facts(path)}
        if dataset.layout == "attributes":
            catalogue = _open_attributes(name, dataset, root, files, stack)
        else:
            catalogue = _open_classes(name, dataset, root, files, stack)
        if catalogue.table.empty:
            reason = f"; the first: {': '.join(catalogue.bad[0])}" if catalogue.bad else ""
            raise TaskshareError(f"{name}: {path} holds no usable image{reason}; see docs/reading-data.md")
        yield catalogue


def recognise(path: Path) -> tuple[Literal["attributes", "classes"], list[str]]:
    """Return the layout of a raw data set and its labels, as its files name them.

    Args:
        path: as of `open_source`.

    Raises:
        TaskshareError: if the archive is broken or holds neither layout.
    """
    with ExitStack() as stack:
        root = stack.enter_context(extracted(path))
        folder = _find(root, attributes_layout.is_layout)
        if folder is not None:
            return "attributes", attributes_layout.attribute_names(folder)
        folder = _find_classes(root, {}, stack)
        if folder is not None:
            return "classes", classes_layout.class_names(folder)
    raise TaskshareError(
        f"{path}: neither {attributes_layout.ATTRIBUTES} nor train/CLASS in it or one folder below; "
        "arrange the files as docs/own-data.md shows"
    )


def _open_attributes(name: str, dataset: Dataset, root: Path, files: dict[str, dict], stack: ExitStack) -> Catalogue:
    folder = _find(root, attributes_layout.is_layout)
    if folder is None:
        raise TaskshareError(
            f"{name}: no {attributes_layout.ATTRIBUTES} in the source or one folder below; give CelebA's files"
        )
    images = attributes_layout.locate_images(folder)
    if images is None:
        raise TaskshareError(
            f"{name}: neither {attributes_layout.IMAGES}/ nor {attributes_layout.IMAGE_ARCHIVE} beside the label "
            "files; add one"
        )
    archive = next(iter(sorted(folder.rglob(attributes_layout.IMAGE_ARCHIVE))), None)
    if archive is not None:
        files[archive.name] = _facts(archive)
    if images == archive:
        unpacked = stack.enter_context(extracted(archive))
        images = attributes_layout.locate_images(unpacked) or unpacked
    table, bad = attributes_layout.read(folder, images, dataset.labels)
    located = (attributes_layout.locate(folder, file) for file in attributes_layout.LABEL_FILES)
    files.update({path.name: _facts(path) for path in located if path is not None})
    synthetic = _is_synthetic(root, folder)
    return Catalogue(
        table=table,
        load=ImageFiles(images, upright=False),
        bad=bad,
        official=not synthetic and official.is_official_celeba(folder, images),
        synthetic=synthetic,
        files=files,
    )


def _open_classes(name: str, dataset: Dataset, root: Path, files: dict[str, dict], stack: ExitStack) -> Catalogue:
    folder = _find_classes(root, files, stack)
    if folder is None:
        raise TaskshareError(
            f"{name}: neither {classes_layout.META} nor train/CLASS in the source or one folder below; "
            "give CIFAR-10's Python version, or train/CLASS and test/CLASS"
        )
    synthetic = _is_synthetic(root, folder)
    bad: list[tuple[str, str]] = []
    if classes_layout.has_batches(folder):
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taskshare-")))
        table = classes_layout.read_batches(folder, dataset.labels, dataset.validation_fraction, work)
        files.update({file: _facts(folder / file) for file in classes_layout.BATCH_FILES})
        load: Callable = classes_layout.BatchRows(work)
        is_official = not synthetic and official.is_official_cifar10(folder)
    elif classes_layout.has_list(folder):
        table, bad = classes_layout.read_list(folder, dataset.labels, dataset.validation_fraction)
        load, is_official = ImageFiles(folder), False
        files[classes_layout.LIST] = _facts(folder / classes_layout.LIST)
    else:
        table, bad = classes_layout.read_folders(folder, dataset.labels, dataset.validation_fraction)
        load, is_official = ImageFiles(folder), False
    return Catalogue(table=table, load=load, bad=bad, official=is_official, synthetic=synthetic, files=files)


def _find_classes(root: Path, files: dict[str, dict], stack: ExitStack) -> Path | None:
    """Return the folder with the classes layout, unpacking CIFAR-10's archive, whose facts go into `files`."""
    archive = root / classes_layout.ARCHIVE
    if archive.is_file() and _find(root, _is_classes) is None:
        files[archive.name] = _facts(archive)
        root = stack.enter_context(extracted(archive))
    return _find(root, _is_classes)


def _is_classes(folder: Path) -> bool:
    readers = (classes_layout.has_batches, classes_layout.has_list, classes_layout.has_folders)
    return any(has(folder) for has in readers)


def _find(root: Path, is_layout: Callable[[Path], bool]) -> Path | None:
    """Return the first folder of `root` and those one level below that has the layout."""
    below = sorted(entry for entry in root.iterdir() if entry.is_dir())
    return next((folder for folder in (root, *below) if is_layout(folder)), None)


def _is_synthetic(*folders: Path) -> bool:
    return any((folder / SYNTHETIC).exists() for folder in folders)


def _facts(path: Path) -> dict:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}

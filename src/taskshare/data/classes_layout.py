"""CIFAR-10's files: the official Python batches, or one folder of images per class.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taskshare import seeds
from taskshare.data.image_files import SUFFIXES, is_ignored, is_image, walk
from taskshare.errors import TaskshareError

ARCHIVE = "cifar-10-python.tar.gz"
META = "batches.meta"
TRAINING_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "test_batch"
BATCH_FILES = (*TRAINING_BATCHES, TEST_BATCH, META)
LIST = "trainLabels.csv"
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of the folders that hold classes, in any case, and their splits."""
WITHOUT_TEST = 0.2
"""Share of each class that becomes the test images where a source has none and no other share is asked for."""

_SHAPE = (3, 32, 32)  # of one image in a batch: red, green and blue planes
_BYTES = 3 * 32 * 32


def has_batches(folder: Path) -> bool:
    """Return whether a folder holds the official Python batches."""
    return (folder / META).is_file()


def has_folders(folder: Path) -> bool:
    """Return whether a folder holds train/CLASS."""
    return any(split == "train" and len(_class_folders(path)) > 1 for path, split in _split_folders(folder).items())


def class_names(folder: Path) -> list[str]:
    """Return the classes of a folder with batches, in their order, or with train/CLASS, by name."""
    if has_batches(folder):
        return list(_unpickle(folder / META).get("label_names", []))
    if has_list(folder):
        return sorted(_listed(folder)["label"].unique())
    return next(_class_folders(path) for path, split in _split_folders(folder).items() if split == "train")


def _split_folders(folder: Path) -> dict[Path, str]:
    """Return the folders of splits with their splits, by name."""
    entries = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    return {entry: SPLIT_FOLDERS[name] for entry in entries if (name := entry.name.lower()) in SPLIT_FOLDERS}


@dataclass(frozen=True)
class BatchRows:
    """Loads images of the batches by id ("data_batch_1/17"), as `Catalogue.load` asks for.

    `folder` holds, under each batch's name, its images as plain bytes one after the other.
    """

    folder: Path

    def __call__(self, id: str) -> np.ndarray:
        """Return an image as uint8 RGB (32, 32, 3)."""
        batch, row = id.split("/")
        with (self.folder / batch).open("rb") as file:
            file.seek(int(row) * _BYTES)
            planes = np.frombuffer(file.read(_BYTES), np.uint8).reshape(_SHAPE)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))


def read_batches(folder: Path, labels: Sequence[str], validation_fraction: float, work: Path) -> pd.DataFrame:
    """Read the official batches, one at a time, without running code that a pickle may carry.

    Args:
        folder: Holds the batches.
        labels: The classes; the names in batches.meta must be these, in any order.
        validation_fraction: Share of each class's training images that is held out.
        work: An empty folder that gets the images as `BatchRows` reads them.

    Returns:
        The table of `Catalogue`.

    Raises:
        TaskshareError: if a batch is missing, is no pickle of plain arrays, or has wrong content.
    """
    missing = [name for name in BATCH_FILES if not (folder / name).is_file()]
    if missing:
        raise TaskshareError(f"{folder.name}: the batches are not whole, missing: {', '.join(missing)}; fetch it again")
    names = _unpickle(folder / META).get("label_names", [])
    _check_classes(META, names, labels)
    to_class = np.array([labels.index(name) for name in names], np.int8)

    tables = []
    for batch in (*TRAINING_BATCHES, TEST_BATCH):
        content = _unpickle(folder / batch)
        images, classes = content.get("data"), np.asarray(content.get("labels"))
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (_BYTES,):
            raise TaskshareError(f"{batch}: 'data' is not a uint8 array of {_BYTES} columns; fetch it again")
        if classes.shape != (len(images),) or not np.isin(classes, range(len(names))).all():
            raise TaskshareError(f"{batch}: 'labels' are not {len(images)} classes 0 to {len(names) - 1}; fetch again")
        np.ascontiguousarray(images).tofile(work / batch)
        ids = [f"{batch}/{row}" for row in range(len(images))]
        split = "test" if batch == TEST_BATCH else "train"
        tables.append(pd.DataFrame({"id": ids, "split": split, "class": to_class[classes]}))
    return _hold_out(pd.concat(tables), validation_fraction)


def read_folders(
    folder: Path, labels: Sequence[str], validation_fraction: float
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """List the images of SPLIT/CLASS, in whatever subfolders they lie; other arguments and errors as in `read_batches`.

    The folders `validation`, `valid` and `val` hold the validation images. Without them a share of the training images
    is held out, and without `test` as large a share, or a fifth, becomes the test images.

    Returns:
        The table of `Catalogue`, and what lies there and is not read, each with the reason.
    """
    rows: list[tuple[str, str, int]] = []
    unread: list[tuple[str, str]] = []
    folders = _split_folders(folder)
    for other in sorted(set(folder.iterdir()) - set(folders)):
        if not is_ignored(other.name) and (other.is_dir() or is_image(other.name)):
            unread.append((other.name, f"not in a folder of a split ({', '.join(SPLIT_FOLDERS)})"))
    for entry, split in folders.items():
        _check_classes(entry.name, _class_folders(entry), labels)
        before = len(rows)
        for name in walk(entry):
            label, _, below = name.partition("/")
            path = f"{entry.name}/{name}"
            if not below:
                unread.append((path, "not in a folder of a class"))
            elif is_image(name):
                rows.append((path, split, labels.index(label)))
            else:
                unread.append((path, f"not an image of a format that is read ({', '.join(SUFFIXES)})"))
        empty = set(range(len(labels))) - {row[2] for row in rows[before:]}
        if empty:
            raise TaskshareError(f"{entry.name}/{labels[min(empty)]}: no image; each class needs some in each split")
    table = pd.DataFrame(rows, columns=["id", "split", "class"]).astype({"class": np.int8})
    splits = set(table["split"])
    if "test" not in splits:
        table = _hold_out(table, validation_fraction or WITHOUT_TEST, "test")
    if "validation" not in splits:
        table = _hold_out(table, validation_fraction)
    return table.sort_values("id", ignore_index=True), unread


def has_list(folder: Path) -> bool:
    """Return whether a folder holds train/ and the labels of its images in a CSV, as Kaggle's CIFAR-10 has."""
    return (folder / LIST).is_file() and (folder / "train").is_dir()


def read_list(
    folder: Path, labels: Sequence[str], validation_fraction: float
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """List the images of train/ with the labels of trainLabels.csv; as `read_folders` without a folder `test`.

    Kaggle's test images have no labels, and are not read.
    """
    listed = _listed(folder)
    _check_classes(LIST, sorted(listed["label"].unique()), labels)
    stored = {Path(name).stem: name for name in walk(folder / "train") if is_image(name)}
    ids = listed["id"].astype(str)
    unread = [(f"train/{name}", f"no row in {LIST}") for stem, name in stored.items() if stem not in set(ids)]
    unread += [(f"train/{id}", "no such image") for id in ids if id not in stored]
    table = pd.DataFrame(
        {
            "id": [f"train/{stored[id]}" for id in ids if id in stored],
            "split": "train",
            "class": [labels.index(label) for id, label in zip(ids, listed["label"], strict=True) if id in stored],
        }
    ).astype({"class": np.int8})
    table = _hold_out(table, validation_fraction or WITHOUT_TEST, "test")
    return _hold_out(table, validation_fraction), unread


def _listed(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / LIST, dtype=str, encoding="utf-8-sig")
    if list(table.columns) != ["id", "label"] or table["id"].duplicated().any() or table.isna().any(axis=None):
        raise TaskshareError(f"{LIST}: needs the columns id and label, a label for each id and each id once; mend it")
    return table


def _class_folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not is_ignored(entry.name))


def _hold_out(table: pd.DataFrame, fraction: float, split: str = "validation") -> pd.DataFrame:
    """Sort by id, and move a share of each class's training images to another split, drawn by their ids.

    Raises:
        TaskshareError: if a class would have no training image left, or none in the other split.
    """
    table = table.sort_values("id", ignore_index=True)
    training = table[table["split"] == "train"]
    for _, of_class in training.groupby("class") if fraction else ():
        drawn = sorted((seeds.derive(0, split, id), row) for row, id in of_class["id"].items())
        count = round(fraction * len(drawn))
        if not 0 < count < len(drawn):
            raise TaskshareError(
                f"{of_class['id'].iloc[0]}: of the {len(drawn)} training images of its class, a share of {fraction:g} "
                f"cannot be held out for {split}; add images of that class, or a folder {split}/"
            )
        table.loc[[row for _, row in drawn[:count]], "split"] = split
    return table


def _check_classes(where: str, names: Sequence[str], labels: Sequence[str]) -> None:
    unknown, missing = sorted(set(names) - set(labels)), [label for label in labels if label not in names]
    if unknown or missing:
        problems = [
            f"{what}: {', '.join(found)}" for what, found in (("unknown", unknown), ("missing", missing)) if found
        ]
        raise TaskshareError(f"{where}: the classes are not those of the configuration; {'; '.join(problems)}")


def _unpickle(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = _PlainUnpickler(file, encoding="latin1").load()  # written by Python 2
    except TaskshareError as error:
        raise TaskshareError(f"{path.name}: {error}") from None
    # A damaged pickle can fail in nearly any way.
    except Exception as error:
        raise TaskshareError(f"{path.name}: not a whole batch ({type(error).__name__}); fetch it again") from None
    if not isinstance(content, dict):
        raise TaskshareError(f"{path.name}: not a batch of CIFAR-10: it holds no dictionary; fetch it again")
    return content


class _PlainUnpickler(pickle.Unpickler):
    """Reads plain values and NumPy arrays; whatever else a pickle asks for is refused before it runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")):
            return _empty_array
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return _dtype
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        raise TaskshareError(f"asks for the code {module}.{name}, so it is not read; take the official file")


def _empty_array(*_: Any) -> np.ndarray:
    """Stand for NumPy's `_reconstruct`: an array whose shape, type and content the pickle then sets."""
    return np.ndarray.__new__(np.ndarray, (0,), np.uint8)


def _dtype(kind: str, align: int = 0, copy: int = 0) -> np.dtype:
    """Stand for `numpy.dtype`: old pickles give its flags as integers, which newer NumPy warns of."""
    return np.dtype(kind)


def _latin1(text: str, encoding: str) -> bytes:
    """Stand for `codecs.encode`, by which Python 3 writes bytes in the old protocol."""
    return text.encode("latin1")

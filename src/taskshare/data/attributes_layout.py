"""CelebA's files: images, attributes, landmarks, partition and identities, joined by file name.

Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015; the files are described in the data set's README.
"""

import csv
import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from taskshare.data.catalogue import LANDMARK_COLUMNS
from taskshare.data.image_files import is_image
from taskshare.errors import TaskshareError

IMAGES = "img_align_celeba"
IMAGE_ARCHIVE = "img_align_celeba.zip"
ATTRIBUTES = "list_attr_celeba.txt"
LANDMARK_FILE = "list_landmarks_align_celeba.txt"
PARTITION = "list_eval_partition.txt"
IDENTITIES = "identity_CelebA.txt"
LABEL_FILES = (ATTRIBUTES, LANDMARK_FILE, PARTITION, IDENTITIES)

_SPLITS = np.array(["train", "validation", "test"])  # as the partition file numbers them
_CHUNK = 20_000  # rows of a file in memory as text at once


def is_layout(folder: Path) -> bool:
    """Return whether a folder holds CelebA's attribute file."""
    return (folder / ATTRIBUTES).is_file()


def attribute_names(folder: Path) -> list[str]:
    """Return the attributes that a folder's attribute file lists, in its order."""
    with (folder / ATTRIBUTES).open(encoding="utf-8") as file:
        head = [line.split() for line in islice(file, 2)]
    return head[1] if len(head) > 1 else []


def read(folder: Path, images: Path, labels: Sequence[str]) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Read the label files and join them with the images by file name, whatever the order of rows.

    Args:
        folder: Holds the label files; identity_CelebA.txt may be missing.
        images: Holds the images.
        labels: The attributes that the file must have, in the order of the columns that are returned.

    Returns:
        The table of `Catalogue`, and the ids left out with their reasons: an image without a row in one of the files,
        a row without an image, an id that a file lists twice.

    Raises:
        TaskshareError: if a file is missing or its content is wrong; names the file and line.
    """
    tables = {
        ATTRIBUTES: _read_labels(folder / ATTRIBUTES, labels),
        LANDMARK_FILE: read_rows(folder / LANDMARK_FILE, LANDMARK_COLUMNS, np.float32, header=True),
        PARTITION: read_rows(folder / PARTITION, ["partition"], np.int8, allowed=(0, 1, 2)),
    }
    identities = pd.DataFrame({"identity": pd.Series(dtype=np.int32)})
    if (folder / IDENTITIES).exists():
        identities = read_rows(folder / IDENTITIES, ["identity"], np.int32)

    with os.scandir(images) as entries:
        names = {entry.name for entry in entries if is_image(entry.name)}
    ids = pd.Index(sorted(names.union(*(table.index for table in tables.values()))), dtype=object)
    problems = {f"no image in {IMAGES}": ~ids.isin(names)}
    for name, table in {**tables, IDENTITIES: identities}.items():
        problems[f"listed more than once in {name}"] = ids.isin(table.index[table.index.duplicated()])
        if name != IDENTITIES:
            problems[f"no row in {name}"] = ~ids.isin(table.index)
    faulty = np.logical_or.reduce(list(problems.values()))
    bad = [
        (ids[row], "; ".join(reason for reason, mask in problems.items() if mask[row]))
        for row in np.flatnonzero(faulty).tolist()
    ]

    good = ids[~faulty]
    columns = pd.concat([tables[ATTRIBUTES].loc[good], tables[LANDMARK_FILE].loc[good]], axis=1)
    known = identities[~identities.index.duplicated()]
    columns["identity"] = known["identity"].reindex(good, fill_value=-1).astype(np.int32)
    split = _SPLITS[tables[PARTITION].loc[good, "partition"].to_numpy()]
    table = pd.concat([pd.DataFrame({"id": good.to_list(), "split": split}), columns.reset_index(drop=True)], axis=1)
    return table, bad


def _read_labels(path: Path, labels: Sequence[str]) -> pd.DataFrame:
    """Return the attributes as int8, 0 or 1; the file codes them as -1 and 1, or as 0 and 1."""
    rows = read_rows(path, labels, np.int8, header=True, allowed=(-1, 0, 1))
    coded = rows.to_numpy()
    if (coded == -1).any() and (coded == 0).any():
        id = rows.index[int((coded == 0).any(axis=1).argmax())]
        raise TaskshareError(f"{path.name}, {id}: the value 0 in a file of -1 and 1; use one pair of values throughout")
    return pd.DataFrame((coded == 1).astype(np.int8), index=rows.index, columns=rows.columns)


def read_rows(
    path: Path,
    columns: Sequence[str],
    dtype: type[np.number],
    *,
    header: bool = False,
    allowed: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Read a file of `FILE VALUE VALUE ...` rows.

    Args:
        path: The file. With a header its first line is the number of rows and its second the columns' names.
        columns: The columns' names, in the order in which they are returned.
        dtype: The type of the values that are returned.
        header: Whether the file has the two lines of a header.
        allowed: The values that may stand in the file; any finite number by default.

    Returns:
        The values, one row per row of the file; the index is the image's file name, as listed.

    Raises:
        TaskshareError: names the file and line where the content is wrong.
    """
    skip = 2 if header else 0
    try:
        with path.open(encoding="utf-8") as file:
            head = [line.split() for line in islice(file, skip + 1)]
        found = _check_header(path.name, head, columns) if header else list(columns)
        if len(head) <= skip:
            raise TaskshareError(f"{path.name}: holds no rows; take the whole file")
        # The first row sets pandas' number of columns: a longer row is then an error, a shorter one ends in NaN.
        if len(head[skip]) != len(found) + 1:
            raise TaskshareError(_describe_row(path, skip + 1, found, allowed))
        parts = []
        with pd.read_csv(
            path,
            sep=r"\s+",
            header=None,
            skiprows=skip,
            dtype={0: str},
            skip_blank_lines=False,
            quoting=csv.QUOTE_NONE,
            chunksize=_CHUNK,
        ) as chunks:
            for chunk in chunks:
                rows = chunk[chunk[0].notna()]  # without blank lines
                values = rows.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy()
                right = np.isfinite(values) if allowed is None else np.isin(values, allowed)
                if not right.all():
                    first = rows.index[int(right.all(axis=1).argmin())]
                    raise TaskshareError(_describe_row(path, first + skip + 1, found, allowed))
                index = pd.Index(rows[0].to_list(), dtype=object, name="id")
                parts.append(pd.DataFrame(values.astype(dtype), index=index, columns=found)[list(columns)])
    except FileNotFoundError:
        raise TaskshareError(f"{path.name}: no such file in the source; put it beside {ATTRIBUTES}") from None
    except UnicodeDecodeError:
        raise TaskshareError(f"{path.name}: not a text file; fetch it again") from None
    except pd.errors.ParserError as error:
        line = re.search(r"line (\d+)", str(error))
        raise TaskshareError(
            _describe_row(path, int(line[1]), found, allowed) if line else f"{path.name}: {error}"
        ) from None

    table = pd.concat(parts)
    if header and len(table) != int(head[0][0]):
        raise TaskshareError(
            f"{path.name}, line 1: says {head[0][0]} images, but {len(table)} rows follow; take the whole file"
        )
    return table


def _check_header(name: str, head: list[list[str]], columns: Sequence[str]) -> list[str]:
    """Return the columns' names in the file's order."""
    if not head or len(head[0]) != 1 or not head[0][0].isdecimal():
        raise TaskshareError(f"{name}, line 1: not the number of images; take the file as it was published")
    found = head[1] if len(head) > 1 else []
    unknown, missing = [c for c in found if c not in columns], [c for c in columns if c not in found]
    if unknown or missing or len(found) != len(columns):
        problems = [
            f"{what} {', '.join(names)}"
            for what, names in [
                ("unknown:", unknown),
                ("missing:", missing),
                ("twice:", sorted({column for column in found if found.count(column) > 1})),
            ]
            if names
        ]
        raise TaskshareError(f"{name}, line 2: the columns are not those of the configuration; {'; '.join(problems)}")
    return found


def _describe_row(path: Path, number: int, columns: Sequence[str], allowed: Sequence[int] | None) -> str:
    """Return in one line what is wrong with a row; `number` is its line, from 1."""
    with path.open(encoding="utf-8") as file:
        id, *values = (next(islice(file, number - 1, None)).split()) or ["blank"]
    where = f"{path.name}, line {number} ({id})"
    if len(values) != len(columns):
        return f"{where}: {len(values)} values, but {len(columns)} columns; mend the row"
    expected = "a number" if allowed is None else f"one of {', '.join(map(str, allowed))}"
    for column, text in zip(columns, values, strict=True):
        value = pd.to_numeric(text, errors="coerce")
        if not (np.isfinite(value) if allowed is None else value in allowed):
            return f"{where}: {column} is '{text}', not {expected}; mend the row"
    return f"{where}: cannot be read as numbers; mend the row"

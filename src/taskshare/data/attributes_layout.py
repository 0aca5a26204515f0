"""CelebA's files: images, attributes, landmarks, partition and identities, joined by file name.

Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015; the files are described in the data set's README.
"""

import csv
import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
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
PLACES = ("", "Anno", "Eval", "Img")
"""Folders that hold the files: the official distribution has three of them, repackagings have one."""
IMAGE_FOLDERS = (IMAGES, f"{IMAGES}/{IMAGES}", f"{IMAGES}_png", f"{IMAGES}_png/{IMAGES}_png")

_SPLITS = np.array(["train", "validation", "test"])  # as the partition file numbers them
_CHUNK = 20_000  # rows of a file in memory as text at once


def locate(folder: Path, name: str) -> Path | None:
    """Return where a label file lies, as the text file that CelebA has or as the CSV of a repackaging."""
    names = (name, str(Path(name).with_suffix(".csv")))
    return next((path for place in PLACES for file in names if (path := folder / place / file).is_file()), None)


def locate_images(folder: Path) -> Path | None:
    """Return the folder that holds the images, or their archive where nothing is unpacked; None without either."""
    folders = [path for place in PLACES for name in IMAGE_FOLDERS if (path := folder / place / name).is_dir()]
    filled = [path for path in folders if any(is_image(entry.name) for entry in path.iterdir())]
    archives = [path for place in PLACES if (path := folder / place / IMAGE_ARCHIVE).is_file()]
    return next(iter([*filled, *archives, *folders]), None)


def is_layout(folder: Path) -> bool:
    """Return whether a folder holds CelebA's attribute file."""
    return locate(folder, ATTRIBUTES) is not None


def attribute_names(folder: Path) -> list[str]:
    """Return the attributes that a folder's attribute file lists, in its order."""
    path = locate(folder, ATTRIBUTES)
    assert path is not None
    header = Format.of(path).head(path)
    return header[-1][1:] if path.suffix == ".csv" else header[1]


def read(folder: Path, images: Path, labels: Sequence[str]) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Read the label files and join them with the images by file name, whatever the order of rows.

    Args:
        folder: Holds the label files; those of landmarks and identities may be missing.
        images: Holds the images.
        labels: The attributes that the file must have, in the order of the columns that are returned.

    Returns:
        The table of `Catalogue`, and the ids left out with their reasons: an image without a row in one of the files,
        a row without an image, an id that a file lists twice.

    Raises:
        TaskshareError: if a file is missing or its content is wrong; names the file and line.
    """
    places = {name: locate(folder, name) for name in LABEL_FILES}
    tables = {ATTRIBUTES: _read_labels(places[ATTRIBUTES] or folder / ATTRIBUTES, labels)}
    landmarks, identities = places[LANDMARK_FILE], pd.DataFrame({"identity": pd.Series(dtype=np.int32)})
    if landmarks is not None:
        tables[LANDMARK_FILE] = read_rows(landmarks, LANDMARK_COLUMNS, np.float32, header=True)
    partition = places[PARTITION] or folder / PARTITION
    tables[PARTITION] = read_rows(partition, ["partition"], np.int8, allowed=(0, 1, 2))
    if (path := places[IDENTITIES]) is not None:
        identities = read_rows(path, ["identity"], np.int32)

    with os.scandir(images) as entries:
        names = {entry.name for entry in entries if is_image(entry.name)}
    _rename(names, [*tables.values(), identities])
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
    columns = pd.concat([tables[name].loc[good] for name in (ATTRIBUTES, LANDMARK_FILE) if name in tables], axis=1)
    known = identities[~identities.index.duplicated()]
    columns["identity"] = known["identity"].reindex(good, fill_value=-1).astype(np.int32)
    split = _SPLITS[tables[PARTITION].loc[good, "partition"].to_numpy()]
    table = pd.concat([pd.DataFrame({"id": good.to_list(), "split": split}), columns.reset_index(drop=True)], axis=1)
    return table, bad


def _rename(names: set[str], tables: Sequence[pd.DataFrame]) -> None:
    """Let tables name images as they are stored: CelebA's PNG variant has labels for the JPEG files' names."""
    listed = set(itertools.chain(*(table.index for table in tables)))
    stored = {Path(name).stem: name for name in names}
    if names & listed or not names or len(stored) < len(names):
        return
    for table in tables:
        table.index = pd.Index([stored.get(Path(name).stem, name) for name in table.index], dtype=object, name="id")


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
        path: The file. With a header its first line is the number of rows and its second the columns' names. A CSV has
            one line of names instead, and may separate by commas, semicolons or tabs.
        columns: The columns' names, in the order in which they are returned.
        dtype: The type of the values that are returned.
        header: Whether the file has the two lines of a header.
        allowed: The values that may stand in the file; any finite number by default.

    Returns:
        The values, one row per row of the file; the index is the image's file name, as listed.

    Raises:
        TaskshareError: names the file and line where the content is wrong.
    """
    form = Format.of(path, header)
    try:
        head = form.head(path)
        found = _check_header(path.name, head, columns, form) if form.skip else list(columns)
        if len(head) <= form.skip:
            raise TaskshareError(f"{path.name}: holds no rows; take the whole file")
        # The first row sets pandas' number of columns: a longer row is then an error, a shorter one ends in NaN.
        if len(head[form.skip]) != len(found) + 1:
            raise TaskshareError(_describe_row(path, form, form.skip + 1, found, allowed))
        parts = []
        with pd.read_csv(
            path,
            sep=form.separator or r"\s+",
            header=None,
            skiprows=form.skip,
            dtype={0: str},
            skip_blank_lines=False,
            quoting=csv.QUOTE_NONE,
            encoding=ENCODING,
            chunksize=_CHUNK,
        ) as chunks:
            for chunk in chunks:
                rows = chunk[chunk[0].notna()]  # without blank lines
                values = rows.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy()
                right = np.isfinite(values) if allowed is None else np.isin(values, allowed)
                if not right.all():
                    first = rows.index[int(right.all(axis=1).argmin())]
                    raise TaskshareError(_describe_row(path, form, first + form.skip + 1, found, allowed))
                index = pd.Index(rows[0].str.strip().to_list(), dtype=object, name="id")
                parts.append(pd.DataFrame(values.astype(dtype), index=index, columns=found)[list(columns)])
    except FileNotFoundError:
        raise TaskshareError(f"{path.name}: no such file in the source; put it beside {ATTRIBUTES}") from None
    except UnicodeDecodeError:
        raise TaskshareError(f"{path.name}: not a text file; fetch it again") from None
    except pd.errors.ParserError as error:
        line = re.search(r"line (\d+)", str(error))
        raise TaskshareError(
            _describe_row(path, form, int(line[1]), found, allowed) if line else f"{path.name}: {error}"
        ) from None

    table = pd.concat(parts)
    if form.counts and len(table) != int(head[0][0]):
        raise TaskshareError(
            f"{path.name}, line 1: says {head[0][0]} images, but {len(table)} rows follow; take the whole file"
        )
    return table


ENCODING = "utf-8-sig"
"""UTF-8 with or without a byte order mark, which some editors and spreadsheets write."""


@dataclass(frozen=True)
class Format:
    """How a label file is written.

    Attributes:
        separator: Between values; None: any spaces.
        skip: Lines before the first row.
        counts: Whether the first line is the number of rows.
    """

    separator: str | None
    skip: int
    counts: bool

    @classmethod
    def of(cls, path: Path, header: bool = True) -> "Format":
        """Return the format of a file: a CSV has one line of names, CelebA's own files with a header have two lines."""
        if path.suffix.lower() != ".csv" or not path.is_file():
            return cls(None, 2 if header else 0, header)
        with path.open(encoding=ENCODING, errors="replace") as file:
            first = file.readline()
        return cls(max(",;\t", key=first.count), 1, False)

    def split(self, line: str) -> list[str]:
        """Return the values of a line."""
        if self.separator is None:
            return line.split()
        return [part.strip().strip('"') for part in line.rstrip("\n").split(self.separator)] if line.strip() else []

    def head(self, path: Path) -> list[list[str]]:
        """Return the values of the lines before the first row, and of the first row."""
        with path.open(encoding=ENCODING) as file:
            return [self.split(line) for line in islice(file, self.skip + 1)]


def _check_header(name: str, head: list[list[str]], columns: Sequence[str], form: Format) -> list[str]:
    """Return the columns' names in the file's order."""
    if form.counts and (not head or len(head[0]) != 1 or not head[0][0].isdecimal()):
        raise TaskshareError(f"{name}, line 1: not the number of images; take the file as it was published")
    names = head[form.skip - 1] if len(head) >= form.skip else []
    found = names if form.counts else names[1:]  # a CSV names the column of the images too
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
        raise TaskshareError(
            f"{name}, line {form.skip}: the columns are not those of the configuration; {'; '.join(problems)}"
        )
    return found


def _describe_row(path: Path, form: Format, number: int, columns: Sequence[str], allowed: Sequence[int] | None) -> str:
    """Return in one line what is wrong with a row; `number` is its line, from 1."""
    with path.open(encoding=ENCODING) as file:
        id, *values = form.split(next(islice(file, number - 1, None))) or ["blank"]
    where = f"{path.name}, line {number} ({id})"
    if len(values) != len(columns):
        return f"{where}: {len(values)} values, but {len(columns)} columns; mend the row"
    expected = "a number" if allowed is None else f"one of {', '.join(map(str, allowed))}"
    for column, text in zip(columns, values, strict=True):
        value = pd.to_numeric(text, errors="coerce")
        if not (np.isfinite(value) if allowed is None else value in allowed):
            return f"{where}: {column} is '{text}', not {expected}; mend the row"
    return f"{where}: cannot be read as numbers; mend the row"

"""A picture of what each task sees: prepared images with label 1 and with label 0, to be checked by eye."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from taskshare import files
from taskshare.config.tasks import ATTRIBUTES, LANDMARKS
from taskshare.data.arrays import ImageArray
from taskshare.data.catalogue import PREPARED_LANDMARKS
from taskshare.data.labels import task_labels

_IMAGES = 8  # of each label
_CELL = 64  # height and width of an image in the picture
_NAMES = 200  # width of the column of task names
_GAP = 24  # between the labels, and height of the heading


def draw_contact_sheet(folder: Path, labels: Sequence[str], tasks: Sequence[str], out: Path) -> None:
    """Draw a PNG with one row per task: its name, eight images with label 1, eight images with label 0.

    The images lie evenly over the training split; where a label has fewer than eight, the rest stays white. `landmarks`
    has sixteen images with their points, and `attributes` a row for every fifth attribute.

    Args:
        folder: Prepared data of one variant.
        labels: The data set's attributes or classes, in the files' order.
        tasks: Attributes, pairs of classes FIRST.SECOND, or joint tasks.
        out: The PNG.

    Raises:
        TaskshareError: the prepared images are missing or damaged.
    """
    images = ImageArray(folder / "train.npy")
    table = pd.read_parquet(folder / "train.parquet")
    rows = list(dict.fromkeys(itertools.chain(*(labels[::5] if task == ATTRIBUTES else [task] for task in tasks))))
    width = _NAMES + 2 * _IMAGES * _CELL + _GAP
    sheet = np.full((_GAP + len(rows) * _CELL, width, 3), 255, np.uint8)
    lefts = {1: _NAMES, 0: _NAMES + _IMAGES * _CELL + _GAP}
    for label, left in lefts.items():
        _write(sheet, f"label {label}", left, _GAP - 8)
    for row, task in enumerate(rows):
        top = _GAP + row * _CELL
        _write(sheet, task, 4, top + _CELL // 2)
        # Sixteen faces with their points stand in the places of both labels.
        found = task == LANDMARKS
        values = np.arange(len(table)) % 2 if found else task_labels(table, labels, task)
        for label, left in lefts.items():
            chosen = np.flatnonzero(values == label)
            count = min(_IMAGES, len(chosen))
            chosen = chosen[(2 * np.arange(count) + 1) * len(chosen) // (2 * max(count, 1))]
            for column, image in enumerate(images.read(chosen)):
                large = cv2.resize(image, (_CELL, _CELL), interpolation=cv2.INTER_AREA).reshape(_CELL, _CELL, -1)
                cell = sheet[top : top + _CELL, left + column * _CELL : left + (column + 1) * _CELL]
                cell[:] = large
                if found:
                    points = table.loc[chosen[column], list(PREPARED_LANDMARKS)].to_numpy(np.float64).reshape(-1, 2)
                    for x, y in ((points + 0.5) * _CELL / len(image)).round().astype(int).tolist():
                        cv2.circle(cell, (x, y), 2, (220, 0, 0), -1)
    with files.atomic(out) as partial:
        partial.write_bytes(cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())


def _write(sheet: np.ndarray, text: str, left: int, bottom: int) -> None:
    cv2.putText(sheet, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)

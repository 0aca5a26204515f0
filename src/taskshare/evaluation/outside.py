"""A checkpoint on images that are not its own: another source, or a folder of pictures."""

import csv
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from taskshare import config, files
from taskshare.data import attributes_layout, image_files
from taskshare.data.align import LandmarkError
from taskshare.data.catalogue import LANDMARK_COLUMNS, BadImageError
from taskshare.data.images import prepare_image
from taskshare.data.prepare import prepare
from taskshare.errors import TaskshareError
from taskshare.evaluation import scoring
from taskshare.evaluation.landmark_errors import from_fractions, to_original
from taskshare.networks import outputs, weights
from taskshare.networks.inference import logits, open_checkpoint, probabilities

BLOCK = 64
# Where an image has no landmarks, these points stand for the way from it to its prepared image.
MARKS = np.array([[0, 0], [100, 0], [50, 50], [0, 100], [100, 100]], np.float32)


def evaluate_source(
    checkpoint: Path,
    source: Path,
    split: config.Split,
    out: Path | None,
    on_bad_image: Literal["stop", "skip"],
    wanted_device: str = "auto",
) -> dict[str, Any]:
    """Evaluate a checkpoint on a split of any source in the layout of the checkpoint's own data set.

    The images are prepared as the checkpoint's run prepared its own, into a temporary folder.

    Args:
        checkpoint: weights.safetensors of a run.
        source: archive or folder.
        split: `train`, `validation` or `test` of that source.
        out: folder for scores.parquet and metrics.json, or None to keep neither.
        on_bad_image: `stop` or `skip`.
        wanted_device: `auto`, `cpu` or `cuda`.

    Returns:
        The content of metrics.json.

    Raises:
        TaskshareError: as `prepare` and `scoring.evaluate` do.
    """
    run, _ = weights.load(checkpoint)
    dataset = config.Dataset(layout=run.layout, labels=run.labels, variants={run.variant_name: run.variant})
    with tempfile.TemporaryDirectory(prefix="taskshare-") as folder:
        work = Path(folder)
        prepare(run.dataset, dataset, source, "path", run.variant, work, on_bad_image, 1, (split,))
        for name, reason in files.read_json(work / "facts.json")["left_out"]:
            print(f"left out: {name}: {reason}", file=sys.stderr)
        return scoring.evaluate(checkpoint, work, split, out or work, wanted_device)


def predict(checkpoint: Path, images: Path, landmarks: Path | None, out: Path, wanted_device: str = "auto") -> None:
    """Write a CSV with the probability of each label, 0 to 1, and the landmarks in pixels, for every image of a folder.

    Args:
        checkpoint: weights.safetensors of a run.
        images: folder of image files, taken in the order of their names.
        landmarks: table of five landmarks by file name; needed if the run aligned its images.
        out: CSV file: `image`, then one column per label, and x and y of each landmark if the run finds them.
        wanted_device: `auto`, `cpu` or `cuda`.

    Raises:
        TaskshareError: if there is no image, or one cannot be read or aligned.
    """
    run, network, where = open_checkpoint(checkpoint, wanted_device)
    if run.variant.align and landmarks is None:
        raise TaskshareError(f"{checkpoint}: its run aligned the images by landmarks; give them with --landmarks")
    if not images.is_dir():
        raise TaskshareError(f"{images}: no such folder; give the folder of the images")
    names = sorted(path.name for path in images.iterdir() if image_files.is_image(path.name))
    if not names:
        raise TaskshareError(f"{images}: no image files there")
    table = read_landmarks(landmarks) if landmarks is not None and run.variant.align else None
    load = image_files.ImageFiles(images)

    def prepared(name: str) -> tuple[np.ndarray, np.ndarray]:
        points = MARKS
        if table is not None:
            if name not in table.index:
                raise TaskshareError(f"{landmarks}: no landmarks for {name}; add its row")
            points = table.loc[name].to_numpy(np.float32).reshape(5, 2)
        try:
            image, seen = prepare_image(load(name), points, run.variant)
        except (BadImageError, LandmarkError) as error:
            raise TaskshareError(f"{images / name}: {error}") from None
        assert seen is not None
        return image, np.stack([points, seen])

    def blocks() -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        for start in range(0, len(names), BLOCK):
            part = names[start : start + BLOCK]
            pictures, marks = zip(*(prepared(name) for name in part), strict=True)
            yield part, np.stack(pictures), np.stack(marks, axis=1)

    with files.atomic(out) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", *outputs.label_names(run), *(LANDMARK_COLUMNS if run.finds_landmarks else ())])
        for part, pixels, (original, seen) in blocks():
            raw = logits(network, [pixels], where)
            scores = probabilities(outputs.label_logits(raw, run))
            found = np.empty((len(part), 0))
            if run.finds_landmarks:
                there = from_fractions(outputs.points(raw, run), run.variant.size)
                found = to_original(there, seen, original).reshape(len(part), -1)
            for name, row, place in zip(part, scores, found, strict=True):
                writer.writerow([name, *(f"{value:.6f}" for value in row), *(f"{value:.2f}" for value in place)])


def read_landmarks(path: Path) -> pd.DataFrame:
    """Return ten landmark columns, float, by image name, from CelebA's list or a CSV with the same columns.

    A CSV names the image in its first column and has the columns lefteye_x, lefteye_y, ... rightmouth_y.

    Raises:
        TaskshareError: if there is no such file, a column is missing, or a value is no number.
    """
    if not path.is_file():
        raise TaskshareError(f"{path}: no such file; give the table of landmarks")
    try:
        if path.suffix.lower() == ".csv":
            table = pd.read_csv(path, index_col=0)
        else:
            table = attributes_layout.read_rows(path, LANDMARK_COLUMNS, np.float32, header=True)
        if not table.index.is_unique:
            raise ValueError(f"{table.index[table.index.duplicated()][0]} is listed twice")
        return table[list(LANDMARK_COLUMNS)].astype("float32")
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise TaskshareError(f"{path}: not a table of landmarks by image name ({reason}); see --help") from None

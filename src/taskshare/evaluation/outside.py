"""A checkpoint on images that are not its own: another source, or a folder of pictures."""

import csv
import itertools
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


def predict(
    checkpoint: Path,
    images: Path,
    landmarks: Path | None,
    out: Path,
    wanted_device: str = "auto",
    on_bad_image: Literal["stop", "skip"] = "stop",
) -> None:
    """Write a CSV with the probability of each label, 0 to 1, and the landmarks in pixels, for every image of a folder.

    Args:
        checkpoint: weights.safetensors of a run.
        images: folder of image files, with its subfolders, taken in the order of their paths.
        landmarks: table of five landmarks by path in that folder; needed if the run aligned its images.
        out: CSV file: `image`, then one column per label, and x and y of each landmark if the run finds them.
        wanted_device: `auto`, `cpu` or `cuda`.
        on_bad_image: `stop` at a file that cannot be read or aligned, or `skip` it and name it on standard error.

    Raises:
        TaskshareError: if there is no image, or one cannot be read or aligned.
    """
    run, network, where = open_checkpoint(checkpoint, wanted_device)
    if run.variant.align and landmarks is None:
        raise TaskshareError(f"{checkpoint}: its run aligned the images by landmarks; give them with --landmarks")
    if not images.is_dir():
        raise TaskshareError(f"{images}: no such folder; give the folder of the images")
    table = read_landmarks(landmarks) if landmarks is not None and run.variant.align else None
    # Landmarks refer to the pixels as stored.
    load = image_files.ImageFiles(images, upright=table is None)

    def prepared(name: str) -> tuple[np.ndarray, np.ndarray] | None:
        points = MARKS
        if table is not None and name in table.index:
            points = table.loc[name].to_numpy(np.float32).reshape(5, 2)
        try:
            if not image_files.is_image(Path(name).name):
                raise BadImageError(name, "not an image of a format that is read")
            if table is not None and name not in table.index:
                raise LandmarkError(f"no row in {landmarks}")
            image, seen = prepare_image(load(name), points, run.variant)
        except (BadImageError, LandmarkError) as error:
            reason = error.reason if isinstance(error, BadImageError) else error
            if on_bad_image == "stop":
                raise TaskshareError(
                    f"{images / name}: {reason}; mend or remove it, or leave such files out with --on-bad-image skip"
                ) from None
            print(f"left out: {name}: {reason}", file=sys.stderr)
            return None
        assert seen is not None
        return image, np.stack([points, seen])

    names = sorted(image_files.walk(images))
    if not any(image_files.is_image(Path(name).name) for name in names):
        raise TaskshareError(f"{images}: no image files there; give a folder that holds some")

    def blocks() -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        good = ((name, found) for name in names if (found := prepared(name)) is not None)
        while part := list(itertools.islice(good, BLOCK)):
            pictures, marks = zip(*(found for _, found in part), strict=True)
            yield [name for name, _ in part], np.stack(pictures), np.stack(marks, axis=1)

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
            separator = attributes_layout.Format.of(path).separator
            table = pd.read_csv(path, index_col=0, sep=separator, encoding=attributes_layout.ENCODING)
            missing = [column for column in LANDMARK_COLUMNS if column not in table]
            if missing:
                raise ValueError(f"no column {', '.join(missing)}")
        else:
            table = attributes_layout.read_rows(path, LANDMARK_COLUMNS, np.float32, header=True)
        if not table.index.is_unique:
            raise ValueError(f"{table.index[table.index.duplicated()][0]} is listed twice")
        return table[list(LANDMARK_COLUMNS)].astype("float32")
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TaskshareError(f"{path}: not a table of landmarks by image name ({reason}); see --help") from None

"""Scores of a checkpoint on a split, and the metrics from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taskshare import device, files
from taskshare.config.tasks import ATTRIBUTES
from taskshare.data.arrays import ImageArray
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS
from taskshare.data.labels import has_both_labels, task_labels
from taskshare.errors import TaskshareError
from taskshare.evaluation import landmarks
from taskshare.evaluation.metrics import measure
from taskshare.graph import LANDMARKS_FILE, METRICS, SCORES
from taskshare.networks.inference import logits, open_checkpoint, probabilities
from taskshare.networks.outputs import label_logits, label_names, points

BLOCK = 256
SCORES_SCHEMA = {"id": "str", "task": "str", "label": "int8", "score": "float32"}


def evaluate(checkpoint: Path, prepared: Path, split: str, out: Path, wanted_device: str = "auto") -> dict[str, Any]:
    """Score a split with a checkpoint, in float32, and write scores.parquet and metrics.json into `out`.

    A run that finds landmarks gives landmarks.parquet too, in pixels of the original images.

    Args:
        checkpoint: weights.safetensors of a run.
        prepared: folder with SPLIT.npy and SPLIT.parquet, prepared as the run's own data were.
        split: `train`, `validation` or `test`.
        out: folder for the two files.
        wanted_device: `auto`, `cpu` or `cuda`.

    Returns:
        The content of metrics.json.

    Raises:
        TaskshareError: if the split has no images, or not both labels of a task.
    """
    run, network, where = open_checkpoint(checkpoint, wanted_device)
    images = ImageArray(prepared / f"{split}.npy")
    if not len(images):
        raise TaskshareError(f"{prepared}: the {split} split has no images; take another split")
    outputs = logits(network, images.blocks(BLOCK), where)
    table = pd.read_parquet(prepared / f"{split}.parquet")
    tasks: dict[str, dict[str, float | int]] = {}
    if run.finds_landmarks:
        found = _found_landmarks(table, points(outputs, run), run.variant.size)
        with files.atomic(out / LANDMARKS_FILE) as partial:
            landmarks.table(table["id"], *found).to_parquet(partial, index=False)
        tasks |= landmarks.measure_landmarks(found[2])
    decisions = label_logits(outputs, run)
    scores = probabilities(decisions)
    rows = [pd.DataFrame({"id": [], "task": [], "label": [], "score": []}).astype(SCORES_SCHEMA)]
    for column, task in enumerate(label_names(run)):
        labels = task_labels(table, run.labels, task)
        part = labels >= 0
        if not has_both_labels(labels) and ATTRIBUTES not in run.tasks:
            raise TaskshareError(
                f"{prepared}: the {split} split has images of one label only for {task}, so it has no balanced "
                "accuracy; take more images"
            )
        rows.append(
            pd.DataFrame(
                {"id": table["id"][part], "task": task, "label": labels[part], "score": scores[part, column]}
            ).astype(SCORES_SCHEMA)
        )
        tasks[task] = measure(labels[part], decisions[part, column] > 0)
    with files.atomic(out / SCORES) as partial:
        pd.concat(rows, ignore_index=True).to_parquet(partial, index=False)
    metrics = {
        "run": run.name,
        "seed": run.seed,
        "split": split,
        "tasks": tasks,
        "machine": device.describe(where),
    }
    files.write_json(out / METRICS, metrics)
    return metrics


def _found_landmarks(
    table: pd.DataFrame, fractions: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true and predicted points in original pixels, (N, 5, 2), and errors (N, 5)."""
    truth, seen = landmarks.points(table, LANDMARK_COLUMNS), landmarks.points(table, PREPARED_LANDMARKS)
    predicted = landmarks.to_original(landmarks.from_fractions(fractions, size), seen, truth)
    return truth, predicted, landmarks.errors(truth, predicted)

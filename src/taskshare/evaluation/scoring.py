"""Scores of a checkpoint on a split, and the metrics from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taskshare import device, files
from taskshare.data.arrays import ImageArray
from taskshare.data.labels import has_both_labels, task_labels
from taskshare.errors import TaskshareError
from taskshare.evaluation.metrics import class_accuracies, standard_error
from taskshare.networks import weights
from taskshare.networks.inference import logits, probabilities

BLOCK = 256


def evaluate(checkpoint: Path, prepared: Path, split: str, out: Path, wanted_device: str = "auto") -> dict[str, Any]:
    """Score a split with a checkpoint, in float32, and write scores.parquet and metrics.json into `out`.

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
    run, network = weights.load(checkpoint)
    device.set_up(run.training.threads)
    where = device.choose(wanted_device)
    images = ImageArray(prepared / f"{split}.npy")
    if not len(images):
        raise TaskshareError(f"{prepared}: the {split} split has no images; take another split")
    outputs = logits(network.to(where), images.blocks(BLOCK), where)
    scores = probabilities(outputs)
    table = pd.read_parquet(prepared / f"{split}.parquet")
    rows, tasks = [], {}
    for column, task in enumerate(run.tasks):
        labels = task_labels(table, run.labels, task)
        part = labels >= 0
        if not has_both_labels(labels):
            raise TaskshareError(
                f"{prepared}: the {split} split has images of one label only for {task}, so it has no balanced "
                "accuracy; take more images"
            )
        rows.append(
            pd.DataFrame(
                {"id": table["id"][part], "task": task, "label": labels[part], "score": scores[part, column]}
            ).astype({"score": "float32"})
        )
        tasks[task] = measure(labels[part], outputs[part, column] > 0)
    with files.atomic(out / "scores.parquet") as partial:
        pd.concat(rows, ignore_index=True).to_parquet(partial, index=False)
    metrics = {"run": run.name, "seed": run.seed, "split": split, "tasks": tasks}
    files.write_json(out / "metrics.json", metrics)
    return metrics


def measure(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float | int]:
    """Return balanced accuracy with its parts and standard error, all 0 to 1, and the counts behind them.

    Args:
        labels: (N,) of 0 and 1.
        predictions: bool (N,), scores above 0.5 (reading 12).
    """
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    accuracy_positives, accuracy_negatives = class_accuracies(labels, predictions)
    return {
        "balanced_accuracy": (accuracy_positives + accuracy_negatives) / 2,
        "accuracy_positives": accuracy_positives,
        "accuracy_negatives": accuracy_negatives,
        "accuracy": float(np.mean(predictions == (labels == 1))),
        "standard_error": standard_error(accuracy_positives, positives, accuracy_negatives, negatives),
        "positives": positives,
        "negatives": negatives,
    }

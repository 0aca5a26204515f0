"""Scores of a checkpoint on a split, and the metrics from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taskshare import device, files
from taskshare.config import Run, Selection
from taskshare.config.tasks import ATTRIBUTES
from taskshare.data.arrays import ImageArray
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS
from taskshare.data.labels import has_both_labels, task_labels
from taskshare.errors import TaskshareError
from taskshare.evaluation import landmark_errors
from taskshare.graph import LANDMARKS_FILE, METRICS, OTHER_WEIGHTS, SCORES
from taskshare.networks import weights
from taskshare.networks.inference import logits, open_checkpoint, probabilities
from taskshare.networks.outputs import label_logits, label_names, points, task_outputs
from taskshare.statistics.metrics import decide, measure

BLOCK = 256
SCORES_SCHEMA = {"id": "str", "task": "str", "label": "int8", "score": "float32"}


def evaluate(checkpoint: Path, prepared: Path, split: str, out: Path, wanted_device: str = "auto") -> dict[str, Any]:
    """Score a split with a checkpoint, in float32, and write scores.parquet and metrics.json into `out`.

    A run that finds landmarks gives landmarks.parquet too, in pixels of the original images. Answers are those of the
    weights that `training.selection` of the run names; metrics.json holds the metrics of the other selections too.

    Args:
        checkpoint: weights.safetensors of a run, with other_weights.safetensors beside it.
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
    others, selections = weights.load_others(checkpoint.with_name(OTHER_WEIGHTS), run)
    images = ImageArray(prepared / f"{split}.npy")
    if not len(images):
        raise TaskshareError(f"{prepared}: the {split} split has no images; take another split")
    table = pd.read_parquet(prepared / f"{split}.parquet")
    by_iteration = {}
    for iteration, state in [(None, network.state_dict()), *others.items()]:
        network.load_state_dict(state)
        by_iteration[iteration] = logits(network, images.blocks(BLOCK), where)
    main = by_iteration[None]
    tasks: dict[Selection, dict[str, dict[str, float | int]]] = {}
    for name, iterations in selections.items():
        outputs = main.copy()
        for task, place in task_outputs(run):
            # The main weights are those of an iteration that the others leave out.
            outputs[:, place] = by_iteration.get(iterations.get(task), main)[:, place]
        frames, tasks[name] = _measured(run, outputs, table, f"{prepared}: the {split} split")
        if name == run.training.selection:
            for file_name, frame in frames.items():
                with files.atomic(out / file_name) as partial:
                    frame.to_parquet(partial, index=False)
    metrics = {
        "run": run.name,
        "seed": run.seed,
        "split": split,
        "tasks": tasks[run.training.selection],
        "selections": tasks,
        "machine": device.describe(where),
    }
    files.write_json(out / METRICS, metrics)
    return metrics


def _measured(
    run: Run, outputs: np.ndarray, table: pd.DataFrame, where: str
) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, float | int]]]:
    """Return the tables of outputs (N, K) for a split, by file name, and the metrics by task, label or landmark."""
    frames: dict[str, pd.DataFrame] = {}
    tasks: dict[str, dict[str, float | int]] = {}
    if run.finds_landmarks:
        found = _found_landmarks(table, points(outputs, run), run.variant.size)
        frames[LANDMARKS_FILE] = landmark_errors.table(table["id"], *found)
        tasks |= landmark_errors.measure_landmarks(found[2])
    scores = probabilities(label_logits(outputs, run))
    rows = [pd.DataFrame({"id": [], "task": [], "label": [], "score": []}).astype(SCORES_SCHEMA)]
    for column, task in enumerate(label_names(run)):
        labels = task_labels(table, run.labels, task)
        part = labels >= 0
        if not has_both_labels(labels) and ATTRIBUTES not in run.tasks:
            raise TaskshareError(
                f"{where} has images of one label only for {task}, so it has no balanced accuracy; take more images"
            )
        rows.append(
            pd.DataFrame(
                {"id": table["id"][part], "task": task, "label": labels[part], "score": scores[part, column]}
            ).astype(SCORES_SCHEMA)
        )
        tasks[task] = measure(labels[part], decide(scores[part, column]))
    frames[SCORES] = pd.concat(rows, ignore_index=True)
    return frames, tasks


def _found_landmarks(
    table: pd.DataFrame, fractions: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true and predicted points in original pixels, (N, 5, 2), and errors (N, 5)."""
    truth, seen = landmark_errors.points(table, LANDMARK_COLUMNS), landmark_errors.points(table, PREPARED_LANDMARKS)
    predicted = landmark_errors.to_original(landmark_errors.from_fractions(fractions, size), seen, truth)
    return truth, predicted, landmark_errors.errors(truth, predicted)

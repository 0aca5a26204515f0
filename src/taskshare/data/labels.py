"""The labels of a task, from the label table of a prepared split."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from taskshare.config.tasks import pair_of


def has_both_labels(labels: np.ndarray) -> bool:
    """Return whether 1 and 0 both occur among a task's labels, (N,): without one there is no balanced accuracy."""
    return bool((labels == 1).any() and (labels == 0).any())


def task_labels(table: pd.DataFrame, labels: Sequence[str], task: str) -> np.ndarray:
    """Return each image's label for one task.

    Args:
        table: Label table of a split: one int8 column per attribute, or the int8 column `class`.
        labels: The data set's attributes or classes, in the files' order.
        task: An attribute, or a pair of classes FIRST.SECOND.

    Returns:
        int8 (N,): 1 where the image has the attribute or is of the second class, 0 where it has not or is of the first
        class, -1 where the image is not part of the task.
    """
    if task in labels:
        return table[task].to_numpy(np.int8)
    pair = pair_of(task, labels)
    assert pair is not None  # params.yaml was validated
    classes = table["class"].to_numpy()
    first, second = map(labels.index, pair)
    return np.where(classes == second, 1, np.where(classes == first, 0, -1)).astype(np.int8)

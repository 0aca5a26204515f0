"""How often labels occur together (Fang 2017, section 2)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from taskshare.data.labels import task_labels


def cooccurrence(table: pd.DataFrame, labels: Sequence[str], tasks: Sequence[str]) -> np.ndarray:
    """Return how many images are positives of both of two tasks, int64 (tasks, tasks); with itself, a task's positives.

    Args:
        table: label table of a split.
        labels: of the data set.
        tasks: any of its tasks.
    """
    positive = np.stack([task_labels(table, labels, task) == 1 for task in tasks]).astype(np.int64)
    return positive @ positive.T

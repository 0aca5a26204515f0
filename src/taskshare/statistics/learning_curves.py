"""How soon a task's training error falls to a mark (Fang 2017, section 4.4, Figure 6, reading 21)."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

TOLERANCE = 1e-9
"""Rounding of an average; one wrong image in a window weighs far more."""


@dataclass(frozen=True)
class Reached:
    """Where a smoothed training error first is at or below a mark.

    Attributes:
        iteration: number of updates by then, 1 or more.
        images: images that were trained on by then.
        seconds: time of training by then; NaN if the run did not record it.
    """

    iteration: int
    images: int
    seconds: float


def smoothed(history: pd.DataFrame, task: str, images: int) -> pd.DataFrame:
    """Return the moving average of a task's training error over the last `images` images.

    A row of the history tells the error on the images since the row before. The average takes the fewest last rows
    that make up `images` images or more, each weighed by its images.

    Args:
        history: a run's history.parquet.
        task: one of its tasks.
        images: length of the window, counted as the history counts images.

    Returns:
        iteration, images and error (0 to 1) in the order of iterations, without the rows before the window is full;
        no rows if the task has none.
    """
    rows = history[history["task"] == task].sort_values("iteration")
    after = rows["images"].to_numpy(np.int64)
    before = np.concatenate([[0], after])[:-1]
    wrong = np.concatenate([[0.0], np.cumsum(rows["training_error"].to_numpy() * (after - before))])
    full = after >= images
    start = np.searchsorted(before, after[full] - images, side="right") - 1
    error = (wrong[1:][full] - wrong[start]) / (after[full] - before[start])
    return pd.DataFrame({"iteration": rows["iteration"].to_numpy()[full], "images": after[full], "error": error})


def reach(history: pd.DataFrame, timing: pd.DataFrame, task: str, error: float, images: int) -> Reached | None:
    """Return where the smoothed training error of a task first is at or below `error`, or None if it never is.

    Args:
        history: a run's history.parquet.
        timing: its timing.parquet; the first row at or after the iteration counts.
        task: one of its tasks.
        error: the mark, 0 to 1.
        images: length of the smoothing window, as in `smoothed`.
    """
    curve = smoothed(history, task, images)
    below = curve[curve["error"] <= error + TOLERANCE]
    if below.empty:
        return None
    iteration = int(below["iteration"].iloc[0])
    recorded = timing[timing["iteration"] >= iteration].sort_values("iteration")["seconds"]
    seconds = math.nan if recorded.empty else float(recorded.iloc[0])
    return Reached(iteration, int(below["images"].iloc[0]), seconds)

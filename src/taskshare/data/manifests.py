"""Manifests: which images of the training split a task trains on, and how often."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from taskshare import files, seeds
from taskshare.config.tasks import JOINT_TASKS
from taskshare.data.labels import task_labels
from taskshare.errors import TaskshareError

Sampling = Literal["original", "resampled"]
Resampling = Literal["duplicated", "replacement"]


def draw(
    labels: np.ndarray, sampling: Sampling, resampling: Resampling, generator: np.random.Generator
) -> pd.DataFrame:
    """Draw a task's training samples.

    `resampled` is Fang 2017, section 4.2: the minority label's samples are repeated until both labels have the
    majority's count. The majority's samples appear once each.

    Args:
        labels: int8 (N,), 1 or 0, or -1 where the image is not part of the task.
        sampling: `original` takes every sample once.
        resampling: How the minority is repeated, with k the ratio of majority to minority: `duplicated` takes each
            sample floor(k) times and a random remainder once more, `replacement` draws with replacement.
        generator: Source of randomness.

    Returns:
        Columns `index` (int32, row in the split) and `label` (int8, 0 or 1), sorted by label, then index.

    Raises:
        TaskshareError: one of the two labels does not occur.
    """
    samples = [np.flatnonzero(labels == label) for label in (0, 1)]
    counts = [len(rows) for rows in samples]
    if 0 in counts:
        raise TaskshareError(
            f"no training image has label {counts.index(0)}, so nothing can be learned; remove the task or add images"
        )
    if sampling == "resampled":
        minority = int(counts[1] < counts[0])
        rows, target = samples[minority], max(counts)
        if resampling == "duplicated":
            copies, rest = divmod(target, len(rows))
            remainder = generator.choice(rows, rest, replace=False)
            samples[minority] = np.sort(np.concatenate([np.repeat(rows, copies), remainder]))
        else:
            samples[minority] = np.sort(generator.choice(rows, target, replace=True))
    return pd.DataFrame(
        {
            "index": np.concatenate(samples).astype(np.int32),
            "label": np.repeat(np.array([0, 1], np.int8), [len(rows) for rows in samples]),
        }
    )


def write(
    path: Path,
    table: pd.DataFrame,
    labels: Sequence[str],
    task: str,
    sampling: Sampling,
    resampling: Resampling,
    seed: int,
) -> None:
    """Draw the samples of one task and write them as parquet; the same arguments give the same bytes.

    A joint task has every image once, and no column `label`.

    Args:
        path: The parquet file.
        table: Label table of the training split.
        labels: The data set's attributes or classes, in the files' order.
        task: An attribute, a pair of classes FIRST.SECOND, `landmarks` or `attributes`.
        sampling: See `draw`.
        resampling: See `draw`.
        seed: The run's seed; every task draws from a generator of its own.

    Raises:
        TaskshareError: one of the two labels does not occur.
    """
    if task in JOINT_TASKS:
        manifest = pd.DataFrame({"index": np.arange(len(table), dtype=np.int32)})
    else:
        generator = seeds.generator(seed, "manifest", task)
        try:
            manifest = draw(task_labels(table, labels, task), sampling, resampling, generator)
        except TaskshareError as error:
            raise TaskshareError(f"{task}: {error}") from None
    with files.atomic(path) as partial:
        manifest.to_parquet(partial, index=False)

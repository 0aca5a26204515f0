"""What the outputs of a net stand for; of Matsui 2019's nets two numbers a landmark, two a label (Table 1)."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from taskshare.config.run import Run
from taskshare.config.tasks import LANDMARK_POINTS, LANDMARKS, answers
from taskshare.networks.shapes import output_count


def slices(tasks: Sequence[str], labels: Sequence[str]) -> Iterator[tuple[str, slice]]:
    """Yield each task with the place of its outputs."""
    start = 0
    for task in tasks:
        end = start + output_count(task, labels)
        yield task, slice(start, end)
        start = end


def task_outputs(run: Run) -> list[tuple[str, slice]]:
    """Return each of a run's tasks with the place of its outputs; a subnet has one."""
    if run.network.backbone == "subnet":
        return [(task, slice(number, number + 1)) for number, task in enumerate(run.tasks)]
    return list(slices(run.tasks, run.labels))


def points(raw: np.ndarray, run: Run) -> np.ndarray:
    """Return the landmarks, (N, 5, 2), as fractions of width and height, from a net's outputs (N, K)."""
    place = dict(slices(run.tasks, run.labels))[LANDMARKS]
    return raw[:, place].reshape(-1, len(LANDMARK_POINTS), 2)


def label_names(run: Run) -> list[str]:
    """Return what a run answers yes or no to: attributes, or pairs of classes."""
    return [answer for task in run.tasks if task != LANDMARKS for answer in answers(task, run.labels)]


def label_logits(raw: np.ndarray, run: Run) -> np.ndarray:
    """Return the logits (N, labels) of `label_names` from a net's outputs (N, K).

    A subnet's output is one. The softmax of the two outputs that a vgg net has for a label is the sigmoid of their
    difference.
    """
    if run.network.backbone == "subnet":
        return raw
    parts = [np.empty((len(raw), 0), raw.dtype)]
    for task, place in slices(run.tasks, run.labels):
        if task != LANDMARKS:
            pairs = raw[:, place].reshape(len(raw), -1, 2)
            parts.append(pairs[:, :, 1] - pairs[:, :, 0])
    return np.concatenate(parts, axis=1)


def as_pairs(outputs: Tensor) -> Tensor:
    """Return outputs (N, 2k) as (N, k, 2): the points' x and y, or the two classes of each label."""
    return outputs.unflatten(1, (-1, 2))

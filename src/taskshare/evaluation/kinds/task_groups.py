"""The tasks of an experiment's groups."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np


def grouped_tasks(groups: Mapping[str, Sequence[str]], known: Collection[str]) -> tuple[list[str], np.ndarray]:
    """Return the tasks of the groups that are known, and the number of each one's group, int (tasks,)."""
    places = [(task, number) for number, members in enumerate(groups.values()) for task in members if task in known]
    return [task for task, _ in places], np.array([number for _, number in places], np.int64)

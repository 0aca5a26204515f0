"""Tasks that are more than one label: five landmarks, and all attributes together (Matsui 2019, section 4)."""

import itertools
from collections.abc import Sequence

from taskshare.config.base import file_name

LANDMARKS, ATTRIBUTES = "landmarks", "attributes"
LANDMARK_POINTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
"""The five points in the order of list_landmarks_align_celeba.txt; "left" is the left side of the image."""
JOINT_TASKS = (LANDMARKS, ATTRIBUTES)

SELECTION_SCORES = {LANDMARKS: "detection_rate", ATTRIBUTES: "accuracy"}
"""The validation score of a joint task that selects weights; of any other task it is balanced accuracy."""


def pair_of(task: str, classes: Sequence[str]) -> tuple[str, str] | None:
    """Return the two classes of a task FIRST.SECOND, whose names may hold dots too; None if it is no such task."""
    places = [place for place, letter in enumerate(task) if letter == "."]
    pairs = [(task[:place], task[place + 1 :]) for place in places]
    found = [pair for pair in pairs if set(pair) <= set(classes) and pair[0] != pair[1]]
    return found[0] if len(found) == 1 else None


def task_of_file(name: str, labels: Sequence[str]) -> str:
    """Return the attribute or pair of classes whose files have a name (`file_name`); the name itself if none has."""
    pairs = (".".join(pair) for pair in itertools.permutations(labels, 2))
    return next((task for task in itertools.chain(labels, pairs) if name in (task, file_name(task))), name)


def answers(task: str, labels: Sequence[str]) -> list[str]:
    """Return the names of what a task's answer holds: the five points, every attribute, or the task itself.

    Args:
        task: `landmarks`, `attributes`, or a task of one label.
        labels: The data set's attributes or classes.
    """
    if task == LANDMARKS:
        return list(LANDMARK_POINTS)
    return list(labels) if task == ATTRIBUTES else [task]


def selection_score(task: str) -> str:
    """Return the name of the validation score by which a task selects weights."""
    return SELECTION_SCORES.get(task, "balanced_accuracy")


def task_of_answer(answer: str, tasks: Sequence[str], labels: Sequence[str]) -> str | None:
    """Return which of some tasks answers for a point, an attribute or a label; None if none does."""
    return next((task for task in tasks if answer in answers(task, labels)), None)

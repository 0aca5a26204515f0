"""Names as readers see them: papers, landmarks and tasks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from taskshare.config.tasks import LANDMARK_POINTS

POINTS = dict(
    zip(LANDMARK_POINTS, ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner"), strict=True)
)
"""Landmarks by their names in params.yaml."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Paper:
    """A paper that is rerun. Names of its experiments and ids of its claims start with `id` and a hyphen."""

    id: str
    authors: str
    title: str

    @property
    def short(self) -> str:
        """Name in cross-references."""
        return self.authors.replace(" et al.", "")


PAPERS = (
    Paper("fang2017", "Fang et al. 2017", "Dynamic Multi-Task Learning with Convolutional Neural Network"),
    Paper(
        "matsui2019",
        "Matsui et al. 2019",
        "Simultaneous Estimation of Facial Landmark and Attributes with Separation Multi-task Networks",
    ),
)


@dataclass(frozen=True)
class Group(Generic[Item]):
    """Entries of one paper, or the user's own, which belong to none."""

    paper: Paper | None
    items: list[Item]

    @property
    def id(self) -> str:
        """The paper's id, for anchors."""
        return self.paper.id if self.paper else "own"

    @property
    def short(self) -> str:
        """The paper's name in cross-references."""
        return self.paper.short if self.paper else "own"

    @property
    def heading(self) -> str:
        """The paper's authors and year."""
        return self.paper.authors if self.paper else "Own experiments"


def paper_of(name: str) -> Paper | None:
    """Return the paper that the name of an experiment, or the id of a claim, belongs to; None for the user's own."""
    return next((paper for paper in PAPERS if name.startswith(f"{paper.id}-")), None)


def by_paper(items: Iterable[Item], name: Callable[[Item], str]) -> list[Group[Item]]:
    """Return the items in groups, in their order: paper by paper, then those of none; no group is empty."""
    held = list(items)
    groups = [Group(paper, [item for item in held if paper_of(name(item)) == paper]) for paper in (*PAPERS, None)]
    return [group for group in groups if group.items]


def spoken(task: str) -> str:
    """Return a task's name with spaces."""
    return task.replace("_", " ")


def listed(tasks: Sequence[str]) -> str:
    """Return names of tasks as words: `a, b and c`."""
    *first, last = [spoken(task) for task in tasks]
    return f"{', '.join(first)} and {last}" if first else last

"""Which iteration's weights a run keeps, by its scores on the validation images."""

import math
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

from taskshare.config import Selection

ALL = ""
"""Stands for the mean over tasks."""


@dataclass
class BestWeights:
    """The best iteration so far of each task and of the mean over tasks, with the weights of those iterations.

    Attributes:
        best: by task, and by `ALL`: score and iteration.
        kept: weights and running statistics by iteration.
    """

    best: dict[str, tuple[float, int]] = field(default_factory=dict)
    kept: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def offer(self, iteration: int, scores: dict[str, float], network: nn.Module) -> None:
        """Keep the net's weights if a task's score, or the mean, is better than all before."""
        candidates = {ALL: float(np.mean(list(scores.values()))), **scores}
        better = {key: score for key, score in candidates.items() if score > self.best.get(key, (-math.inf, 0))[0]}
        if better:
            self.best |= {key: (score, iteration) for key, score in better.items()}
            self.kept[iteration] = {name: value.clone() for name, value in network.state_dict().items()}
            named = {iteration for _, iteration in self.best.values()}
            self.kept = {iteration: state for iteration, state in self.kept.items() if iteration in named}

    def selections(self, tasks: list[str], last: int) -> dict[Selection, dict[str, int]]:
        """Return the iteration for each task by each way to select; those by validation only if there was one."""
        found: dict[Selection, dict[str, int]] = {"last": dict.fromkeys(tasks, last)}
        if self.best:
            found["best"] = dict.fromkeys(tasks, self.best[ALL][1])
            found["best_per_task"] = {task: self.best[task][1] for task in tasks}
        return found

    def main_iteration(self, selection: Selection, last: int) -> int:
        """Return the iteration whose weights stand for the whole net."""
        return last if selection == "last" else self.best[ALL][1]

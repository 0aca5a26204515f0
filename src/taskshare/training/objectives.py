"""What a net's outputs are compared with: the targets of a split, the losses of a batch, the scores of all images."""

import math
from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from taskshare.config import Run
from taskshare.config.tasks import LANDMARKS, answers, selection_score
from taskshare.data.catalogue import PREPARED_LANDMARKS
from taskshare.data.labels import has_both_labels, task_labels
from taskshare.errors import TaskshareError
from taskshare.evaluation.landmark_errors import DETECTED, detected, errors, to_fractions
from taskshare.networks.inference import probabilities
from taskshare.networks.outputs import as_pairs, slices
from taskshare.statistics.metrics import class_accuracies, decide

Score = dict[str, float]
"""Balanced accuracy, accuracy and detection rate, 0 to 1, as far as a task has them."""


class Objective(ABC):
    """The targets of one split for the tasks that a run trains.

    Args:
        run: the run.
        table: label table of the split.

    Attributes:
        pool_labels: int8 (tasks, N), 1, 0, or -1 where an image is not part of the task, if each task has a pool of its
            own; else None.
    """

    pool_labels: np.ndarray | None = None
    wanted: Tensor

    def __init__(self, run: Run, table: pd.DataFrame) -> None:
        self.run = run
        self.tasks = run.trained_tasks

    @abstractmethod
    def targets(self, indices: Tensor) -> Tensor:
        """Return float32 targets (batch size, ...) of images (pools, batch size), one pool if the batch is shared.

        Indices and targets lie where `to` has put the objective.
        """

    def to(self, device: torch.device) -> Self:
        """Put what targets are taken from on a device."""
        self.wanted = self.wanted.to(device)
        return self

    @abstractmethod
    def compare(self, outputs: Tensor, targets: Tensor, tasks: slice) -> tuple[Tensor, Tensor]:
        """Return loss and share of wrong answers of some of the tasks, two tensors (tasks,).

        Args:
            outputs: of the whole net, float32 (images, outputs).
            targets: of these tasks, as `targets` returns them.
            tasks: which of the trained tasks.
        """

    @abstractmethod
    def score(self, outputs: np.ndarray) -> list[Score]:
        """Return each trained task's scores from the outputs for all images of the split, (N, outputs)."""

    @abstractmethod
    def labels_of(self, task: str) -> np.ndarray:
        """Return the labels, (N,), of a task that is one label."""

    def check_selectable(self) -> None:
        """Raise TaskshareError if a task has images of one label only, for then there is no balanced accuracy."""
        for task in self.tasks:
            if selection_score(task) == "balanced_accuracy" and not has_both_labels(self.labels_of(task)):
                raise TaskshareError(
                    f"{self.run.key}: the validation split has images of one label only for {task}, so nothing can be "
                    "selected by balanced accuracy; take training.selection: last, or more validation images"
                )

    def selection_scores(self, scores: list[Score]) -> list[float]:
        """Return the score of each task by which weights are selected."""
        return [score[selection_score(task)] for task, score in zip(self.tasks, scores, strict=True)]


class BinaryObjective(Objective):
    """One logit and one cross-entropy a task (Fang 2017, eqs 5 and 6)."""

    def __init__(self, run: Run, table: pd.DataFrame) -> None:
        super().__init__(run, table)
        self.labels = np.stack([task_labels(table, run.labels, task) for task in self.tasks])
        self.pool_labels = self.labels if run.batches == "pooled" else None
        self.wanted = torch.from_numpy(self.labels.astype(np.float32))
        self.columns = slice(len(run.tasks) - len(self.tasks), None)  # tasks that join stand last

    def targets(self, indices: Tensor) -> Tensor:
        """Return labels (batch size, tasks); pooled: task j's of pool j."""
        return self.wanted.gather(1, indices.expand(len(self.wanted), -1)).t().contiguous()

    def compare(self, outputs: Tensor, targets: Tensor, tasks: slice) -> tuple[Tensor, Tensor]:
        """Return loss and share of wrong labels; in pooled batches, pool after pool, each costs its own task."""
        outputs = outputs[:, self.columns][:, tasks]
        if len(outputs) > len(targets):
            outputs = outputs.unflatten(0, (targets.shape[1], len(targets))).diagonal(dim1=0, dim2=2)
        losses = F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(0)
        return losses, (decide(outputs.float().sigmoid()) != (targets == 1)).to(torch.float64).mean(0)

    def score(self, outputs: np.ndarray) -> list[Score]:
        """Return each trained task's balanced accuracy."""
        predicted = decide(probabilities(outputs[:, self.columns]))
        return [
            {"balanced_accuracy": float(np.mean(class_accuracies(labels, predicted[:, task])))}
            for task, labels in enumerate(self.labels)
        ]

    def labels_of(self, task: str) -> np.ndarray:
        """Return a trained task's labels, int8 (N,)."""
        return self.labels[self.tasks.index(task)]


class ColumnsObjective(Objective):
    """Squared error of landmarks, cross-entropy of labels (Matsui 2019, section 3.2, eq 1; readings 1, 2 and 10).

    Targets are fractions of width and height for landmarks, and 0 or 1 for each label, side by side: half as many as
    outputs for labels.
    """

    def __init__(self, run: Run, table: pd.DataFrame) -> None:
        super().__init__(run, table)
        self.places = dict(slices(run.tasks, run.labels))
        parts = []
        for task in self.tasks:
            if task == LANDMARKS:
                if PREPARED_LANDMARKS[0] not in table:
                    raise TaskshareError(
                        f"{run.key}: {run.dataset} has no landmarks to learn; add their file to the source"
                    )
                points = table[list(PREPARED_LANDMARKS)].to_numpy(np.float32)
                parts.append(to_fractions(points.reshape(-1, 5, 2), run.variant.size).reshape(-1, 10))
            else:
                parts.append(table[answers(task, run.labels)].to_numpy(np.float32))
        self.table = np.concatenate(parts, axis=1).astype(np.float32)
        self.wanted = torch.from_numpy(self.table)
        ends = np.cumsum([part.shape[1] for part in parts]).tolist()
        self.target_places = {
            task: slice(end - part.shape[1], end) for task, part, end in zip(self.tasks, parts, ends, strict=True)
        }

    def targets(self, indices: Tensor) -> Tensor:
        """Return targets (batch size, K)."""
        return self.wanted[indices[0]]

    def compare(self, outputs: Tensor, targets: Tensor, tasks: slice) -> tuple[Tensor, Tensor]:
        """Return loss, with its weight, and the share of points that are not found or of labels that are wrong."""
        losses, wrong = [], []
        for task in self.tasks[tasks]:
            # A copy: a loss by itself has the same bits as one of several side by side.
            given = as_pairs(outputs[:, self.places[task]].contiguous())
            wanted = targets[:, self.target_places[task]]
            if task == LANDMARKS:
                points = as_pairs(wanted)
                loss = F.mse_loss(given, points)
                away = (given - points).norm(dim=2) / (points[:, 0] - points[:, 1]).norm(dim=1)[:, None]
                missed = away > DETECTED
            else:
                loss = F.cross_entropy(given.flatten(0, 1), wanted.flatten().long())
                missed = decide((given[..., 1] - given[..., 0]).float().sigmoid()) != (wanted == 1)
            losses.append(self.run.training.loss_weights.get(task, 1.0) * loss)
            wrong.append(missed.to(torch.float64).mean())
        return torch.stack(losses), torch.stack(wrong)

    def score(self, outputs: np.ndarray) -> list[Score]:
        """Return the detection rate of landmarks, and of labels the mean accuracy and balanced accuracy over them."""
        scores = []
        for task in self.tasks:
            given = outputs[:, self.places[task]].reshape(len(outputs), -1, 2)
            wanted = self.table[:, self.target_places[task]]
            if task == LANDMARKS:
                found = detected(errors(wanted.reshape(-1, 5, 2), given))
                scores.append({"detection_rate": float(found.mean())})
            else:
                said = decide(probabilities(given[..., 1] - given[..., 0]))
                halves = [class_accuracies(wanted[:, label], said[:, label]) for label in range(wanted.shape[1])]
                known = [np.mean(half) for half in halves if not np.isnan(half).any()]
                balanced = float(np.mean(known)) if known else math.nan
                scores.append({"accuracy": float((said == (wanted == 1)).mean()), "balanced_accuracy": balanced})
        return scores

    def labels_of(self, task: str) -> np.ndarray:
        """Return a trained task's labels, float32 (N,)."""
        return self.table[:, self.target_places[task]][:, 0]

    def constant(self, task: str) -> Tensor:
        """Return the outputs of one answer for all images: the mean landmarks, or the logarithms of label rates."""
        mean = torch.from_numpy(self.table[:, self.target_places[task]].mean(0, dtype=np.float64))
        if task != LANDMARKS:
            rate = mean.clamp(1e-3, 1 - 1e-3)
            mean = torch.stack([torch.log(1 - rate), torch.log(rate)], dim=1).flatten()
        return mean.to(torch.float32)


def objective(run: Run, table: pd.DataFrame) -> Objective:
    """Return what a run's outputs are compared with on a split."""
    return ColumnsObjective(run, table) if run.network.backbone == "vgg" else BinaryObjective(run, table)

"""Balanced accuracy and its parts (Fang 2017, section 4.1), and plain accuracy (Matsui 2019, Table 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

THRESHOLD = 0.5
Scores = TypeVar("Scores", np.ndarray, "Tensor")


def decide(scores: Scores) -> Scores:
    """Return which scores decide for the label 1: those above 0.5 (Fang 2017, reading 12).

    Everything that decides asks here, of probabilities in float32. A logit above 0 is not the same: the probability of
    a logit of 1e-8 is 0.5.

    Args:
        scores: probabilities, 0 to 1, of any shape.

    Returns:
        bool, of the same shape.
    """
    return scores > THRESHOLD


def class_accuracies(labels: np.ndarray, predictions: np.ndarray) -> tuple[float, float]:
    """Return acc_p and acc_n, 0 to 1: the share of positives and of negatives that are predicted right.

    Args:
        labels: (N,) of 0 and 1; entries of -1 take no part.
        predictions: bool (N,).

    Returns:
        NaN for a class without samples.
    """
    positives, negatives = predictions[labels == 1], predictions[labels == 0]
    return (
        float(positives.mean()) if len(positives) else float("nan"),
        float(1 - negatives.mean()) if len(negatives) else float("nan"),
    )


def standard_error(accuracy_positives: float, positives: int, accuracy_negatives: float, negatives: int) -> float:
    """Return the standard error of a balanced accuracy, 0 to 1, from the finite number of test images.

    The halves are independent binomial shares: half the root of the sum of their variances. NaN if a class has none.
    """
    halves = ((accuracy_positives, positives), (accuracy_negatives, negatives))
    variances = (p * (1 - p) / n if n else float("nan") for p, n in halves)
    return 0.5 * float(np.sqrt(sum(variances)))


def measure(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float | int]:
    """Return balanced accuracy with its parts and standard error, accuracy with its own, all 0 to 1, and the counts.

    Args:
        labels: (N,) of 0 and 1.
        predictions: bool (N,), as `decide` returns them.
    """
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    accuracy_positives, accuracy_negatives = class_accuracies(labels, predictions)
    accuracy = float(np.mean(predictions == (labels == 1)))
    return {
        "balanced_accuracy": (accuracy_positives + accuracy_negatives) / 2,
        "accuracy_positives": accuracy_positives,
        "accuracy_negatives": accuracy_negatives,
        "accuracy": accuracy,
        "accuracy_standard_error": float(np.sqrt(accuracy * (1 - accuracy) / len(labels))),
        "standard_error": standard_error(accuracy_positives, positives, accuracy_negatives, negatives),
        "positives": positives,
        "negatives": negatives,
    }

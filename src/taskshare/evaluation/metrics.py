"""Balanced accuracy and its parts (Fang 2017, section 4.1)."""

import numpy as np


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

    The halves are independent binomial shares: half the root of the sum of their variances.
    """
    variances = (p * (1 - p) / n for p, n in ((accuracy_positives, positives), (accuracy_negatives, negatives)))
    return 0.5 * float(np.sqrt(sum(variances)))

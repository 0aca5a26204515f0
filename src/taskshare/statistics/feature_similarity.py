"""How alike the features of two columns are, whatever the order, sign and scale of their channels."""

import numpy as np

SHARED = "shared"
"""Name of the shared column's features, beside those of the tasks."""


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Return the linear centred kernel alignment of two sets of features (Kornblith 2019, section 3).

    It is 1 for features that are rotations of each other, up to scale, and 0 for features without any correlation.

    Args:
        x: (S, C), the channels of one column at S places.
        y: (S, D), those of another column at the same places.

    Returns:
        0 to 1; NaN where all channels of a column are constant.
    """
    x, y = _centred(x), _centred(y)
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / norms) if norms else float("nan")


def explained_share(x: np.ndarray, y: np.ndarray) -> float:
    """Return which share of the variance of `y` a linear fit from `x` explains at places that it was not fitted to.

    The places are cut into two halves; least squares with a constant is fitted to each and tried on the other.

    Args:
        x: (S, C), the channels of one column at S places, in the order of their images, so that the halves have
            different images.
        y: (S, D), those of another column at the same places.

    Returns:
        R squared over all channels of `y`, at most 1; below 0 where the fit is worse than the mean. NaN where all
        channels of `y` are constant.
    """
    half = len(x) // 2
    left = total = 0.0
    for fitted, tried in ((slice(half), slice(half, None)), (slice(half, None), slice(half))):
        source, target = _centred(x[fitted]), _centred(y[fitted])
        weights = np.linalg.lstsq(source, target, rcond=None)[0]
        away = np.asarray(y[tried], np.float64) - y[fitted].mean(axis=0, dtype=np.float64)
        said = (np.asarray(x[tried], np.float64) - x[fitted].mean(axis=0, dtype=np.float64)) @ weights
        left += float(((away - said) ** 2).sum())
        total += float((away**2).sum())
    return 1 - left / total if total else float("nan")


def _centred(features: np.ndarray) -> np.ndarray:
    values = np.asarray(features, np.float64)
    return values - values.mean(axis=0)

"""Groups of attributes by the distance of their response-contrast maps (Fang 2017, section 2)."""

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score

from taskshare.statistics.permutation import PermutationTest, permutation_test

PIXELS = 0
"""The layer of maps that stands for the images themselves."""


def l1_distances(maps: np.ndarray, normalise: bool) -> np.ndarray:
    """Return the L1 distances (n, n) of n maps (reading 22).

    Args:
        maps: (n, ...), at least 0; `response_maps.measure` writes those of the attributes.
        normalise: divide each map by its sum first, so that where the contrast lies counts, and not how strong it is;
            distances then lie in 0..2. A map of zeros stays as it is.
    """
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    if normalise:
        total = flat.sum(axis=1, keepdims=True)
        flat = np.divide(flat, total, out=np.zeros_like(flat), where=total > 0)
    return squareform(pdist(flat, "cityblock"))


def cluster(distances: np.ndarray, count: int) -> np.ndarray:
    """Return the labels (n,), 0 to count - 1, of `count` clusters of average linkage over distances (n, n).

    The paper selects its groups by hand: those with "the shortest distances with each other within a group".
    """
    return cut_tree(linkage(squareform(distances), "average"), n_clusters=count).ravel()


def agreement(derived: np.ndarray, printed: np.ndarray) -> PermutationTest:
    """Compare two groupings by the adjusted Rand index: 1 if they are equal, 0 on average by chance.

    The test asks how many groupings with the printed group sizes agree with the derived one as well as the printed
    one does.

    Args:
        derived: labels (n,) of the measured groups.
        printed: labels (n,) of the paper's groups.
    """
    return permutation_test(lambda groups: float(adjusted_rand_score(derived, groups)), printed)

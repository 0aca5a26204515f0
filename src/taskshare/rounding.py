"""How far two results may lie apart that add up the same numbers in different orders.

Which order a processor takes depends on its instruction set, the number of threads and the shape of the tensors.
"""

import math

import torch

LAMBDA = 4


def largest_difference(terms: int, dtype: torch.dtype, sums: int = 1) -> float:
    """Return the bound on the difference of two results, as a share of the magnitudes that were added up.

    A sum of n products in any order is off by at most n u / (1 - n u) times the sum of the products' magnitudes, where
    u is half the machine epsilon (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 3.1). Two of
    them differ by twice that. To first order the errors of sums that follow each other add up.

    Args:
        terms: in the longest of the sums.
        dtype: of the sums.
        sums: how many follow each other.
    """
    error = terms * torch.finfo(dtype).eps / 2
    return 2 * sums * error / (1 - error)


def likely_difference(terms: int, dtype: torch.dtype, sums: int = 1) -> float:
    """Return how far apart two such results lie at most where rounding errors have either sign, and mostly cancel.

    A sum of n products is then off by at most lambda sqrt(n) u, each of the products with a probability of at least
    1 - 2 exp(-lambda^2 / 2): 99.93 % for a lambda of 4, which is taken here (Higham and Mary 2019, "A new approach to
    probabilistic rounding error analysis", section 2). The errors of sums that follow each other cancel likewise.

    Args:
        terms: in the longest of the sums.
        dtype: of the sums.
        sums: how many follow each other.
    """
    return 2 * LAMBDA * math.sqrt(sums * terms) * torch.finfo(dtype).eps / 2

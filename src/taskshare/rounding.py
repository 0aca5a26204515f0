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

    If rounding errors are independent and have mean zero, a sum of n products rarely is off by more than about
    lambda sqrt(n) u, and those of sums that follow each other add up likewise (after Higham and Mary 2019, "A new
    approach to probabilistic rounding error analysis"). A lambda of 4 is a rule of thumb: for sums as long as ours the
    theorem guarantees nothing.

    Args:
        terms: in the longest of the sums.
        dtype: of the sums.
        sums: how many follow each other.
    """
    return 2 * LAMBDA * math.sqrt(sums * terms) * torch.finfo(dtype).eps / 2

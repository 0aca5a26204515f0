"""How far two results may lie apart that add up the same numbers in different orders.

Which order a processor takes depends on its instruction set, the number of threads and the shape of the tensors.
"""

import torch


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

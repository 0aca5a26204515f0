"""The crossed interval holds the truth as often as it says; benchmarks/coverage.py asks this at full size."""

import numpy as np
import pytest

from taskshare.statistics.simulation import Design, coverage


@pytest.mark.parametrize(("seeds", "spread"), [(3, 4.0), (5, 0.0), (5, 1.0), (10, 2.0)])
def test_about_95_percent_of_the_intervals_hold_the_truth(seeds, spread):
    design = Design(seeds=seeds, seed_spread=spread, images=(1, 5), persons=200)
    found = coverage(design, 400, np.random.default_rng(3))
    assert 0.91 < found < 0.98  # a share of 0.95 of 400 has a standard error of 0.011

"""The crossed interval holds the truth as often as it says; benchmarks/coverage.py asks this at full size."""

import numpy as np
import pytest

from taskshare.statistics.simulation import Design, coverage


@pytest.mark.parametrize(("seeds", "spread"), [(3, 4.0), (5, 0.0), (5, 1.0), (10, 2.0)])
def test_about_95_percent_of_the_intervals_hold_the_truth(seeds, spread):
    design = Design(seeds=seeds, seed_spread=spread, images=(1, 5), persons=200)
    found = coverage(design, 400, np.random.default_rng(3))
    # Of 400 intervals, the share has a standard error of 0.011 to 0.013 around 0.93 to 0.95.
    assert 0.90 < found < 0.98

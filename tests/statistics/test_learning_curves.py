"""The smoothed training error, and when it reaches a mark."""

import math

import numpy as np
import pandas as pd
import pytest

from taskshare.statistics.learning_curves import Reached, reach, smoothed


def history(errors, images, task="Smiling"):
    rows = {"iteration": np.arange(1, len(errors) + 1) * 5, "images": images, "task": task, "training_error": errors}
    return pd.DataFrame(rows)


def test_smoothing_is_the_moving_average_over_rows_of_equal_size():
    errors = np.random.default_rng(0).random(12)
    curve = smoothed(history(errors, np.arange(1, 13) * 80), "Smiling", images=320)
    expected = pd.Series(errors).rolling(4).mean().dropna()
    np.testing.assert_allclose(curve["error"], expected)
    assert list(curve["iteration"]) == list(range(20, 65, 5))
    assert list(curve["images"]) == list(range(320, 961, 80))


def test_rows_weigh_as_many_images_as_they_cover():
    curve = smoothed(history([1.0, 0.5, 0.25, 0.0], [10, 40, 60, 70]), "Smiling", images=30)
    # 40 images are needed to make up 30 (10 and 30 of them), then 30, 30 and 30.
    assert list(curve["images"]) == [40, 60, 70]
    np.testing.assert_allclose(curve["error"], [0.5, (0.5 * 30 + 0.25 * 20) / 50, (0.25 * 20 + 0.0 * 10) / 30])


def test_a_row_longer_than_the_window_stands_alone_and_other_tasks_do_not_count():
    table = pd.concat([history([0.5, 0.3], [100, 200]), history([0.9, 0.8], [100, 200], "Young")])
    assert list(smoothed(table, "Young", images=50)["error"]) == pytest.approx([0.9, 0.8])
    assert smoothed(table, "Bald", images=50).empty
    assert smoothed(table, "Young", images=500).empty


def test_the_first_smoothed_row_at_the_mark_counts_with_its_time():
    table = history([0.4, 0.1, 0.2, 0.1, 0.1, 0.1], np.arange(1, 7) * 40)
    timing = pd.DataFrame({"iteration": [10, 25, 30], "seconds": [1.5, 3.0, 4.5]})
    # Averages of two rows: .25 .15 .15 .1 .1
    assert reach(table, timing, "Smiling", 0.1, images=80) == Reached(iteration=25, images=200, seconds=3.0)
    assert reach(table, timing, "Smiling", 0.15, images=80) == Reached(iteration=15, images=120, seconds=3.0)
    assert reach(table, timing, "Smiling", 0.05, images=80) is None
    assert math.isnan(reach(table, timing[:1], "Smiling", 0.1, images=80).seconds)

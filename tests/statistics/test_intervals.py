import math

import pytest

from taskshare.statistics.intervals import Interval, judge, ratio_interval, student_interval


def test_interval_of_two_seeds_by_hand():
    # t of 0.975 with one degree of freedom is 12.7062; the standard deviation of 80 and 82 is the root of 2.
    interval = student_interval([80.0, 82.0])
    assert interval is not None
    assert interval.mean == 81.0
    assert interval.count == 2
    assert interval.half_width == pytest.approx(12.7062 * math.sqrt(2) / math.sqrt(2), abs=1e-3)


def test_interval_of_five_seeds_by_hand():
    interval = student_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert interval is not None
    assert interval.half_width == pytest.approx(2.7764 * math.sqrt(2.5 / 5), abs=1e-3)


def test_one_seed_has_no_interval_and_none_has_no_mean():
    assert student_interval([90.0]) == Interval(90.0, None, 1)
    assert student_interval([]) is None


@pytest.mark.parametrize(
    ("published", "ours", "verdict"),
    [
        (81.9, Interval(81.0, 1.0, 3), "within"),
        (82.5, Interval(81.0, 1.0, 3), "below"),
        (79.5, Interval(81.0, 1.0, 3), "above"),
        (81.0, Interval(81.0, None, 1), "single"),
        (81.0, None, "not_run"),
        (None, Interval(81.0, 1.0, 3), "unpublished"),
    ],
)
def test_verdict_says_where_ours_lies(published, ours, verdict):
    assert judge(published, ours) == verdict


def test_numbers_of_another_metric_get_no_verdict():
    assert judge(81.0, Interval(81.0, 1.0, 3), comparable=False) == "incomparable"


def test_ratios_are_averaged_on_the_log_scale():
    found = ratio_interval([2.0, 8.0])
    assert (found.mean, found.count) == (pytest.approx(4), 2)
    assert found.low == pytest.approx(4 * math.exp(-12.7062 * math.log(4) / 2), rel=1e-4)
    assert found.high == pytest.approx(16 / found.low)
    assert ratio_interval([3.0]).low is None
    assert ratio_interval([]) is None

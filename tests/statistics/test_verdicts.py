"""What intervals say of claims and of published numbers."""

import pytest
from scipy import stats

from taskshare.statistics.intervals import Interval, student_interval
from taskshare.statistics.verdicts import conjunction, contrast_side, holm, is_equivalent, side, standing


def interval(mean, half_width=1.0, seeds=5, df=20.0):
    return Interval(mean, half_width, seeds, 300, half_width / stats.t.ppf(0.975, df), df)


def judge(found, margin=0.0, adjusted=None):
    return side(found, margin, found.p_value(-margin) if adjusted is None else adjusted, 0.05, 3)


@pytest.mark.parametrize(
    ("mean", "margin", "said"),
    [
        (1.1, 0.0, "supports"),
        (0.9, 0.0, "undecided"),
        (-0.9, 0.0, "undecided"),
        (-1.1, 0.0, "contradicts"),
        (1.1, 2.0, "supports"),
        (0.5, 2.0, "as_good"),
        (-0.9, 2.0, "as_good"),
        (-1.1, 2.0, "undecided"),
        (-2.9, 2.0, "undecided"),
        (-3.1, 2.0, "contradicts"),
    ],
)
def test_a_comparison_is_decided_where_its_interval_leaves_out_the_bound(mean, margin, said):
    assert judge(interval(mean), margin) == said


def test_fewer_than_three_seeds_decide_nothing():
    assert judge(interval(50, seeds=2)) == "undecided"
    assert judge(Interval(50, None, 1)) == "undecided"


def test_against_a_claim_counts_the_corrected_p_value_and_for_it_the_own():
    assert judge(interval(-1.1), adjusted=0.06) == "undecided"
    assert judge(interval(1.1), adjusted=0.06) == "supports"


@pytest.mark.parametrize(("mean", "equivalent"), [(0.0, True), (0.9, True), (-0.9, True), (1.1, False), (-1.1, False)])
def test_two_one_sided_tests_ask_for_the_interval_within_both_margins(mean, equivalent):
    assert is_equivalent(interval(mean), 2.0, 0.05) == equivalent
    assert not is_equivalent(interval(5.0), 2.0, 0.05)


def test_a_contrast_has_to_be_as_large_as_the_least_that_counts():
    clear = student_interval([0.019, 0.02, 0.021, 0.02, 0.022])
    assert contrast_side(clear, 0.02, 0.05, 3) == "supports"
    assert contrast_side(clear, 0.03, 0.05, 3) == "undecided"
    assert contrast_side(student_interval([-0.019, -0.021, -0.022]), 0.02, 0.05, 3) == "contradicts"
    assert contrast_side(student_interval([0.5, -0.4, 0.3]), 0.02, 0.05, 3) == "undecided"
    assert contrast_side(student_interval([0.02, 0.021]), 0.01, 0.05, 3) == "undecided"


@pytest.mark.parametrize(
    ("sides", "verdict"),
    [
        (["supports", "supports"], "holds"),
        (["supports", "as_good"], "holds_as_good"),
        (["supports", "undecided"], "undecided"),
        (["supports", "undecided", "contradicts"], "does_not_hold"),
        ([], "undecided"),
    ],
)
def test_a_claim_holds_if_each_part_does_and_falls_with_one(sides, verdict):
    assert conjunction(sides) == verdict


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@pytest.mark.parametrize(
    ("published", "ours", "said"),
    [
        (81.9, interval(81.0), "within"),
        (81.9, interval(81.0, half_width=3.1), "too_wide"),
        (90.0, interval(81.0, half_width=3.1), "below"),
        (82.5, interval(81.0), "below"),
        (79.5, interval(81.0), "above"),
        (81.0, interval(81.0, seeds=1), "single"),
        (81.0, Interval(81.0, None, 1), "single"),
        (81.0, None, "not_run"),
        (None, interval(81.0), "unpublished"),
    ],
)
def test_standing_says_where_ours_lies(published, ours, said):
    assert standing(published, ours, widest=3.0) == said


def test_without_a_bound_no_interval_is_too_wide():
    assert standing(81.9, interval(81.0, half_width=30)) == "within"


def test_numbers_of_another_metric_are_not_compared():
    assert standing(81.0, interval(81.0), comparable=False) == "incomparable"

"""The paired bootstrap, beside SciPy's, beside formulas, and where pairing matters."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from taskshare.evaluation.bootstrap import Answers, Contrast, paired_bootstrap

IMAGES = 600
FIRST, SECOND = ("first", "Smiling"), ("second", "Smiling")
GENERATOR = np.random.default_rng(5)
LABELS = (GENERATOR.random(IMAGES) < 0.3).astype(int)
HARD_IMAGES = GENERATOR.random(IMAGES) < 0.2
"""Images that both nets get wrong."""
RIGHT = {column: ~HARD_IMAGES & (GENERATOR.random(IMAGES) < share) for column, share in ((FIRST, 0.97), (SECOND, 0.95))}
IDS = [f"{number:06}.jpg" for number in range(IMAGES)]


def ask(right, labels=LABELS, ids=IDS):
    """Answers of nets by column and seed, all to the same images."""
    answers = Answers()
    for (column, seed), correct in right.items():
        answers.add(column, seed, ids, labels, np.asarray(correct))
    return answers


def difference(*, margin=0.0):
    return Contrast(plus=((FIRST,),), minus=((SECOND,),), margin=margin)


def half_width(estimate):
    return (estimate.high - estimate.low) / 2


def test_one_difference_agrees_with_scipy():
    [found] = paired_bootstrap("celeba", ask({(column, 1): RIGHT[column] for column in RIGHT}), [difference()])

    def statistic(drawn):
        labels = LABELS[drawn]
        first, second = (np.where(RIGHT[column][drawn], labels, 1 - labels) for column in (FIRST, SECOND))
        return 100 * (balanced_accuracy_score(labels, first) - balanced_accuracy_score(labels, second))

    scipys = stats.bootstrap(
        (np.arange(IMAGES),), statistic, vectorized=False, n_resamples=1000, method="percentile", rng=1
    ).confidence_interval
    assert found.effect == pytest.approx(statistic(np.arange(IMAGES)))
    assert (found.low, found.high) == pytest.approx(scipys, abs=0.25)


def test_pairing_narrows_the_interval():
    paired = ask({(FIRST, 1): RIGHT[FIRST], (SECOND, 1): RIGHT[SECOND]})
    apart = ask({(FIRST, 1): RIGHT[FIRST]})
    apart.add(SECOND, 1, [f"other-{name}" for name in IDS], LABELS, RIGHT[SECOND])
    [together], [separate] = (paired_bootstrap("celeba", answers, [difference()]) for answers in (paired, apart))
    assert together.effect == pytest.approx(separate.effect)
    assert half_width(together) < 0.7 * half_width(separate)


def test_interval_of_one_accuracy_agrees_with_its_standard_error():
    [found] = paired_bootstrap("celeba", ask({(FIRST, 1): RIGHT[FIRST]}), [Contrast(plus=((FIRST,),), minus=())])
    shares = [(RIGHT[FIRST][label == LABELS].mean(), (label == LABELS).sum()) for label in (0, 1)]
    error = 100 * 0.5 * np.sqrt(sum(share * (1 - share) / count for share, count in shares))
    assert half_width(found) == pytest.approx(1.96 * error, rel=0.06)


def test_a_plain_share_asks_for_no_labels():
    right = RIGHT[FIRST] & (LABELS == 0)  # all positives wrong: a balanced accuracy below one half
    [found] = paired_bootstrap("celeba", ask({(FIRST, 1): right}, None), [Contrast(plus=((FIRST,),), minus=())])
    share = right.mean()
    assert found.effect == pytest.approx(100 * share)
    assert half_width(found) == pytest.approx(1.96 * 100 * np.sqrt(share * (1 - share) / IMAGES), rel=0.06)
    [balanced_one] = paired_bootstrap("celeba", ask({(FIRST, 1): right}), [Contrast(plus=((FIRST,),), minus=())])
    assert balanced_one.effect < 50


def test_a_gain_in_one_column_less_the_mean_gain_in_others_agrees_with_scipy():
    """As for the nose and the other points: what is added and what is subtracted are of different columns."""
    points = ("nose", "lefteye", "righteye")
    generator = np.random.default_rng(3)
    shares = {"old": (0.5, 0.9, 0.8), "new": (0.8, 0.95, 0.9)}
    right = {
        (job, point): generator.random(IMAGES) < share
        for job in shares
        for point, share in zip(points, shares[job], strict=True)
    }
    others = {job: tuple((job, point) for point in points[1:]) for job in shares}
    contrast = Contrast(plus=((("new", "nose"),), others["old"]), minus=((("old", "nose"),), others["new"]))
    [found] = paired_bootstrap("celeba", ask({(column, 1): right[column] for column in right}, None), [contrast])
    gains = {point: right["new", point].astype(float) - right["old", point] for point in points}
    by_image = 100 * (gains["nose"] - (gains["lefteye"] + gains["righteye"]) / 2)
    scipys = stats.bootstrap((by_image,), np.mean, n_resamples=2000, method="percentile", rng=1).confidence_interval
    assert found.effect == pytest.approx(by_image.mean())
    assert (found.low, found.high) == pytest.approx(scipys, abs=0.5)


def test_seeds_are_drawn_anew_too():
    """Nets that are wholly right or wrong leave nothing to the images: the seeds alone spread."""
    outcomes = [True, True, False, True, False, True, True, True]
    answers = ask({(FIRST, seed): np.full(IMAGES, right) for seed, right in enumerate(outcomes)})
    [found] = paired_bootstrap("celeba", answers, [Contrast(plus=((FIRST,),), minus=())])
    assert found.effect == pytest.approx(75.0)
    low, high = stats.binom(8, 0.75).ppf([0.025, 0.975]) / 8 * 100
    assert (found.low, found.high) == pytest.approx((low, high))


def test_all_terms_of_a_contrast_draw_the_same_seeds():
    """Accuracies swing by seed, their difference does not."""
    share = {1: 0.9, 2: 0.5, 3: 0.1}
    right = {(FIRST, seed): np.arange(IMAGES) < share[seed] * IMAGES for seed in share}
    answers = ask({**right, **{(SECOND, seed): correct for (_, seed), correct in right.items()}})
    [found] = paired_bootstrap("celeba", answers, [difference()])
    assert (found.low, found.high) == (0.0, 0.0)
    assert found.p_value == 1.0


def test_a_term_is_the_mean_of_its_columns_and_terms_add_up():
    columns = [(job, task) for job in ("a", "b") for task in ("Smiling", "Young")]
    right = {(column, 1): np.arange(IMAGES) < IMAGES - 40 * number for number, column in enumerate(columns)}
    plain = {column: balanced(right[column, 1]) for column in columns}
    [found] = paired_bootstrap(
        "celeba", ask(right), [Contrast(plus=(tuple(columns[:2]), (columns[2],)), minus=((columns[3],),))], 10
    )
    expected = (plain[columns[0]] + plain[columns[1]]) / 2 + plain[columns[2]] - plain[columns[3]]
    assert found.effect == pytest.approx(100 * expected)


def balanced(correct):
    return balanced_accuracy_score(LABELS, np.where(correct, LABELS, 1 - LABELS))


def test_only_seeds_that_have_every_column_count():
    answers = ask({(FIRST, 1): RIGHT[FIRST], (FIRST, 2): RIGHT[SECOND], (SECOND, 1): RIGHT[SECOND]})
    [found, absent] = paired_bootstrap(
        "celeba", answers, [difference(), Contrast(plus=((FIRST,),), minus=((("third", "Smiling"),),))]
    )
    assert found.seeds == (1,)
    assert found.effect == pytest.approx(100 * (balanced(RIGHT[FIRST]) - balanced(RIGHT[SECOND])))
    assert absent is None


def test_p_value_says_how_often_the_sign_turns():
    answers = ask({(FIRST, 1): RIGHT[FIRST], (SECOND, 1): RIGHT[SECOND]})
    [found] = paired_bootstrap("celeba", answers, [difference()])
    approximate = 2 * stats.norm.sf(abs(found.effect) / (half_width(found) / 1.96))
    assert found.p_value == pytest.approx(approximate, abs=0.05)
    clear = ask({(FIRST, 1): np.ones(IMAGES, bool), (SECOND, 1): RIGHT[SECOND]})
    [found] = paired_bootstrap("celeba", clear, [difference()], 999)
    assert found.p_value == 2 / 1000, "no replicate is on the other side: the smallest value that 999 can give"


def test_a_margin_moves_the_null_hypothesis_and_not_the_interval():
    worse = ask({(FIRST, 1): RIGHT[SECOND] & (np.arange(IMAGES) % 50 != 0), (SECOND, 1): RIGHT[SECOND]})
    plain, wide = paired_bootstrap("celeba", worse, [difference(), difference(margin=5.0)])
    assert plain.effect < 0
    assert (plain.effect, plain.low, plain.high) == (wide.effect, wide.low, wide.high)
    assert plain.p_value < 0.05, "worse than 0"
    assert wide.p_value < 0.05, "better than 5 points less"
    [near] = paired_bootstrap("celeba", worse, [difference(margin=-plain.effect)])
    assert near.p_value > 0.5


def test_replicates_without_a_positive_are_left_out():
    labels = np.zeros(IMAGES, int)
    labels[0] = 1  # a third of all draws misses it
    [found] = paired_bootstrap(
        "celeba", ask({(FIRST, 1): labels == 1}, labels), [Contrast(plus=((FIRST,),), minus=())], 200
    )
    assert (found.effect, found.low, found.high) == (50.0, 50.0, 50.0)


def test_a_task_with_one_label_only_has_no_estimate():
    answers = ask({(FIRST, 1): RIGHT[FIRST]}, np.zeros(IMAGES, int))
    assert paired_bootstrap("celeba", answers, [Contrast(plus=((FIRST,),), minus=())], 10) == [None]


def test_tasks_of_a_data_set_may_have_different_images():
    """Pairs of classes share no image, as in CIFAR-10: each keeps its own count in a draw from all."""
    other = ("first", "Young")
    answers = ask({(FIRST, 1): RIGHT[FIRST]})
    answers.add(other, 1, [f"other-{name}" for name in IDS[:100]], LABELS[:100], RIGHT[SECOND][:100])
    [found, alone] = paired_bootstrap(
        "cifar10", answers, [Contrast(plus=((FIRST, other),), minus=()), Contrast(plus=((other,),), minus=())]
    )
    small = balanced_accuracy_score(LABELS[:100], np.where(RIGHT[SECOND][:100], LABELS[:100], 1 - LABELS[:100]))
    assert found.effect == pytest.approx(100 * (balanced(RIGHT[FIRST]) + small) / 2)
    assert half_width(found) < half_width(alone)


def test_same_answers_same_numbers():
    right = {(column, seed): RIGHT[column] for column in RIGHT for seed in (1, 2)}
    first, again = (paired_bootstrap("celeba", ask(right), [difference()], 50) for _ in range(2))
    other = paired_bootstrap("cifar10", ask(right), [difference()], 50)
    assert first == again
    assert first != other

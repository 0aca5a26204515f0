"""What each test person adds to a statistic."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from taskshare.statistics.contributions import mean, of_balanced_accuracy, of_mean, over_seeds

GENERATOR = np.random.default_rng(5)
IMAGES = 500
PERSONS = GENERATOR.integers(0, 120, IMAGES)
LABELS = (GENERATOR.random(IMAGES) < 0.3).astype(int)
DECISIONS = (GENERATOR.random((3, IMAGES)) < 0.8) == LABELS


def balanced(keep=slice(None), seed=0):
    return balanced_accuracy_score(LABELS[keep], DECISIONS[seed][keep])


def test_the_mean_over_persons_is_the_balanced_accuracy():
    found = of_balanced_accuracy(LABELS, DECISIONS, PERSONS, (1, 2, 3))
    expected = [balanced(seed=seed) for seed in range(3)]
    assert found.estimates == pytest.approx(expected)
    assert found.values.mean(axis=1) == pytest.approx(expected)
    assert found.values.shape == (3, len(np.unique(PERSONS)))


def test_a_person_moves_the_balanced_accuracy_by_its_influence():
    """Without a person, the statistic changes by minus the influence, but for terms of second order."""
    found = of_balanced_accuracy(LABELS, DECISIONS[:1], PERSONS, (1,))
    without = np.array([balanced(person != PERSONS) for person in found.persons])
    np.testing.assert_allclose(balanced() - without, found.influence[0], atol=2e-4)
    assert np.corrcoef(balanced() - without, found.influence[0])[0, 1] > 0.999


def test_a_mean_over_images_weighs_persons_by_their_images():
    found = of_mean(np.array([[1.0, 0, 0, 0]]), np.array(["a", "b", "b", "b"]), (1,))
    assert found.estimates == [0.25]
    np.testing.assert_allclose(found.influence, [[(1 - 0.25) / 4, (0 - 3 * 0.25) / 4]])


def test_differences_and_means_are_arithmetic_over_common_seeds():
    first = of_balanced_accuracy(LABELS, DECISIONS, PERSONS, (1, 2, 3))
    second = of_balanced_accuracy(LABELS, DECISIONS[:2], PERSONS, (2, 5))
    difference = first - second
    assert difference.seeds == (2,)
    assert difference.estimates == pytest.approx([balanced(seed=1) - balanced(seed=0)])
    both = mean([first, second])
    assert both.estimates == pytest.approx([(balanced(seed=1) + balanced(seed=0)) / 2])
    assert (first - first).values == pytest.approx(0)


def test_tasks_without_a_common_image_each_keep_their_influence():
    """As pairs of CIFAR-10's classes: the variance of a mean of two is a quarter of the sum of theirs."""
    parts = [of_mean(DECISIONS[:1, part], np.arange(IMAGES)[part], (1,)) for part in (slice(200), slice(200, None))]
    both = mean(parts)
    assert len(both.persons) == IMAGES
    assert both.estimates == pytest.approx([np.mean([part.estimates[0] for part in parts])])
    variances = [(part.influence**2).sum() for part in parts]
    assert (both.influence**2).sum() == pytest.approx(sum(variances) / 4)


def test_seeds_with_other_images_are_put_together():
    first = of_mean(np.array([[1, 0]]), np.array(["a", "b"]), (1,))
    second = of_mean(np.array([[1, 1]]), np.array(["b", "c"]), (2,))
    found = over_seeds([first, second])
    assert (found.seeds, set(found.persons)) == ((1, 2), {"a", "b", "c"})
    assert found.estimates == pytest.approx([0.5, 1.0])
    assert found.values.mean(axis=1) == pytest.approx([0.5, 1.0])


def test_one_label_alone_has_no_balanced_accuracy():
    assert np.isnan(of_balanced_accuracy(np.zeros(4), np.zeros((1, 4), bool), np.arange(4), (1,)).estimates[0])


def test_a_categorical_is_taken_as_it_is():
    units = pd.Categorical(PERSONS)
    found = of_balanced_accuracy(LABELS, DECISIONS, units, (1, 2, 3))
    assert found.persons is units.categories
    np.testing.assert_array_equal(found.values, of_balanced_accuracy(LABELS, DECISIONS, PERSONS, (1, 2, 3)).values)

"""Balanced accuracy, its parts, and its standard error."""

import math

import numpy as np
import pytest
import torch

from taskshare.networks.inference import probabilities
from taskshare.statistics.metrics import class_accuracies, decide, measure, standard_error


def test_balanced_accuracy_is_the_mean_of_the_accuracies_of_both_classes():
    labels = np.array([1, 1, 1, 1, 0, 0])
    predictions = np.array([True, True, True, False, False, True])
    measured = measure(labels, predictions)
    assert measured["accuracy_positives"] == 0.75
    assert measured["accuracy_negatives"] == 0.5
    assert measured["balanced_accuracy"] == 0.625
    assert measured["accuracy"] == pytest.approx(4 / 6)
    assert (measured["positives"], measured["negatives"]) == (4, 2)


def test_images_that_are_not_part_of_the_task_do_not_count():
    labels = np.array([1, -1, 0, -1])
    assert class_accuracies(labels, np.array([True, False, False, True])) == (1.0, 1.0)


def test_a_class_without_samples_has_no_accuracy():
    positives, negatives = class_accuracies(np.array([0, 0]), np.array([False, True]))
    assert math.isnan(positives)
    assert negatives == 0.5


def test_standard_error_agrees_with_repeated_draws():
    generator = np.random.default_rng(0)
    draws = 0.5 * (generator.binomial(50, 0.8, 20000) / 50 + generator.binomial(400, 0.9, 20000) / 400)
    assert standard_error(0.8, 50, 0.9, 400) == pytest.approx(draws.std(), rel=0.03)


def test_a_logit_that_rounds_to_even_odds_decides_for_nothing_whoever_asks():
    logits = np.array([-1, 0, 1e-8, 1], np.float32)
    assert decide(probabilities(logits)).tolist() == [False, False, False, True]
    assert decide(torch.from_numpy(logits).sigmoid()).tolist() == [False, False, False, True]

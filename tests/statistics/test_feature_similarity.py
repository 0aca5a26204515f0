"""How alike two sets of features are."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from taskshare.statistics.feature_similarity import explained_share, linear_cka


@pytest.fixture
def features():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 5))
    return x, x @ generator.normal(size=(5, 4)) + 0.5 * generator.normal(size=(300, 4))


def test_cka_is_that_of_the_kernel_matrices(features):
    x, y = features
    # Kornblith 2019, equations 2 to 4: HSIC of K and L over the root of those of K with K, and L with L.
    centring = np.eye(300) - 1 / 300
    of_x, of_y = (centring @ features @ features.T @ centring for features in (x, y))
    expected = np.trace(of_x @ of_y) / np.sqrt(np.trace(of_x @ of_x) * np.trace(of_y @ of_y))
    assert linear_cka(x, y) == pytest.approx(expected)


def test_cka_ignores_rotation_scale_and_offset_but_not_the_features(features):
    x, y = features
    turned = 3 * x @ ortho_group.rvs(5, random_state=1) + 7
    assert linear_cka(x, turned) == pytest.approx(1)
    assert linear_cka(turned, y) == pytest.approx(linear_cka(x, y))
    assert linear_cka(x, np.random.default_rng(9).normal(size=(300, 4))) < 0.1
    assert np.isnan(linear_cka(x, np.zeros((300, 4))))


def test_a_linear_function_is_explained_and_noise_is_not(features):
    x, y = features
    assert explained_share(x, x @ [[1.0, 2], [0, 1], [3, 0], [0, 0], [1, 1]] + 5) == pytest.approx(1)
    assert explained_share(x, np.random.default_rng(9).normal(size=(300, 4))) < 0.02
    # Each channel of y is a sum of five terms of variance about 1, and noise of variance 0.25.
    assert explained_share(x, y) == pytest.approx(1 - 4 * 0.25 / y.var(axis=0).sum(), abs=0.02)
    assert np.isnan(explained_share(x, np.zeros((300, 4))))


def test_a_fit_is_not_scored_on_what_it_was_fitted_to():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(40, 20)), generator.normal(size=(40, 3))  # 20 numbers explain 20 of any others
    assert explained_share(x, y) < 0

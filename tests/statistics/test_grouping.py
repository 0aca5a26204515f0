"""Groups from the distances of maps, and how they agree with printed ones."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import manhattan_distances

from taskshare.statistics.grouping import agreement, cluster, l1_distances

MAPS = np.array([[[1.0, 0], [0, 0]], [[4, 0], [0, 0]], [[0, 1], [1, 0]], [[0, 3], [2, 0]], [[0, 0], [0, 0]]])


def test_raw_distances_are_the_summed_differences():
    np.testing.assert_allclose(l1_distances(MAPS, normalise=False), manhattan_distances(MAPS.reshape(5, 4)))


def test_normalised_distances_leave_the_strength_out():
    distances = l1_distances(MAPS, normalise=True)
    assert distances[0, 1] == 0
    assert distances[0, 2] == 2  # the contrast lies nowhere at the same place
    assert distances[2, 3] == pytest.approx(0.2)
    assert distances[0, 4] == 1  # a map of zeros


def test_clusters_are_those_of_scikit_learns_average_linkage():
    distances = manhattan_distances(np.random.default_rng(0).random((12, 5)))
    expected = AgglomerativeClustering(4, metric="precomputed", linkage="average").fit_predict(distances)
    assert adjusted_rand_score(cluster(distances, 4), expected) == 1


def test_equal_distances_still_give_as_many_clusters_as_asked():
    assert len(set(cluster(1 - np.eye(5), 3))) == 3


def test_agreement_asks_how_many_groupings_fit_as_well():
    printed = np.array([0, 0, 0, 1, 1, 2, 2])
    same = agreement(np.array([2, 2, 2, 0, 0, 1, 1]), printed)
    assert (same.statistic, same.p_value, same.partitions) == (1, 1 / 105, 105)
    derived = np.array([0, 0, 1, 1, 1, 2, 2])
    near = agreement(derived, printed)
    assert near.statistic == adjusted_rand_score(derived, printed)
    assert 1 / 105 < near.p_value < 0.2

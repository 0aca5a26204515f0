"""Batches are a function of run and iteration, balanced where the pools are resampled."""

import numpy as np
import pytest

from taskshare.training.batches import Batches, Stream

LABELS = np.array([[0] * 30 + [1] * 10, [1] * 4 + [0] * 36, [-1] * 20 + [0] * 10 + [1] * 10], dtype=np.int8)


def pools(sampling):
    chosen = []
    for own in LABELS:
        zeros, ones = np.flatnonzero(own == 0), np.flatnonzero(own == 1)
        if sampling == "resampled":
            ones = np.resize(ones, len(zeros))
        chosen.append(np.concatenate([zeros, ones]))
    return chosen


def test_a_pass_takes_every_sample_once_and_the_next_in_another_order():
    stream = Stream(np.arange(10), 1, "test")
    first, second = stream.take(0, 10), stream.take(10, 10)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()


def test_a_batch_does_not_depend_on_what_was_asked_before():
    fresh, used = Stream(np.arange(7), 1, "test"), Stream(np.arange(7), 1, "test")
    for start in range(0, 40, 4):
        used.take(start, 4)
    assert used.take(40, 4).tolist() == fresh.take(40, 4).tolist()


@pytest.mark.parametrize("iteration", [0, 1, 9])
def test_resampled_batches_hold_equal_positives_and_negatives_of_every_task(iteration, make_run):
    batches = Batches(make_run(), LABELS, pools("resampled"))
    indices = batches.indices(iteration)
    assert indices.shape == (3, 8)
    assert [own[row].mean() for own, row in zip(LABELS, indices, strict=True)] == [0.5, 0.5, 0.5]


def test_original_pools_keep_their_rates():
    run_labels = LABELS[:1]
    stream = Stream(pools("original")[0], 1, "Bright", 0)
    assert run_labels[0, stream.take(0, 40)].mean() == 0.25


def test_a_shared_batch_is_one_pool_for_all_tasks_whatever_the_first_ones_labels(make_run):
    run = make_run(sampling="original", batches="shared", tasks=["Bright", "Left"])
    batches = Batches(run, None, [np.arange(40), np.arange(40)])
    assert batches.indices(3).shape == (1, 8)
    sorted_by_label = Batches(run, None, [pools("original")[0], np.arange(40)])
    assert (sorted_by_label.indices(3) == batches.indices(3)).all()
    passed = np.concatenate([batches.indices(iteration)[0] for iteration in range(5)])
    assert sorted(passed) == list(range(40))

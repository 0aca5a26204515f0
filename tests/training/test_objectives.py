"""What outputs are compared with: labels of pools or shared batches, landmarks and attributes."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from taskshare.data.catalogue import PREPARED_LANDMARKS
from taskshare.errors import TaskshareError
from taskshare.training.objectives import objective

LABELS = ["Bright", "Left", "Rare"]
FACE = np.array([[4, 5], [11, 5], [7.5, 8], [5, 11], [10, 11]], np.float32)


@pytest.fixture
def table():
    table = pd.DataFrame({"Bright": [1, 0, 1, 0], "Left": [0, 0, 1, 1], "Rare": [0, 0, 0, 1]}, dtype=np.int8)
    points = np.stack([FACE + shift for shift in (-1, 0, 1, 2)])
    return pd.concat([table, pd.DataFrame(points.reshape(4, 10), columns=list(PREPARED_LANDMARKS))], axis=1)


@pytest.fixture
def columns_run(make_run):
    def make(**changes):
        return make_run(
            tasks=["landmarks", "attributes"],
            sampling="original",
            batches="shared",
            variant={"size": 16, "colour": "rgb"},
            network={"backbone": "vgg", "scheme": "hard", "channels": [4], "convolutions": [1], "fully_connected": 6},
            **changes,
        )

    return make


def outputs_of(points, logits):
    """What a net would say: points in fractions, and for each label the outputs of both classes."""
    pairs = np.stack([np.zeros_like(logits), logits], axis=2)
    return np.concatenate([points.reshape(len(points), 10), pairs.reshape(len(points), -1)], axis=1).astype(np.float32)


def fractions(table):
    return (table[list(PREPARED_LANDMARKS)].to_numpy().reshape(-1, 5, 2) + 0.5) / 16


def test_targets_of_pooled_batches_are_each_pools_own_label(make_run, table):
    indices = torch.tensor([[0, 1], [2, 3], [3, 3]])
    targets = objective(make_run(), table).targets(indices)
    assert targets.tolist() == [[1, 1, 1], [0, 1, 1]]


def test_targets_of_a_shared_batch_are_all_labels(make_run, table):
    run = make_run(sampling="original", batches="shared", tasks=["Bright", "Left"])
    assert objective(run, table).targets(torch.tensor([[2, 1]])).tolist() == [[1, 1], [0, 0]]


def test_landmarks_cost_the_mean_squared_error_and_attributes_the_mean_cross_entropy(columns_run, table):
    aim = objective(columns_run(), table)
    logits = np.array([[2.0, -1, 0], [1, 1, -3], [0.5, 2, -1], [-1, 1, 3]])
    moved = fractions(table) + np.array([0.01, -0.02])
    targets = aim.targets(torch.tensor([[0, 1, 2, 3]]))
    losses, wrong = aim.compare(torch.from_numpy(outputs_of(moved, logits)), targets, slice(None))
    assert losses[0].item() == pytest.approx((0.01**2 + 0.02**2) / 2, rel=1e-3)
    truth = torch.tensor(table[LABELS].to_numpy())
    pairs = torch.stack([torch.zeros(4, 3), torch.from_numpy(logits).float()], dim=2)
    assert losses[1].item() == pytest.approx(cross_entropy(pairs.flatten(0, 1), truth.flatten().long()).item())
    # Eyes 7 pixels apart: a move of (0.16, -0.32) pixels is within a tenth. Two of twelve labels are said wrong.
    assert wrong.tolist() == pytest.approx([0, 2 / 12])


def test_a_point_is_found_within_a_tenth_of_the_distance_of_the_eyes(columns_run, table):
    aim = objective(columns_run(), table)
    moved = fractions(table)
    moved[:, 2, 0] += 0.69 / 16
    moved[:, 3, 1] += 0.71 / 16
    (landmarks, _) = aim.score(outputs_of(moved, np.zeros((4, 3))))
    assert landmarks == {"detection_rate": pytest.approx(0.8)}


def test_attributes_are_scored_by_accuracy_and_by_balanced_accuracy(columns_run, table):
    aim = objective(columns_run(), table)
    always = np.tile([1.0, 1.0, -1.0], (4, 1))
    _, attributes = aim.score(outputs_of(fractions(table), always))
    assert attributes == {"accuracy": pytest.approx((0.5 + 0.5 + 0.75) / 3), "balanced_accuracy": 0.5}
    assert aim.selection_scores(aim.score(outputs_of(fractions(table), always))) == [1, attributes["accuracy"]]


def test_a_single_label_is_selected_by_balanced_accuracy(columns_run, table):
    run = columns_run().model_copy(update={"tasks": ["Rare"]})
    aim = objective(run, table)
    never = aim.score(np.tile(np.float32([0, -1]), (4, 1)))
    assert never == [{"accuracy": 0.75, "balanced_accuracy": 0.5}]
    assert aim.selection_scores(never) == [0.5]
    with pytest.raises(TaskshareError, match="images of one label only for Rare"):
        objective(run, table[:3]).check_selectable()


def test_a_weight_multiplies_a_tasks_loss(columns_run, table):
    plain, heavy = (
        objective(columns_run(training={"loss_weights": weights}), table) for weights in ({}, {"landmarks": 10})
    )
    outputs = torch.from_numpy(outputs_of(fractions(table) + 0.1, np.zeros((4, 3))))
    targets = plain.targets(torch.tensor([[0, 1, 2, 3]]))
    first, second = (aim.compare(outputs, targets, slice(None))[0] for aim in (plain, heavy))
    assert second[0] == pytest.approx(10 * first[0].item())
    assert second[1] == first[1]


def test_one_answer_for_all_faces_is_their_mean_and_their_rates(columns_run, table):
    aim = objective(columns_run(), table)
    assert aim.constant("landmarks").tolist() == pytest.approx(fractions(table).mean(0).flatten().tolist())
    assert torch.softmax(aim.constant("attributes").view(3, 2), 1)[:, 1].tolist() == pytest.approx([0.5, 0.5, 0.25])
    assert not math.isnan(aim.constant("attributes").sum())

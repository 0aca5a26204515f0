"""Connections of a net: strength, share, magnitude and influence."""

import numpy as np
import pandas as pd
import pytest
import torch

from taskshare import rounding
from taskshare.data.arrays import ImageArray
from taskshare.errors import TaskshareError
from taskshare.evaluation.kinds import connection_magnitudes
from taskshare.networks import weights
from taskshare.networks.build import to_input

EPSILON = torch.finfo(torch.float32).eps
TASKS = ["Bright", "Left", "Rare"]
BETA = torch.tensor([[9.0, -1, 0], [2, 9, 1], [0, -2, 9]])


def set_beta(network):
    for transfer in network.transfers.values():
        transfer.beta.data.copy_(BETA)


@pytest.fixture
def measured(toy, make_run, saved, tmp_path):
    checkpoint = saved(make_run(), set_beta)
    connection_magnitudes.measure(checkpoint, toy, 100, tmp_path / "connections.parquet", "cpu")
    return checkpoint, pd.read_parquet(tmp_path / "connections.parquet")


def matrix(rows, layer, column):
    part = rows[rows["layer"] == layer]
    return part.pivot(index="source", columns="target", values=column).loc[TASKS, TASKS].to_numpy()


def test_alpha_and_share_are_those_of_the_weights(measured):
    rows = measured[1]
    alpha = 1 / (1 + np.exp(-BETA.numpy()))
    np.fill_diagonal(alpha, 1)
    np.testing.assert_allclose(matrix(rows, 6, "alpha"), alpha, rtol=8 * EPSILON)  # two logistic functions
    assert matrix(rows, 6, "share")[1, 0] == pytest.approx(alpha[1, 0] / (1 + alpha[1, 0] + alpha[2, 0]))


def test_magnitude_is_the_mean_response_over_images_spread_evenly(measured, toy):
    checkpoint, rows = measured
    network = weights.load(checkpoint)[1]
    every_third = ImageArray(toy / "train.npy").read(np.arange(0, 300, 3))
    with torch.no_grad():
        responses = [subnet.layers[0].respond(to_input(torch.from_numpy(every_third))) for subnet in network.subnets]
    expected = np.array([response.abs().mean().item() for response in responses])
    magnitude = matrix(rows, 1, "magnitude")
    share = rounding.likely_difference(responses[0].numel(), torch.float32)
    np.testing.assert_allclose(magnitude, np.repeat(expected[:, None], 3, axis=1), rtol=share)
    weighed = matrix(rows, 1, "alpha") * expected[:, None]
    np.testing.assert_allclose(matrix(rows, 1, "influence"), weighed / weighed.sum(0), rtol=share)


def test_every_joined_layer_has_all_pairs(measured, toy, make_run, saved, tmp_path):
    rows = measured[1]
    assert rows.groupby("layer").size().to_dict() == dict.fromkeys(range(1, 7), 9)
    assert list(rows.dtypes.astype(str)) == ["int8", "str", "str", *["float32"] * 4]
    connection_magnitudes.measure(
        saved(make_run(transfer={"layers": [2, 6]})), toy, 100, tmp_path / "two.parquet", "cpu"
    )
    assert set(pd.read_parquet(tmp_path / "two.parquet")["layer"]) == {2, 6}


def test_a_task_that_joined_later_gives_nothing_to_earlier_ones(toy, make_run, saved, tmp_path):
    run = make_run(generations=[["Bright", "Left"], ["Rare"]])
    connection_magnitudes.measure(saved(run), toy, 100, tmp_path / "connections.parquet", "cpu")
    rows = pd.read_parquet(tmp_path / "connections.parquet")
    np.testing.assert_array_equal(matrix(rows, 6, "alpha"), [[1, 0.5, 0.5], [0.5, 1, 0.5], [0, 0, 1]])
    np.testing.assert_allclose(matrix(rows, 6, "share")[:, 2], [0.25, 0.25, 0.5])
    assert (matrix(rows, 6, "magnitude")[2] > 0).all()


def test_a_net_without_connections_is_refused(toy, make_run, saved, tmp_path):
    with pytest.raises(TaskshareError, match="has no connections; take a run with"):
        connection_magnitudes.measure(saved(make_run("hard")), toy, 100, tmp_path / "connections.parquet", "cpu")

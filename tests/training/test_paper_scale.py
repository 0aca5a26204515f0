"""The nets of Matsui 2019 at the paper's size: one step forward and backward."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from taskshare import config, device
from taskshare.data.catalogue import PREPARED_LANDMARKS
from taskshare.networks.build import build_for, to_input
from taskshare.networks.parents import start_of
from taskshare.training.objectives import objective

pytestmark = pytest.mark.slow
BATCH = 4


@pytest.fixture(scope="module")
def params():
    return config.load(Path(__file__).parents[2] / "params.yaml", {"scale": "paper"}, check_sources=False)


@pytest.mark.parametrize("name", ["celeba-columns", "celeba-separation", "celeba-separation-branch3"])
def test_one_step_forward_and_backward(name, params):
    run = next(params.jobs(name))
    assert (run.training.batch_size, run.training.learning_rate, run.training.momentum) == (32, 1e-4, 0.9)
    device.set_up(2)
    generator = np.random.default_rng(1)
    table = pd.DataFrame(generator.integers(0, 2, (BATCH, 40)), columns=run.labels)
    points = np.array([[40, 50], [88, 50], [64, 75], [45, 95], [83, 95]]) + generator.normal(0, 3, (BATCH, 5, 2))
    table[list(PREPARED_LANDMARKS)] = points.reshape(BATCH, 10)
    images = torch.from_numpy(generator.integers(0, 256, (BATCH, 128, 128, 3), dtype=np.uint8))
    network = build_for(run)
    start_of(run).freeze(network)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network.to(memory_format=torch.channels_last)(to_input(images)).float()
    assert outputs.shape == (BATCH, 90)
    aim = objective(run, table)
    targets = aim.targets(torch.arange(BATCH)[None])
    losses, _ = aim.compare(outputs, targets, slice(None))
    losses.sum().backward()
    for parameter_name, parameter in network.named_parameters():
        if parameter_name.startswith("shared."):
            assert parameter.grad is None
        else:
            assert parameter.grad.isfinite().all(), parameter_name
            assert parameter.grad.abs().max() > 0, parameter_name

"""The nets of Matsui 2019: Table 1, what is shared, what is frozen, and what does not depend on what."""

import itertools

import pytest
import torch
from torch import nn

from taskshare import config
from taskshare.networks.build import build_vgg, count_parameters
from taskshare.networks.shapes import layer_plan

LABELS = ["Bald", "Smiling", "Young"]
TASKS = ["landmarks", "attributes"]
SMALL = {"backbone": "vgg", "channels": [4, 6], "convolutions": [1, 2], "fully_connected": 8}
# Table 1: channels of each convolution, and the maps' height and width.
PAPER = [(64, 128)] * 2 + [(128, 64)] * 2 + [(256, 32)] * 3 + [(512, 16)] * 3
COLUMN = sum(9 * before * after + after for (before, _), (after, _) in itertools.pairwise([(3, 128), *PAPER]))


def make(scheme, tasks=TASKS, size=16, labels=LABELS, **switches):
    network = config.VggNetwork.model_validate({**SMALL, "scheme": scheme, **switches})
    return build_vgg(network, tasks, labels, size, seed=1)


def head(inputs, outputs):
    return inputs * 2048 + 2048 + 2048 * outputs + outputs


def paper(scheme, **switches):
    """A net of the paper's sizes without memory for its weights."""
    network = config.VggNetwork(backbone="vgg", scheme=scheme, **switches)
    with torch.device("meta"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("taskshare.networks.vgg.initialise", lambda *_: None)
        patch.setattr("taskshare.networks.separation.initialise", lambda *_: None)
        patch.setattr(nn.Sequential, "to_empty", lambda self, **_: self)
        patch.setattr("torch.nn.utils.skip_init", lambda kind, *args, **options: kind(*args, **options))
        return build_vgg(network, TASKS, [f"label{number}" for number in range(40)], 128, seed=1)


@pytest.fixture
def images():
    return torch.rand((5, 3, 16, 16), generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_at_the_papers_size_hard_sharing_is_table_1():
    network = paper("hard")
    shapes = [tuple(layer.weight.shape) for layer in network.trunk if isinstance(layer, nn.Conv2d)]
    inputs = [3, *(channels for channels, _ in PAPER)]
    assert shapes == [(after, before, 3, 3) for before, (after, _) in zip(inputs, PAPER, strict=False)]
    assert count_parameters(network) == COLUMN + head(512 * 8 * 8, 10) + head(512 * 8 * 8, 80)


def test_at_the_papers_size_the_task_columns_see_twice_the_maps():
    network = paper("separation")
    inputs = [3, *(2 * channels for channels, _ in PAPER)]
    column = sum(9 * before * after + after for before, (after, _) in zip(inputs, PAPER, strict=False))
    assert count_parameters(network) == COLUMN + 2 * column + head(2 * 512 * 64, 10) + head(2 * 512 * 64, 80)


def test_at_the_papers_size_1x1_convolutions_bring_the_maps_back():
    network = paper("separation", channelwise=True)
    mixers = sum(2 * channels * channels + channels for channels, _ in PAPER)
    assert count_parameters(network) == 3 * COLUMN + 2 * mixers + head(512 * 64, 10) + head(512 * 64, 80)


@pytest.mark.parametrize(("block", "first"), [(1, 64), (2, 128), (3, 256)])
def test_changed_ours_starts_from_the_shared_maps_of_the_branch_point(block, first):
    column = paper("separation", branch_block=block).columns[0]
    channels = [channels for channels, size in PAPER if size < 128 / 2 ** (block - 1)]
    assert [convolution.out_channels for convolution in column.convolutions] == channels
    assert column.convolutions[0].in_channels == first


def test_the_plan_is_what_the_net_computes(images):
    network = make("hard")
    plan = layer_plan(config.VggNetwork.model_validate({**SMALL, "scheme": "hard"}), 16)
    assert [(layer.name, layer.channels, layer.size) for layer in plan] == [
        ("conv1-1", 4, 16),
        ("conv2-1", 6, 8),
        ("conv2-2", 6, 8),
    ]
    maps, features = [], images
    for layer in network.trunk:
        features = layer(features)
        if isinstance(layer, nn.ReLU):
            maps.append(tuple(features.shape[1:]))
    assert maps == [(layer.channels, layer.size, layer.size) for layer in plan]


def test_a_separation_net_concatenates_shared_and_own_maps_after_every_convolution(images):
    network = make("separation")
    shared, (own, _) = network.maps(images)
    features = torch.cat([shared[0], own[0]], 1)
    expected = torch.relu(network.columns[0].convolutions[1](nn.functional.max_pool2d(features, 2)))
    assert torch.equal(own[1], expected)
    features = torch.cat([shared[2], own[2]], 1)
    expected = network.heads[0](nn.functional.max_pool2d(features, 2))
    assert torch.equal(network(images)[:, :10], expected)


def test_each_shared_map_is_computed_once_a_batch_and_without_gradients(images):
    network = make("separation")
    calls = []
    for layer in network.shared:
        layer.register_forward_hook(lambda layer, inputs, output: calls.append(output.requires_grad))
    network(images).sum().backward()
    assert calls == [False] * len(network.shared)
    assert all(parameter.grad is None for parameter in network.shared.parameters())


def test_a_tasks_column_does_not_depend_on_the_other_tasks(images):
    both, alone = make("separation"), make("separation", ["attributes"])
    for name, tensor in alone.columns[0].state_dict().items():
        assert torch.equal(tensor, both.columns[1].state_dict()[name]), name
    assert torch.equal(both(images)[:, 10:], alone(images))


def test_the_mean_of_the_last_maps_may_take_their_place(images):
    flat, average = make("separation"), make("separation", head="average")
    assert flat.heads[0].hidden.in_features == 16 * average.heads[0].hidden.in_features
    assert average(images).shape == (5, 16)


def test_first_weights_have_the_variance_that_was_asked_for():
    lecun, he = (
        make("hard", fully_connected=400, initialisation=rule).requires_grad_(False) for rule in ("lecun", "he")
    )
    inputs = lecun.heads[0].hidden.in_features
    assert lecun.heads[0].hidden.weight.var() * inputs == pytest.approx(1, rel=0.05)
    assert he.heads[0].hidden.weight.var() * inputs == pytest.approx(2, rel=0.05)


def test_building_a_net_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    make("separation", channelwise=True)
    first = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(first, torch.rand(1))


def test_torchvisions_own_vgg16_begins_with_the_same_layers():
    from taskshare.data.torchvision_import import import_torchvision

    plan = layer_plan(config.VggNetwork(backbone="vgg", scheme="hard"), 128)
    ours = list(itertools.chain(*([layer.channels] + ["M"] * layer.pool for layer in plan)))
    torchvisions = import_torchvision("models.vgg")
    assert torchvisions.cfgs["D"][: len(ours)] == ours
    assert repr(paper("hard").trunk) == repr(torchvisions.make_layers(ours))

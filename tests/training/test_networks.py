"""The sharing schemes and the two limits of Fang 2017, section 3."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from taskshare import config, rounding
from taskshare.errors import TaskshareError
from taskshare.evaluation.kinds.alpha_limits import CANCELLATION
from taskshare.networks.build import build, count_parameters, to_input

TASKS = ["Goatee", "Smiling", "Young"]
SMALL = {"channels": [4, 5, 6, 7, 8], "fully_connected": 9}


def make(scheme, tasks=TASKS, **switches):
    network = config.Network.model_validate({"scheme": scheme, **SMALL, **switches})
    return build(network, tasks, image_size=32, image_channels=1, seed=1)


@pytest.fixture
def images():
    pixels = torch.randint(0, 256, (6, 32, 32, 1), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return to_input(pixels)


@pytest.fixture
def labels():
    return torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 1]], dtype=torch.float32)


def train_steps(network, images, labels, steps=3):
    """Train with one loss a task: a sigmoid's last bit depends on where in a vector of logits it is computed."""
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        optimiser.zero_grad()
        columns = zip(network(images).unbind(1), labels.unbind(1), strict=True)
        sum(cross_entropy(logits.contiguous(), wanted.contiguous()) for logits, wanted in columns).backward()
        optimiser.step()


def assert_close_up_to_rounding(found, expected):
    """Compare gradients of a whole net in float64, where rounding turns no ReLU and no pool over.

    The longest of 14 sums in turn, seven layers forward and backward, goes over all pixels of the batch.
    """
    share = CANCELLATION * rounding.largest_difference(6 * 32 * 32, torch.float64, sums=14)
    assert (found - expected).abs().max() <= share * expected.abs().max()


def assert_trains_as_single_task_nets(network, images, labels):
    train_steps(network, images, labels)
    for column, task in enumerate(TASKS):
        alone = make("single", [task])
        train_steps(alone, images, labels[:, [column]])
        for name, weight in alone.subnets[0].state_dict().items():
            assert torch.equal(weight, network.subnets[column].state_dict()[name]), (task, name)


def test_identity_connections_train_bit_equal_to_independent_single_task_nets(images, labels):
    dynamic = make("dynamic", transfer={"alpha": "identity"})
    dynamic.joins_first_layers = False
    assert_trains_as_single_task_nets(dynamic, images, labels)


def test_identity_stitches_train_bit_equal_to_independent_single_task_nets_while_they_are_fixed(images, labels):
    stitched = make("cross_stitch", stitch={"own": 1})
    stitched.joins_first_layers = False
    for unit in stitched.transfers.values():
        unit.requires_grad_(False)
    assert_trains_as_single_task_nets(stitched, images, labels)


def test_stitches_start_as_a_convex_combination_and_are_learned_the_own_ones_too(images, labels):
    stitched = make("cross_stitch", stitch={"own": 0.8, "granularity": "channel"})
    start = stitched.transfers["2"].alpha().detach().clone()
    assert start.shape == (3, 3, 5)
    torch.testing.assert_close(start[:, :, 0], torch.full((3, 3), 0.1) + 0.7 * torch.eye(3))
    train_steps(stitched, images, labels)
    assert (stitched.transfers["2"].alpha() != start).all()
    assert set(stitched.connection_strengths()) == {1, 2, 3, 4, 5, 6}


def test_stitches_may_join_some_layers_only(images):
    stitched = make("cross_stitch", stitch={"layers": [6]})
    assert list(stitched.transfers) == ["6"]
    assert stitched(images).shape == (6, 3)


def test_small_moves_of_alpha_show_where_the_net_computes_in_bfloat16():
    transfer = make("dynamic").transfers["6"]
    responses = [torch.rand(4, 9, generator=torch.Generator().manual_seed(i)).bfloat16() for i in range(3)]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        before = transfer(responses)[0]
        transfer.beta.add_(1e-4)  # alpha moves by 0.000025
        after = transfer(responses)[0]
    assert before.dtype == torch.float32
    assert (after > before).all()


def test_first_layers_computed_at_once_have_the_gradients_of_first_layers_one_by_one(images, labels):
    joined, one_by_one = make("dynamic").double(), make("dynamic").double()
    one_by_one.joins_first_layers = False
    for network in (joined, one_by_one):
        cross_entropy(network(images.double()), labels.double(), reduction="none").mean(0).sum().backward()
    for name, parameter in one_by_one.named_parameters():
        assert_close_up_to_rounding(joined.get_parameter(name).grad, parameter.grad)


def test_equal_connections_with_equal_weights_give_the_trunk_gradient_of_hard_sharing(images, labels):
    hard = make("hard").double()
    dynamic = make("dynamic", transfer={"alpha": "equal"}).double()
    images, labels = images.double(), labels.double()
    for subnet, branch in zip(dynamic.subnets, hard.branches, strict=True):
        subnet.layers.load_state_dict(hard.trunk.layers.state_dict())
        subnet.output.load_state_dict(branch.output.state_dict())
    for network in (hard, dynamic):
        cross_entropy(network(images), labels, reduction="none").mean(0).sum().backward()
    for name, parameter in hard.trunk.named_parameters():
        gradients = [subnet.get_parameter(name).grad for subnet in dynamic.subnets]
        assert_close_up_to_rounding(sum(gradients), parameter.grad)
        if not name.startswith("layers.5.normalisation"):  # behind the last mix, it belongs to its task alone
            for own in gradients:
                assert_close_up_to_rounding(len(gradients) * own, parameter.grad)


def test_a_task_continues_with_the_weighted_sum_of_all_responses():
    transfer = make("dynamic").transfers["2"]
    with torch.no_grad():
        transfer.beta.copy_(torch.tensor([[9.0, -1, 0], [2, 9, 1], [0, -2, 9]]))
    responses = [torch.randn(2, 5, 4, 4, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    mixed = transfer(responses)
    alpha = torch.sigmoid(transfer.beta)
    expected = responses[1] + alpha[0, 1] * responses[0] + alpha[2, 1] * responses[2]
    magnitude = sum(response.abs() for response in responses)
    assert ((mixed[1] - expected).abs() <= rounding.largest_difference(3, torch.float32) * magnitude).all()


def test_gradient_only_connections_leave_the_forward_pass_alone_and_share_the_signal(images, labels):
    alone = make("single")
    dynamic = make("dynamic", transfer={"applied": "gradient"})
    dynamic.joins_first_layers = False
    assert torch.equal(alone(images), dynamic(images))
    loss = cross_entropy(dynamic(images)[:, 0], labels[:, 0])
    loss.backward()
    assert dynamic.subnets[1].layers[0].operation.weight.grad.abs().sum() > 0
    assert dynamic.transfers["6"].beta.grad[1, 0] != 0


def test_layer_by_layer_each_weight_gets_the_signal_of_its_own_layer_weighed_by_alpha(images, labels):
    """Algorithm 1, line 5: of subnets with equal weights, another task's get alpha times the own signal."""
    alone = make("single").double()
    dynamic = make("dynamic", transfer={"applied": "layerwise"}).double()
    for subnet in (*alone.subnets, *dynamic.subnets):
        subnet.load_state_dict(alone.subnets[0].state_dict())
    for network in (alone, dynamic):
        cross_entropy(network(images.double())[:, 0], labels[:, 0].double()).backward()
    first, other = dynamic.subnets[0], dynamic.subnets[1]
    for layer in range(6):
        operations = [subnet.layers[layer].operation for subnet in (alone.subnets[0], first, other)]
        expected, own, sent = (operation.weight.grad for operation in operations)
        assert_close_up_to_rounding(own, expected)
        assert_close_up_to_rounding(sent, 0.5 * expected)
    assert dynamic.transfers["6"].beta.grad[1, 0] != 0


def test_alpha_applied_twice_keeps_the_value_and_squares_the_signal():
    once, twice = (make("dynamic", transfer={"applied": applied}).transfers["1"] for applied in ("forward", "twice"))
    gradients = []
    for transfer in (once, twice):
        responses = [torch.ones(1, 4, 2, 2, requires_grad=True) for _ in range(3)]
        transfer(responses)[0].sum().backward()
        gradients.append((responses[1].grad[0, 0, 0, 0].item(), responses[0].grad[0, 0, 0, 0].item()))
    assert gradients == [(0.5, 1.0), (0.25, 1.0)]


def test_connections_per_channel_start_equal_to_connections_per_pair(images, labels):
    per_pair, per_channel = (make("dynamic", transfer={"granularity": kind}).double() for kind in ("scalar", "channel"))
    for network in (per_pair, per_channel):
        cross_entropy(network(images.double()), labels.double(), reduction="none").mean(0).sum().backward()
    for name, parameter in per_pair.subnets.named_parameters():
        assert_close_up_to_rounding(per_channel.subnets.get_parameter(name).grad, parameter.grad)


def test_mixing_before_the_pool_differs_from_mixing_after_it(images):
    after, before = (make("dynamic", transfer={"position": kind}) for kind in ("after_pool", "before_pool"))
    assert not torch.allclose(after(images), before(images))


def test_seven_tasks_learn_252_connections_and_the_papers_subnet_has_its_layers():
    tasks = [f"task{number}" for number in range(7)]
    single, dynamic = (
        build(config.Network(scheme=scheme), tasks, image_size=64, image_channels=1, seed=1)
        for scheme in ("single", "dynamic")
    )
    assert count_parameters(dynamic) - count_parameters(single) == 252
    shapes = [tuple(layer.operation.weight.shape) for layer in single.subnets[0].layers]
    assert shapes == [(40, 1, 5, 5), (60, 40, 5, 5), (80, 60, 3, 3), (100, 80, 3, 3), (140, 100, 2, 2), (360, 2240)]


@pytest.mark.parametrize("shared_layers", [5, 6])
def test_hard_sharing_branches_where_it_is_told(images, shared_layers):
    network = make("hard", shared_layers=shared_layers)
    assert len(network.trunk.layers) == shared_layers
    assert network(images).shape == (6, 3)


def test_single_task_and_dynamic_networks_of_one_seed_start_equal():
    alone, dynamic = make("single", ["Young"]), make("dynamic")
    assert torch.equal(alone.subnets[0].output.weight, dynamic.subnets[2].output.weight)
    assert not torch.equal(dynamic.subnets[0].output.weight, dynamic.subnets[2].output.weight)


def test_valid_padding_needs_larger_images():
    network = config.Network(scheme="single", padding="valid")
    assert build(network, ["Young"], 68, 1, seed=1)(torch.zeros(2, 1, 68, 68)).shape == (2, 1)
    with pytest.raises(TaskshareError, match="images of 32 pixels vanish"):
        build(network, ["Young"], 32, 1, seed=1)

"""The training step where tensors have no values: what would slow a GPU down is an error here, without a GPU.

On PyTorch's meta device a tensor that was left on the CPU, and any look at a value (`.item`, `.tolist`, boolean
indexing), is an error. A tensor that is copied from the CPU at every step is found by `NoTensorOfTheCpu`.
"""

import itertools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from taskshare.config import Start
from taskshare.networks.build import build_for
from taskshare.training.loop import Loop

META = torch.device("meta")
CPU = torch.device("cpu")


class NoTensorOfTheCpu(TorchDispatchMode):
    """Refuses operations on tensors of the CPU."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        for leaf in tree_leaves((arguments, options or {})):
            if isinstance(leaf, torch.Tensor) and leaf.device == CPU:
                raise AssertionError(f"{function} sees a tensor of the CPU")
        return function(*arguments, **(options or {}))


def steps(loop):
    """Two whole steps, the second one watched; then a row of what the net looks like in evaluation mode."""
    loop.step()
    indices = loop.batches.indices(loop.progress.iteration)
    with NoTensorOfTheCpu():
        sums = loop.gradients(indices)
        loop.sums += sums
        outputs = loop.network.eval()(
            torch.empty(4, *loop.gradients.pixels.batch(indices[0]).shape[1:], device=META).permute(0, 3, 1, 2)
        )
    loop.optimiser.step()
    assert sums.device == outputs.device == META


def subnets():
    """Every scheme of Fang 2017 with every kind of batch and every way in which alpha is applied."""
    pooled, shared = {}, {"sampling": "original", "batches": "shared"}
    for scheme, batches in itertools.product(["single", "hard", "cross_stitch", "dynamic"], [pooled, shared]):
        yield {"scheme": scheme, **batches}
    for applied in ("gradient", "layerwise", "twice"):
        yield {"transfer": {"applied": applied}}
    yield {"transfer": {"granularity": "scalar"}}
    for optimiser in ("rmsprop", "adagrad"):
        yield {"training": {"optimiser": optimiser, "momentum": 0.0}}
    yield {"training": {"update": "per_pool"}}


@pytest.mark.parametrize("changes", list(subnets()), ids=str)
def test_a_subnets_step_computes_on_the_device_alone(changes, make_run, prepared, manifests_of):
    run = make_run(**{**changes, "training": {"precision": "float32", **changes.get("training", {})}})
    steps(Loop(run, prepared, manifests_of(run), META, {}))


@pytest.mark.parametrize("start", [{"kind": "removal"}, {"kind": "removal", "statistics": "frozen"}])
def test_a_step_after_removal_computes_on_the_device_alone(start, make_run, prepared, manifests_of):
    run = make_run(tasks=["Bright", "Rare"], start=Start(job="toy-dynamic", **start), training={"precision": "float32"})
    steps(Loop(run, prepared, manifests_of(run), META, initial(run)))


def test_a_step_of_a_joining_task_computes_on_the_device_alone(make_run, prepared, manifests_of):
    start = Start(job="toy-dynamic", kind="incremental")
    generations = [["Bright", "Left"], ["Rare"]]
    run = make_run(start=start, generations=generations, training={"precision": "float32"})
    steps(Loop(run, prepared, manifests_of(run), META, initial(run)))


@pytest.mark.parametrize(
    "network", [{"scheme": "hard"}, {}, {"channelwise": True, "fine_tuning": True}, {"branch_block": 1}], ids=str
)
def test_a_step_with_landmarks_computes_on_the_device_alone(network, make_faces_run, make_separation, faces):
    make = make_faces_run if network.get("scheme") == "hard" else make_separation
    run = make(network=network, training={"precision": "float32"})
    steps(Loop(run, faces, [faces / f"{task}.parquet" for task in run.tasks], META, initial(run)))


def initial(run):
    """What a child would inherit: values do not matter here."""
    return build_for(run).state_dict() if run.start else {}


def test_a_tensor_left_on_the_cpu_is_found(make_run, prepared, manifests_of):
    run = make_run(training={"precision": "float32"})
    loop = Loop(run, prepared, manifests_of(run), META, {})
    loop.objective.wanted = torch.zeros(3, 300)
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError)):
        steps(loop)


@pytest.mark.parametrize("slow", [lambda wrong: wrong[wrong > 0], lambda wrong: wrong * wrong.sum().item()])
def test_a_look_at_a_value_is_found(slow, make_run, prepared, manifests_of, monkeypatch):
    run = make_run(training={"precision": "float32"})
    loop = Loop(run, prepared, manifests_of(run), META, {})
    compare = loop.objective.compare

    def looking(*arguments):
        losses, wrong = compare(*arguments)
        slow(wrong)
        return losses, wrong

    monkeypatch.setattr(loop.objective, "compare", looking)
    with pytest.raises((RuntimeError, NotImplementedError)):
        steps(loop)


def test_a_copy_at_every_step_is_found(make_run, prepared, manifests_of, monkeypatch):
    run = make_run(training={"precision": "float32"})
    loop = Loop(run, prepared, manifests_of(run), META, {})
    targets = loop.objective.targets
    monkeypatch.setattr(
        loop.objective, "targets", lambda indices: targets(indices) + torch.zeros(1, 3).to(META, copy=True)
    )
    with pytest.raises(AssertionError, match="sees a tensor of the CPU"):
        steps(loop)

"""Training on a GPU: as on the CPU up to rounding, and as one CUDA graph as step by step. Skips without a GPU."""

import pytest
import torch
from safetensors.torch import load_file

from taskshare import files
from taskshare.training.job import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")

SCHEMES = ["single", "hard", "cross_stitch", "dynamic"]
OPTIMISERS = [{"optimiser": "sgd"}, {"optimiser": "rmsprop", "momentum": 0.0, "learning_rate": 0.002}]


@pytest.fixture
def trained(make_run, prepared, manifests_of, tmp_path):
    def run_on(device, cuda_graphs=False, **changes):
        training = {"precision": "float32", "iterations": 12, "validate_every": 4, **changes.pop("training", {})}
        run = make_run(training=training, **changes)
        out = tmp_path / f"{device}-{cuda_graphs}"
        train(run, prepared, manifests_of(run), out, device, cuda_graphs=cuda_graphs)
        assert files.read_json(out / "provenance.json")["cuda_graph"] == cuda_graphs
        return load_file(out / "weights.safetensors")

    return run_on


@pytest.mark.parametrize("optimiser", OPTIMISERS, ids=str)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_graph_replays_what_single_kernels_compute(scheme, optimiser, trained):
    step_by_step, graphed = (trained("cuda", graphs, scheme=scheme, training=optimiser) for graphs in (False, True))
    for name, tensor in step_by_step.items():
        torch.testing.assert_close(graphed[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_gpu_trains_what_the_cpu_trains(scheme, trained):
    cpu, gpu = trained("cpu", scheme=scheme), trained("cuda", scheme=scheme)
    for name, tensor in cpu.items():
        if tensor.is_floating_point():
            # 12 steps at a rate of 0.05 let roundings grow: far less than a step moves a weight.
            torch.testing.assert_close(gpu[name], tensor, rtol=2e-2, atol=2e-3, msg=name)


def test_the_same_seed_gives_the_same_bytes(trained):
    first, second = trained("cuda"), trained("cuda")
    assert all(torch.equal(first[name], second[name]) for name in first)

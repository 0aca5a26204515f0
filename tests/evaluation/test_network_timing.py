"""Costs of small nets, against counts by hand."""

import pytest
import torch

from taskshare import config, files
from taskshare.evaluation.kinds import network_timing

SIZE, BATCH = 8, 4
# One column: 3 -> 4 channels at 8 x 8 pixels, 4 -> 6 at 4 x 4, both 3 x 3; the last maps are 6 x 2 x 2.
FIRST, SECOND = 9 * 3 * 4 * 8 * 8, 9 * 4 * 6 * 4 * 4
COLUMN_PARAMETERS = (9 * 3 * 4 + 4) + (9 * 4 * 6 + 6)
OUTPUTS = {"landmarks": 10, "attributes": 4}


def head(task, inputs=24):
    """Multiplications of a task's head of 7 neurons."""
    return inputs * 7 + 7 * OUTPUTS[task]


def head_parameters(task, inputs=24):
    return head(task, inputs) + 7 + OUTPUTS[task]


def make_run(scheme="hard", tasks=("landmarks", "attributes"), **network):
    return config.Run.model_validate(
        {
            "name": f"toy-{scheme}",
            "dataset": "toy",
            "layout": "attributes",
            "labels": ["Bald", "Smiling"],
            "variant_name": "rgb",
            "variant": {"size": SIZE, "colour": "rgb"},
            "tasks": list(tasks),
            "sampling": "original",
            "resampling": "duplicated",
            "batches": "shared",
            "network": {
                "backbone": "vgg",
                "scheme": scheme,
                "channels": [4, 6],
                "convolutions": [1, 1],
                "fully_connected": 7,
                **network,
            },
            "training": {},
            "seed": 1,
            "start": {"job": "toy-columns", "kind": "separation"} if scheme == "separation" else None,
        }
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    out = tmp_path_factory.mktemp("costs") / "costs.json"
    nets = {
        "Hard sharing": [make_run()],
        "Separation": [make_run("separation")],
        "One net per task": [make_run(tasks=["landmarks"]), make_run(tasks=["attributes"])],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_timing, "SECONDS", 0.05)
        network_timing.measure(nets, BATCH, out, "cpu")
    return files.read_json(out)


def test_parameters_are_counted_over_all_nets_that_must_run(measured):
    nets, heads = measured["nets"], sum(map(head_parameters, OUTPUTS))
    assert [nets[label]["nets"] for label in ("Hard sharing", "Separation", "One net per task")] == [1, 1, 2]
    assert nets["Hard sharing"]["parameters"] == COLUMN_PARAMETERS + heads
    assert nets["One net per task"]["parameters"] == 2 * COLUMN_PARAMETERS + heads


def test_the_last_stage_of_separation_trains_all_but_the_shared_column(measured):
    nets = measured["nets"]
    # The second convolution of a task column sees 4 own and 4 shared maps, the head 6 and 6.
    own = 2 * ((9 * 3 * 4 + 4) + (9 * 8 * 6 + 6)) + sum(head_parameters(task, 48) for task in OUTPUTS)
    assert nets["Separation"]["trained_parameters"] == own
    assert nets["Separation"]["parameters"] == COLUMN_PARAMETERS + own
    assert nets["Hard sharing"]["trained_parameters"] == nets["Hard sharing"]["parameters"]


def test_forward_flops_are_two_a_multiplication(measured):
    nets = measured["nets"]
    heads = head("landmarks") + head("attributes")
    assert nets["Hard sharing"]["forward_flops"] == 2 * (FIRST + SECOND + heads)
    assert nets["One net per task"]["forward_flops"] == 2 * (2 * (FIRST + SECOND) + heads)
    columns = FIRST + SECOND + 2 * (FIRST + 2 * SECOND)
    assert nets["Separation"]["forward_flops"] == 2 * (columns + head("landmarks", 48) + head("attributes", 48))


def test_backward_takes_as_much_for_the_weights_and_for_what_enters_but_not_for_the_image(measured):
    nets = measured["nets"]
    heads = head("landmarks") + head("attributes")
    assert nets["Hard sharing"]["training_flops"] == 2 * (2 * FIRST + 3 * SECOND + 3 * heads)
    # The frozen shared column has no backward. The maps that enter a task column's second convolution are half shared.
    wide = head("landmarks", 48) + head("attributes", 48)
    separation = FIRST + SECOND + 2 * (2 * FIRST + 3 * 2 * SECOND) + 3 * wide
    assert nets["Separation"]["training_flops"] == 2 * separation


def test_times_are_there_and_the_file_says_where_they_were_taken(measured):
    assert {key: measured[key] for key in ("device", "batch_size", "size", "threads")} == {
        "device": "cpu",
        "batch_size": BATCH,
        "size": SIZE,
        "threads": 1,
    }
    for net in measured["nets"].values():
        assert all(net[seconds] > 0 for seconds in ("image_seconds", "batch_seconds", "training_step_seconds"))


def test_calls_take_turns_and_the_median_counts(monkeypatch):
    clock, order = [0.0], []
    monkeypatch.setattr(network_timing.time, "perf_counter", lambda: clock[0])
    taken = {"slow": iter([50.0, 3.0, 9.0, 4.0]), "fast": iter([50.0, 1.0, 1.0, 2.0])}

    def call(name):
        order.append(name)
        clock[0] += next(taken[name])

    calls = {("net", name): lambda name=name: call(name) for name in taken}
    found = network_timing.time_in_turns(calls, torch.device("cpu"), seconds=2)
    assert order == ["slow", "fast"] * 4  # once to warm up, then three rounds at least
    assert found == {("net", "slow"): 4.0, ("net", "fast"): 1.0}

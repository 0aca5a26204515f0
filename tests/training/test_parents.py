"""Runs that start from a trained net: tasks that are removed, and tasks that join."""

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from taskshare import files
from taskshare.config import Start
from taskshare.data.arrays import ImageArray
from taskshare.errors import TaskshareError
from taskshare.networks import parents, weights
from taskshare.networks.inference import logits
from taskshare.training.job import train
from taskshare.verify import tolerance

from .killing import kill_and_resume

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def parent_of_two(make_run, prepared, manifests_of, tmp_path_factory):
    """A net that has learned Bright and Left."""
    return trained(make_run(tasks=["Bright", "Left"]), prepared, manifests_of, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def parent_of_three(make_run, prepared, manifests_of, tmp_path_factory):
    return trained(make_run(), prepared, manifests_of, tmp_path_factory.mktemp("three"))


def trained(run, prepared, manifests_of, out, parent=None):
    train(run, prepared, manifests_of(run), out, "cpu", parent)
    return out / "weights.safetensors"


@pytest.fixture(scope="module")
def joining(make_run):
    """Rare joins the net of two."""

    def make(**changes):
        start = Start(job="toy-dynamic", kind="incremental")
        return make_run(name="toy-joined", start=start, generations=[["Bright", "Left"], ["Rare"]], **changes)

    return make


@pytest.fixture(scope="module")
def removing(make_run):
    """Left is cut off the net of three."""

    def make(beta="learned", statistics="reestimated", **changes):
        start = Start(job="toy-dynamic", kind="removal", beta=beta, statistics=statistics)
        return make_run(name="toy-removed", start=start, tasks=["Bright", "Rare"], **changes)

    return make


def outputs(path, prepared):
    return logits(weights.load(path)[1], ImageArray(prepared / "test.npy").blocks(32), CPU)


def test_the_outputs_of_the_old_tasks_stay_equal_to_the_last_bit(
    joining, parent_of_two, prepared, manifests_of, tmp_path
):
    joined = trained(joining(), prepared, manifests_of, tmp_path, parent_of_two)
    before, after = outputs(parent_of_two, prepared), outputs(joined, prepared)
    assert after.shape[1] == 3
    assert (after[:, :2] == before).all()
    old, new = load_file(parent_of_two), load_file(joined)
    assert all(new[f"core.{name}"].equal(tensor) for name, tensor in old.items())


def test_only_the_joining_task_is_trained_on_and_it_learns(joining, parent_of_two, prepared, manifests_of, tmp_path):
    run = joining(training={"iterations": 60, "record_every": 5})
    trained(run, prepared, manifests_of, tmp_path, parent_of_two)
    history = pd.read_parquet(tmp_path / "history.parquet")
    assert history["task"].unique().tolist() == ["Rare"]
    assert history["iteration"].tolist() == list(range(5, 61, 5))
    validated = history.dropna(subset=["validation_balanced_accuracy"])
    assert validated["iteration"].tolist() == list(range(10, 61, 10))
    assert validated["validation_balanced_accuracy"].max() > 0.8
    assert files.read_json(tmp_path / "provenance.json")["images"] == 60 * 8
    transfer = pd.read_parquet(tmp_path / "transfer.parquet")
    assert transfer["target"].unique().tolist() == ["Rare"]
    assert sorted(transfer["source"].unique()) == ["Bright", "Left", "Rare"]


def test_several_tasks_join_one_after_the_other(make_run, prepared, manifests_of, tmp_path):
    first = make_run(tasks=["Bright"])
    parent = trained(first, prepared, manifests_of, tmp_path / "first")
    for step, generations in enumerate(([["Bright"], ["Left"]], [["Bright"], ["Left"], ["Rare"]])):
        run = make_run(
            name=f"toy-step{step}",
            start=Start(job="before", kind="incremental"),
            tasks=[task for part in generations for task in part],
            generations=generations,
        )
        child = trained(run, prepared, manifests_of, tmp_path / f"step{step}", parent)
        known = outputs(parent, prepared)
        assert (outputs(child, prepared)[:, : known.shape[1]] == known).all()
        parent = child
    alpha = weights.load(parent)[1].connection_strengths()[6]
    assert alpha.diagonal().tolist() == [1, 1, 1]
    assert (alpha.tril(-1) == 0).all()
    assert (alpha.triu(1)[alpha.triu(1) != 0]).numel() == 3


def test_removal_trains_the_connections_and_nothing_else(removing, parent_of_three, prepared, manifests_of, tmp_path):
    removed = trained(removing(), prepared, manifests_of, tmp_path, parent_of_three)
    old, new = load_file(parent_of_three), load_file(removed)
    for name in new:
        if name.startswith("subnets.") and "running" not in name and "num_batches" not in name:
            of_parent = name.replace("subnets.1.", "subnets.2.")
            assert new[name].equal(old[of_parent]), name
    assert not new["transfers.6.beta"].equal(old["transfers.6.beta"][[0, 2]][:, [0, 2]])
    assert not new["subnets.0.layers.0.normalisation.running_mean"].equal(
        old["subnets.0.layers.0.normalisation.running_mean"]
    )
    frozen = files.read_json(tmp_path / "provenance.json")["start"]["frozen"]
    assert frozen["before"] == frozen["after"]


def test_removal_with_frozen_statistics_and_connections_is_the_parent_without_the_task(
    removing, parent_of_three, prepared, manifests_of, tmp_path
):
    run = removing(statistics="frozen", transfer={"learning_rate_factor": 0}, training={"iterations": 1})
    removed = trained(run, prepared, manifests_of, tmp_path, parent_of_three)
    network = weights.load(parent_of_three)[1]
    with torch.no_grad():
        for transfer in network.transfers.values():
            transfer.beta[1, [0, 2]] = -torch.inf  # nothing flows from Left
    without = logits(network, ImageArray(prepared / "test.npy").blocks(32), CPU)[:, [0, 2]]
    # Products with an alpha of 0 are added up too, so the order of the sums may differ.
    share = tolerance(weights.longest_sum(removed))
    assert outputs(removed, prepared) == pytest.approx(without, rel=0, abs=share * float(abs(without).max()))


def test_reset_connections_start_where_learning_once_began(removing, parent_of_three, prepared, manifests_of, tmp_path):
    run = removing(beta="reset", transfer={"learning_rate_factor": 0}, training={"iterations": 1})
    removed = load_file(trained(run, prepared, manifests_of, tmp_path, parent_of_three))
    assert (removed["transfers.3.beta"] == 0).all()


def test_digests_would_show_a_changed_weight(removing, parent_of_three, prepared, manifests_of, tmp_path, monkeypatch):
    monkeypatch.setattr(parents.Start, "freeze", lambda self, network: self.frozen(set(network.state_dict())))
    trained(removing(), prepared, manifests_of, tmp_path, parent_of_three)
    frozen = files.read_json(tmp_path / "provenance.json")["start"]["frozen"]
    assert frozen["before"] != frozen["after"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["removal", "incremental"])
def test_a_killed_child_goes_on_and_ends_in_the_same_bytes(
    kind, removing, joining, parent_of_two, parent_of_three, prepared, manifests_of, tmp_path
):
    training = {"iterations": 100, "checkpoint_every": 1e-6, "record_every": 2}
    run = removing(training=training) if kind == "removal" else joining(training=training)
    parent = parent_of_three if kind == "removal" else parent_of_two
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    trained(run, prepared, manifests_of, whole, parent)

    kill_and_resume(run, prepared, manifests_of(run), killed, f"--parent={parent}")
    for file in ("weights.safetensors", "history.parquet", "transfer.parquet"):
        assert (whole / file).read_bytes() == (killed / file).read_bytes()


def test_a_parent_that_does_not_fit_is_one_line(
    joining, removing, make_run, parent_of_two, prepared, manifests_of, tmp_path
):
    run = removing()
    with pytest.raises(TaskshareError, match="its tasks are Bright, Left; toy-removed/seed1 starts from Rare too"):
        trained(run, prepared, manifests_of, tmp_path, parent_of_two)
    other = joining(dataset="digits")
    with pytest.raises(
        TaskshareError, match=r"a parent of another data set \(toy, grey\); toy-joined/seed1 learns from d"
    ):
        trained(other, prepared, manifests_of, tmp_path, parent_of_two)
    narrow = removing(network={"scheme": "dynamic", "channels": [6, 6, 6, 8, 8], "fully_connected": 12})
    for misfit in (narrow, removing(seed=2)):
        with pytest.raises(TaskshareError, match=r"toy-dynamic/seed1, dynamic, is not the net that toy-removed/seed"):
            trained(misfit, prepared, manifests_of, tmp_path, parent_of_two)
    with pytest.raises(TaskshareError, match=r"gone\.safetensors: no such checkpoint; train it first"):
        trained(joining(), prepared, manifests_of, tmp_path, tmp_path / "gone.safetensors")
    with pytest.raises(TaskshareError, match="starts from toy-dynamic; give that run's weights with --parent"):
        trained(joining(), prepared, manifests_of, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]

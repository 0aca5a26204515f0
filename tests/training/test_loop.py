"""Training jobs: they learn, they repeat, they survive a kill, and they stop when there is nothing to learn from."""

import json
import subprocess
import sys

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from taskshare.data.arrays import ImageArrayWriter
from taskshare.errors import TaskshareError
from taskshare.training.job import train

from .killing import kill_and_resume


@pytest.mark.parametrize("scheme", ["single", "hard", "dynamic", "cross_stitch"])
def test_every_scheme_learns_what_is_in_the_picture(scheme, make_run, prepared, manifests_of, tmp_path):
    run = make_run(scheme, training={"iterations": 60})
    train(run, prepared, manifests_of(run), tmp_path, "cpu")
    history = pd.read_parquet(tmp_path / "history.parquet")
    kept = history[history["selected"]]
    assert len(kept) == 3
    assert kept["validation_balanced_accuracy"].mean() > 0.85
    means = history.groupby("iteration")["validation_balanced_accuracy"].mean()
    assert kept["iteration"].unique().tolist() == [means.idxmax()]


def test_same_seed_same_bytes_and_another_seed_other_weights(make_run, prepared, manifests_of, tmp_path):
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        run = make_run(seed=seed)
        train(run, prepared, manifests_of(run), tmp_path / name, "cpu")
    for file in ("weights.safetensors", "other_weights.safetensors", "history.parquet", "transfer.parquet"):
        first, again, other = ((tmp_path / name / file).read_bytes() for name in ("first", "again", "other"))
        assert first == again
        assert first != other


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "optimiser"), [("hard", "sgd"), ("dynamic", "rmsprop")])
def test_a_killed_job_goes_on_and_ends_in_the_same_bytes(scheme, optimiser, make_run, prepared, manifests_of, tmp_path):
    run = make_run(scheme, training={"optimiser": optimiser, "iterations": 150, "checkpoint_every": 1e-6})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(run, prepared, manifests_of(run), whole, "cpu")

    kill_and_resume(run, prepared, manifests_of(run), killed)
    for file in ("weights.safetensors", "other_weights.safetensors", "history.parquet", "transfer.parquet"):
        assert (whole / file).read_bytes() == (killed / file).read_bytes()
    assert not list(killed.glob("work-*"))


def test_a_changed_run_does_not_go_on_from_anothers_checkpoint(make_run, prepared, manifests_of, tmp_path, capsys):
    stale = tmp_path / "work-0123456789abcdef"
    stale.mkdir()
    (stale / "checkpoint.pt").write_bytes(b"of another configuration")
    run = make_run()
    train(run, prepared, manifests_of(run), tmp_path, "cpu")
    assert "goes on" not in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_with_the_runs_name(make_run, prepared, manifests_of, tmp_path):
    run = make_run("hard", training={"learning_rate": 1e30, "precision": "float32"})
    with pytest.raises(TaskshareError, match=r"toy-hard/seed1: the loss is not finite .*learning_rate"):
        train(run, prepared, manifests_of(run), tmp_path, "cpu")
    assert not (tmp_path / "weights.safetensors").exists()


def test_selection_needs_a_validation_split(make_run, prepared, manifests_of, tmp_path):
    for file in prepared.glob("train.*"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "validation.parquet").symlink_to(prepared / "validation.parquet")
    with ImageArrayWriter(tmp_path / "validation.npy", (16, 16, 1)):
        pass
    run = make_run()
    with pytest.raises(TaskshareError, match="toy has none; take selection: last"):
        train(run, tmp_path, manifests_of(run), tmp_path / "out", "cpu")


def test_selection_needs_both_labels_of_every_task(make_run, prepared, manifests_of, tmp_path):
    for name in ("train.npy", "train.parquet", "validation.npy"):
        (tmp_path / name).symlink_to(prepared / name)
    pd.read_parquet(prepared / "validation.parquet").assign(Rare=0).to_parquet(tmp_path / "validation.parquet")
    run = make_run()
    with pytest.raises(TaskshareError, match="images of one label only for Rare"):
        train(run, tmp_path, manifests_of(run), tmp_path / "out", "cpu")


def test_last_weights_are_kept_without_selection(make_run, prepared, manifests_of, tmp_path):
    run = make_run(training={"selection": "last"})
    train(run, prepared, manifests_of(run), tmp_path, "cpu")
    history = pd.read_parquet(tmp_path / "history.parquet")
    assert history[history["selected"]]["iteration"].unique().tolist() == [30]
    assert history["validation_balanced_accuracy"].isna().all()


def test_connections_are_recorded_from_every_task_to_every_task(make_run, prepared, manifests_of, tmp_path):
    run = make_run()
    train(run, prepared, manifests_of(run), tmp_path, "cpu")
    transfer = pd.read_parquet(tmp_path / "transfer.parquet")
    last = transfer[transfer["iteration"] == 30].set_index(["layer", "source", "target"])["alpha"]
    assert len(last) == 6 * 3 * 3
    assert last[3, "Left", "Left"] == 1
    weights = load_file(tmp_path / "weights.safetensors")
    beta = weights["transfers.6.beta"]
    kept = transfer[
        transfer["iteration"] == pd.read_parquet(tmp_path / "history.parquet").query("selected")["iteration"].iloc[0]
    ]
    alpha = kept.set_index(["layer", "source", "target"])["alpha"][6, "Bright", "Rare"]
    assert alpha == pytest.approx(beta[0, 2].sigmoid().item(), rel=8 * torch.finfo(torch.float32).eps)


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"update": "per_pool"}},
        {"sampling": "original"},
        {"sampling": "original", "batches": "shared"},
        {"transfer": {"initial_beta": -4}},
        {"transfer": {"learning_rate_factor": 0}},
        {"training": {"optimiser": "rmsprop", "learning_rate": 0.001}},
        {"training": {"optimiser": "adagrad", "momentum": 0}},
    ],
    ids=["per_pool", "original", "shared", "initial_beta", "fixed_beta", "rmsprop", "adagrad"],
)
def test_each_switch_of_training_changes_the_weights(changes, make_run, prepared, manifests_of, tmp_path):
    plain, changed = make_run(), make_run(**changes)
    train(plain, prepared, manifests_of(plain), tmp_path / "plain", "cpu")
    train(changed, prepared, manifests_of(changed), tmp_path / "changed", "cpu")
    first, second = (load_file(tmp_path / name / "weights.safetensors") for name in ("plain", "changed"))
    assert any(not first[name].equal(second[name]) for name in first)


def test_weights_carry_their_run_and_provenance_names_inputs_and_versions(make_run, prepared, manifests_of, tmp_path):
    run = make_run("hard")
    train(run, prepared, manifests_of(run), tmp_path, "cpu")
    with safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        assert type(run).model_validate(json.loads(file.metadata()["taskshare"])["run"]) == run
    provenance = pd.read_json(tmp_path / "provenance.json", typ="series")
    assert set(provenance["inputs"]) >= {"train.npy", "Bright-resampled.parquet"}
    assert provenance["versions"]["torch"]
    assert provenance["images"] == 30 * 8 * 3


def test_an_unknown_key_of_a_run_is_one_line(prepared, tmp_path):
    command = [sys.executable, "-m", "taskshare", "train", "--run", '{"name": "x", "speed": 3}']
    command += ["--prepared", prepared, "--manifests", prepared / "train.npy", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("taskshare: run: ")

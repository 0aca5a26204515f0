"""Which weights a job keeps, alike for every net: the last, the best for all tasks, and the best for each task."""

import json

import numpy as np
import pandas as pd
import pytest

from taskshare.errors import TaskshareError
from taskshare.evaluation import scoring
from taskshare.networks import weights
from taskshare.training.job import train

TRAINING = {"iterations": 36, "batch_size": 8, "validate_every": 5, "learning_rate": 0.2, "precision": "float32"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_run, prepared, manifests_of):
    """Return the folder and the history of a job with this way to select; each is trained once."""
    folders = {}

    def make(selection, scheme="hard", **training):
        key = (selection, scheme, *training.items())
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("job")
            run = make_run(scheme, training={**TRAINING, "selection": selection, **training})
            train(run, prepared, manifests_of(run), folders[key], "cpu")
        return folders[key], pd.read_parquet(folders[key] / "history.parquet")

    return make


@pytest.mark.parametrize("scheme", ["single", "hard", "dynamic", "cross_stitch"])
def test_each_selection_gives_the_scores_that_validation_saw(scheme, trained, prepared, tmp_path):
    folder, history = trained("best_per_task", scheme)
    found = scoring.evaluate(folder / "weights.safetensors", prepared, "validation", tmp_path, "cpu")
    scores = history.pivot_table(index="iteration", columns="task", values="validation_balanced_accuracy")
    expected = {
        "last": scores.iloc[-1],
        "best": scores.loc[scores.mean(axis=1).idxmax()],
        "best_per_task": scores.max(),
    }
    for selection, by_task in expected.items():
        measured = {task: part["balanced_accuracy"] for task, part in found["selections"][selection].items()}
        assert measured == pytest.approx(by_task.to_dict()), selection
    assert found["tasks"] == found["selections"]["best_per_task"]


def test_the_tasks_of_this_net_are_best_at_different_iterations(trained):
    """Else the tests here would see no difference."""
    folder, history = trained("best_per_task")
    selections = json.loads((folder / "provenance.json").read_text())["selections"]
    assert len({tuple(iterations.values()) for iterations in selections.values()}) > 1
    kept = history[history["selected"]].set_index("task")["iteration"]
    assert kept.to_dict() == selections["best_per_task"]


@pytest.mark.parametrize("selection", ["last", "best"])
def test_whatever_is_selected_the_same_weights_are_kept(selection, trained, prepared, tmp_path):
    per_task, chosen = trained("best_per_task")[0], trained(selection, validation=True)[0]
    for name, folder in (("per_task", per_task), ("chosen", chosen)):
        scoring.evaluate(folder / "weights.safetensors", prepared, "test", tmp_path / name, "cpu")
    first, second = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("per_task", "chosen"))
    assert first["selections"] == second["selections"]
    assert second["tasks"] == second["selections"][selection]


def test_scores_are_those_of_the_weights_that_are_selected(trained, prepared, tmp_path):
    folder, _ = trained("best_per_task")
    found = scoring.evaluate(folder / "weights.safetensors", prepared, "test", tmp_path, "cpu")
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    for task, part in scores.groupby("task"):
        right = (part["score"] > 0.5) == (part["label"] == 1)
        halves = [right[part["label"] == label].mean() for label in (0, 1)]
        assert np.mean(halves) == pytest.approx(found["selections"]["best_per_task"][task]["balanced_accuracy"])


def test_a_job_that_is_not_validated_has_its_last_weights_alone(trained):
    folder, _ = trained("last")
    run, _ = weights.load(folder / "weights.safetensors")
    states, selections = weights.load_others(folder / "other_weights.safetensors", run)
    assert (states, selections) == ({}, {"last": dict.fromkeys(run.tasks, TRAINING["iterations"])})


def test_other_weights_of_another_run_are_refused(trained, prepared, tmp_path):
    (tmp_path / "weights.safetensors").symlink_to(trained("last")[0] / "weights.safetensors")
    (tmp_path / "other_weights.safetensors").symlink_to(trained("best_per_task")[0] / "other_weights.safetensors")
    with pytest.raises(TaskshareError, match=r"of another run than the weights\.safetensors beside it; train toy-hard"):
        scoring.evaluate(tmp_path / "weights.safetensors", prepared, "test", tmp_path, "cpu")
    (tmp_path / "other_weights.safetensors").unlink()
    with pytest.raises(TaskshareError, match=r"other_weights\.safetensors: no such checkpoint"):
        scoring.evaluate(tmp_path / "weights.safetensors", prepared, "test", tmp_path, "cpu")


def test_what_a_job_computed_is_recorded(trained):
    folder, _ = trained("last")
    made = json.loads((folder / "provenance.json").read_text())
    assert made["images"] == TRAINING["iterations"] * 8 * 3
    run, network = weights.load(folder / "weights.safetensors")
    # The fully connected layer alone, of 8 maps without extent: forward, and backward to its inputs and weights.
    least = 3 * network.trunk.layers[5].operation.weight.numel() * made["images"]
    assert made["multiply_adds"] > least
    assert made["multiply_adds"] % (TRAINING["iterations"] * 8 * len(run.tasks)) == 0

"""Stage 2: separation nets start from a hard sharing net, leave it as it is, and train their columns apart."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from taskshare import files
from taskshare.config import Variant
from taskshare.data.catalogue import PREPARED_LANDMARKS
from taskshare.errors import TaskshareError
from taskshare.evaluation import scoring
from taskshare.networks import weights
from taskshare.training.job import train

from .conftest import LABELS
from .killing import kill_and_resume


def trained(run, faces, out, parent=None):
    train(run, faces, [faces / f"{task}.parquet" for task in run.tasks], out, "cpu", parent)
    return out / "weights.safetensors"


@pytest.fixture(scope="module")
def stage_1(make_faces_run, faces, tmp_path_factory):
    return trained(make_faces_run(), faces, tmp_path_factory.mktemp("stage1"))


@pytest.mark.parametrize(
    "network", [{}, {"channelwise": True}, {"channelwise": True, "fine_tuning": True}, {"branch_block": 1}]
)
def test_stage_2_leaves_the_shared_weights_untouched(network, make_separation, stage_1, faces, tmp_path):
    child = load_file(trained(make_separation(network=network), faces, tmp_path, stage_1))
    parent = load_file(stage_1)
    shared = {name.removeprefix("trunk."): tensor for name, tensor in parent.items() if name.startswith("trunk.")}
    assert len(shared) == 6
    assert all(torch.equal(child[f"shared.{name}"], tensor) for name, tensor in shared.items())
    frozen = files.read_json(tmp_path / "provenance.json")["start"]["frozen"]
    assert frozen["before"] == frozen["after"]


def test_columns_trained_in_two_jobs_equal_those_trained_in_one(make_separation, stage_1, faces, tmp_path):
    both = load_file(trained(make_separation(), faces, tmp_path / "both", stage_1))
    for column, task in enumerate(("landmarks", "attributes")):
        alone = load_file(trained(make_separation(tasks=[task]), faces, tmp_path / task, stage_1))
        own = [name for name in alone if not name.startswith("shared.")]
        assert own
        for name in own:
            assert torch.equal(alone[name], both[name.replace(".0.", f".{column}.", 1)]), name


def test_fine_tuning_starts_from_the_shared_convolutions(make_separation, stage_1, faces, tmp_path):
    still = {"iterations": 1, "learning_rate": 1e-30, "validate_every": 1}
    network = {"channelwise": True, "fine_tuning": True, "branch_block": 1}
    child = load_file(trained(make_separation(network=network, training=still), faces, tmp_path, stage_1))
    parent = load_file(stage_1)
    for number, place in enumerate((3, 5)):  # the two convolutions of block 2 among the trunk's layers
        assert torch.equal(child[f"columns.1.convolutions.{number}.weight"], parent[f"trunk.{place}.weight"])


def test_fine_tuned_columns_may_start_as_the_trained_shared_column(make_separation, stage_1, faces, tmp_path):
    still = {"iterations": 1, "learning_rate": 1e-30, "validate_every": 1}
    network = {"channelwise": True, "fine_tuning": True, "first_mixers": "identity"}
    _, child = weights.load(trained(make_separation(network=network, training=still), faces, tmp_path, stage_1))
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shared, columns = child.maps(images)
    for own in columns:
        for maps, expected in zip(own, shared, strict=True):
            torch.testing.assert_close(maps, expected)


def test_without_concatenation_a_net_needs_no_more_of_its_parent_than_the_branch(
    make_faces_run, make_separation, faces, tmp_path
):
    early = trained(make_faces_run(network={"branch_block": 1}), faces, tmp_path / "early")
    run = make_separation(network={"branch_block": 1, "concatenation": "none"})
    child = load_file(trained(run, faces, tmp_path / "child", early))
    assert {name for name in child if name.startswith("shared.")} == {"shared.0.weight", "shared.0.bias"}
    assert child["columns.0.convolutions.1.weight"].shape == (8, 8, 3, 3), "no shared maps beside its own"
    assert child["heads.0.hidden.weight"].shape[1] == 8 * 4 * 4


def test_a_run_may_start_at_the_constant_answer(make_faces_run, faces, tmp_path):
    still = {"iterations": 1, "learning_rate": 1e-30, "validate_every": 1, "precision": "float32"}
    run = make_faces_run(network={"first_outputs": "constant"}, training=still)
    scoring.evaluate(trained(run, faces, tmp_path), faces, "test", tmp_path, "cpu")
    found = pd.read_parquet(tmp_path / "landmarks.parquet")
    mean = pd.read_parquet(faces / "train.parquet")[list(PREPARED_LANDMARKS)].mean().to_numpy().reshape(5, 2)
    # One place in the prepared image, and so one in the original, where all is twice as large.
    predicted = found[["predicted_x", "predicted_y"]].to_numpy().reshape(-1, 5, 2)
    np.testing.assert_allclose(predicted, np.broadcast_to(2 * mean + 0.5, predicted.shape), atol=2e-3)


def test_evaluation_gives_landmarks_in_original_pixels_and_every_attribute(stage_1, faces, tmp_path):
    metrics = scoring.evaluate(stage_1, faces, "test", tmp_path, "cpu")["tasks"]
    assert list(metrics) == ["lefteye", "righteye", "nose", "leftmouth", "rightmouth", *LABELS]
    found = pd.read_parquet(tmp_path / "landmarks.parquet")
    table = pd.read_parquet(faces / "test.parquet")
    nose = found[found["landmark"] == "nose"]
    assert nose["id"].tolist() == table["id"].tolist()
    np.testing.assert_allclose(nose["x"], table["nose_x"])
    distance = np.hypot(nose["x"] - nose["predicted_x"], nose["y"] - nose["predicted_y"]).to_numpy()
    np.testing.assert_allclose(nose["error"], distance / 10, rtol=1e-4)  # the eyes are ten original pixels apart
    assert metrics["nose"]["detection_rate"] == pytest.approx((distance <= 1).mean())
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert scores["task"].unique().tolist() == LABELS
    said = (scores["score"] > 0.5) == (scores["label"] == 1)
    assert metrics["Left"]["accuracy"] == pytest.approx(said[scores["task"] == "Left"].mean())


def test_the_net_learns_landmarks_and_labels(make_faces_run, faces, tmp_path):
    training = {"iterations": 300, "learning_rate": 0.1, "loss_weights": {"landmarks": 10}, "warm_up": 0.2}
    run = make_faces_run(network={"first_outputs": "constant"}, training={**training, "validate_every": 100})
    trained(run, faces, tmp_path)
    history = pd.read_parquet(tmp_path / "history.parquet")
    last = history[history["iteration"] == 300].set_index("task")
    first = history[history["iteration"] == 100].set_index("task")
    assert last.loc["attributes", "validation_accuracy"] > 0.75
    assert last.loc["landmarks", "training_loss"] < first.loc["landmarks", "training_loss"]
    assert last["selected"].all()
    assert last["validation_detection_rate"].isna().tolist() == [False, True]


@pytest.mark.slow
def test_a_killed_stage_2_goes_on_to_the_same_bytes(make_separation, stage_1, faces, tmp_path):
    training = {"iterations": 120, "checkpoint_every": 1e-9}
    run = make_separation(network={"channelwise": True}, training=training)
    paths = [faces / f"{task}.parquet" for task in run.tasks]
    whole = trained(run, faces, tmp_path / "whole", stage_1)
    kill_and_resume(run, faces, paths, tmp_path / "killed", "--parent", stage_1)
    assert (tmp_path / "killed" / "weights.safetensors").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"network": {"channels": [6, 9]}}, "needs one vgg net with hard sharing that shares all convolutions"),
        ({"seed": 2}, "and the same seed"),
        ({"variant": Variant(size=8, colour="rgb").model_dump()}, "a parent of another data set"),
    ],
)
def test_a_parent_that_does_not_fit_is_one_line(changes, line, make_separation, stage_1, faces, tmp_path):
    run = make_separation().model_dump()
    run["network"] |= changes.pop("network", {})
    with pytest.raises(TaskshareError, match=line):
        trained(type(make_separation()).model_validate({**run, **changes}), faces, tmp_path, stage_1)


def test_a_parent_whose_tasks_part_early_is_refused(make_faces_run, make_separation, faces, tmp_path):
    early = trained(make_faces_run(network={"branch_block": 1}), faces, tmp_path / "early")
    with pytest.raises(TaskshareError, match="shares all convolutions"):
        trained(make_separation(), faces, tmp_path / "child", early)

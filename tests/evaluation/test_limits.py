"""The two limits, measured on a checkpoint's run."""

import pytest

from taskshare import files
from taskshare.errors import TaskshareError
from taskshare.evaluation import limits


def measured(run, saved, toy, folder):
    limits.measure(saved(run), toy, folder, "cpu")
    return files.read_json(folder / "limits.json")


def test_a_dynamic_net_meets_both_limits(toy, make_run, saved, tmp_path):
    found = measured(make_run(), saved, toy, tmp_path)
    assert found["identity"]["maximum_difference"] == 0
    assert found["equal"]["maximum_relative_difference"] < 1e-6
    assert found["equal"]["maximum_relative_difference_of_each_subnet"] < 1e-6


def test_pairs_of_classes_meet_them_too(toy, make_run, saved, tmp_path):
    classes = {"layout": "classes", "labels": ["cat", "dog", "deer", "horse"]}
    found = measured(make_run(tasks=["cat.dog", "deer.horse"], **classes), saved, toy, tmp_path)
    assert found["identity"]["maximum_difference"] == 0
    assert found["equal"]["maximum_relative_difference"] < 1e-6


def test_a_net_whose_tasks_joined_one_after_another_is_taken_as_if_they_learned_at_once(toy, make_run, saved, tmp_path):
    run = make_run(generations=[["Bright", "Left"], ["Rare"]])
    assert measured(run, saved, toy, tmp_path / "later") == measured(make_run(), saved, toy, tmp_path / "at once")


def test_connections_on_some_layers_alone_keep_the_sum_but_not_each_subnets_gradient(toy, make_run, saved, tmp_path):
    equal = measured(make_run(transfer={"layers": [1, 2]}), saved, toy, tmp_path)["equal"]
    assert equal["maximum_relative_difference"] < 1e-6
    assert equal["maximum_relative_difference_of_each_subnet"] > 0.1


@pytest.mark.parametrize("applied", ["gradient", "twice"])
def test_the_other_readings_of_alpha_have_another_gradient_than_hard_sharing(applied, toy, make_run, saved, tmp_path):
    found = measured(make_run(transfer={"applied": applied}), saved, toy, tmp_path)
    assert found["identity"]["maximum_difference"] == 0
    assert found["equal"]["maximum_relative_difference"] > 0.1


def test_a_net_without_connections_is_refused(toy, make_run, saved, tmp_path):
    with pytest.raises(TaskshareError, match="has no connections; take a run with"):
        measured(make_run("hard"), saved, toy, tmp_path)

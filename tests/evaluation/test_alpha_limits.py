"""The two limits, measured of a run's initial weights."""

import pytest
import torch

from taskshare import files, rounding
from taskshare.errors import TaskshareError
from taskshare.evaluation.kinds import alpha_limits


def measured(run, toy, folder):
    alpha_limits.measure(run, toy, folder / "limits.json", "cpu")
    return files.read_json(folder / "limits.json")


def assert_met(found):
    assert found["identity"]["maximum_difference"] == 0
    assert max(found["equal"]["maximum_relative_differences"].values()) <= found["equal"]["bound"] < 1e-8


def test_a_dynamic_net_meets_both_limits(toy, make_run, tmp_path):
    assert_met(measured(make_run(), toy, tmp_path))


def test_first_layers_that_are_computed_at_once_differ_by_rounding_only(toy, make_run, tmp_path):
    found = measured(make_run(), toy, tmp_path)["identity"]
    # A logit is near 1 in size; the longest of its seven sums, over the maps of layer 4, has 6 * 6 * 9 terms.
    bound = alpha_limits.CANCELLATION * rounding.largest_difference(324, torch.float32, sums=7)
    assert found["maximum_difference_with_joined_first_layers"] <= bound


def test_pairs_of_classes_meet_them_too(toy, make_run, tmp_path):
    classes = {"layout": "classes", "labels": ["cat", "dog", "deer", "horse"]}
    assert_met(measured(make_run(tasks=["cat.dog", "deer.horse"], **classes), toy, tmp_path))


def test_a_net_whose_tasks_joined_one_after_another_is_taken_as_if_they_learned_at_once(toy, make_run, tmp_path):
    run = make_run(generations=[["Bright", "Left"], ["Rare"]])
    assert measured(run, toy, tmp_path / "later") == measured(make_run(), toy, tmp_path / "at once")


def test_connections_on_some_layers_alone_keep_the_sum_but_not_each_subnets_gradient(toy, make_run, tmp_path):
    equal = measured(make_run(transfer={"layers": [1, 2]}), toy, tmp_path)["equal"]
    assert equal["maximum_relative_differences"]["of_the_sum"] <= equal["bound"]
    assert equal["maximum_relative_differences"]["of_each_subnet"] > 0.1


@pytest.mark.parametrize("applied", ["gradient", "twice"])
def test_the_other_readings_of_alpha_have_another_gradient_than_hard_sharing(applied, toy, make_run, tmp_path):
    found = measured(make_run(transfer={"applied": applied}), toy, tmp_path)
    assert found["identity"]["maximum_difference"] == 0
    assert found["equal"]["maximum_relative_differences"]["of_the_sum"] > 0.1


def test_a_net_without_connections_is_refused(toy, make_run, tmp_path):
    with pytest.raises(TaskshareError, match="has no connections; take a run with"):
        measured(make_run("hard"), toy, tmp_path)

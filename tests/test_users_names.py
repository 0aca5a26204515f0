"""Names of classes and attributes are the user's; those of files are derived from them."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from taskshare import config
from taskshare.config.base import file_name
from taskshare.config.tasks import pair_of, task_of_file
from taskshare.data.labels import task_labels
from taskshare.errors import TaskshareError
from taskshare.graph import Graph

PARAMS = Path(__file__).parents[1] / "params.yaml"
CLASSES = ["001.Black_crow", "Great Owl", "Großer Uhu", "猫", "it's", "a.b"]
PAIRS = [".".join(pair) for pair in itertools.pairwise(CLASSES)]


@pytest.fixture
def graph(tmp_path):
    """CIFAR-10's runs on classes of other names."""
    content = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    content["datasets"]["cifar10"]["labels"] = CLASSES
    content["runs"] = {"cifar10-single": {**content["runs"]["cifar10-single"], "tasks": PAIRS}}
    content["experiments"] = {"own": {"rows": {"ST": "cifar10-single"}, "columns": PAIRS}}
    for scale in content["scales"].values():
        scale.update(enable=[], runs={})
    return Graph(config.validate(content, check_sources=False), tmp_path)


def test_any_name_makes_files_that_every_system_holds(graph):
    paths = [path for job in graph.jobs.values() for path in (*graph.manifests(job), job.key)]
    assert len(set(paths)) == len(paths) == 2 * len(PAIRS)
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", path) for path in paths)
    assert len({path.casefold() for path in paths}) == len(paths)


@pytest.mark.parametrize("task", [*PAIRS, "Great Owl"])
def test_a_task_is_found_by_the_name_of_its_files(task):
    assert task_of_file(file_name(task), CLASSES) == task_of_file(task, CLASSES) == task


def test_plain_names_are_their_files_names():
    assert [file_name(name) for name in ("cat.dog", "5_o_Clock_Shadow")] == ["cat.dog", "5_o_Clock_Shadow"]
    assert file_name("Great Owl") != file_name("Great-Owl"), "no two fall together"


def test_a_pair_is_found_where_names_hold_dots():
    assert pair_of("001.Black_crow.a.b", CLASSES) == ("001.Black_crow", "a.b")
    labels = task_labels(pd.DataFrame({"class": np.array([0, 5, 1], np.int8)}), CLASSES, "001.Black_crow.a.b")
    assert labels.tolist() == [0, 1, -1]


@pytest.mark.parametrize("name", ["a/b", "a\nb", "a ", ""])
def test_names_that_lists_and_columns_cannot_hold_are_refused(name):
    content = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    content["datasets"]["cifar10"]["labels"][0] = name
    with pytest.raises(TaskshareError, match=r"datasets\.cifar10\.labels\.0: String should"):
        config.validate(content, check_sources=False)

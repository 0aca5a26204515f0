"""What each row of a table cost, and its means under each way to select weights."""

import numpy as np
import pandas as pd
import pytest

from taskshare import config
from taskshare.evaluation.disclosure import disclosures
from taskshare.evaluation.results import Results

from .writing import write_json, write_parquet

TASKS = ["Goatee", "Smiling"]


@pytest.fixture
def pair(params):
    """A table of two nets alone and of one net for both, with two seeds each."""
    runs = {name: params.runs[name].model_copy(update={"tasks": TASKS}) for name in ("celeba-single", "celeba-hard")}
    table = config.Table(rows={"ST": "celeba-single", "MT": "celeba-hard"}, columns=TASKS)
    return params.model_copy(update={"runs": {**params.runs, **runs}, "experiments": {"own": table}})


def write(results, job, seconds, scores):
    """A job that took so long, with one test score for each selection and a validation score for each task."""
    folder = f"{job.name}/seed{job.seed}"
    made = {"images": 100 * len(job.tasks), "multiply_adds": 10**6, "seconds": seconds, "parameters": 7}
    write_json(results / "training" / folder / "provenance.json", made)
    history = pd.DataFrame(
        {
            "iteration": np.tile([20, 40], len(job.tasks)),
            "task": np.repeat(job.tasks, 2),
            "validation_balanced_accuracy": [0.7, 0.9] * len(job.tasks),
            "selected": [False, True] * len(job.tasks),
        }
    )
    write_parquet(results / "training" / folder / "history.parquet", history)
    measured = {name: {task: {"balanced_accuracy": score} for task in job.tasks} for name, score in scores.items()}
    write_json(results / "evaluation" / folder / "metrics.json", {"tasks": measured["best"], "selections": measured})


def test_costs_are_those_of_all_nets_of_a_seed_and_means_are_over_seeds(pair, tmp_path):
    for job in [*pair.jobs("celeba-single"), *pair.jobs("celeba-hard")]:
        write(tmp_path, job, 10 * job.seed, {"last": 0.5 + 0.1 * job.seed, "best": 0.8})
    alone, together = disclosures(pair, pair.experiments["own"], TASKS, Results(tmp_path))
    assert (alone.images_per_update, together.images_per_update) == ([16], [32]), "a batch of 16 from each pool"
    assert (alone.images, together.images) == (200, 200)
    assert (alone.multiply_adds, together.multiply_adds) == (2e6, 1e6)
    assert (alone.seconds, together.seconds) == (pytest.approx(30), pytest.approx(15))
    assert (alone.parameters, together.parameters) == (14, 7)
    assert alone.validation == pytest.approx(90)
    assert alone.means == {"last": pytest.approx(65), "best": pytest.approx(80), "best_per_task": None}


def test_a_row_that_lacks_a_net_has_no_costs(pair, tmp_path):
    write(tmp_path, next(pair.jobs("celeba-single")), 10, {"best": 0.8})
    alone, together = disclosures(pair, pair.experiments["own"], TASKS, Results(tmp_path))
    assert (alone.seconds, alone.validation, together.seconds) == (None, None, None)
    assert set(alone.means.values()) == {None}


def test_the_page_shows_them_below_each_table(full_page):
    page = full_page.read_text(encoding="utf-8")
    cost = 'data-table="fang2017-table4-disclosure" data-row="DMT" data-task="'
    for quantity in ("parameters", "images", "multiply_adds", "seconds", "validation", "last"):
        assert f'{cost}{quantity}" data-value="' in page, quantity
    assert f'{cost}images_per_update">112<' in page

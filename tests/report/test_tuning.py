"""Tuning tables: the same settings for every net, judged by validation images alone."""

import pandas as pd
import pytest

from taskshare import config
from taskshare.evaluation.kinds.tuning import TuningKind
from taskshare.evaluation.results import Results

from .writing import write_parquet


@pytest.fixture
def tuned(params):
    grid = [config.Setting(optimiser="sgd", momentum=0.9, learning_rate=[0.1, 0.2], weight_decay=[0.0, 0.5])]
    rows = {"ST": "celeba-single", "MT": "celeba-hard"}
    experiment = config.Tuning(kind="tuning", rows=rows, settings=grid, training={"iterations": 40}, seed=3)
    return params.model_copy(update={"experiments": {"own-tuning": experiment}})


def write(results, params, run, setting, score):
    """Histories of a trial in which every task is selected at its second row, with this score."""
    for job in params.jobs(f"{run}-{setting}"):
        scores = {
            "task": job.tasks * 2,
            "validation_balanced_accuracy": [0.99] * len(job.tasks) + [score] * len(job.tasks),
        }
        table = pd.DataFrame({**scores, "selected": [False] * len(job.tasks) + [True] * len(job.tasks)})
        write_parquet(results / "training" / job.name / f"seed{job.seed}" / "history.parquet", table)


def summarise(params, results):
    """What is shown of the tuning."""
    experiment = params.experiments["own-tuning"]
    return TuningKind.summarise(params, "own-tuning", experiment, Results(results), None)


def test_every_net_tries_the_same_settings_with_the_seed_of_the_tuning(tuned):
    names = ["sgd-0.1-0", "sgd-0.1-0.5", "sgd-0.2-0", "sgd-0.2-0.5"]
    assert list(tuned.experiments["own-tuning"].combinations()) == names
    assert list(tuned.trials) == [f"{run}-{name}" for run in ("celeba-single", "celeba-hard") for name in names]
    jobs = tuned.enabled_jobs().values()
    assert len(jobs) == 4 * (7 + 1)
    assert {(job.seed, job.training.iterations) for job in jobs} == {(3, 40)}
    assert tuned.judged_jobs() == {}, "no test image is looked at"


def test_the_best_setting_of_each_row_is_marked(tuned, tmp_path):
    for setting, single, hard in (("sgd-0.1-0", 0.7, 0.6), ("sgd-0.2-0.5", 0.8, 0.5)):
        write(tmp_path, tuned, "celeba-single", setting, single)
        write(tmp_path, tuned, "celeba-hard", setting, hard)
    summary = summarise(tuned, tmp_path)
    assert summary.settings[0].scores == {"ST": pytest.approx(70), "MT": pytest.approx(60)}
    assert summary.settings[1].scores == {"ST": None, "MT": None}
    assert summary.best == {"ST": 3, "MT": 0}
    assert summary.chosen["MT"] == "sgd, rate 0.02, weight decay 0.0005"


def test_without_trials_there_is_nothing_to_show(tuned, tmp_path):
    assert summarise(tuned, tmp_path) is None


def test_the_page_has_a_table_of_settings(tuned, tmp_path, make_page):
    write(tmp_path, tuned, "celeba-hard", "sgd-0.2-0", 0.75)
    page = make_page(tuned, tmp_path)
    assert 'data-table="own-tuning" data-row="sgd 0.2 0.0" data-task="MT" data-value="75.0000"><strong>★ 75.0' in page
    assert 'data-row="sgd 0.2 0.0" data-task="ST"><span class="none">not run' in page

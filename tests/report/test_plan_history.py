"""Whether a plan was there before the runs that it judges."""

import subprocess
from collections import Counter

import pytest

from taskshare import files
from taskshare.evaluation.plan_history import plan_history

from .conftest import REPORTS, REPOSITORY


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", folder, *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    return tmp_path


def commit(folder, **contents):
    for name, text in contents.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        git(folder, "add", f"{name}.yaml")
    git(folder, "commit", "-q", "-m", "a change")
    return git(folder, "rev-parse", "HEAD")


def made_by(commit, dirty=False):
    return {"git_commit": commit, "git_dirty": dirty}


def test_a_run_is_planned_if_its_code_had_the_plan_as_it_is_now(repository):
    before = commit(repository, code="1")
    first = commit(repository, plan="a")
    between = commit(repository, code="2")
    last = commit(repository, plan="b")
    after = commit(repository, code="3")
    history = plan_history(repository / "plan.yaml")
    assert history.commits == [last, first]
    ages = [history.age(made_by(run)) for run in (before, first, between, last, after)]
    assert ages == ["unplanned", "changed", "changed", "planned", "planned"]


def test_a_plan_that_is_changed_without_a_commit_was_changed_after_every_run(repository):
    run = commit(repository, plan="a")
    (repository / "plan.yaml").write_text("b", encoding="utf-8")
    history = plan_history(repository / "plan.yaml")
    assert (history.modified, history.age(made_by(run))) == (True, "changed")


def test_a_run_of_code_that_nobody_knows_is_of_unknown_age(repository):
    run = commit(repository, plan="a")
    history = plan_history(repository / "plan.yaml")
    unknown = [made_by(run, dirty=True), made_by(None), made_by("0" * 40), None]
    assert [history.age(provenance) for provenance in unknown] == ["unknown"] * 4


def test_without_a_history_there_is_none(tmp_path, repository):
    (tmp_path / "plan.yaml").write_text("a", encoding="utf-8")
    assert plan_history(tmp_path / "plan.yaml") is None, "never committed"
    assert plan_history(tmp_path / "elsewhere" / "plan.yaml") is None


def test_the_plan_is_older_than_every_run_that_it_judges():
    """The runs at scale mini, where they lie on this machine: none was trained by code without the plan."""
    history = plan_history(REPORTS / "plan.yaml")
    if history is None:
        pytest.skip("an export without history: git does not know reports/plan.yaml")
    assert history.age(made_by(history.commits[0])) == "planned"
    evaluated = {path.parent.relative_to(REPOSITORY / "runs/mini/results/mini/evaluation") for path in METRICS}
    training = REPOSITORY / "runs/mini/results/mini/training"
    ages = Counter(history.age(files.read_json(training / key / "provenance.json")) for key in evaluated)
    assert not ages["unplanned"], "a net with a test score is older than the plan"


METRICS = list((REPOSITORY / "runs/mini/results/mini/evaluation").glob("*/seed*/metrics.json"))

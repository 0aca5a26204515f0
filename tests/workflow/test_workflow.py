"""The workflow from generated images to the report, and what a second call does."""

import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from .conftest import NAME

pytestmark = pytest.mark.slow


class Cells(HTMLParser):
    """Collects data-value of every table cell."""

    def __init__(self):
        super().__init__()
        self.values = {}

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if attributes.get("data-quantity") == "ours" and "data-value" in attributes:
            key = (attributes["data-table"], attributes["data-row"], attributes["data-task"])
            self.values[key] = attributes["data-value"]


def planned_jobs(done):
    """Rules that a dry run would execute, with their number of jobs."""
    assert done.returncode == 0, done.stderr
    table = re.search(r"job +count\n[- ]+\n(.*?)\n\n", done.stdout + done.stderr, re.DOTALL)
    return {} if table is None else {name: int(n) for name, n in re.findall(r"(\w+) +(\d+)", table.group(1))}


def planned_with_other_rate(workspace, run):
    """Jobs that a changed learning rate of one run asks for."""
    original = (workspace.folder / "params.yaml").read_text(encoding="utf-8")
    params = yaml.safe_load(original)
    params["runs"][run]["training"] = {"learning_rate": 0.01}
    try:
        workspace.write_params(params)
        return planned_jobs(workspace.snakemake("-n"))
    finally:
        (workspace.folder / "params.yaml").write_text(original, encoding="utf-8")


def test_the_report_shows_the_balanced_accuracy_of_the_stored_scores(finished):
    workspace, printed = finished
    report = workspace.folder / "results/tiny/report/report.html"
    assert re.search(rf"Report: /.*/{NAME}/results/tiny/report/report\.html", printed)
    cells = Cells()
    cells.feed(report.read_text(encoding="utf-8"))
    runs = {"ST": "single", "MT": "hard", "DMT": "dynamic"}
    compared = 0
    for table, dataset, tasks in (
        ("fang2017-table4", "celeba", ["No_Beard", "Smiling", "Wearing_Lipstick"]),
        ("fang2017-table5", "cifar10", ["cat.dog", "airplane.ship", "deer.horse"]),
    ):
        for row, scheme in runs.items():
            for task in tasks:
                job = f"{dataset}-{scheme}" + (f".{task}" if scheme == "single" else "")
                scores = pd.read_parquet(workspace.folder / f"results/tiny/evaluation/{job}/seed1/scores.parquet")
                scores = scores[scores["task"] == task]
                expected = 100 * balanced_accuracy_score(scores["label"], scores["score"] > 0.5)
                assert float(cells.values[table, row, task]) == pytest.approx(expected, abs=1e-3)
                compared += 1
    assert compared == 18


def test_the_report_shows_the_detection_rates_and_accuracies_of_what_was_predicted(finished):
    workspace, _ = finished
    page = (workspace.folder / "results/tiny/report/report.html").read_text(encoding="utf-8")
    cells = Cells()
    cells.feed(page)
    for row, run in (("Separation", "celeba-separation"), ("Baseline", "celeba-columns")):
        folder = workspace.folder / f"results/tiny/evaluation/{run}/seed1"
        points = pd.read_parquet(folder / "landmarks.parquet")
        away = np.hypot(points["x"] - points["predicted_x"], points["y"] - points["predicted_y"])
        by_face = points.assign(away=away).set_index(["id", "landmark"]).unstack()
        eyes = np.hypot(
            by_face["x", "lefteye"] - by_face["x", "righteye"], by_face["y", "lefteye"] - by_face["y", "righteye"]
        )
        expected = 100 * (by_face["away", "nose"] / eyes <= 0.1).mean()
        assert float(cells.values["matsui2019-table2", row, "nose"]) == pytest.approx(expected, abs=1e-3)
        scores = pd.read_parquet(folder / "scores.parquet")
        smiling = scores[scores["task"] == "Smiling"]
        expected = 100 * accuracy_score(smiling["label"], smiling["score"] > 0.5)
        assert float(cells.values["matsui2019-table3", row, "Smiling"]) == pytest.approx(expected, abs=1e-3)


def test_every_job_left_a_log(finished):
    workspace, _ = finished
    logs = workspace.folder / "results/tiny/logs"
    assert "images/s" in (logs / "training/celeba-dynamic/seed1.log").read_text()
    assert "balanced accuracy" in (logs / "evaluation/celeba-dynamic/seed1.log").read_text()
    assert "nose: found in" in (logs / "evaluation/celeba-separation/seed1.log").read_text()
    rules = {"synthesise": 2, "prepare": 3, "contact_sheet": 3, "seed1-feature_maps-safetensors": 1}
    rules["seed1-costs-json"] = 1
    assert {name: len(list(logs.rglob(f"{name}.log"))) for name in rules} == rules


def test_a_second_call_does_nothing(finished):
    workspace, _ = finished
    done = workspace.snakemake()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_copy_with_other_time_stamps_does_nothing(finished, tmp_path):
    workspace, _ = finished
    copy = type(workspace)(tmp_path / "copy")
    # Not copy2: every file is new, as after a clone.
    shutil.copytree(workspace.folder, copy.folder, copy_function=shutil.copyfile)
    done = copy.snakemake("-n")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_changed_learning_rate_reruns_only_what_depends_on_it(finished):
    planned = planned_with_other_rate(finished[0], "celeba-hard")
    measured = {"evaluate": 1, "measure": 1}
    assert planned == {
        "train": 1,
        **measured,
        "parameters": 1,
        "findings": 1,
        "summary": 1,
        "report": 1,
        "all": 1,
        "total": 8,
    }


def test_a_changed_parent_reruns_its_children_and_what_is_measured_of_them(finished):
    planned = planned_with_other_rate(finished[0], "celeba-dynamic-six")
    assert planned == {
        "train": 2,
        "evaluate": 2,
        "parameters": 1,
        "findings": 1,
        "summary": 1,
        "report": 1,
        "all": 1,
        "total": 9,
    }


def test_a_task_that_joined_left_the_others_scores_as_they_were(finished):
    workspace, _ = finished
    folder = workspace.folder / "results/tiny/evaluation"
    before = pd.read_parquet(folder / "celeba-dynamic-six/seed1/scores.parquet")
    after = pd.read_parquet(folder / "celeba-incremental/seed1/scores.parquet")
    assert set(after["task"]) == {"No_Beard", "Wearing_Lipstick", "Smiling"}
    assert after[after["task"] != "Smiling"].reset_index(drop=True).equals(before)


def test_a_changed_template_makes_only_the_report_again(finished):
    workspace, _ = finished
    template = next((workspace.folder / "reports/templates").glob("*.j2"))
    original = template.read_text(encoding="utf-8")
    try:
        template.write_text(original + "\n<!-- changed -->\n", encoding="utf-8")
        planned = planned_jobs(workspace.snakemake("-n"))
    finally:
        template.write_text(original, encoding="utf-8")
    assert planned == {"report": 1, "all": 1, "total": 2}


@pytest.mark.parametrize(
    ("arguments", "provided"),
    [
        (["--config", "device=auto"], ["2"]),
        (["--config", "jobs_per_gpu=3"], ["6"]),
        (["--config", "device=cpu"], []),
        (["--resources", "gpu=5"], ["5"]),
    ],
)
def test_as_many_jobs_at_once_as_the_gpus_of_the_machine_take(finished, arguments, provided):
    workspace, _ = finished
    done = workspace.snakemake(*arguments, "--force", "--", "results/tiny/params.json", CUDA_VISIBLE_DEVICES="0,1")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"Provided resources: gpu\D+(\d+)", done.stdout + done.stderr) == provided


@pytest.mark.parametrize(("device", "taken"), [("auto", 0), ("cpu", 0), ("cuda", 1)])
def test_training_takes_a_gpu_where_there_is_one_or_one_is_asked_for(finished, device, taken):
    planned = finished[0].snakemake(
        "-n", "--forcerun", "train", "--config", f"device={device}", CUDA_VISIBLE_DEVICES=""
    )
    assert planned.returncode == 0, planned.stderr
    assert ("gpu=1" in planned.stdout) == bool(taken)


def test_a_failed_job_says_why_in_the_terminal(finished, tmp_path):
    workspace, _ = finished
    archive = tmp_path / "faces.tar"
    archive.write_bytes(b"not an archive")
    done = workspace.snakemake("--config", f"celeba={archive}", "--", "results/tiny/data/celeba/rgb/facts.json")
    assert done.returncode != 0
    assert "taskshare: " in done.stderr
    assert "faces.tar" in done.stderr


def test_a_mistake_in_params_stops_before_anything_runs(finished):
    workspace, _ = finished
    done = workspace.snakemake("--config", "scale=huge")
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("taskshare: ")]
    assert lines == ["taskshare: params.yaml: scale: 'huge' is not known; allowed: tiny"]

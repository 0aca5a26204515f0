"""`taskshare verify`: recorded results against their checkpoints, from what another machine has after `dvc pull`."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from taskshare import config, files
from taskshare.errors import TaskshareError
from taskshare.evaluation import findings, scoring
from taskshare.networks import weights
from taskshare.statistics import metrics
from taskshare.verify import tolerance, verify

from .conftest import PROJECT

pytestmark = pytest.mark.slow

JOB, TASK = "celeba-hard/seed1", "Smiling"
NEEDED = ["data/*/*/test.*", "training/*/*/*weights.safetensors", "evaluation/*/seed*/*", "findings.json"]


class Pulled:
    """A copy of what `verify` needs, to change; `lines` is what was said last."""

    def __init__(self, workspace, folder):
        self.params = config.load(workspace.folder / "params.yaml")
        self.results = folder / "results" / "tiny"
        source = workspace.folder / "results" / "tiny"
        for path in (path for pattern in NEEDED for path in source.glob(pattern)):
            target = self.results / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        self.lines = []

    def verify(self):
        self.lines = []
        return verify(self.params, self.results, PROJECT / "reports/published", "cpu", self.lines.append)

    @property
    def weights(self):
        return self.results / "training" / JOB / "weights.safetensors"

    @property
    def evaluation(self):
        return self.results / "evaluation" / JOB

    def of(self, start):
        return [line for line in self.lines if line.startswith(start)]

    def change_metrics(self, change):
        content = files.read_json(self.evaluation / "metrics.json")
        change(content)
        files.write_json(self.evaluation / "metrics.json", content)

    def change_scores(self, change):
        table = pd.read_parquet(self.evaluation / "scores.parquet")
        change(table)
        table.to_parquet(self.evaluation / "scores.parquet", index=False)

    def come_from_elsewhere(self):
        self.change_metrics(lambda content: content["machine"].update(processor="Another processor"))


def digests(folder):
    return {path: files.sha256(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pulled(finished, tmp_path):
    return Pulled(finished[0], tmp_path)


def test_everything_is_equal_where_it_was_made_and_nothing_is_written(finished):
    workspace, _ = finished
    results = workspace.folder / "results"
    before = digests(results)
    done = workspace.run("python", "-m", "taskshare", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    jobs = config.load(workspace.folder / "params.yaml").enabled_jobs()
    assert lines[1:-1] == [f"{key}: equal" for key in jobs]
    assert lines[-1].startswith(f"{len(jobs)} jobs: {len(jobs)} equal; ")
    assert lines[-1].endswith(" 0 differ; largest difference: none")
    assert digests(results) == before


@pytest.mark.parametrize(("aten", "onednn"), [("default", "SSE41"), ("avx2", "AVX2")])
def test_other_instruction_sets_agree_within_the_tolerance(aten, onednn, finished):
    variables = {"ATEN_CPU_CAPABILITY": aten, "ONEDNN_MAX_CPU_ISA": onednn}
    done = finished[0].run("python", "-m", "taskshare", "verify", **variables)
    first, *_, last = done.stdout.splitlines()
    assert f", ONEDNN_MAX_CPU_ISA={onednn}, " in first
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 differ; largest difference: " in last


def test_training_data_are_not_needed(pulled):
    assert not list(pulled.results.rglob("train.*"))
    assert pulled.verify(), pulled.lines
    assert {line.split(": ")[1] for line in pulled.of("c")} == {"equal"}


def test_a_changed_score_is_named(pulled):
    pulled.change_scores(lambda table: table.__setitem__("score", table["score"].where(table.index != 7, 0.123)))
    name = pd.read_parquet(pulled.evaluation / "scores.parquet")["id"][7]
    assert not pulled.verify()
    (line,) = pulled.of(JOB)
    assert line.startswith(f"{JOB}: differs; scores.parquet: {name}, ")
    assert line.endswith("recorded 0.123")
    assert "15 equal, 1 differs; " in pulled.lines[-1]


def test_a_changed_metric_is_named_with_its_table_cells(pulled):
    pulled.change_metrics(lambda content: content["tasks"][TASK].update(balanced_accuracy=0.9876))
    assert not pulled.verify()
    (line,) = pulled.of(JOB)
    assert line.startswith(f"{JOB}: differs; metrics.json: {TASK}: balanced_accuracy ")
    (cell,) = pulled.of("fang2017-table4: MT, ")
    assert cell.startswith(f"fang2017-table4: MT, {TASK}: ")
    assert ": 98.7600, in findings.json " in cell
    assert " 1 differ; " in pulled.lines[-1]


def test_a_changed_metric_of_weights_that_were_not_selected_is_told(pulled):
    pulled.change_metrics(lambda content: content["selections"]["last"][TASK].update(balanced_accuracy=0.9876))
    assert not pulled.verify()
    assert "selections: other metrics of the weights that were not selected" in pulled.of(f"{JOB}: differs; ")[0]


def test_changed_weights_are_found(pulled):
    run, network = weights.load(pulled.weights)
    with torch.no_grad():
        next(network.parameters()).add_(0.05)
    weights.save(pulled.weights, network.state_dict(), run)
    assert not pulled.verify()
    assert "scores.parquet: " in pulled.of(f"{JOB}: differs; ")[0]


def test_a_damaged_checkpoint_is_told_and_the_others_are_verified(pulled):
    content = bytearray(pulled.weights.read_bytes())
    content[-1] ^= 1
    pulled.weights.write_bytes(content)
    assert not pulled.verify()
    assert "damaged checkpoint" in pulled.of(f"{JOB}: differs; ")[0]
    assert "15 equal, 1 differs; " in pulled.lines[-1]


def test_damaged_scores_are_told(pulled):
    path = pulled.evaluation / "scores.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    assert not pulled.verify()
    assert pulled.of(f"{JOB}: differs; {path}: cannot be read (")


def test_missing_checkpoints_are_one_line(pulled):
    pulled.weights.unlink()
    (pulled.evaluation / "scores.parquet").unlink()
    with pytest.raises(TaskshareError) as caught:
        pulled.verify()
    assert str(caught.value) == (
        f"{pulled.weights}: not there (missing files: 2); fetch them with `dvc pull`, or make them with snakemake"
    )


def test_results_of_another_machine_may_differ_by_the_tolerance_only(pulled):
    pulled.come_from_elsewhere()
    scores = pd.read_parquet(pulled.evaluation / "scores.parquet")["score"]
    limit = tolerance(weights.longest_sum(pulled.weights))
    surest = int(np.argmax(np.abs(scores - 0.5)))  # far from the threshold: no decision turns
    for share, passes in ((0.5, True), (2, False)):
        changed = scores.where(scores.index != surest, scores + share * limit * np.sign(0.5 - scores))
        pulled.change_scores(lambda table, changed=changed: table.__setitem__("score", changed.astype(np.float32)))
        assert pulled.verify() == passes, pulled.lines
        state = f"within the tolerance; {limit / 2:.2g} in a score" if passes else "differs; scores.parquet: "
        assert pulled.of(f"{JOB}: {state}")


def test_a_metric_of_another_machine_may_not_differ_by_itself(pulled):
    pulled.come_from_elsewhere()
    pulled.change_metrics(lambda content: content["tasks"][TASK].update(accuracy=0.9876))
    assert not pulled.verify()
    assert pulled.of(f"{JOB}: differs; metrics.json: {TASK}: accuracy ")


def test_the_last_bits_of_a_metric_count_where_it_was_made_and_not_elsewhere(pulled):
    pulled.change_metrics(
        lambda content: content["tasks"][TASK].update(accuracy=content["tasks"][TASK]["accuracy"] - 1e-15)
    )
    assert not pulled.verify()
    pulled.come_from_elsewhere()
    assert pulled.verify()


def test_a_decision_at_the_threshold_may_turn_elsewhere(pulled):
    run, network = weights.load(pulled.weights)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    weights.save(pulled.weights, network.state_dict(), run)
    prepared = pulled.results / "data" / run.dataset / run.variant_name
    scoring.evaluate(pulled.weights, prepared, "test", pulled.evaluation, "cpu")
    undecided = pd.read_parquet(pulled.evaluation / "scores.parquet")
    assert (undecided["score"] == 0.5).all()

    limit = tolerance(weights.longest_sum(pulled.weights))
    turned = undecided["score"].where(undecided.index % 3 > 0, np.float32(0.5 + limit / 2))
    pulled.change_scores(lambda table: table.__setitem__("score", turned))
    measured = {
        task: metrics.measure(part["label"].to_numpy(), metrics.decide(turned[part.index].to_numpy()))
        for task, part in undecided.groupby("task")
    }
    pulled.change_metrics(lambda content: content.update(tasks=measured))
    findings.write(findings.find(pulled.params, pulled.results, PROJECT / "reports"), pulled.results / "findings.json")
    assert not pulled.verify()
    pulled.come_from_elsewhere()
    assert pulled.verify(), pulled.lines
    assert pulled.of(f"{JOB}: within the tolerance; {limit / 2:.2g} in a score")


def test_moved_landmarks_are_found(pulled):
    path: Path = pulled.results / "evaluation/celeba-columns/seed1/landmarks.parquet"
    table = pd.read_parquet(path)
    table.loc[3, "predicted_x"] += 0.01
    table.to_parquet(path, index=False)
    assert not pulled.verify()
    place = f"{table['id'][3]}, {table['landmark'][3]}"
    assert f"landmarks.parquet: {place}: predicted_x " in pulled.of("celeba-columns/seed1: differs; ")[0]

"""The profile `slurm` on a real Slurm of two nodes, of which one dies."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest
import yaml

from .conftest import PROJECT, Workspace
from .slurm_cluster import cluster, wait_until

pytest.importorskip("snakemake_executor_plugin_slurm", reason="snakemake-executor-plugin-slurm is not installed")
pytestmark = pytest.mark.slow
# The first is the parent of the third.
LOST_WITH_ITS_NODE, CANCELLED, CHILD = RUNS = ["celeba-columns", "celeba-columns-branch1", "celeba-separation"]
IMAGES = "results/demo/data/celeba/rgb-unaligned/train.npy"
WEIGHTS = [f"results/demo/training/{run}/seed1/weights.safetensors" for run in RUNS]
# This Slurm keeps no accounts. By itself the plugin asks after 40 seconds, which suits jobs of hours.
STATUS = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "4"]
# The tests' nodes have a GPU on paper only: Slurm gives it out, and training finds none and takes the CPU.
GPU = ["--set-resources", "train:gpu=1"]
NOTHING = "Nothing to be done"


def demo_params():
    """params.yaml with few images, frequent checkpoints, and training long enough to be hit."""
    params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    demo = params["scales"]["demo"]
    demo["synthetic"] = {"train": 400, "validation": 60, "test": 60, "digit_copies": 1}
    demo["training"]["celeba/vgg"] |= {"learning_rate": 0.01, "checkpoint_every": 0.2}
    for run, iterations in ((LOST_WITH_ITS_NODE, 600), (CANCELLED, 600), (CHILD, 60)):
        params["runs"][run] |= {"training": {**params["runs"][run]["training"], "iterations": iterations}}
    return params


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A workspace whose images are prepared."""
    workspace = Workspace(tmp_path_factory.mktemp("prepared")).fill()
    workspace.write_params(demo_params())
    done = workspace.snakemake("--", IMAGES)
    assert done.returncode == 0, done.stderr
    return workspace


def copied(workspace, folder, copy_function=shutil.copy2):
    shutil.copytree(workspace.folder, folder, copy_function=copy_function)
    return Workspace(folder)


@pytest.fixture(scope="module")
def local(prepared, tmp_path_factory):
    """The jobs without Slurm, and without an accident."""
    workspace = copied(prepared, tmp_path_factory.mktemp("local") / "copy")
    done = workspace.snakemake("--", *WEIGHTS)
    assert done.returncode == 0, done.stderr
    return workspace


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def survived(slurm, prepared, tmp_path_factory):
    """The jobs through Slurm: after its first checkpoint one loses its node, another is cancelled."""
    workspace = copied(prepared, tmp_path_factory.mktemp("slurm") / "copy")
    said = workspace.folder / "said.txt"
    command = ["snakemake", "--profile", "profiles/slurm", *GPU, *STATUS, "--", *WEIGHTS]
    with said.open("w") as output:
        snakemake = subprocess.Popen(
            command, cwd=workspace.folder, env=workspace.environment(), stdout=output, stderr=output
        )
    try:
        _, node = training(slurm, workspace, LOST_WITH_ITS_NODE)
        slurm.kill_node(node)
        slurm.call("scontrol", "update", f"nodename={node}", "state=down", "reason=power cut")
        job, _ = training(slurm, workspace, CANCELLED)
        slurm.call("scancel", job)
        slurm.start_node(node)
        slurm.call("scontrol", "update", f"nodename={node}", "state=resume")
        wait_until(lambda: slurm.state(node) in ("idle", "mixed"))
        returncode = snakemake.wait(300)
    finally:
        snakemake.kill()
        snakemake.wait()
    records = {job: slurm.call("scontrol", "show", "job", job) for job, _, _ in slurm.jobs("--states=all")}
    return SimpleNamespace(workspace=workspace, returncode=returncode, said=said.read_text(), records=records)


def training(slurm, workspace, run):
    """Wait until a run's job has written a checkpoint, and return its id and node."""
    found = []

    def under_way():
        found[:] = [row for row in slurm.jobs("--states=running") if row[2] == f"rule_train_wildcards_{run}_1"]
        folder = workspace.folder / f"results/demo/training/{run}/seed1"
        return found and any(folder.glob("work-*/checkpoint.pt"))

    wait_until(under_way, 180)
    return found[0][:2]


def records_of(survived, run):
    return [text for text in survived.records.values() if f"Comment=rule_train_wildcards_{run}_1" in text]


def test_the_workflow_ends_by_itself(survived):
    assert survived.returncode == 0, survived.said


def test_slurm_starts_the_job_again_whose_node_died(survived):
    [record] = records_of(survived, LOST_WITH_ITS_NODE)
    assert "Restarts=1 " in record
    assert "JobState=COMPLETED" in record


def test_snakemake_submits_the_job_again_that_was_cancelled(survived):
    states = [re.search(r"JobState=(\w+)", record)[1] for record in records_of(survived, CANCELLED)]
    assert sorted(states) == ["CANCELLED", "COMPLETED"]


@pytest.mark.parametrize("run", [LOST_WITH_ITS_NODE, CANCELLED])
def test_training_went_on_after_its_checkpoint(survived, run):
    log = (survived.workspace.folder / f"results/demo/logs/training/{run}/seed1.log").read_text()
    assert int(re.search(r"goes on after iteration (\d+) of 600", log)[1]) > 0


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_weights_are_those_of_a_local_run(survived, local, weights):
    assert (survived.workspace.folder / weights).read_bytes() == (local.folder / weights).read_bytes()


def test_slurm_trains_on_a_gpu_each_and_manifests_are_made_here(survived):
    assert len(survived.records) == len(RUNS) + 1  # the cancelled job twice
    for record in survived.records.values():
        assert "Comment=rule_train_" in record
        assert "TresPerJob=gres:gpu:1" in record


def test_without_the_profile_nothing_is_run_again(survived, tmp_path):
    assert NOTHING in survived.workspace.snakemake("-n", "--", *WEIGHTS).stdout
    # As after a clone, time stamps say nothing: checksums must have been recorded by the jobs on the nodes.
    copy = copied(survived.workspace, tmp_path / "copy", shutil.copyfile)
    assert NOTHING in copy.snakemake("-n", "--", *WEIGHTS).stdout

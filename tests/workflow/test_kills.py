"""SIGKILL of Snakemake and of training jobs at random moments: the next call goes on as if nothing had been."""

import shutil
import signal
import subprocess
import time
from contextlib import suppress

import psutil
import pytest

from taskshare import seeds
from taskshare.training import resume

from .conftest import Workspace, tiny_params

pytestmark = pytest.mark.slow

TRIES = 20
ITERATIONS = 300
RUNS = ("celeba-dynamic-six", "celeba-incremental")  # parent and child
TARGETS = [f"results/tiny/evaluation/{run}/seed1/metrics.json" for run in RUNS]
PREPARED = "results/tiny/data/celeba/grey"
DATA = [f"{PREPARED}/manifests/{task}-resampled-duplicated-seed1.parquet" for task in ("No_Beard", "Smiling")]
TIMED = ("timing.parquet", "provenance.json")  # they hold times


class KilledWorkspace(Workspace):
    """A workspace whose processes can be killed."""

    def fill(self):
        super().fill()
        params = tiny_params()
        runs = params["runs"]
        runs["celeba-dynamic-six"]["tasks"] = ["No_Beard"]
        params["scales"]["tiny"]["training"]["celeba"] |= {"iterations": ITERATIONS, "checkpoint_every": 0.1}
        experiments = {"fang2017-table4": {"rows": {run: run for run in RUNS}}}
        self.write_params({**params, "runs": {run: runs[run] for run in RUNS}, "experiments": experiments})
        return self

    def copy(self, folder):
        # With time stamps: they say what has been done.
        return KilledWorkspace(shutil.copytree(self.folder, folder, copy_function=shutil.copy2))

    def call(self, *targets):
        """Start `snakemake --cores 2`; no flag tells it that it, or its jobs, have been killed before."""
        with (self.folder / "terminal.log").open("ab") as log:
            return subprocess.Popen(
                ["snakemake", "--cores", "2", "--", *(targets or TARGETS)],
                **{"cwd": self.folder, "env": self.environment(), "stdout": log, "stderr": log},
            )

    def processes(self):
        """Every process that works here, the orphans of a killed Snakemake too."""
        found = psutil.process_iter(["cwd", "cmdline"])
        return [process for process in found if process.info["cwd"] == str(self.folder)]

    def training_jobs(self):
        wanted = ["-m", "taskshare", "train"]
        return [process for process in self.processes() if (process.info["cmdline"] or [])[1:4] == wanted]

    def iterations(self):
        """The iteration of each training job's checkpoint."""
        reached = []
        for path in self.folder.glob("results/tiny/training/*/seed1/work-*/checkpoint.pt"):
            with suppress(FileNotFoundError):  # the job has just ended
                reached.append(resume.load(path) or {"progress": {"iteration": 0}})
        return [state["progress"]["iteration"] for state in reached]

    def times_gone_on(self):
        logs = self.folder.glob("results/tiny/logs/training/*/seed1.log")
        return sum("goes on after iteration" in log.read_text() for log in logs)

    def results(self):
        """The bytes of every result by its path."""
        root = self.folder / "results/tiny"
        paths = [path for part in ("data", "training", "evaluation") for path in (root / part).rglob("*")]
        shown = [path for path in paths if path.is_file() and not path.name.startswith(".")]
        return {path.relative_to(root): path.read_bytes() for path in shown if path.name not in TIMED}


def kill_snakemake(workspace, snakemake, seconds):
    """Kill Snakemake after some time, and leave its jobs alive; return whether it was still at work."""
    try:
        snakemake.wait(seconds)
    except subprocess.TimeoutExpired:
        snakemake.kill()
        return snakemake.wait() == -signal.SIGKILL
    return False


def kill_training(workspace, snakemake, share):
    """Kill training after a share of the iterations behind its checkpoint; return whether there was any."""
    start = 0
    while snakemake.poll() is None:
        jobs, reached = workspace.training_jobs(), workspace.iterations()
        if jobs and reached:
            start = start or reached[0]
            if reached[0] >= start + share * (ITERATIONS - start):
                # A job of this Snakemake, and one of an earlier that it waits for.
                for job in jobs:
                    job.kill()
                return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A workspace with all results, one with the data alone, and the seconds of a call that adds the rest."""
    workspace = KilledWorkspace(tmp_path_factory.mktemp("undisturbed")).fill()
    assert workspace.call(*DATA).wait() == 0
    begun = workspace.copy(tmp_path_factory.mktemp("begun") / "workspace")
    start = time.monotonic()
    assert workspace.call().wait() == 0
    return workspace, begun, time.monotonic() - start


def test_results_are_the_same_bytes_after_twenty_kills(undisturbed, tmp_path):
    reference, begun, duration = undisturbed
    expected = reference.results()
    assert len(expected) > 15
    generator = seeds.generator(1, "kills")
    tries, in_training, gone_on, flows = 0, 0, 0, 0
    while tries < TRIES:
        # The first flow begins with nothing, so that the making of data is hit too; the others with data.
        folder = tmp_path / f"flow{flows}"
        workspace = KilledWorkspace(folder).fill() if flows == 0 else begun.copy(folder)
        flows += 1
        try:
            for kill in (kill_snakemake, kill_training) * TRIES:
                snakemake = workspace.call()
                moment = generator.uniform(0, duration / 2 if kill is kill_snakemake else 1)
                struck = tries < TRIES and kill(workspace, snakemake, moment)
                code = snakemake.wait(600)
                tries += struck
                in_training += struck and kill is kill_training
                gone_on += workspace.times_gone_on()
                assert struck or code == 0, (folder / "terminal.log").read_text()
                if code == 0:  # nothing was hit, or only a job of an earlier Snakemake
                    break
            assert workspace.results() == expected
            assert not workspace.iterations()
        finally:
            for process in workspace.processes():
                process.kill()
    print(f"{tries} kills in {flows} flows, {in_training} of them of training jobs; {gone_on} went on")
    assert in_training >= 3
    assert gone_on >= 3
    assert "Nothing to be done" in workspace.snakemake("--", *TARGETS).stderr

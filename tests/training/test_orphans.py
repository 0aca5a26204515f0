"""A training job whose Snakemake was killed lives on; the job of the next Snakemake works with it, not against it."""

import signal
import subprocess
import sys
import time

import pytest

from taskshare.graph import TRAINING_FILES

from .killing import iteration_of


@pytest.fixture
def orphan_and_next(make_run, prepared, manifests_of, tmp_path):
    """Two processes that are asked to train the same: one stopped in its middle, and one that waits for it."""
    run, out = make_run("hard", training={"iterations": 100, "checkpoint_every": 1e-6}), tmp_path / "out"
    command = [sys.executable, "-m", "taskshare", "train", "--run", run.model_dump_json(), "--device", "cpu"]
    command += ["--prepared", prepared, "--out", out, *(f"--manifests={path}" for path in manifests_of(run))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as orphan:
        while iteration_of(out) < 10:
            assert orphan.poll() is None, "the job ended before it could be stopped"
            time.sleep(0.005)
        orphan.send_signal(signal.SIGSTOP)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as following:
            try:
                assert "waits for its result" in following.stderr.readline()
                yield orphan, following, out
            finally:
                orphan.kill()
                following.kill()


def test_what_an_orphan_finishes_is_taken(orphan_and_next):
    orphan, following, out = orphan_and_next
    orphan.send_signal(signal.SIGCONT)
    assert orphan.wait() == 0
    made = {name: (out / name).stat().st_mtime_ns for name in TRAINING_FILES}
    assert "finished by the other process" in following.communicate()[1]
    assert following.returncode == 0
    assert {name: (out / name).stat().st_mtime_ns for name in TRAINING_FILES} == made
    assert {path.name for path in out.iterdir()} == {*TRAINING_FILES, ".lock"}


def test_what_an_orphan_leaves_is_gone_on_with(orphan_and_next):
    orphan, following, out = orphan_and_next
    orphan.kill()
    assert "goes on after iteration" in following.communicate()[1]
    assert following.returncode == 0
    assert {path.name for path in out.iterdir()} == {*TRAINING_FILES, ".lock"}


def test_what_was_removed_of_an_orphans_results_is_made_again(orphan_and_next):
    """Snakemake removes what it finds of a job before it starts it, and may do so while the orphan writes."""
    orphan, following, out = orphan_and_next
    following.send_signal(signal.SIGSTOP)
    orphan.send_signal(signal.SIGCONT)
    assert orphan.wait() == 0
    (out / "weights.safetensors").unlink()
    following.send_signal(signal.SIGCONT)
    assert following.wait() == 0
    assert {path.name for path in out.iterdir()} == {*TRAINING_FILES, ".lock"}

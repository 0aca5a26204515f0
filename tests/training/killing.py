"""A training job that is killed with SIGKILL in its middle and called again."""

import os
import signal
import subprocess
import sys
import time

from taskshare.training import resume


def kill_and_resume(run, prepared, manifests, out, *options):
    """Train through the command line, kill after 25 iterations, and let a second call end the job.

    By then two validations are past: selected weights, history and running sums are in the checkpoint too.
    """
    command = [sys.executable, "-m", "taskshare", "train", "--run", run.model_dump_json(), "--device", "cpu"]
    command += ["--prepared", prepared, "--out", out, *options, *(f"--manifests={path}" for path in manifests)]
    job = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while iteration_of(out) < 25:
        assert job.poll() is None, "the job ended before it could be killed"
        time.sleep(0.005)
    os.kill(job.pid, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    assert not (out / "weights.safetensors").exists()
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "goes on after iteration" in second.stderr


def iteration_of(folder):
    states = [resume.load(path) for path in folder.glob("work-*/checkpoint.pt")]
    return states[0]["progress"]["iteration"] if states else 0

"""Jobs on GPUs: never more on one than allowed, none lost when one is killed. No GPU is needed: devices are names."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import torch

from taskshare import device, device_slots
from taskshare.devices import visible_devices

# A job that takes a slot, writes its device into a file while it works, and removes the file.
JOB = """
import sys, time
from pathlib import Path
from taskshare import device_slots
folder, name, devices = Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(",")
jobs, seconds = int(sys.argv[4]), float(sys.argv[5])
slot = device_slots.take(devices, jobs, folder / "locks")
running = folder / "running" / f"{slot.device}.{name}"
running.touch()
time.sleep(seconds)
running.unlink()
(folder / "done" / name).write_text(slot.device)
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("locks", "running", "done"):
        (tmp_path / name).mkdir()
    return tmp_path


def start(folder, name, devices, jobs_per_device=1, seconds=0.5):
    command = [sys.executable, "-c", JOB, folder, name, devices, str(jobs_per_device), str(seconds)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def on_each_device(folder):
    return Counter(path.name.partition(".")[0] for path in (folder / "running").iterdir())


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("jobs_per_device", [1, 2])
def test_eight_jobs_share_three_devices_and_one_that_is_killed_gives_its_slot_back(folder, jobs_per_device):
    first = start(folder, "first", "0,1,2", jobs_per_device, seconds=60)
    wait_until(lambda: on_each_device(folder)["0"] == 1)
    jobs = [start(folder, f"job{number}", "0,1,2", jobs_per_device) for number in range(7)]
    most = Counter()
    killed = False
    while any(job.poll() is None for job in jobs):
        most |= on_each_device(folder)
        if not killed and len(list((folder / "done").iterdir())) >= 2:
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            (folder / "running" / "0.first").unlink()
            killed = True
        time.sleep(0.01)
    assert killed
    assert [job.returncode for job in jobs] == [0] * 7
    devices = [path.read_text() for path in (folder / "done").iterdir()]
    assert len(devices) == 7
    assert set(devices) <= {"0", "1", "2"}
    assert most.keys() == {"0", "1", "2"}
    assert max(most.values()) == jobs_per_device


def test_a_slot_of_a_killed_job_is_taken_by_the_one_that_waits(folder):
    first = start(folder, "first", "0", seconds=60)
    wait_until(lambda: on_each_device(folder)["0"] == 1)
    second = start(folder, "second", "0", seconds=0)
    time.sleep(1)
    assert second.poll() is None
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait(timeout=30) == 0
    assert (folder / "done" / "second").read_text() == "0"


def test_a_slot_that_is_given_back_can_be_taken_again(tmp_path):
    slot = device_slots.take(["GPU-a"], folder=tmp_path / "locks")
    slot.release()
    assert device_slots.take(["GPU-a"], folder=tmp_path / "locks").device == "GPU-a"


@pytest.mark.parametrize(
    ("named", "devices"),
    [("0,2", ["0", "2"]), ("GPU-a, GPU-b", ["GPU-a", "GPU-b"]), ("", []), ("-1", []), ("1,-1,2", ["1"])],
)
def test_the_devices_are_those_that_the_environment_names(monkeypatch, named, devices):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_devices() == devices


@pytest.fixture
def fake_gpus(monkeypatch, tmp_path):
    """Two GPUs, as far as this process can tell."""
    monkeypatch.setattr(device, "_slot", None)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    if device._slot:
        device._slot.release()


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_a_process_takes_one_gpu_sees_no_other_and_keeps_it(fake_gpus, monkeypatch, wanted):
    assert device.choose(wanted) == device.choose(wanted) == torch.device("cuda")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"


def test_a_process_that_is_told_to_use_the_cpu_takes_no_gpu(fake_gpus):
    assert device.choose("cpu") == torch.device("cpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,5"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_the_cpu_is_taken_and_no_lock():
    assert device.choose("auto") == torch.device("cpu")
    assert device._slot is None

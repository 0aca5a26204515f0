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
from taskshare.errors import TaskshareError

# A job that takes a slot, and shows its device by a file while it works; it works until it is told to end.
JOB = """
import sys, time
from pathlib import Path
from taskshare import device_slots
folder, name, devices, jobs = Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(","), int(sys.argv[4])
slot = device_slots.take(devices, jobs, folder / "locks")
running = folder / "running" / f"{slot.device}.{name}"
running.touch()
while not (folder / "end").exists():
    time.sleep(0.01)
running.unlink()
(folder / "done" / name).write_text(slot.device)
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("locks", "running", "done"):
        (tmp_path / name).mkdir()
    return tmp_path


def start(folder, name, devices, jobs_per_device=1):
    command = [sys.executable, "-c", JOB, folder, name, devices, str(jobs_per_device)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def on_each_device(folder):
    return Counter(path.name.partition(".")[0] for path in (folder / "running").iterdir())


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("jobs_per_device", [1, 2])
def test_eight_jobs_share_three_devices_and_none_is_lost_when_one_is_killed(folder, jobs_per_device):
    full = dict.fromkeys("012", jobs_per_device)
    jobs = {f"job{number}": start(folder, f"job{number}", "0,1,2", jobs_per_device) for number in range(8)}
    wait_until(lambda: on_each_device(folder) == full)
    killed = next(iter((folder / "running").iterdir()))
    job = jobs.pop(killed.name.partition(".")[2])
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    killed.unlink()
    wait_until(lambda: on_each_device(folder) == full)  # one that waited has its place
    for _ in range(50):
        assert on_each_device(folder) == full
        time.sleep(0.01)
    (folder / "end").touch()
    most = Counter()
    while any(job.poll() is None for job in jobs.values()):
        most |= on_each_device(folder)
    assert {name: job.returncode for name, job in jobs.items()} == dict.fromkeys(jobs, 0)
    assert max(most.values()) <= jobs_per_device
    assert {path.name for path in (folder / "done").iterdir()} == set(jobs)


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


def test_without_that_variable_they_are_counted(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("taskshare.devices.DEVICE_FILES", tmp_path)
    for name in ("nvidia3", "nvidia5", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert visible_devices() == ["0", "1"]


@pytest.fixture
def fake_gpus(monkeypatch, tmp_path):
    """Two GPUs, as far as this process can tell."""
    monkeypatch.setattr(device, "_slot", None)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    take = device_slots.take
    monkeypatch.setattr(device_slots, "take", lambda devices, jobs: take(devices, jobs, tmp_path / "locks"))
    yield
    if device._slot:
        device._slot.release()


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_a_process_takes_one_gpu_sees_no_other_and_keeps_it(fake_gpus, monkeypatch, wanted):
    assert device.choose(wanted) == device.choose(wanted) == torch.device("cuda")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"


def test_a_gpu_that_torch_cannot_use_is_an_error_and_not_the_cpu(fake_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TaskshareError, match="device: auto: torch cannot use the GPU here"):
        device.choose("auto")


def test_a_process_that_is_told_to_use_the_cpu_takes_no_gpu(fake_gpus):
    assert device.choose("cpu") == torch.device("cpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,5"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_the_cpu_is_taken_and_no_lock():
    assert device.choose("auto") == torch.device("cpu")
    assert device._slot is None

"""What a machine may lack: the right operating system, locks, /proc."""

import errno
import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from taskshare import config, device, files, working_folder
from taskshare.errors import TaskshareError
from taskshare.training import provenance


def test_windows_is_told_in_one_line():
    command = "import sys; sys.platform = 'win32'; import taskshare"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("taskshare: needs Linux or macOS; ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_in_one_line(number, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(TaskshareError, match=r"taskshare\.lock: the file system cannot lock files"):
        working_folder.claim(tmp_path)
    with pytest.raises(TaskshareError, match=r"\.lock: the file system cannot lock files"):
        files.acquire_at_once(FileLock(tmp_path / ".lock"))


def hide_proc(monkeypatch, module):
    monkeypatch.setattr(module, "Path", lambda path: Path(str(path).replace("/proc", "/no-proc")))


def test_a_processor_without_proc_has_the_name_that_python_knows(monkeypatch):
    hide_proc(monkeypatch, device)
    monkeypatch.setattr(device.platform, "processor", lambda: "arm")
    described = device.describe(torch.device("cpu"))
    assert (described["processor"], described["model"]) == ("arm", "")
    assert not device.computes_in_bfloat16(config.Training(), torch.device("cpu"))


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_peak_memory_without_proc_is_what_the_system_counts(system, unit, monkeypatch):
    hide_proc(monkeypatch, provenance)
    monkeypatch.setattr(provenance.sys, "platform", system)
    assert provenance.peak_memory_bytes() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def test_an_arm_processor_has_a_model(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd bf16\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n")
    monkeypatch.setattr(device, "Path", lambda path: cpuinfo)
    assert device.describe(torch.device("cpu"))["model"] == "0x41-0xd40"

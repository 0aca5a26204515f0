"""What this machine has, and what each finding means for which command."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table

from taskshare import devices, environment, working_folder
from taskshare.config import Params
from taskshare.errors import TaskshareError
from taskshare.planning.plan import Plan

OLDEST_PYTHON = (3, 11, 4)
TEMPORARY_BYTES = 4_000_000_000
"""Room that an archive of all CelebA images takes while it is unpacked."""
_CGROUP = Path("/sys/fs/cgroup")
_COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


@dataclass(frozen=True)
class Finding:
    """One fact about the machine.

    Attributes:
        subject: what was looked at.
        level: ok; note: some command is limited; problem: `snakemake --cores all` fails or takes much too long.
        found: what there is.
        meaning: what follows for which command, and what to do.
    """

    subject: str
    level: Literal["ok", "note", "problem"]
    found: str
    meaning: str


def examine(folder: Path, plan: Plan) -> Iterator[Finding]:
    """Yield the findings one after the other.

    Args:
        folder: the working folder, which holds requirements.lock.
        plan: of the current scale.
    """
    yield check_python(sys.version_info[:3])
    yield check_packages(folder / "requirements.lock")
    yield check_cores(os.cpu_count() or 1, cpu_quota())
    yield from room(plan)
    yield check_temporary_folder(Path(tempfile.gettempdir()))
    yield check_gpu(devices.visible_devices(), plan.params)
    yield check_writing(folder)
    yield check_git(folder)
    yield check_remote(folder)
    yield check_conda(folder / "workflow" / "envs" / "taskshare.yaml")


def room(plan: Plan) -> list[Finding]:
    """Return the findings on disk and memory: whether the current scale fits on this machine."""
    return [check_disk(plan), check_memory(plan, available_memory())]


def show(findings: Iterator[Finding]) -> bool:
    """Print findings as a table, and return whether none of them is a problem."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("", "", "found", "what it means"):
        table.add_column(column, overflow="fold")
    levels = []
    for finding in findings:
        levels.append(finding.level)
        colour = _COLOURS[finding.level]
        table.add_row(f"[{colour}]{finding.level}[/]", finding.subject, finding.found, finding.meaning)
    console = Console(highlight=False, emoji=False)
    console.print(table)
    problems, notes = levels.count("problem"), levels.count("note")
    console.print(f"{problems} problems, {notes} notes." if problems or notes else "Everything is in place.")
    return not problems


def check_python(version: tuple[int, ...]) -> Finding:
    """Return whether Python is new enough; `version` is (major, minor, micro)."""
    found = ".".join(map(str, version))
    if version >= OLDEST_PYTHON:
        return Finding("Python", "ok", found, "recent enough for every command")
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding(
        "Python", "problem", found, f"every command needs {oldest}; run `make environment PYTHON=python3.12`"
    )


def check_packages(lock: Path) -> Finding:
    """Return whether this environment has the packages of the lock."""
    missing = environment.missing_modules()
    if missing:
        return Finding(
            *("packages", "problem", f"missing: {', '.join(missing)}"),
            f"`snakemake --cores all` fails; run {environment.INSTALL}",
        )
    if not lock.exists():
        return Finding("packages", "note", f"no {lock.name} here", "call `taskshare doctor` in the project's folder")
    different = environment.differences(environment.pins(lock))
    if not different:
        return Finding("packages", "ok", f"exactly those of {lock.name}", "results can be compared bit by bit")
    return Finding(
        *("packages", "note", environment.enumerate_some(different)),
        f"every command runs, but numbers may differ in the last digits and `make test` may fail; run "
        f"{environment.INSTALL}",
    )


def cpu_quota(folder: Path = _CGROUP) -> float | None:
    """Return the number of CPUs that a container may use, or None where it has no quota (Linux, cgroup 2)."""
    path = folder / "cpu.max"
    quota, period = path.read_text().split() if path.exists() else ("max", "1")
    return None if quota == "max" else int(quota) / int(period)


def check_cores(cores: int, quota: float | None) -> Finding:
    """Return how many jobs run at once; `quota` is what a container may use of the cores."""
    if quota is not None and quota < cores:
        return Finding(
            *("cores", "note", f"{cores}, of which this container may use {quota:g}"),
            f"`snakemake --cores all` starts {cores} jobs at once, which is slow; use `--cores {max(1, int(quota))}`",
        )
    return Finding("cores", "ok", str(cores), f"`snakemake --cores all` starts up to {cores} jobs at once")


def check_disk(plan: Plan) -> Finding:
    """Return whether the results of the current scale fit on the disk."""
    missing = sum(max(0, part.bytes - part.there) for part in plan.space)
    found, scale = f"{_size(plan.free_bytes)} free", f"scale {plan.params.scale} needs {_size(missing)} more"
    if plan.free_bytes < missing:
        return Finding("disk", "problem", found, f"{scale}: `snakemake` will fill the disk; make room or use another")
    if plan.free_bytes < 2 * missing:
        return Finding("disk", "note", found, f"{scale}; `dvc repro` keeps a copy and needs twice that")
    return Finding("disk", "ok", found, scale)


def available_memory(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int | None:
    """Return the bytes of memory that new processes can have, within a container's limit; None if unknown (macOS)."""
    if not meminfo.exists():
        return None
    lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
    available = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = cgroup / "memory.max", cgroup / "memory.current"
    if limit.exists() and limit.read_text().strip() != "max":
        available = min(available, int(limit.read_text()) - int(used.read_text()))
    return available


def check_memory(plan: Plan, available: int | None) -> Finding:
    """Return whether as many jobs as there are cores fit into the memory; `available` is in bytes."""
    if available is None:
        return Finding("memory", "note", "unknown on this system", "`make plan` prints what a job takes")
    largest = max(plan.jobs, key=lambda job: job.memory_bytes)
    found, needed = f"{_size(available)} available", f"the largest job takes {_size(largest.memory_bytes)}"
    if plan.kind == "cuda":
        return Finding("memory", "ok", found, f"{needed} of the GPU")
    cores = os.cpu_count() or 1
    at_once = int(available / max(1, largest.memory_bytes))
    if at_once < 1:
        return Finding(
            "memory", "problem", found, f"{needed} ({largest.name}): use a smaller scale or a larger machine"
        )
    if at_once < cores // largest.threads:
        few = f"{needed}: use `snakemake --cores {at_once * largest.threads}`, or jobs may be killed"
        return Finding("memory", "note", found, few)
    return Finding("memory", "ok", found, f"{needed}; {cores // largest.threads} at once fit")


def check_temporary_folder(folder: Path) -> Finding:
    """Return whether an archive of images can be unpacked."""
    free = shutil.disk_usage(folder).free
    found = f"{folder}, {_size(free)} free"
    if free < TEMPORARY_BYTES:
        advice = "too small to unpack an archive of all CelebA images; set TMPDIR to a folder on a larger disk"
        return Finding("temporary folder", "note", found, advice)
    return Finding("temporary folder", "ok", found, "large enough to unpack the archives")


def check_gpu(gpus: list[str], params: Params) -> Finding:
    """Return whether networks are computed on a GPU; `gpus` are those that this process may use."""
    import torch

    build = f"torch {torch.__version__}"
    if not gpus:
        if params.device == "cuda":
            return Finding("GPU", "problem", "none", "params.yaml has `device: cuda`; set `device: auto`")
        return Finding("GPU", "ok", "none", "networks are computed on the CPU; scale paper needs a GPU")
    if not torch.backends.cuda.is_built():
        return Finding(
            *("GPU", "note", f"{len(gpus)}, but {build} is a CPU build"),
            "networks are computed on the CPU; install a CUDA build of torch (pytorch.org/get-started)",
        )
    if not torch.cuda.is_available():
        level: Literal["note", "problem"] = "note" if params.device == "cpu" else "problem"
        return Finding(
            *("GPU", level, f"{len(gpus)}, but {build} cannot use them"),
            "training stops; look at the driver with `nvidia-smi`, or set `device: cpu`",
        )
    return Finding("GPU", "ok", f"{len(gpus)}, {torch.cuda.get_device_name(0)}, {build}", "networks are computed there")


def check_writing(folder: Path) -> Finding:
    """Return whether results can be written and the folder can be claimed."""
    try:
        working_folder.check_writable(folder)
        working_folder.check_locks(folder)
    except TaskshareError as error:
        return Finding("working folder", "problem", str(folder), f"`snakemake` stops: {error}")
    return Finding("working folder", "ok", str(folder), "can be written to, and files can be locked")


def check_git(folder: Path) -> Finding:
    """Return whether the project is a git repository."""
    inside = _first_line(["git", "rev-parse", "--is-inside-work-tree"], folder)
    if inside is None:
        found = "not a repository" if shutil.which("git") else "not installed"
        meaning = "`dvc` does not work, and the report cannot name its commit; install git and clone the repository"
        return Finding("git", "note", found, meaning)
    return Finding("git", "ok", _first_line(["git", "--version"], folder) or "", "`dvc` and the report find the commit")


def check_remote(folder: Path) -> Finding:
    """Return whether DVC has a place to send results to."""
    remote = _first_line([sys.executable, "-m", "dvc", "remote", "list"], folder)
    if remote:
        return Finding("DVC remote", "ok", " ".join(remote.split()), "`dvc push` and `dvc pull` use it")
    meaning = "only `dvc push` and `dvc pull` need one: `dvc remote add --default store REMOTE`"
    return Finding("DVC remote", "ok", "none", meaning)


def check_conda(lock: Path) -> Finding:
    """Return what `--use-conda` will do."""
    conda = shutil.which("conda")
    if conda:
        return Finding("conda", "ok", conda, "`snakemake --use-conda` makes an environment for the jobs")
    if lock.exists() and environment.differences(environment.pins(lock)):
        meaning = (
            f"`snakemake --use-conda` stops, since this environment is not the locked one; run {environment.INSTALL}"
        )
        return Finding("conda", "note", "none", meaning)
    return Finding("conda", "ok", "none", "`snakemake --use-conda` runs jobs in this environment")


def _first_line(command: list[str], folder: Path) -> str | None:
    """Return the first line that a command prints, or None if it cannot be run, fails or prints nothing."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return next(iter(done.stdout.splitlines()), None)


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"

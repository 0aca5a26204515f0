"""`taskshare doctor`: each finding says what it means for which command."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from taskshare import config, devices, doctor, environment
from taskshare.planning import plan as planning

PROJECT = Path(__file__).parents[1]
GB = 1_000_000_000


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The plan of a single run."""
    params = config.load(PROJECT / "params.yaml")
    single = params.experiments["fang2017-table5"].model_copy(update={"rows": {"ST": "cifar10-single"}})
    params = params.model_copy(update={"experiments": {"fang2017-table5": single}})
    return planning.make(params, tmp_path_factory.mktemp("project"))


def test_python_must_be_new_enough():
    assert doctor.check_python((3, 12, 0)).level == "ok"
    finding = doctor.check_python((3, 10, 13))
    assert (finding.level, finding.found) == ("problem", "3.10.13")
    assert "make environment PYTHON=" in finding.meaning


def test_packages_are_compared_with_the_lock(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    lock.write_text("# made by 'make lock'\n", encoding="utf-8")
    assert doctor.check_packages(lock).level == "ok"
    lock.write_text("numpy==0.0.1\nno-such-package==1.0\n", encoding="utf-8")
    finding = doctor.check_packages(lock)
    assert finding.level == "note"
    assert finding.found.endswith("instead of 0.0.1, no-such-package is missing")
    monkeypatch.setattr(environment, "find_spec", lambda module: None)
    assert doctor.check_packages(lock).level == "problem"


def test_a_container_with_a_quota_is_told_how_many_cores_to_give(tmp_path):
    assert doctor.cpu_quota(tmp_path) is None
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert doctor.cpu_quota(tmp_path) == 1.5
    assert "`--cores 1`" in doctor.check_cores(8, 1.5).meaning
    assert doctor.check_cores(8, None).level == "ok"


def test_too_little_disk_is_a_problem(plan):
    needed = sum(part.bytes for part in plan.space)
    levels = [doctor.check_disk(replace(plan, free_bytes=int(share * needed))).level for share in (0.9, 1.5, 3)]
    assert levels == ["problem", "note", "ok"]


def test_too_little_memory_is_a_problem(plan, monkeypatch):
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 4)
    largest = max(job.memory_bytes for job in plan.jobs)
    findings = [doctor.check_memory(plan, int(share * largest)) for share in (0.9, 2.5, 4.5)]
    assert [finding.level for finding in findings] == ["problem", "note", "ok"]
    assert "`snakemake --cores 2`" in findings[1].meaning


def test_the_memory_of_a_container_is_its_limit(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  16000000 kB\nMemAvailable:  8000000 kB\n")
    assert doctor.available_memory(meminfo, tmp_path) == 8_192_000_000
    (tmp_path / "memory.max").write_text(f"{3 * GB}\n")
    (tmp_path / "memory.current").write_text(f"{GB}\n")
    assert doctor.available_memory(meminfo, tmp_path) == 2 * GB
    assert doctor.available_memory(tmp_path / "none", tmp_path) is None


@pytest.mark.parametrize(
    ("gpus", "built", "available", "wanted", "level"),
    [
        ([], False, False, "auto", "ok"),
        ([], False, False, "cuda", "problem"),
        (["0"], False, False, "auto", "note"),
        (["0"], True, False, "auto", "problem"),
        (["0"], True, False, "cpu", "note"),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_told(gpus, built, available, wanted, level, plan, monkeypatch):
    monkeypatch.setattr("torch.backends.cuda.is_built", lambda: built)
    monkeypatch.setattr("torch.cuda.is_available", lambda: available)
    params = plan.params.model_copy(update={"device": wanted})
    assert doctor.check_gpu(gpus, params).level == level


def test_a_folder_that_cannot_be_written_to_is_a_problem(tmp_path, monkeypatch):
    assert doctor.check_writing(tmp_path).level == "ok"
    monkeypatch.setattr(doctor.working_folder.os, "access", lambda path, mode: False)
    finding = doctor.check_writing(tmp_path)
    assert finding.level == "problem"
    assert "cannot be written to" in finding.meaning


def test_git_and_a_remote_are_looked_for(tmp_path):
    assert doctor.check_git(tmp_path).found == "not a repository"
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert doctor.check_git(tmp_path).level == "ok"
    assert doctor.check_remote(tmp_path).found == "none"
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = /mnt/store\n")
    assert "/mnt/store" in doctor.check_remote(tmp_path).found


def test_without_conda_the_finding_says_what_the_flag_does(tmp_path, monkeypatch):
    lock = tmp_path / "taskshare.yaml"
    lock.write_text("      - numpy==0.0.1\n", encoding="utf-8")
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert "`snakemake --use-conda` stops" in doctor.check_conda(lock).meaning
    lock.write_text("", encoding="utf-8")
    assert doctor.check_conda(lock).level == "ok"


def test_all_findings_are_printed_with_their_number(plan, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(devices, "visible_devices", lambda: [])
    findings = list(doctor.examine(tmp_path, plan))
    assert all(finding.meaning and finding.found for finding in findings)
    assert doctor.show(iter(findings)) == all(finding.level != "problem" for finding in findings)
    worse = [*findings, doctor.check_python((3, 9, 0))]
    assert not doctor.show(iter(worse))
    assert "1 problems" in capsys.readouterr().out.replace("0 problems", "")

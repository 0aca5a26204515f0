"""`snakemake --use-conda`, with a stand-in for conda; what that leaves open stands in `conda_stand_in/__init__.py`."""

import ast
import json
import os
import re
import shutil
import sys
from collections import Counter
from importlib.metadata import distributions, packages_distributions, version

import pytest
import yaml

from taskshare import environment

from .conftest import PROJECT, Workspace

ENVIRONMENT = "workflow/envs/taskshare.yaml"
PYTHON, PIP, _ = yaml.safe_load((PROJECT / ENVIRONMENT).read_text(encoding="utf-8"))["dependencies"]
PINS = environment.pins(PROJECT / ENVIRONMENT)

TARGET = "results/tiny/evaluation/celeba-single.Smiling/seed1/metrics.json"
JOBS = {"synthesise": 1, "prepare": 1, "manifest": 1, "train": 1, "evaluate": 1}
NOTHING = "Nothing to be done"


class CondaWorkspace(Workspace):
    """The project on a machine where Snakemake is alone in a conda environment, as its manual recommends."""

    def install_conda(self, folder):
        from . import conda_stand_in
        from .conda_stand_in.channel import STARTS

        self.variables, self.starts = conda_stand_in.install(folder), STARTS
        self.main = folder / "base/envs/snakemake"
        file = folder / "snakemake.yaml"
        packages = [PYTHON, PIP, {"pip": [f"snakemake=={version('snakemake')}"]}]
        file.write_text(yaml.safe_dump({"channels": ["conda-forge"], "dependencies": packages}), encoding="utf-8")
        options = ("--quiet", "--no-default-packages", "--file", file, "--prefix", self.main)
        done = self.run("conda", "env", "create", *options)
        assert done.returncode == 0, done.stderr
        return self

    def environment(self, **variables):
        return super().environment(**self.variables, **variables)

    def snakemake(self, *arguments):
        return self.run(self.main / "bin/python", "-m", "snakemake", "--cores", "2", *arguments)

    def environments(self):
        """The environments that Snakemake made."""
        return sorted(flag.with_suffix("") for flag in (self.folder / ".snakemake/conda").glob("*.env_setup_done"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    pytest.importorskip("rattler", reason="py-rattler, on which the stand-in for conda is built, is not installed")
    if f"python={sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        pytest.skip(f"{ENVIRONMENT} asks for {PYTHON}; the stand-in's channel has the Python that runs the tests")
    project = CondaWorkspace(tmp_path_factory.mktemp("project with a space")).fill()
    return project.install_conda(tmp_path_factory.mktemp("conda"))


@pytest.fixture(scope="module")
def finished(machine):
    done = machine.snakemake("--use-conda", "--", TARGET)
    assert done.returncode == 0, done.stderr
    return machine


@pytest.fixture
def environment_file(machine):
    """The environment file, to be changed by a test."""
    file = machine.folder / ENVIRONMENT
    original = file.read_text(encoding="utf-8")
    yield file
    file.write_text(original, encoding="utf-8")


def installed(environment):
    """Packages of a conda environment, by name their version; without conda's pip."""
    (packages,) = environment.glob("lib/*/site-packages")
    found = {package.name: package.version for package in distributions(path=[str(packages)])}
    return {name: number for name, number in found.items() if name != "pip"}


def planned(done):
    """Rules that a dry run would execute, with their number of jobs."""
    assert done.returncode == 0, done.stdout + done.stderr
    table = re.search(r"job +count\n[- ]+\n(.*?)\ntotal", done.stdout + done.stderr, re.DOTALL)
    return {name: int(n) for name, n in re.findall(r"(\w+) +(\d+)", table.group(1))}


def test_the_pins_are_those_of_the_lock():
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert [f"{name}=={number}" for name, number in PINS.items() if f"{name}=={number}" not in lock] == []


def test_every_module_that_a_job_may_import_is_known_and_pinned():
    imported = set()
    for file in (PROJECT / "src/taskshare").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    packages = packages_distributions()
    third_party = imported - sys.stdlib_module_names - {"taskshare"}
    assert third_party <= set(environment.MODULES)
    assert [name for name in sorted(third_party) if not PINS.keys() & packages.get(name, [])] == []


def without_conda(workspace, *arguments):
    """A call with the flag where no conda is on PATH, and the lines in which taskshare speaks."""
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if not shutil.which("conda", path=folder)]
    command = (sys.executable, "-m", "snakemake", "--cores", "1", "--use-conda", *arguments)
    done = workspace.run(*command, PATH=os.pathsep.join(path))
    return done, [line for line in done.stderr.splitlines() if line.startswith("taskshare: ")]


@pytest.mark.skipif(bool(environment.differences(PINS)), reason="the tests' environment is not the locked one")
def test_without_conda_jobs_run_in_an_environment_that_has_the_locked_packages(workspace):
    made = "results/tiny/data/cifar10/synthetic.tar"
    done, said = without_conda(workspace, "--", made)
    assert done.returncode == 0, done.stderr
    assert said == [
        "taskshare: --use-conda: conda is not on PATH; jobs run in this environment, which has the packages of "
        "taskshare.yaml"
    ]
    assert (workspace.folder / made).exists()


def test_without_conda_other_packages_give_one_line_with_the_ways_out(workspace):
    file = workspace.folder / ENVIRONMENT
    original = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"numpy==.*", "numpy==0.0.1", original), encoding="utf-8")
    done, said = without_conda(workspace)
    file.write_text(original, encoding="utf-8")
    assert done.returncode == 1
    (line,) = said
    assert f"(numpy {version('numpy')} instead of 0.0.1" in line
    assert line.endswith("install conda (Miniforge), or run `make environment && . .venv/bin/activate` and call again")


@pytest.mark.slow
def test_the_workflow_is_read_where_none_of_our_packages_is_installed(machine):
    beside_snakemake = installed(machine.main).keys() & {"taskshare", *PINS}
    assert beside_snakemake.isdisjoint({"taskshare", "filelock", "numpy", "pandas", "safetensors", "torch", "typer"})
    assert planned(machine.snakemake("-n"))["report"] == 1


@pytest.mark.slow
def test_where_none_of_our_packages_is_installed_a_call_without_the_flag_gives_one_line_with_the_remedy(machine):
    done = machine.snakemake("--", TARGET)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("taskshare: ")]
    assert re.sub(r"\d+ more", "N more", line) == (
        "taskshare: this environment lacks packages that jobs need (cv2, filelock, matplotlib and N more); run "
        "`make environment && . .venv/bin/activate` and call again, or add --use-conda"
    )
    assert "ModuleNotFoundError" not in done.stderr


@pytest.mark.slow
def test_the_environment_holds_the_pins_and_nothing_else(finished):
    (environment,) = finished.environments()
    # A build of torch for CUDA pins its libraries by itself.
    found = {
        name: number for name, number in installed(environment).items() if not re.match("nvidia|cuda|triton", name)
    }
    assert found == {**PINS, "torch": version("torch")}


@pytest.mark.slow
def test_every_job_runs_in_the_activated_environment(finished):
    (environment,) = finished.environments()
    lines = (environment / finished.starts).read_text(encoding="utf-8").splitlines()
    jobs = [start for start in map(json.loads, lines) if start["arguments"][:2] == ["-m", "taskshare"]]
    assert Counter(start["arguments"][2] for start in jobs) == JOBS
    assert {start["conda_prefix"] for start in jobs} == {str(environment)}


@pytest.mark.slow
def test_a_second_call_with_the_flag_does_nothing(finished):
    before = finished.environments()
    done = finished.snakemake("--use-conda", "--", TARGET)
    assert done.returncode == 0
    assert NOTHING in done.stdout + done.stderr
    assert finished.environments() == before


@pytest.mark.slow
def test_switching_the_flag_off_and_on_reruns_nothing(finished):
    made_without = "results/tiny/data/celeba/grey/manifests/No_Beard-resampled-duplicated-seed1.parquet"
    done = finished.run(sys.executable, "-m", "snakemake", "--cores", "2", "--", made_without)
    assert done.returncode == 0, done.stderr
    for flag in ([], ["--use-conda"]):
        done = finished.snakemake(*flag, "--", TARGET, made_without)
        assert done.returncode == 0, done.stderr
        assert NOTHING in done.stdout + done.stderr
    # It would, were software-env not left out of the profile's triggers.
    asked = finished.snakemake("-n", "--use-conda", "--rerun-triggers", "software-env", "--", TARGET, made_without)
    assert planned(asked) == {"manifest": 1}


@pytest.mark.slow
def test_another_environment_file_builds_another_environment_and_reruns_nothing(finished, environment_file):
    before = finished.environments()
    text = environment_file.read_text(encoding="utf-8")
    environment_file.write_text(text.replace("- pip\n", "- pip>=20\n"), encoding="utf-8")
    done = finished.snakemake("--use-conda", "--", TARGET)
    assert done.returncode == 0, done.stderr
    assert NOTHING in done.stdout + done.stderr
    assert len(set(finished.environments()) - set(before)) == 1
    # Whoever wants the results of the other environment asks for them.
    asked = finished.snakemake("-n", "--use-conda", "--rerun-triggers", "software-env", "--", TARGET)
    assert planned(asked) == JOBS


@pytest.mark.slow
def test_a_pin_that_cannot_be_had_stops_before_any_job(machine, environment_file):
    text = environment_file.read_text(encoding="utf-8")
    environment_file.write_text(re.sub(r"numpy==.*", "numpy==0.0.1", text), encoding="utf-8")
    done = machine.snakemake("--use-conda", "--", "results/tiny/data/cifar10/synthetic.tar")
    assert done.returncode == 1
    assert "No matching distribution found for numpy==0.0.1" in done.stderr
    assert not (machine.folder / "results/tiny/data/cifar10").exists()

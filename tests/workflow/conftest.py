"""The whole workflow at a tiny size, in a copy of the project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
PARTS = [
    "Snakefile",
    "profiles",
    "workflow",
    "src",
    "reports/templates",
    "reports/published",
    "reports/deviations.yaml",
    "dvc.yaml",
    ".dvcignore",
]


def tiny_params():
    """params.yaml with a scale of seconds: two tasks a data set, one seed."""
    params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    params["scale"] = "tiny"
    training = {"iterations": 12, "batch_size": 8, "validate_every": 6}
    params["scales"]["tiny"] = {
        "seeds": [1],
        "synthetic": {"train": 100, "validation": 30, "test": 40, "digit_copies": 1},
        "image_sizes": {"celeba": {"grey": 16}, "cifar10": {"rgb": 16}},
        "network": {"channels": [4, 4, 4, 4, 4], "fully_connected": 8},
        "training": {"celeba": training, "cifar10": {**training, "selection": "last"}},
    }
    for name, run in params["runs"].items():
        run["tasks"] = ["No_Beard", "Smiling"] if name.startswith("celeba") else ["cat.dog", "airplane.ship"]
    return params


class Workspace:
    """A copy of the project with params of its own."""

    def __init__(self, folder):
        self.folder = folder

    def fill(self):
        for part in PARTS:
            source, target = PROJECT / part, self.folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source, target)
        self.write_params(tiny_params())
        return self

    def write_params(self, params):
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")

    def run(self, *command):
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def snakemake(self, *arguments):
        return self.run("snakemake", "--cores", "2", *arguments)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("project with a space")).fill()


@pytest.fixture(scope="session")
def finished(workspace):
    """The workspace after one call of the workflow."""
    done = workspace.snakemake()
    assert done.returncode == 0, done.stderr
    return workspace, done

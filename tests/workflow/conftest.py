"""The whole workflow at a tiny size, in a copy of the project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

PROJECT = Path(__file__).parents[2]
NAME = "Zoë's project, größer"
PARTS = [
    "Snakefile",
    "profiles",
    "workflow",
    "src",
    "reports/templates",
    "reports/published",
    "reports/claims",
    "reports/deviations.yaml",
    "reports/contradictions.yaml",
    "reports/plan.yaml",
    "reports/sources.yaml",
    "dvc.yaml",
    ".dvcignore",
]


FACES, KEPT = ["No_Beard", "Smiling", "Wearing_Lipstick"], ["No_Beard", "Wearing_Lipstick"]
DIGITS = ["cat.dog", "airplane.ship", "deer.horse"]


def tiny_params():
    """params.yaml with a scale of seconds: a few tasks, one seed, and an experiment of every kind."""
    params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    params["scale"] = "tiny"
    training = {"iterations": 12, "batch_size": 8, "validate_every": 6}
    params["scales"] = {
        "tiny": {
            "seeds": [1],
            "synthetic": {"train": 100, "validation": 30, "test": 40, "digit_copies": 1},
            "image_sizes": {"celeba": {"grey": 16, "rgb-unaligned": 16}, "cifar10": {"rgb": 16}},
            "network": {
                "subnet": {"channels": [4, 4, 4, 4, 4], "fully_connected": 8},
                "vgg": {"channels": [4, 6], "convolutions": [1, 1], "fully_connected": 8},
            },
            "training": {"celeba": training, "cifar10": {**training, "selection": "last"}},
        }
    }
    experiments = params["experiments"]
    faces, digits = {"lips": KEPT, "smile": ["Smiling"]}, {"animals": DIGITS[::2], "vehicles": DIGITS[1:2]}
    experiments["fang2017-figure2"]["groups"] = experiments["fang2017-figures4-5"]["groups"] = faces
    experiments["fang2017-cifar10-relations"]["groups"] = digits
    rows = {"ST": "celeba-single", "MT": "celeba-hard", "DMT": "celeba-dynamic"}
    experiments["fang2017-table5"]["rows"] = {label: name.replace("celeba", "cifar10") for label, name in rows.items()}
    experiments["fang2017-table4"]["rows"] = {**rows, "DMT after removal": "celeba-dynamic-removed"}
    rows = {"Separation": "celeba-separation", "Baseline": "celeba-columns"}
    experiments["matsui2019-table2"]["rows"] = experiments["matsui2019-table3"]["rows"] = rows
    experiments["matsui2019-costs"]["separation"] = {"Separation": "celeba-separation"}
    left_out = [*(f"fang2017-{name}" for name in ("table1", "table2", "table3", "ablations"))]
    left_out += [*(f"fang2017-{name}" for name in ("tuning", "tuning-cifar10"))]
    matsui = ("table4-landmarks", "table4-attributes", "aligned", "controls-landmarks", "controls-attributes", "tuning")
    left_out += [*(f"matsui2019-{name}" for name in matsui)]
    params["experiments"] = {name: experiments[name] for name in experiments if name not in left_out}
    runs = params["runs"]
    names = [f"{data}-{scheme}" for data in ("celeba", "cifar10") for scheme in ("single", "hard", "dynamic")]
    names += ["celeba-dynamic-removed", "celeba-dynamic-six", "celeba-incremental", "celeba-single-recorded"]
    names += rows.values()
    params["runs"] = {name: runs[name] for name in names}
    for name in names[:6]:
        runs[name]["tasks"] = FACES if name.startswith("celeba") else DIGITS
    runs["celeba-dynamic-six"]["tasks"] = KEPT
    runs["celeba-dynamic-removed"] |= {
        "parent": {"run": "celeba-dynamic", "remove": ["Wearing_Lipstick"]},
        "training": {"iterations": 6, "validate_every": 3},
    }
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

    def environment(self, **variables):
        """The tests' environment with the programs of this interpreter first; a variable of None is left out."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        wanted = {**os.environ, "PATH": path, **variables}
        return {name: value for name, value in wanted.items() if value is not None}

    def run(self, *command, **variables):
        environment = self.environment(**variables)
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def snakemake(self, *arguments, **variables):
        return self.run("snakemake", "--cores", "2", *arguments, **variables)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("workspace")).fill()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace after one call of the workflow, and what that printed.

    It is made once, also where several processes share the tests (pytest-xdist); each file of tests has a copy.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    made, printed = Workspace(shared / "finished" / NAME), shared / "finished" / "printed.txt"
    made.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(shared / "finished.lock"):
        if not printed.exists():
            done = made.fill().snakemake()
            assert done.returncode == 0, done.stderr
            printed.write_text(done.stdout, encoding="utf-8")
    copy = tmp_path_factory.mktemp("copy") / NAME
    shutil.copytree(made.folder, copy)
    return Workspace(copy), printed.read_text(encoding="utf-8")

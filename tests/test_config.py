"""params.yaml at the door: what is wrong is one line that names the key and what is allowed there."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from taskshare import config
from taskshare.errors import TaskshareError

PARAMS = Path(__file__).parents[1] / "params.yaml"


@pytest.fixture
def content():
    return yaml.safe_load(PARAMS.read_text(encoding="utf-8"))


def change(content, path, value):
    *parents, last = path.split("/")
    for key in parents:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize("scale", ["demo", "mini", "paper"])
def test_the_projects_own_params_hold_at_every_scale(scale):
    params = config.load(PARAMS, {"scale": scale})
    jobs = params.enabled_jobs().values()
    seeds = len(params.current.seeds)
    assert len(jobs) == (7 + 1 + 1 + 5 + 1 + 1) * seeds


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("scal", "demo", "scal: unknown key; allowed: scale, device, data"),
        ("scale", "huge", "scale: 'huge' is not known; allowed: demo, mini, paper"),
        ("device", "tpu", "device: Input should be 'auto', 'cpu' or 'cuda', not 'tpu'"),
        ("celeba", "no/such.tar", "celeba: no file or folder 'no/such.tar'; allowed: synthetic, download"),
        ("data/on_bad_imag", "skip", "data.on_bad_imag: unknown key; allowed: on_bad_image"),
        ("scales/demo/seeds", "one", "scales.demo.seeds: Input should be a valid list, not 'one'"),
        ("scales/demo/training/celeba/speed", 3, "speed: unknown key; allowed: iterations, batch_size"),
        ("scales/demo/training/celeba/batch_size", 15, "batch_size: Input should be a multiple of 2, not 15"),
        ("runs/celeba-hard/tasks", ["Beardy"], "runs.celeba-hard.tasks: no task 'Beardy'; allowed: 5_o_Clock"),
        ("runs/cifar10-hard/tasks", ["cat.cow"], "no task 'cat.cow'; allowed: FIRST.SECOND, two different classes"),
        ("runs/celeba-hard/network", {"scheme": "soft"}, "scheme: Input should be 'single', 'hard' or 'dynamic'"),
        ("runs/celeba-hard/batches", "shared", "batches: shared needs sampling: original"),
        ("scales/demo/image_sizes/celeba", {"gray": 32}, "image_sizes.celeba: 'gray' is not known; allowed: grey, rgb"),
        ("scales/mini/runs", {"celeba-hard": {"tasks": ["Beardy"]}}, "scales.mini.runs.celeba-hard.tasks: no task"),
        ("scales/mini/runs", {"celeba-hard": {"dataset": "x"}}, "scales.mini.runs.celeba-hard.dataset: 'x' is not"),
        ("scales/paper/training/celeba", {"iterations": 0}, "iterations: Input should be greater than 0, not 0"),
        ("datasets/cifar10/variants/rgb", {"align": True}, "variants.rgb.align: the classes layout has no landmarks"),
        ("datasets/cifar10/labels", ["a cat", "dog"], "datasets.cifar10.labels.0: String should match pattern"),
        ("experiments/fang2017-table4/rows/MT", "celeba-soft", "'celeba-soft' is not known; allowed: celeba-single"),
    ],
)
def test_a_mistake_is_one_line_with_the_key_and_what_is_allowed(content, path, value, line):
    change(content, path, value)
    with pytest.raises(TaskshareError) as caught:
        config.validate(content)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_scale_may_change_any_part_of_a_run(content):
    change(content, "scales/demo/runs", {"celeba-dynamic": {"seeds": [7], "network": {"transfer": {"layers": [6]}}}})
    (job,) = config.validate(content).jobs("celeba-dynamic")
    assert job.seed == 7
    assert job.network.scheme == "dynamic"
    assert job.network.transfer.layers == [6]


def test_a_runs_own_network_goes_before_its_scales(content):
    change(content, "runs/celeba-hard/network", {"scheme": "hard", "fully_connected": 11})
    job = next(config.validate(content).jobs("celeba-hard"))
    assert (job.network.fully_connected, job.network.channels[0]) == (11, 16)


def test_an_own_data_set_is_never_generated(content):
    change(content, "datasets/birds", {"layout": "classes", "labels": ["owl", "wren"], "variants": {}})
    change(content, "birds", "synthetic")
    with pytest.raises(TaskshareError, match="birds: synthetic is there for celeba, cifar10 only; give a path"):
        config.validate(content)


def test_a_path_may_begin_with_the_home_folder(content, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "faces.tar").touch()
    change(content, "celeba", "~/faces.tar")
    assert config.validate(content).source("celeba") == str(tmp_path / "faces.tar")


def test_the_schema_for_editors_is_that_of_the_models():
    assert (PARAMS.parent / "workflow/params.schema.json").read_text(encoding="utf-8") == config.json_schema()


def test_what_the_snakefile_imports_needs_no_heavy_package():
    script = (
        "import sys, taskshare.graph; "
        "print(sorted({'numpy', 'torch', 'pandas', 'cv2', 'typer', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_command_line_prints_one_line_and_fails():
    command = [sys.executable, "-m", "taskshare", "check", "--params", str(PARAMS), "--set", "scale=huge"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "taskshare: params.yaml: scale: 'huge' is not known; allowed: demo, mini, paper\n"

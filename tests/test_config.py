"""params.yaml at the door: what is wrong is one line that names the key and what is allowed there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from taskshare import config
from taskshare.errors import TaskshareError
from taskshare.graph import Graph
from taskshare.networks.build import build_for, count_parameters

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
    jobs = params.enabled_jobs()
    table4, table5 = 7 + 1 + 1, 5 + 1 + 1
    tables_1_and_2 = 1 + 3 + 3 + (1 + 3 + 3)
    table3 = (3 + 2 + 2) + (7 + 3 + 2 + 2)
    figure_6, removed, controls = 3, 6, 4 + 4
    matsui, matsui_controls = 4 + 6 + 2, (1 + 1 + 2) + (1 + 1 + 1)
    nets = table4 + table5 + tables_1_and_2 + table3 + figure_6 + removed + controls + matsui
    with_three_seeds = tables_1_and_2 + (removed - 1) + 3  # no claim compares these
    trials = 14 * (7 + 1 + 1 + 1) + 14 * (5 + 1 + 1 + 1) + 20 * 2
    expected = {
        "demo": nets + table4,  # a second seed
        "mini": 5 * (nets + matsui_controls) - 2 * with_three_seeds + trials,
        "paper": 5 * (nets + matsui_controls),
    }
    assert len(jobs) == expected[scale]
    assert len(params.judged_jobs()) == expected[scale] - (trials if scale == "mini" else 0)
    for job in jobs.values():
        assert job.start is None or f"{job.start.job}/seed{job.seed}" in jobs


def test_the_ablations_are_ready_to_be_enabled(content):
    before = len(config.validate(content).enabled_jobs())
    change(content, "experiments/fang2017-ablations/enabled", True)
    params = config.validate(content)
    assert len(params.enabled_jobs()) == before + 9
    wide, plain = (next(params.jobs(name)).network.widths for name in ("celeba-hard-wide", "celeba-hard"))
    assert [round(wide[layer] / plain[layer], 1) for layer in range(6)] == [2.6, 2.6, 2.7, 2.6, 2.6, 2.6]


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("scal", "demo", "scal: unknown key; allowed: scale, seeds, device"),
        ("scale", "huge", "scale: 'huge' is not known; allowed: demo, mini, paper"),
        ("device", "tpu", "device: Input should be 'auto', 'cpu' or 'cuda', not 'tpu'"),
        ("celeba", "no/such.tar", "celeba: no file or folder 'no/such.tar'; allowed: synthetic, download"),
        ("data/on_bad_imag", "skip", "data.on_bad_imag: unknown key; allowed: on_bad_image"),
        ("scales/demo/seeds", "one", "scales.demo.seeds: Input should be a valid list, not 'one'"),
        ("scales/demo/training/celeba/speed", 3, "speed: unknown key; allowed: iterations, batch_size"),
        ("scales/demo/training/celeba/batch_size", 15, "batch_size: Input should be a multiple of 2, not 15"),
        ("runs/celeba-hard/tasks", ["Beardy"], "runs.celeba-hard.tasks: no task 'Beardy'; allowed: 5_o_Clock"),
        ("runs/cifar10-hard/tasks", ["cat.cow"], "no task 'cat.cow'; allowed: FIRST.SECOND, two different classes"),
        (
            "runs/celeba-hard/network",
            {"scheme": "soft"},
            "scheme: no such sharing scheme; allowed: cross_stitch, dynamic, hard, single, not 'soft'",
        ),
        ("runs/celeba-single/network", {"scheme": "cross_stitch"}, "cross_stitch needs two tasks or more"),
        ("runs/celeba-hard/training", {"optimiser": "adagrad"}, "momentum: adagrad has none; set momentum: 0"),
        ("runs/celeba-hard/batches", "shared", "batches: shared needs sampling: original"),
        ("scales/demo/image_sizes/celeba", {"gray": 32}, "image_sizes.celeba: 'gray' is not known; allowed: grey, rgb"),
        ("scales/mini/runs", {"celeba-hard": {"tasks": ["Beardy"]}}, "scales.mini.runs.celeba-hard.tasks: no task"),
        ("scales/mini/runs", {"celeba-hard": {"dataset": "x"}}, "scales.mini.runs.celeba-hard.dataset: 'x' is not"),
        ("scales/paper/training/celeba", {"iterations": 0}, "iterations: Input should be greater than 0, not 0"),
        ("datasets/cifar10/variants/rgb", {"align": True}, "variants.rgb.align: the classes layout has no landmarks"),
        ("datasets/cifar10/labels", ["a/cat", "dog"], "datasets.cifar10.labels.0: String should match pattern"),
        ("experiments/fang2017-table4/rows/MT", "celeba-soft", "'celeba-soft' is not known; allowed: celeba-single"),
        ("experiments/fang2017-figure2/layr", 5, "layr: unknown key; allowed: enabled, kind, run, layer, groups"),
        ("experiments/fang2017-figure2/kind", "pictures", "does not match any of the expected tags: 'table', "),
        (
            "experiments/fang2017-figure2/run",
            "celeba-dynamic",
            "figure2.run: celeba-dynamic is no run with hard sharing",
        ),
        (
            "experiments/fang2017-figure2/groups",
            {"a": ["Bald"], "b": ["Smiling"]},
            "celeba-hard has no task 'Bald'; it ",
        ),
        ("experiments/fang2017-table6/after", "celeba-dynamic", "celeba-dynamic has no parent that lost tasks"),
        ("experiments/fang2017-figure6/task", "Goatee", "alone: celeba-single-recorded does not train Goatee"),
        ("runs/celeba-hard-response/each_task_alone", True, "each_task_alone: goes with tasks, not with groups"),
        ("runs/celeba-hard-response/tasks", ["Bald"], "runs.celeba-hard-response: give either tasks or groups"),
        ("runs/celeba-hard-response/groups/beard", ["Beardy"], "runs.celeba-hard-response.tasks: no task 'Beardy'"),
        ("runs/celeba-single/dataset", None, "runs.celeba-single.dataset: Input should be a valid string"),
        (
            "runs/celeba-incremental/parent/run",
            "x",
            "runs.celeba-incremental.parent.run: 'x' is not known; allowed: cel",
        ),
        ("runs/celeba-incremental/parent/add", ["Goatee"], "celeba-dynamic-six has the task 'Goatee' already"),
        ("runs/celeba-incremental/parent/add", ["Beardy"], "runs.celeba-incremental.tasks: no task 'Beardy'; allowed"),
        ("runs/celeba-incremental/parent", {"run": "celeba-dynamic-six"}, "parent: give one of remove, add and separa"),
        (
            "runs/celeba-incremental/parent/run",
            "celeba-incremental",
            "celeba-incremental <- celeba-incremental is a cir",
        ),
        ("runs/celeba-incremental/parent/run", "celeba-hard", "parent.run: celeba-hard must be one dynamic net of"),
        (
            "runs/celeba-incremental/parent/run",
            "celeba-hard-pairs",
            "celeba-hard-pairs must be one dynamic net of the sa",
        ),
        (
            "runs/celeba-incremental/dataset",
            "cifar10",
            "its parent celeba-dynamic-six was trained on celeba, grey, and it",
        ),
        ("runs/celeba-incremental/tasks", ["Smiling"], "tasks: leave them out; they follow from the parent"),
        ("runs/celeba-incremental/seeds", [9], "seeds: celeba-dynamic-six is not trained with seed 9; add it there"),
        ("runs/celeba-incremental/each_task_alone", True, "a run with a parent is one net; leave each_task_alone and"),
        ("runs/celeba-dynamic/network", {"scheme": "dynamic", "transfer": {"alpha": "equal"}}, "nothing to retrain"),
        (
            "experiments/fang2017-figures4-5/run",
            "celeba-incremental",
            "no run of the dynamic scheme that learned its ta",
        ),
        ("experiments/fang2017-figures4-5/task", "Young", "figures4-5.task: celeba-dynamic has no task 'Young'"),
        ("experiments/fang2017-figures4-5/run", "celeba-dynamic-pairs", "must be one net that learns all of its tasks"),
        ("experiments/fang2017-figures4-5/groups/more", ["Smiling"], "groups: 'Smiling' is in two groups; leave it in"),
        ("experiments/fang2017-figure6/alone", "celeba-hard", "alone: celeba-hard does not train Smiling alone"),
        (
            "experiments/fang2017-figure6/incremental",
            "celeba-dynamic",
            "celeba-dynamic does not add Smiling to a parent",
        ),
        ("experiments/fang2017-table2/columns", ["Young/yung"], "columns: no row has 'Young/yung'; allowed: Goatee, "),
        ("experiments/fang2017-table4/rows/MT", [], "table4.table.rows.MT.str: Input should be a valid string, not []"),
        ("runs/celeba-dynamic-removed/parent/remove", ["Bald"], "celeba-dynamic has no task 'Bald'; it has Goatee, He"),
        ("runs/celeba-dynamic-removed/network", {"scheme": "dynamic", "fully_connected": 9}, "must be one dynamic net"),
        (
            "runs/celeba-separation/parent/run",
            "celeba-columns-branch2",
            "be one vgg net with hard sharing that shares all",
        ),
        ("runs/celeba-separation/parent/run", "celeba-dynamic", "celeba-dynamic must be one vgg net with hard sharing"),
        ("runs/celeba-separation/parent/add", ["Bald"], "parent: give one of remove, add and separate"),
        ("runs/celeba-separation/parent", None, "runs.celeba-separation.dataset: Field required"),
        (
            "runs/celeba-separation/tasks",
            ["landmark"],
            "no task 'landmark'; allowed: 5_o_Clock_Shadow, Arched_Eyebrows",
        ),
        ("runs/celeba-separation/network/branch_block", 5, "branch_block: there are 4 blocks, not 5"),
        ("runs/celeba-separation/network/fine_tuning", True, "fine_tuning: needs channelwise: true"),
        ("runs/celeba-columns/network/channelwise", True, "channelwise and fine_tuning: go with scheme: separation"),
        ("runs/celeba-columns/network/channels", [8], "channels and convolutions: give one number for each block in"),
        (
            "runs/celeba-columns/network/backbone",
            "resnet",
            "network: Input tag 'resnet' found using backbone_of() does",
        ),
        ("runs/celeba-columns/batches", "pooled", "network.backbone: vgg needs batches: shared"),
        ("runs/celeba-columns/variant", "grey", "network.backbone: vgg needs an rgb variant of 16 pixels or more"),
        (
            "runs/celeba-columns/tasks",
            ["landmarks", "attributes", "Bald"],
            "tasks: attributes holds every other label; leave those",
        ),
        ("runs/celeba-hard-branch5/tasks", ["landmarks"], "tasks: landmarks and attributes need network.backbone: vgg"),
        (
            "datasets/celeba/labels",
            ["nose", "Bald"],
            "labels: 'nose' is the name of landmarks or of a joint task; rena",
        ),
        (
            "runs/celeba-columns/training",
            {"loss_weights": {"landmark": 2}},
            "loss_weights: no task 'landmark'; allow",
        ),
        ("runs/celeba-hard/training", {"loss_weights": {"Smiling": 2}}, "loss_weights: go with network.backbone: vgg"),
        ("runs/celeba-separation/network/branch_block", 4, "branch_block: after the last block no task column is left"),
        (
            "experiments/matsui2019-costs/separation",
            {"Hard sharing": "celeba-separation"},
            "are labels of its own; t",
        ),
        (
            "experiments/matsui2019-costs/shared",
            "celeba-columns-aligned",
            "celeba-separation has another variant th",
        ),
        ("runs/celeba-separation/each_task_alone", True, "table1.run: celeba-separation is no run with the separation"),
        (
            "experiments/fang2017-table4/metric",
            "detection_rate",
            "table4.metric: no row finds landmarks; take balance",
        ),
        (
            "scales/mini/training",
            {"celeba/vvg": {}},
            "scales.mini.training.celeba/vvg: 'vvg' is not known; allowed: subnet, vgg",
        ),
        (
            "experiments/matsui2019-table2/columns",
            ["Bald"],
            "metric: detection_rate is for landmarks, and the others are",
        ),
        ("experiments/matsui2019-table2/metric", "accuracy", "metric: detection_rate is for landmarks, and the others"),
        (
            "experiments/matsui2019-figure4/rows/ST",
            "celeba-single",
            "figure4.rows: celeba-single has no task landmarks",
        ),
        (
            "experiments/matsui2019-figure6/run",
            "celeba-columns",
            "is no separation run whose task columns start at the",
        ),
        ("experiments/matsui2019-figure6/block", 5, "figure6.block: celeba-separation has 4 blocks, not 5"),
        ("experiments/matsui2019-table1/run", "celeba-columns", "celeba-columns is no run with the separation scheme"),
        (
            "experiments/matsui2019-costs/shared",
            "celeba-separation",
            "is no vgg run with hard sharing of all its tasks",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_key_and_what_is_allowed(content, path, value, line):
    change(content, path, value)
    with pytest.raises(TaskshareError) as caught:
        config.validate(content)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_scale_may_change_any_part_of_a_run(content):
    change(content, "scales/demo/runs", {"cifar10-dynamic": {"seeds": [7], "network": {"transfer": {"layers": [6]}}}})
    (job,) = config.validate(content).jobs("cifar10-dynamic")
    assert job.seed == 7
    assert job.network.scheme == "dynamic"
    assert job.network.transfer.layers == [6]


def test_a_runs_own_network_goes_before_its_scales(content):
    change(content, "runs/celeba-hard/network", {"scheme": "hard", "fully_connected": 11})
    job = next(config.validate(content).jobs("celeba-hard"))
    assert (job.network.fully_connected, job.network.channels[0]) == (11, 16)


def test_tasks_join_one_after_the_other(content):
    change(content, "runs/celeba-then-young", {"parent": {"run": "celeba-incremental", "add": ["Young"]}})
    job = next(config.validate(content).jobs("celeba-then-young"))
    assert job.tasks[-2:] == ["Smiling", "Young"]
    assert [len(part) for part in job.generations] == [6, 1, 1]
    assert job.trained_tasks == ["Young"]
    change(content, "runs/celeba-less", {"parent": {"run": "celeba-then-young", "remove": ["Young"]}})
    with pytest.raises(TaskshareError, match="celeba-then-young learned its tasks one after another"):
        config.validate(content)


def test_a_child_has_what_it_does_not_give_from_its_parent(content):
    change(content, "runs/celeba-dynamic-six/resampling", "replacement")
    change(content, "scales/demo/runs", {"celeba-dynamic-six": {"network": {"transfer": {"layers": [5, 6]}}}})
    job = next(config.validate(content).jobs("celeba-incremental"))
    assert job.resampling == "replacement"
    assert job.network.transfer.layers == [5, 6]
    assert job.training.record_every == 5


def test_what_the_report_reads_of_params_stands_for_the_same_jobs(tmp_path):
    params = config.load(PARAMS)
    kept = config.validate(json.loads(Graph(params, tmp_path).params_json()))
    assert kept.enabled_jobs() == params.enabled_jobs()


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


def test_the_constant_predictor_needs_rows_of_one_data_set(content):
    table = content["experiments"]["fang2017-table4"]
    table |= {"constant": True, "rows": {"grey": "celeba-hard", "rgb": "celeba-columns"}}
    with pytest.raises(TaskshareError, match="constant: the rows are of several data sets or variants"):
        config.validate(content)


def test_the_constant_predictor_needs_attributes(content):
    content["experiments"]["fang2017-table5"]["constant"] = True
    with pytest.raises(TaskshareError, match="constant: is for data sets of the attributes layout"):
        config.validate(content)


def test_a_backbones_own_training_goes_before_the_data_sets(content):
    content["scales"]["demo"]["training"] = {"celeba": {"iterations": 7}, "celeba/vgg": {"iterations": 9}}
    params = config.validate(content)
    iterations = [next(params.jobs(name)).training.iterations for name in ("celeba-hard", "celeba-columns")]
    assert iterations == [7, 9]


def test_the_columns_of_a_separation_run_may_be_jobs_of_their_own(content):
    content["runs"]["apart"] = {**content["runs"]["celeba-separation"], "each_task_alone": True}
    params = config.validate(content)
    assert params.job_names("apart") == ["apart.landmarks", "apart.attributes"]
    assert all(job.start.job == "celeba-columns" for job in params.jobs("apart"))


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["scales", "DEMO"], "scales: DEMO and demo differ by case alone"),
        (["runs", "Celeba-hard"], "runs: Celeba-hard and celeba-hard differ by case alone"),
        (["datasets", "celeba", "variants", "Grey"], "datasets.celeba.variants: Grey and grey differ by case alone"),
        (["experiments", "FANG2017-table4"], "experiments: FANG2017-table4 and fang2017-table4 differ by case alone"),
    ],
)
def test_names_that_differ_by_case_alone_are_refused(names, line, content):
    *path, name = names
    place = content
    for key in path:
        place = place[key]
    place[name] = place[name.lower()]
    with pytest.raises(TaskshareError, match=line):
        config.validate(content)


def test_a_scheme_has_settings_of_its_own_at_a_scale_and_a_run_goes_before_them(content):
    training = content["scales"]["demo"]["training"]
    training["celeba/subnet/dynamic"] = {"learning_rate": 0.5, "optimiser": "rmsprop"}
    params = config.validate(content)
    shared, dynamic = (next(params.jobs(name)).training for name in ("celeba-hard", "celeba-dynamic"))
    assert (shared.learning_rate, dynamic.learning_rate, dynamic.optimiser) == (0.02, 0.5, "rmsprop")
    assert dynamic.iterations == shared.iterations, "the data set's entries hold too"
    own = next(params.jobs("celeba-dynamic-gradient")).training
    assert (own.learning_rate, own.optimiser) == (0.002, "rmsprop")


def test_controls_have_as_many_parameters_as_what_they_are_set_against(content):
    for scale, runs in {
        "mini": [("celeba-columns-wide", "celeba-separation"), ("celeba-hard-wide", "celeba-dynamic")],
        "paper": [("cifar10-hard-wide", "cifar10-dynamic")],
    }.items():
        params = config.validate({**content, "scale": scale})
        for names in runs:
            wide, other = (count_parameters(build_for(next(params.jobs(name)))) for name in names)
            assert wide == pytest.approx(other, rel=0.01)


def test_a_key_inside_another_can_be_given_with_dots():
    params = config.load(PARAMS, {"data.on_bad_image": "skip", "datasets.cifar10.validation_fraction": 0.2})
    assert params.data.on_bad_image == "skip"
    assert params.datasets["cifar10"].validation_fraction == 0.2
    assert params.datasets["cifar10"].layout == "classes", "what stands beside it stays"


@pytest.mark.parametrize("key", ["dta.on_bad_image", "scale.x"])
def test_a_dotted_key_without_a_place_is_told(key):
    with pytest.raises(TaskshareError, match=f"{key}: there is no key {key.partition('.')[0]} to look in"):
        config.load(PARAMS, {key: 1})

"""What a scale asks for is counted before it runs: jobs, time, memory and disk, recorded or modelled."""

import copy
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from typer.testing import CliRunner

from taskshare import config, files
from taskshare.cli import app
from taskshare.data import manifests
from taskshare.data.arrays import ImageArrayWriter
from taskshare.evaluation.scoring import BLOCK, SCORES_SCHEMA
from taskshare.graph import EVALUATION_FILES, TRAINING_FILES, Graph
from taskshare.networks import weights
from taskshare.networks.build import build_for
from taskshare.planning import records
from taskshare.planning.disk import SHEET, space
from taskshare.planning.jobs import Job, longest_chain
from taskshare.planning.network_costs import UPDATE_KERNELS, UPDATE_PASSES, Meter, Work, most_states, network_costs
from taskshare.planning.plan import make
from taskshare.planning.printing import content, notes
from taskshare.planning.rates import Rates
from taskshare.planning.sizes import images

PROJECT = Path(__file__).parents[1]
ROUND = Rates(bfloat16=200.0, float32=100.0, bytes=10.0, kernel=0.5)


def load(*experiments, rows=(), **changes):
    """params.yaml with some of its experiments, or with some rows of them."""
    written = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    chosen = {name: written["experiments"][name] for name in experiments or written["experiments"]}
    if rows:
        chosen = {name: {**item, "rows": {row: item["rows"][row] for row in rows}} for name, item in chosen.items()}
    for scale in written["scales"].values():
        scale["enable"] = [name for name in scale.get("enable", []) if name in chosen]
    return config.validate({**written, "device": "cpu", "experiments": chosen, **changes}, check_sources=False)


@pytest.fixture
def digits():
    """Fang 2017's Table 5 at scale demo, its first rows with two seeds: ten nets alone, two shared and two dynamic."""
    return load("fang2017-table5", rows=["ST", "MT", "DMT"], seeds=[1, 2])


def smallest_run(**changes):
    """A single-task subnet with one channel in every layer, for grey images of 16 pixels."""
    run = next(load().jobs("celeba-single"))
    network = run.network.model_copy(update={"channels": [1] * 5, "fully_connected": 1})
    variant = run.variant.model_copy(update={"size": 16})
    return run.model_copy(update={"network": network, "variant": variant, **changes})


def write_record(folder, run, seconds, device="cpu", machine="a machine"):
    """Leave what a training job leaves."""
    for name in TRAINING_FILES:
        files.write_text(folder / "training" / run.key / name, "")
    record = {
        "run": run.model_dump(),
        "seconds": seconds,
        "peak_memory_bytes": 3_000_000_000,
        "precision": "float32",
        "device": device,
        "processor": machine,
    }
    files.write_json(folder / "training" / run.key / "provenance.json", record)


def test_the_operations_of_a_net_are_those_that_a_hand_counts():
    # Kernels of 5, 5, 3, 3 and 2 pixels over 16, 8, 4, 2 and 1 rows and columns; then layer 6 and the output.
    layers = [2 * 25 * 16**2, 2 * 25 * 8**2, 2 * 9 * 4**2, 2 * 9 * 2**2, 2 * 4, 2, 2]
    costs = network_costs(smallest_run())
    assert costs.block.flops == BLOCK * sum(layers)
    # Backward computes gradients of weights and of inputs, but none of the images.
    assert costs.step.flops == 16 * (3 * sum(layers) - layers[0])
    parameters = sum([25, 25, 9, 9, 4, 1, 1]) + 7 + 6 * 2  # kernels, biases, batch normalisation
    assert costs.trained_bytes == 4 * parameters
    assert costs.state_bytes == 4 * (parameters + 6 * 2) + 6 * 8  # running statistics; batches seen, int64


def test_a_step_sees_the_pools_of_all_tasks():
    alone, together = (next(load().jobs(name)) for name in ("celeba-single", "celeba-hard"))
    ratio = network_costs(together).step.flops / network_costs(alone).step.flops
    assert ratio == pytest.approx(7, rel=0.01)  # one trunk for seven batches; the outputs are next to nothing


def test_kernels_and_memory_are_metered():
    vector = torch.zeros(10)
    with Meter() as meter:
        meter.hold(vector)
        torch.relu(vector)
        torch.relu(vector[:5])  # a view is no kernel, and the first result is gone
    assert (meter.kernels, meter.bytes, meter.peak) == (2, 2 * 40 + 2 * 20, 80)


def test_an_update_is_that_of_sgd_with_momentum_and_weight_decay():
    weight = torch.nn.Parameter(torch.zeros(10))
    weight.grad = torch.ones(10)
    optimiser = torch.optim.SGD([weight], lr=0.1, momentum=0.9, weight_decay=0.1, foreach=False)
    optimiser.step()
    with Meter() as meter:
        optimiser.step()
    marks = 2  # of the profiler, around a step
    assert (meter.kernels, meter.bytes) == (UPDATE_KERNELS + marks, UPDATE_PASSES * 40)
    costs = network_costs(smallest_run())
    assert costs.step.bytes > UPDATE_PASSES * costs.trained_bytes
    frozen = next(load().jobs("celeba-dynamic-removed"))  # learns its connections only
    assert network_costs(frozen).trained_bytes == 4 * 6 * 5 * 5


def test_a_net_of_paper_size_is_counted_without_its_memory():
    run = next(load(scale="paper").jobs("celeba-separation"))
    costs = network_costs(run)
    assert costs.state_bytes > 1e9
    assert costs.step_bytes > 2e9
    # A process of its own, which has no peak behind it.
    code = (
        "import sys; from taskshare.config import Run; from taskshare.planning.network_costs import network_costs; "
        "from taskshare.training.provenance import peak_memory_bytes; "
        "network_costs(Run.model_validate_json(sys.argv[1])); print(peak_memory_bytes())"
    )
    command = [sys.executable, "-c", code, run.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 9e8


def test_time_is_arithmetic_memory_and_starts_of_kernels():
    work = Work(flops=200, bytes=30, kernels=4)
    assert ROUND.seconds(work, "bfloat16", threads=1) == 1 + 3 + 2
    assert ROUND.seconds(work, "float32", threads=2) == 1 + 3 + 2
    training = config.Training(iterations=10, validate_every=4)  # 3 validations
    run, costs = smallest_run(training=training), network_costs(smallest_run())
    steps, blocks = (ROUND.seconds(part, "float32", 1) for part in (costs.step, costs.block))
    assert ROUND.training_seconds(run, costs, BLOCK // 2, "float32", 1) == pytest.approx(10 * steps + 3 * blocks / 2)


def test_the_longest_chain_bounds_the_time():
    def job(name, seconds, *after):
        return Job(name, "training", (), after, False, seconds)

    jobs = [job("data", 1.0), job("parent", 2.0, "data"), job("child", 4.0, "parent"), job("other", 5.0, "data")]
    assert longest_chain(jobs, lambda job: job.seconds) == 7.0


def test_what_is_recorded_goes_before_what_is_modelled(digits, tmp_path):
    first, second = digits.jobs("cifar10-hard")  # two seeds
    write_record(tmp_path / "results/demo", first, 1234.0)
    other = next(digits.jobs("cifar10-dynamic"))
    slower = other.model_copy(update={"training": other.training.model_copy(update={"iterations": 7})})
    write_record(tmp_path / "results/demo", slower, 5678.0)
    plan = make(digits, tmp_path, "cpu")
    jobs = {job.name.removeprefix("results/demo/training/"): job for job in plan.jobs if job.phase == "training"}
    assert (jobs[first.key].recorded, jobs[first.key].done) == (True, True)
    assert jobs[first.key].seconds == pytest.approx(1234, abs=5)
    assert jobs[first.key].memory_bytes == 3_000_000_000
    assert jobs[first.key].left == 0
    # The same job of another seed takes as long, and is not done.
    assert (jobs[second.key].recorded, jobs[second.key].done) == (True, False)
    assert jobs[second.key].left == jobs[first.key].seconds
    # A record of another configuration says nothing, and its weights are trained again.
    assert (jobs[other.key].recorded, jobs[other.key].done) == (False, False)
    assert sum(job.done for job in plan.jobs) == 1
    # What a CPU took is no record of a GPU.
    assert not any(job.recorded for job in make(digits, tmp_path, "cuda").jobs)


def test_an_evaluation_is_done_if_its_net_is(digits, tmp_path):
    run = next(digits.jobs("cifar10-hard"))
    for name in EVALUATION_FILES:
        files.write_text(tmp_path / "results/demo/evaluation" / run.key / name, "")

    def done():
        return [job.phase for job in make(digits, tmp_path, "cpu").jobs if job.done]

    assert done() == []
    write_record(tmp_path / "results/demo", run, 1.0)
    assert done() == ["training", "evaluation"]


def test_recorded_jobs_scale_the_model(digits, tmp_path):
    runs = [*digits.jobs("cifar10-single"), *digits.jobs("cifar10-hard")]
    modelled = {job.name: job.seconds for job in make(digits, tmp_path, "cpu").jobs}
    # A machine that takes three times as long, on which another scale was run.
    for run in runs:
        seconds = 3 * ROUND.training_seconds(run, network_costs(run), 0, "float32", 1)
        write_record(tmp_path / "results/other", run, seconds)
        write_record(tmp_path / "results/other", run.model_copy(update={"name": f"{run.name}-gpu"}), 1e9, "a GPU")
    found = records.calibrate(records.read(tmp_path / "results/other"), "cpu", ROUND, here="")
    assert (found.factor, found.jobs, found.machine) == (pytest.approx(3), 12, "a machine")
    assert found.spread == pytest.approx((1, 1))
    plan = make(digits, tmp_path, "cpu")
    assert plan.rates.factor > 1e3  # ROUND is a slow machine
    assert all(job.seconds >= modelled[job.name] for job in plan.jobs)
    assert any("12 recorded jobs on a machine" in note for note in notes(plan))
    assert records.calibrate(records.read(tmp_path / "results/other")[:4], "cpu", ROUND, here="") is None


def test_a_gpu_without_records_is_an_assumption_and_says_so(digits, tmp_path):
    assert any("ASSUMPTION" in note for note in notes(make(digits, tmp_path, "cuda")))
    slow, fast = (make(digits, tmp_path, "cuda", flops) for flops in (1e9, 1e12))
    assert any("as given" in note for note in notes(slow))
    assert slow.device_seconds(slow.jobs, lambda job: job.seconds) > fast.device_seconds(
        fast.jobs, lambda job: job.seconds
    )


def test_images_are_counted_before_they_are_there(tmp_path):
    def counted(**changes):
        return images(Graph(load(**changes), tmp_path), "celeba")

    assert counted().counts == {"train": 2400, "validation": 400, "test": 800}
    assert counted(celeba="download").counts == {"train": 162_770, "validation": 19_867, "test": 19_962}
    assumed = counted(celeba="faces.zip")
    assert (sum(assumed.counts.values()), "assumed" in assumed.origin) == (202_599, True)
    assert images(Graph(load(), tmp_path), "cifar10").counts == {"train": 2589, "validation": 287, "test": 359}
    facts = {"source": "path", "files": {"faces.zip": {}}, "counts": {"test": 3, "train": 1, "validation": 2}}
    files.write_json(tmp_path / "results/mini/data/celeba/grey/facts.json", facts)
    assert counted(celeba="elsewhere/faces.zip").total == 6  # the same file, prepared at another scale
    assert counted(celeba="others.zip").total == 202_599


def test_disk_is_foretold_from_sizes(digits, tmp_path):
    graph = Graph(digits, tmp_path)
    runs, found = list(graph.jobs.values()), {"cifar10": images(graph, "cifar10")}
    counts = found["cifar10"].counts

    def parts():
        return {part.name: part for part in space(graph, {run.key: network_costs(run) for run in runs}, found)}

    assert all(part.there == 0 for part in parts().values())
    folder, random = tmp_path / graph.prepared(runs[0]), np.random.default_rng(1)
    for split, count in counts.items():
        with ImageArrayWriter(folder / f"{split}.npy", (16, 16, 3)) as writer:
            writer.append(np.zeros((count, 16, 16, 3), np.uint8))
    files.write_text(folder / "contact_sheet.png", " " * SHEET)
    labels = np.where(random.random(counts["train"]) < 0.2, random.random(counts["train"]) < 0.5, -1).astype(np.int8)
    for run in runs:
        folder = tmp_path / graph.results / "training" / run.key
        state = build_for(run).state_dict()
        weights.save(folder / "weights.safetensors", state, run)
        others = {number: copy.deepcopy(state) for number in range(most_states(run) - 1)}
        weights.save_others(folder / "other_weights.safetensors", others, {}, run)
        for path in graph.manifests(run):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            manifests.draw(labels, "original", "duplicated", random).to_parquet(tmp_path / path, index=False)
        scored = pd.DataFrame({"id": range(72), "task": "cat.dog", "label": 1, "score": random.random(72)})
        for task in run.tasks:
            path = tmp_path / graph.results / "evaluation" / run.key / f"{task}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            scored.astype(SCORES_SCHEMA).to_parquet(path, index=False)
    for name, factor in (("weights", 1.1), ("prepared images and labels", 1.1), ("manifests", 2)):
        part = parts()[name]
        assert part.bytes / factor < part.there < part.bytes * factor, name


def test_a_disk_that_is_too_small_is_told_before(digits, tmp_path):
    plan = make(digits, tmp_path, "cpu")
    assert not any("LESS" in note for note in notes(replace(plan, free_bytes=10**12)))
    assert any("LESS than the " in note for note in notes(replace(plan, free_bytes=10**7)))


def test_the_command_prints_tables_whose_rows_add_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits = load("fang2017-table5", "fang2017-cifar10-relations")  # a run of the first is one of the second too
    written = json.loads(Graph(digits, tmp_path).params_json())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
    done = CliRunner().invoke(app, ["plan", "--json", "plan.json"])
    assert done.exit_code == 0, done.output

    def cells(title):
        """Numbers of a table's rows: jobs, done, minutes, left."""
        lines = done.output.partition(f"\n{title} ")[2].partition("all ")
        rows = [
            re.split(r"\s{2,}", line.strip()) for line in (lines[0] + "all " + lines[2].split("\n")[0]).splitlines()
        ]
        return [[float(cell) for cell in row if re.fullmatch(r"[\d.]+", cell)] for row in rows if len(row) > 4][1:]

    for title in ("Jobs", "Training"):
        *rows, total = cells(title)
        assert [sum(column) for column in zip(*rows, strict=True)] == pytest.approx(total, abs=0.3)
        assert len(rows) == {"Jobs": 7, "Training": 7}[title]
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["device_seconds"] == pytest.approx(sum(job["seconds"] * job["threads"] for job in plan["jobs"]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["params.yaml", "plan.json"]  # nothing was run


def test_an_unknown_scale_is_one_line(capfd):
    done = CliRunner().invoke(app, ["plan", "--params", str(PROJECT / "params.yaml"), "--set", "scale=huge"])
    assert done.exit_code == 1
    assert done.output == "taskshare: params.yaml: scale: 'huge' is not known; allowed: demo, mini, paper\n"


@pytest.mark.slow
def test_scale_paper_is_planned_without_data(tmp_path):
    plan = make(load(scale="paper", celeba="download", cifar10="download"), tmp_path, "cuda")
    assert sum(job.phase == "training" for job in plan.jobs) == 435
    separation = [job for job in plan.jobs if job.run == "celeba-separation"]
    assert all(10e9 < job.memory_bytes < 24e9 for job in separation)
    assert 100e9 < sum(part.bytes for part in plan.space) < 400e9
    assert not any(job.done or job.recorded for job in plan.jobs)
    json.dumps(content(plan))
    # A column's parent, its child, the child's evaluation and the report wait for each other.
    chain = longest_chain(plan.jobs, lambda job: job.seconds)
    parent = next(job.seconds for job in plan.jobs if job.run == "celeba-columns")
    assert parent + separation[0].seconds < chain < 1.1 * (parent + separation[0].seconds)


@pytest.mark.slow
def test_the_jobs_are_those_that_snakemake_lists(tmp_path):
    for part in ("src", "workflow", "profiles", "reports"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for part in ("Snakefile", "params.yaml"):
        shutil.copy(PROJECT / part, tmp_path)
    command = ["snakemake", "-n", "--quiet", "rules", "--cores", "1"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert listed.returncode == 0, listed.stdout
    rules = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", listed.stdout, re.MULTILINE)}
    phases = {
        "data": ["synthesise"],
        "preparation": ["prepare"],
        "manifests": ["manifest"],
        "training": ["train"],
        "evaluation": ["evaluate", "evaluate_landmarks"],
        "analyses": ["contact_sheet", "constant", "measure", "measure_alone"],
        "report": ["parameters", "findings", "summary", "report"],
    }
    plan = make(load(device="auto"), tmp_path, "cpu")
    planned = Counter(job.phase for job in plan.jobs)
    assert planned == {phase: sum(rules[rule] for rule in of_phase) for phase, of_phase in phases.items()}
    assert len(plan.jobs) == rules["total"] - rules["all"]

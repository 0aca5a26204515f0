"""A results folder in the shapes that the phases write, with made-up numbers."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from taskshare import config, seeds
from taskshare.config.tasks import ATTRIBUTES, LANDMARKS, answers
from taskshare.evaluation import findings
from taskshare.report.render import render

from . import joint_results
from .writing import write_json, write_parquet

REPOSITORY = Path(__file__).resolve().parents[2]
REPORTS = REPOSITORY / "reports"


def load_params(**changes: object) -> config.Params:
    """The project's params.yaml with top-level keys replaced; at scale demo, Table 5 has two seeds."""
    content = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    for scheme in ("single", "hard", "dynamic"):
        content["scales"]["demo"]["runs"][f"cifar10-{scheme}"] = {"seeds": [1, 2]}
    return config.validate({**copy.deepcopy(content), **changes})


def write_evaluation(results: Path, job: config.Run, skill: float) -> None:
    """Scores of 400 test images per attribute, the same ones for every job, their landmarks, and the metrics."""
    folder = results / "evaluation" / job.name / f"seed{job.seed}"
    metrics = joint_results.write_landmarks(folder, job, skill) if job.finds_landmarks else {}
    attributes = [name for task in job.tasks if task != LANDMARKS for name in answers(task, job.labels)]
    rows = []
    for task in attributes:
        label = joint_results.labels_of(job.dataset, task)
        noise = seeds.generator(job.seed, job.name, task, "test").normal(0, 0.25, len(label))
        score = np.clip(0.5 + skill * (label - 0.5) + noise, 0, 1).astype(np.float32)
        rows.append(pd.DataFrame({"id": joint_results.IDS, "task": task, "label": label, "score": score}))
        metrics[task] = joint_results.attribute_metrics(label, score > 0.5)
    empty = pd.DataFrame(columns=["id", "task", "label", "score"])
    write_parquet(folder / "scores.parquet", pd.concat(rows, ignore_index=True) if rows else empty)
    write_json(
        folder / "metrics.json",
        {"run": job.name, "seed": job.seed, "split": "test", "tasks": metrics, "selections": {"last": metrics}},
    )


def recorded(job: config.Run) -> np.ndarray:
    """The iterations at which a job writes a row."""
    training = job.training
    steps = {training.validate_every, training.record_every or training.validate_every}
    return np.unique([training.iterations, *(i for step in steps for i in range(step, training.iterations + 1, step))])


def write_training(results: Path, job: config.Run) -> None:
    """Curves, alpha (of the dynamic scheme), timing and provenance of a job."""
    folder = results / "training" / job.name / f"seed{job.seed}"
    iterations = recorded(job)
    done = iterations / job.training.iterations
    selected = int(iterations[-1] if job.training.selection == "last" else iterations[len(iterations) // 2])
    images = iterations * job.training.batch_size * (1 if job.batches == "shared" else len(job.trained_tasks))
    speed = 20 if job.generations else 5
    generator = seeds.generator(job.seed, job.name, "curves")
    parts = []
    for task in job.trained_tasks:
        noise = np.abs(generator.normal(0, 0.01, len(done)))
        due = (iterations % job.training.validate_every == 0) | (done == 1)
        score = np.where(due & ("validation" in job.splits), 0.9 - 0.4 * np.exp(-5 * done) - noise, np.nan)
        scored = {LANDMARKS: ["detection_rate"], ATTRIBUTES: ["accuracy", "balanced_accuracy"]}
        parts.append(
            pd.DataFrame(
                {
                    "iteration": iterations.astype(np.int32),
                    "images": images,
                    "task": task,
                    "training_loss": 0.7 * np.exp(-speed * done) + noise,
                    "training_error": 0.5 * np.exp(-speed * done) + noise,
                    **{
                        f"validation_{metric}": score if metric in scored.get(task, ["balanced_accuracy"]) else np.nan
                        for metric in ("balanced_accuracy", "accuracy", "detection_rate")
                    },
                    "selected": iterations == selected,
                }
            )
        )
    write_parquet(folder / "history.parquet", pd.concat(parts, ignore_index=True))
    write_parquet(folder / "transfer.parquet", alphas(job))
    write_parquet(
        folder / "timing.parquet",
        pd.DataFrame({"iteration": iterations, "seconds": 0.05 * iterations, "images_per_second": 1100.0}),
    )
    write_json(
        folder / "provenance.json",
        {
            "run": job.model_dump(mode="json"),
            "configuration_digest": "0123456789abcdef" * 4,
            "inputs": {},
            "git_commit": "a" * 40,
            "git_dirty": job.seed == 2,
            "versions": {"python": "3.11.9", "torch": "2.13.0", "numpy": "2.2.1"},
            "device": "cpu",
            "processor": "A processor with a long name @ 2.0 GHz",
            "precision": "bfloat16",
            "parameters": 123456 * len(job.tasks),
            "start": start(job),
            "selected_iteration": selected,
            "seconds": 0.05 * job.training.iterations,
            "images": int(images[-1]),
            "multiply_adds": 10**9 * int(images[-1]),
            "peak_memory_bytes": 500 * 2**20,
            "started": "2026-01-01T10:00:00",
            "finished": "2026-01-01T10:00:06",
        },
    )


def start(job: config.Run) -> dict[str, object] | None:
    """What provenance says of a job's parent."""
    if job.start is None:
        return None
    digest = "cafe" * 16
    return {"job": job.start.job, "kind": job.start.kind, "frozen": {"before": digest, "after": digest}}


def alphas(job: config.Run) -> pd.DataFrame:
    """Alpha at every recorded iteration: from 0.5 to a random end, 1 to itself, 0 from a task that joined later."""
    columns = ["iteration", "layer", "source", "target", "alpha"]
    if job.network.scheme != "dynamic":
        return pd.DataFrame(columns=columns)
    tasks, iterations, layers = job.tasks, recorded(job), np.arange(1, 7)
    joined = np.array([next((i for i, part in enumerate(job.generations) if task in part), 0) for task in tasks])
    end = seeds.generator(job.seed, job.name, "alpha").normal(0.5, 0.03, (6, len(tasks), len(tasks)))
    alpha = 0.5 + np.linspace(0, 1, len(iterations))[:, None, None, None] * (end - 0.5)
    alpha[..., joined[:, None] > joined] = 0
    alpha[..., np.eye(len(tasks), dtype=bool)] = 1
    grid = pd.MultiIndex.from_product([iterations, layers, tasks, tasks], names=columns[:4])
    table = pd.DataFrame({"alpha": alpha.ravel().astype(np.float32)}, index=grid).reset_index()
    return table.astype({"iteration": np.int32, "layer": np.int8})


def write_connections(results: Path, job: config.Run, experiment: config.Entry) -> None:
    """Alpha at the end with what follows from it, for magnitudes that grow from task to task."""
    table = alphas(job)
    table = table[table["iteration"] == table["iteration"].max()].drop(columns="iteration").reset_index(drop=True)
    table["magnitude"] = (1 + 0.1 * table["source"].map(job.tasks.index)).astype(np.float32)
    weight = table["alpha"] * table["magnitude"]
    receiver = [table["layer"], table["target"]]
    table["share"] = table["alpha"] / table.groupby(receiver)["alpha"].transform("sum")
    table["influence"] = weight / weight.groupby(receiver).transform("sum")
    columns = ["layer", "source", "target", "alpha", "share", "magnitude", "influence"]
    write_parquet(results / "evaluation" / job.name / f"seed{job.seed}" / "connections.parquet", table[columns])


def write_response_maps(results: Path, job: config.Run, experiment: config.Entry) -> None:
    """Random maps of 5 x 5, and independent attributes of 2400 training images."""
    folder = results / "evaluation" / job.name / f"seed{job.seed}"
    generator = seeds.generator(job.seed, job.name, "maps")
    axes = [[0, 5], job.labels, range(5), range(5)]
    grid = pd.MultiIndex.from_product(axes, names=["layer", "attribute", "row", "column"])
    contrast = generator.random(len(grid)).astype(np.float32)
    maps = pd.DataFrame({"contrast": contrast}, index=grid).reset_index().astype({"row": np.int16, "column": np.int16})
    write_parquet(folder / "response_maps.parquet", maps)
    positive = generator.random((2400, len(job.labels))) < np.linspace(0.02, 0.8, len(job.labels))
    labels = pd.DataFrame(np.where(positive, 1, -1).astype(np.int8), columns=job.labels)
    write_parquet(results / "data" / job.dataset / job.variant_name / "train.parquet", labels)


def write_limits(results: Path, job: config.Run, experiment: config.Entry) -> None:
    """The two limits, met."""
    content = {
        "identity": {"maximum_difference": 0.0, "maximum_difference_with_joined_first_layers": 4e-7},
        "equal": {"maximum_relative_differences": {"of_the_sum": 2e-12}, "bound": 1e-8},
    }
    write_json(results / "evaluation" / job.name / f"seed{job.seed}" / "limits.json", content)


def write_data(results: Path, params: config.Params, dataset: str, variant: str, **changes: object) -> None:
    """Facts and a contact sheet of prepared data."""
    folder = results / "data" / dataset / variant
    labels = params.datasets[dataset].labels
    positives = {label: 40 + 50 * index for index, label in enumerate(labels)}
    facts = {
        "dataset": dataset,
        "variant": params.variant(dataset, variant).model_dump(mode="json"),
        "source": "synthetic",
        "official": False,
        "synthetic": True,
        "files": {"list_attr_celeba.txt": {"bytes": 1234567, "sha256": "ab" * 32}},
        "counts": {"train": 2400, "validation": 400, "test": 800},
        "positives": {"train": positives},
        "left_out": [],
    }
    write_json(folder / "facts.json", {**facts, **changes})
    picture = seeds.generator(0, dataset).integers(0, 256, (64, 256, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "contact_sheet.png"), picture)


WRITERS: dict[str, Callable[[Path, config.Run, Any], None]] = {
    "response_maps": write_response_maps,
    "connections": write_connections,
    "limits": write_limits,
    "feature_maps": joint_results.write_feature_maps,
    "costs": joint_results.write_costs,
}
"""What kinds of experiments measure, by kind."""


def fill(results: Path, params: config.Params, *run_names: str) -> None:
    """Everything that the phases write for some entries of `runs`, or for all that an enabled experiment needs."""
    skills = {"single": 0.55, "hard": 0.65, "dynamic": 0.67, "cross_stitch": 0.66, "separation": 0.75}
    prepared = set()
    jobs = [job for run_name in run_names for job in params.jobs(run_name)] or params.enabled_jobs().values()
    measured = [(item, job.key) for item in params.enabled(config.Entry).values() for job in item.measured_jobs(params)]
    for job in jobs:
        if (job.dataset, job.variant_name) not in prepared:
            prepared.add((job.dataset, job.variant_name))
            write_data(results, params, job.dataset, job.variant_name)
            if job.finds_landmarks:
                joint_results.write_prepared(results, params, job.dataset, job.variant_name)
                joint_results.write_constant(results, params, job.dataset, job.variant_name)
        write_training(results, job)
        write_evaluation(results, job, skills[job.network.scheme])
        for experiment, key in measured:
            if key == job.key:
                WRITERS[experiment.measurement.kind](results, job, experiment)


@pytest.fixture
def params() -> config.Params:
    return load_params()


@pytest.fixture(scope="session")
def full_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of every run at scale demo."""
    results = tmp_path_factory.mktemp("results") / "demo"
    fill(results, load_params())
    return results


@pytest.fixture(scope="session")
def full_page(full_results: Path) -> Path:
    """The report of `full_results`, where the workflow puts it."""
    out = full_results / "report" / "report.html"
    make_report(load_params(), full_results, out)
    return out


def make_report(params: config.Params, results: Path, out: Path) -> None:
    """Write findings, read them and draw the report, as the workflow does."""
    path = out.with_suffix(".json")
    findings.write(findings.find(params, results, REPORTS), path)
    render(findings.read(path), results, REPORTS / "templates", out)


@pytest.fixture
def make_page(tmp_path: Path) -> Callable[[config.Params, Path], str]:
    """Render a report and return its text."""

    def make(params: config.Params, results: Path) -> str:
        out = tmp_path / "report.html"
        make_report(params, results, out)
        return out.read_text(encoding="utf-8")

    return make

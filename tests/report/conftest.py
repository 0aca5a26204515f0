"""A results folder in the shapes that the phases write, with made-up numbers."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from taskshare import config, seeds
from taskshare.report.render import render

REPOSITORY = Path(__file__).resolve().parents[2]
REPORTS = REPOSITORY / "reports"


def load_params(**changes: object) -> config.Params:
    """The project's params.yaml with top-level keys replaced."""
    content = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    return config.validate({**copy.deepcopy(content), **changes})


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path)


def write_evaluation(results: Path, job: config.Run, skill: float) -> None:
    """Scores of 400 test images per task, and the metrics that follow from them."""
    rows, metrics = [], {}
    for task in job.tasks:
        generator = seeds.generator(job.seed, job.name, task, "test")
        label = (generator.random(400) < 0.3).astype(np.int8)
        score = np.clip(generator.normal(0.5 + skill * (label - 0.5), 0.25), 0, 1).astype(np.float32)
        rows.append(
            pd.DataFrame({"id": [f"{i:06}.jpg" for i in range(400)], "task": task, "label": label, "score": score})
        )
        said = score > 0.5
        positives, negatives = int(label.sum()), int((1 - label).sum())
        acc_p, acc_n = float(said[label == 1].mean()), float((~said[label == 0]).mean())
        metrics[task] = {
            "balanced_accuracy": (acc_p + acc_n) / 2,
            "accuracy_positives": acc_p,
            "accuracy_negatives": acc_n,
            "accuracy": float((said == label).mean()),
            "positives": positives,
            "negatives": negatives,
            "standard_error": 0.5 * (acc_p * (1 - acc_p) / positives + acc_n * (1 - acc_n) / negatives) ** 0.5,
        }
    folder = results / "evaluation" / job.name / f"seed{job.seed}"
    write_parquet(folder / "scores.parquet", pd.concat(rows, ignore_index=True))
    write_json(folder / "metrics.json", {"run": job.name, "seed": job.seed, "tasks": metrics})


def write_training(results: Path, job: config.Run, rows: int = 40) -> None:
    """Curves, alpha (of the dynamic scheme), timing and provenance of a job."""
    folder = results / "training" / job.name / f"seed{job.seed}"
    iterations = np.arange(1, rows + 1) * 5
    generator = seeds.generator(job.seed, job.name, "curves")
    parts = []
    for task in job.tasks:
        noise = generator.normal(0, 0.02, rows)
        validation = np.where(iterations % 50 == 0, 0.5 + 0.4 * (1 - np.exp(-iterations / 80)) + noise, np.nan)
        parts.append(
            pd.DataFrame(
                {
                    "iteration": iterations,
                    "images": iterations * 16,
                    "task": task,
                    "training_loss": 0.7 * np.exp(-iterations / 100) + np.abs(noise),
                    "training_error": 0.5 * np.exp(-iterations / 90) + np.abs(noise),
                    "validation_balanced_accuracy": validation if job.layout == "attributes" else np.nan,
                    "selected": iterations == 150,
                }
            )
        )
    write_parquet(folder / "history.parquet", pd.concat(parts, ignore_index=True))
    alphas = [
        (iteration, layer, source, target, 1.0 if source == target else 0.5 + 0.03 * layer * generator.normal())
        for iteration in (5, 200)
        for layer in range(1, 7)
        for source in job.tasks
        for target in job.tasks
        if job.network.scheme == "dynamic"
    ]
    write_parquet(
        folder / "transfer.parquet",
        pd.DataFrame(alphas, columns=["iteration", "layer", "source", "target", "alpha"]),
    )
    write_parquet(
        folder / "timing.parquet",
        pd.DataFrame({"iteration": [100, 200], "seconds": [3.0, 6.1], "images_per_second": [1100.0, 1200.0]}),
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
            "selected_iteration": 150 if job.layout == "attributes" else 200,
            "seconds": 6.1,
            "images": 3200 * len(job.tasks),
            "peak_memory_bytes": 500 * 2**20,
            "started": "2026-01-01T10:00:00",
            "finished": "2026-01-01T10:00:06",
        },
    )


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


def fill(results: Path, params: config.Params, *run_names: str) -> None:
    """Everything that the phases write for some entries of `runs`."""
    skills = {"single": 0.55, "hard": 0.65, "dynamic": 0.67}
    for run_name in run_names or tuple(params.runs):
        spec = params.runs[run_name]
        write_data(results, params, spec.dataset, spec.variant)
        for job in params.jobs(run_name):
            write_training(results, job)
            write_evaluation(results, job, skills[job.network.scheme])


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
    render(load_params(), full_results, REPORTS, out)
    return out


@pytest.fixture
def make_page(tmp_path: Path) -> Callable[[config.Params, Path], str]:
    """Render a report and return its text."""

    def make(params: config.Params, results: Path) -> str:
        out = tmp_path / "report.html"
        render(params, results, REPORTS, out)
        return out.read_text(encoding="utf-8")

    return make

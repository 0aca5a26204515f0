"""Made-up results of nets that find landmarks and tell attributes, in the shapes that the phases write."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from taskshare import config, seeds
from taskshare.config.tasks import LANDMARK_POINTS

from .writing import write_json, write_parquet

IMAGES = 400
IDS = [f"{number:06}.jpg" for number in range(IMAGES)]
FRONTAL = np.array([[69, 111], [108, 111], [88, 135], [73, 152], [105, 152]], np.float32)
PROFILE_EVERY = 10
"""Every tenth face is seen from the side: its nose stands close to an eye's place."""


def labels_of(dataset: str, task: str) -> np.ndarray:
    """Labels of the test images, (400,) of 0 and 1, three of ten positive; the same ones for every job."""
    return (seeds.generator(0, dataset, task, "labels").random(IMAGES) < 0.3).astype(np.int8)


def landmarks_of(dataset: str) -> np.ndarray:
    """True landmarks of the test images in original pixels, float32 (400, 5, 2)."""
    faces = FRONTAL + seeds.generator(0, dataset, "landmarks").normal(0, 4, (IMAGES, 5, 2))
    faces[::PROFILE_EVERY, 2, 0] -= 22
    return faces.astype(np.float32)


def errors(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Distances (N, 5) over those of the true eyes."""
    eyes = np.linalg.norm(true[:, 0] - true[:, 1], axis=1)
    return np.linalg.norm(predicted - true, axis=2) / eyes[:, None]


def attribute_metrics(label: np.ndarray, said: np.ndarray) -> dict[str, float]:
    """What metrics.json says of an attribute."""
    positives, negatives = int(label.sum()), int((1 - label).sum())
    acc_p, acc_n = float(said[label == 1].mean()), float((~said[label == 0]).mean())
    accuracy = float((said == (label == 1)).mean())
    return {
        "balanced_accuracy": (acc_p + acc_n) / 2,
        "accuracy_positives": acc_p,
        "accuracy_negatives": acc_n,
        "accuracy": accuracy,
        "positives": positives,
        "negatives": negatives,
        "standard_error": 0.5 * (acc_p * (1 - acc_p) / positives + acc_n * (1 - acc_n) / negatives) ** 0.5,
        "accuracy_standard_error": (accuracy * (1 - accuracy) / len(label)) ** 0.5,
    }


def landmark_metrics(error: np.ndarray) -> dict[str, float]:
    """What metrics.json says of a landmark."""
    rate = float((error <= 0.1).mean())
    return {
        "detection_rate": rate,
        "standard_error": (rate * (1 - rate) / len(error)) ** 0.5,
        "normalised_error": float(error.mean()),
        "images": len(error),
    }


def write_landmarks(folder: Path, job: config.Run, skill: float) -> dict[str, dict[str, float]]:
    """landmarks.parquet of a job; returns the metrics of the five points."""
    true = landmarks_of(job.dataset)
    noise = seeds.generator(job.seed, job.name, "landmarks").normal(0, (0.115 - 0.1 * skill) * 39, true.shape)
    predicted = (true + noise).astype(np.float32)
    error = errors(true, predicted).astype(np.float32)
    columns = {"x": true[..., 0], "y": true[..., 1]}
    columns |= {"predicted_x": predicted[..., 0], "predicted_y": predicted[..., 1], "error": error}
    table = {"id": np.repeat(IDS, 5), "landmark": LANDMARK_POINTS * IMAGES}
    table |= {name: values.ravel() for name, values in columns.items()}
    write_parquet(folder / "landmarks.parquet", pd.DataFrame(table))
    return {point: landmark_metrics(error[:, index]) for index, point in enumerate(LANDMARK_POINTS)}


def write_prepared(results: Path, params: config.Params, dataset: str, variant: str) -> None:
    """Test images with their labels and landmarks."""
    folder = results / "data" / dataset / variant
    prepared = params.variant(dataset, variant)
    landmarks = landmarks_of(dataset)
    table = {"id": IDS, **{label: labels_of(dataset, label) for label in params.datasets[dataset].labels}}
    scale = prepared.size / 178  # of CelebA's aligned images, 178 wide and 218 high, the centre square
    inside = scale * (landmarks - [0, 20]) + 0.5 * scale - 0.5
    for prefix, points in (("", landmarks), ("prepared_", inside)):
        for index, point in enumerate(LANDMARK_POINTS):
            table[f"{prefix}{point}_x"] = points[:, index, 0].astype(np.float32)
            table[f"{prefix}{point}_y"] = points[:, index, 1].astype(np.float32)
    table["identity"] = np.arange(IMAGES) // 4
    write_parquet(folder / "test.parquet", pd.DataFrame(table))
    shape = (IMAGES, prepared.size, prepared.size, prepared.channels)
    np.save(folder / "test.npy", seeds.generator(0, dataset, "images").integers(0, 256, shape, dtype=np.uint8))


def write_constant(results: Path, params: config.Params, dataset: str, variant: str) -> None:
    """Metrics of the mean landmarks, and of `no` for every attribute."""
    true = landmarks_of(dataset)
    error = errors(true, np.broadcast_to(FRONTAL, true.shape))
    tasks = {point: landmark_metrics(error[:, index]) for index, point in enumerate(LANDMARK_POINTS)}
    for label in params.datasets[dataset].labels:
        tasks[label] = attribute_metrics(labels_of(dataset, label), np.zeros(IMAGES, bool))
    write_json(results / "evaluation" / "constant" / dataset / variant / "metrics.json", {"tasks": tasks})


def write_feature_maps(results: Path, job: config.Run, experiment: config.FeatureMaps) -> None:
    """Rectified maps of a block's last convolution, in all three columns."""
    block = experiment.block
    channels, size = job.network.channels[block - 1], job.variant.size >> (block - 1)
    generator = seeds.generator(job.seed, job.name, "feature maps")
    tensors = {"image": generator.integers(0, 256, (job.variant.size, job.variant.size, 3), dtype=np.uint8)}
    for source in ("shared", *job.tasks):
        maps = (channels, size, size)
        for name, shape in (("mean", maps), ("example", maps), ("sample", (500, channels))):
            values = np.maximum(generator.normal(0, 1, shape), 0)
            tensors[f"{name}.{source}"] = values.astype(np.float32)
    facts = {"id": IDS[0], "block": block, "name": f"conv{block}-{job.network.convolutions[block - 1]}"}
    folder = results / "evaluation" / job.name / f"seed{job.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "feature_maps.safetensors", {"taskshare": json.dumps(facts)})


def write_costs(results: Path, job: config.Run, experiment: config.Costs) -> None:
    """Costs that grow from hard sharing over the separation nets to one net per task."""
    labels = ["Hard sharing", *experiment.separation, "One net per task"]
    nets = {
        label: {
            "nets": 2 if label == "One net per task" else 1,
            "parameters": 1_000_000 * (2 + index),
            "trained_parameters": 1_000_000 * (2 + index) - (500_000 if label in experiment.separation else 0),
            "forward_flops": 4_000_000_000 * (2 + index),
            "training_flops": 11_000_000_000 * (2 + index),
            "image_seconds": 0.004 * (2 + index),
            "batch_seconds": 0.08 * (2 + index),
            "training_step_seconds": 0.25 * (2 + index),
        }
        for index, label in enumerate(labels)
    }
    write_json(
        results / "evaluation" / job.key / "costs.json",
        {
            "device": "cpu",
            "processor": "A processor with a long name @ 2.0 GHz",
            "threads": 1,
            "batch_size": experiment.batch_size,
            "size": 32,
            "nets": nets,
        },
    )

"""Prepared data sets that are small enough to train on in a second, and runs on them."""

import numpy as np
import pandas as pd
import pytest

from taskshare import config
from taskshare.config import Start
from taskshare.data import manifests
from taskshare.data.arrays import ImageArrayWriter
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS

LABELS = ["Bright", "Left", "Rare"]


def write_split(folder, split, count, seed):
    """Images whose labels a network can see: brightness, a bar on the left, and a rare dot."""
    generator = np.random.default_rng(seed)
    labels = (generator.random((count, 3)) < [0.5, 0.4, 0.1]).astype(np.int8)
    images = generator.integers(0, 60, (count, 16, 16, 1), dtype=np.uint8)
    images[labels[:, 0] == 1] += 90
    images[labels[:, 1] == 1, :, 1:4] += 60
    images[labels[:, 2] == 1, 9:14, 9:14] += 80
    with ImageArrayWriter(folder / f"{split}.npy", (16, 16, 1)) as writer:
        writer.append(images)
    table = pd.DataFrame({"id": [f"{split}{number:04}" for number in range(count)]})
    table[LABELS] = labels
    table.to_parquet(folder / f"{split}.parquet", index=False)
    return table


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    table = write_split(folder, "train", 300, seed=1)
    write_split(folder, "validation", 80, seed=2)
    write_split(folder, "test", 120, seed=3)
    for task in LABELS:
        for sampling in ("resampled", "original"):
            path = folder / "manifests" / f"{task}-{sampling}.parquet"
            manifests.write(path, table, LABELS, task, sampling, "duplicated", 1)
    return folder


@pytest.fixture(scope="session")
def manifests_of(prepared):
    return lambda run: [prepared / "manifests" / f"{task}-{run.sampling}.parquet" for task in run.trained_tasks]


@pytest.fixture(scope="session")
def make_run():
    def make(scheme="dynamic", seed=1, tasks=LABELS, transfer=None, **changes):
        training = {"iterations": 30, "batch_size": 8, "validate_every": 10, "learning_rate": 0.05}
        training |= changes.pop("training", {})
        network = changes.pop("network", None) or {
            "scheme": scheme,
            "channels": [6, 6, 6, 8, 8],
            "fully_connected": 16,
            "transfer": transfer or {},
        }
        return config.Run.model_validate(
            {
                "name": f"toy-{scheme}",
                "dataset": "toy",
                "layout": "attributes",
                "labels": LABELS,
                "variant_name": "grey",
                "variant": {"size": 16, "colour": "grey"},
                "tasks": tasks,
                "sampling": "resampled",
                "resampling": "duplicated",
                "batches": "pooled",
                "network": network,
                "training": training,
                "seed": seed,
                **changes,
            }
        )

    return make


FACE = np.array([[6, 6], [11, 6], [8.5, 9], [7, 12], [10, 12]])
SMALL = {"backbone": "vgg", "channels": [6, 8], "convolutions": [1, 2], "fully_connected": 16}


def write_faces(folder, split, count, seed):
    """Five bright dots that move together, on images whose brightness is a label; twice as large before preparation."""
    generator = np.random.default_rng(seed)
    labels = (generator.random((count, 3)) < [0.5, 0.4, 0.2]).astype(np.int8)
    images = generator.integers(0, 40, (count, 16, 16, 3), dtype=np.uint8)
    images[labels[:, 0] == 1] += 60
    images[labels[:, 1] == 1, :, :2] += 60
    points = FACE + generator.integers(-3, 4, (count, 1, 2))
    for image, five in zip(images, points, strict=True):
        for x, y in five.round().astype(int):
            image[y, x] = 250
    with ImageArrayWriter(folder / f"{split}.npy", (16, 16, 3)) as writer:
        writer.append(images)
    table = pd.DataFrame({"id": [f"{split}{number:04}" for number in range(count)]})
    table[LABELS] = labels
    table[list(LANDMARK_COLUMNS)] = (2 * points + 0.5).reshape(count, 10).astype(np.float32)
    table[list(PREPARED_LANDMARKS)] = points.reshape(count, 10).astype(np.float32)
    table.to_parquet(folder / f"{split}.parquet", index=False)
    return table


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    table = write_faces(folder, "train", 240, seed=1)
    write_faces(folder, "validation", 40, seed=2)
    write_faces(folder, "test", 60, seed=3)
    for task in ("landmarks", "attributes", "Bright"):
        manifests.write(folder / f"{task}.parquet", table, LABELS, task, "original", "duplicated", 1)
    return folder


@pytest.fixture(scope="session")
def make_faces_run(make_run):
    def make(scheme="hard", tasks=("landmarks", "attributes"), network=None, training=None, **changes):
        return make_run(
            name=f"faces-{scheme}",
            tasks=list(tasks),
            sampling="original",
            batches="shared",
            variant={"size": 16, "colour": "rgb"},
            network={**SMALL, "scheme": scheme, **(network or {})},
            training={"selection": "last", "validation": True, "weight_decay": 0.0, **(training or {})},
            **changes,
        )

    return make


@pytest.fixture(scope="session")
def make_separation(make_faces_run):
    return lambda **changes: make_faces_run("separation", start=Start(job="faces-hard", kind="separation"), **changes)

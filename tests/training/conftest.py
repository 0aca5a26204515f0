"""A prepared data set that is small enough to train on in a second."""

import numpy as np
import pandas as pd
import pytest

from taskshare import config
from taskshare.data import manifests
from taskshare.data.arrays import ImageArrayWriter

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

"""Checkpoints of small nets, and a prepared training split to look at them with."""

import numpy as np
import pandas as pd
import pytest

from taskshare import config
from taskshare.data.arrays import ImageArrayWriter
from taskshare.networks import weights
from taskshare.networks.build import build_for

LABELS = ["Bright", "Left", "Rare", "Never"]


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A folder with 300 training images; nobody is `Never`."""
    folder = tmp_path_factory.mktemp("toy")
    generator = np.random.default_rng(1)
    labels = (generator.random((300, 4)) < [0.5, 0.4, 0.1, 0]).astype(np.int8)
    images = generator.integers(0, 60, (300, 16, 16, 1), dtype=np.uint8)
    images[labels[:, 0] == 1] += 90
    images[labels[:, 1] == 1, :, 1:4] += 60
    images[labels[:, 2] == 1, 9:14, 9:14] += 80
    with ImageArrayWriter(folder / "train.npy", (16, 16, 1)) as writer:
        writer.append(images)
    table = pd.DataFrame(labels, columns=LABELS).assign(id=[f"{number:03}" for number in range(300)])
    table["class"] = generator.integers(0, 4, 300).astype(np.int8)
    table.to_parquet(folder / "train.parquet", index=False)
    return folder


@pytest.fixture
def make_run():
    """Return the run of a small net with other entries where they are given; `transfer` belongs to its network."""

    def make(scheme="dynamic", tasks=("Bright", "Left", "Rare"), transfer=None, **changes):
        return config.Run.model_validate(
            {
                "name": f"toy-{scheme}",
                "dataset": "toy",
                "layout": "attributes",
                "labels": LABELS,
                "variant_name": "grey",
                "variant": {"size": 16, "colour": "grey"},
                "tasks": list(tasks),
                "sampling": "resampled",
                "resampling": "duplicated",
                "batches": "pooled",
                "network": {
                    "scheme": scheme,
                    "channels": [4, 5, 6, 7, 8],
                    "fully_connected": 9,
                    "transfer": transfer or {},
                },
                "training": {},
                "seed": 1,
                **changes,
            }
        )

    return make


@pytest.fixture
def saved(tmp_path):
    """Return the checkpoint of a run's net with its initial weights, after `change` was done to it."""

    def save(run, change=lambda network: None):
        network = build_for(run)
        change(network)
        weights.save(tmp_path / "weights.safetensors", network.state_dict(), run)
        weights.save_others(tmp_path / "other_weights.safetensors", {}, {run.training.selection: {}}, run)
        return tmp_path / "weights.safetensors"

    return save

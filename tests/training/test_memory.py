"""Memory does not grow with the data set."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from taskshare.data import manifests
from taskshare.data.arrays import ImageArrayWriter

pytestmark = pytest.mark.slow


def test_training_on_200000_images_of_64_pixels_stays_under_one_and_a_half_gigabytes(make_run, tmp_path):
    count, tasks = 200_000, ["Bright", "Left", "Rare"]
    generator = np.random.default_rng(1)
    with ImageArrayWriter(tmp_path / "train.npy", (64, 64, 1)) as writer:
        block = generator.integers(0, 256, (2000, 64, 64, 1), dtype=np.uint8)
        for _ in range(count // len(block)):
            writer.append(block)
    table = pd.DataFrame({"id": [str(number) for number in range(count)]})
    table[tasks] = generator.integers(0, 2, (count, 3), dtype=np.int8)
    table.to_parquet(tmp_path / "train.parquet", index=False)
    for task in tasks:
        path = tmp_path / "manifests" / f"{task}.parquet"
        manifests.write(path, table, tasks, task, "resampled", "duplicated", 1)

    run = make_run(
        "hard",
        variant={"size": 64, "colour": "grey"},
        network={"scheme": "hard"},
        training={"iterations": 20, "batch_size": 32, "selection": "last"},
    )
    command = [sys.executable, "-m", "taskshare", "train", "--run", run.model_dump_json(), "--device", "cpu"]
    command += ["--prepared", tmp_path, "--out", tmp_path / "out"]
    subprocess.run([*command, *(f"--manifests={tmp_path}/manifests/{task}.parquet" for task in tasks)], check=True)
    provenance = json.loads((tmp_path / "out/provenance.json").read_text())
    assert 100e6 < provenance["peak_memory_bytes"] < 1.5e9


def test_a_jobs_peak_is_its_own_and_not_that_of_the_process_that_started_it():
    parent = (
        "import subprocess, sys; block = bytearray(600_000_000); "
        "child = 'from taskshare.training.provenance import peak_memory_bytes; print(peak_memory_bytes())'; "
        "print(subprocess.run([sys.executable, '-c', child], capture_output=True, text=True, check=True).stdout)"
    )
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 1e6 < int(done.stdout) < 3e8

"""Feature maps of the columns of a small separation net."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from taskshare import config
from taskshare.data.arrays import ImageArray, ImageArrayWriter
from taskshare.data.catalogue import LANDMARK_COLUMNS
from taskshare.errors import TaskshareError
from taskshare.evaluation.kinds import column_maps
from taskshare.networks import weights
from taskshare.networks.build import to_input
from taskshare.verify import tolerance

SIZE, IMAGES = 8, 21
TURNED = 13
"""The row of the face that looks straight ahead; its head is tilted."""


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A folder with 21 test images; all noses but one lie off the middle between the eyes."""
    folder = tmp_path_factory.mktemp("faces")
    generator = np.random.default_rng(1)
    with ImageArrayWriter(folder / "test.npy", (SIZE, SIZE, 3)) as writer:
        writer.append(generator.integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8))
    table = pd.DataFrame({"id": [f"{number:06}.jpg" for number in range(1, IMAGES + 1)]})
    mouth = [75.0, 152, 105, 152]
    table[list(LANDMARK_COLUMNS)] = [69.0, 111, 108, 111, 93, 135, *mouth]
    table.loc[TURNED, list(LANDMARK_COLUMNS)] = [70.0, 100, 100, 140, 61, 138, *mouth]  # 18 away, below (85, 120)
    table.to_parquet(folder / "test.parquet", index=False)
    return folder


def make_run(seed=1, **network):
    return config.Run.model_validate(
        {
            "name": f"toy-separation-{len(network)}",
            "dataset": "toy",
            "layout": "attributes",
            "labels": ["Bald", "Smiling"],
            "variant_name": "rgb",
            "variant": {"size": SIZE, "colour": "rgb"},
            "tasks": ["landmarks", "attributes"],
            "sampling": "original",
            "resampling": "duplicated",
            "batches": "shared",
            "network": {
                "backbone": "vgg",
                "scheme": "separation",
                "channels": [4, 6],
                "convolutions": [1, 2],
                "fully_connected": 7,
                **network,
            },
            "training": {},
            "seed": seed,
            "start": {"job": "toy-columns", "kind": "separation"},
        }
    )


def measured(faces, saved, folder, run, block=2):
    out = folder / f"{run.name}-{run.seed}-{block}.safetensors"
    column_maps.measure(saved(run), faces, block, out, "cpu")
    return load_file(out)


def test_maps_are_those_of_the_last_convolution_of_the_block(faces, saved, tmp_path, monkeypatch):
    monkeypatch.setattr(column_maps, "BLOCK", 8)  # several blocks, the last one short
    found = measured(faces, saved, tmp_path, make_run())
    pixels = ImageArray(faces / "test.npy").read(np.arange(IMAGES))
    checkpoint = tmp_path / "weights.safetensors"
    network = weights.load(checkpoint)[1]
    with torch.no_grad():
        shared, own = network.maps(to_input(torch.from_numpy(pixels)))
    places = column_maps.sample_places(make_run(), IMAGES, 4)
    share = tolerance(weights.longest_sum(checkpoint))  # by blocks, and at once
    for source, maps in (("shared", shared[2]), ("landmarks", own[0][2]), ("attributes", own[1][2])):
        expected = maps.numpy()
        limits = {"rtol": 0, "atol": share * expected.max()}
        assert expected.shape == (IMAGES, 6, 4, 4)
        np.testing.assert_allclose(found[f"mean.{source}"], expected.mean(axis=0), **limits)
        np.testing.assert_allclose(found[f"example.{source}"], expected[TURNED], **limits)
        image, row, column = np.unravel_index(places, (IMAGES, 4, 4))
        np.testing.assert_allclose(found[f"sample.{source}"], expected[image, :, row, column], **limits)
    assert np.array_equal(found["image"], pixels[TURNED])


def test_the_file_says_what_it_shows(faces, saved, tmp_path):
    column_maps.measure(saved(make_run()), faces, 1, tmp_path / "maps.safetensors", "cpu")
    with safe_open(tmp_path / "maps.safetensors", framework="numpy") as file:
        facts = json.loads(file.metadata()["taskshare"])
    assert facts == {"id": "000014.jpg", "block": 1, "name": "conv1-1"}


def test_equal_inputs_give_equal_bytes(faces, saved, tmp_path):
    for name in ("first", "second"):
        column_maps.measure(saved(make_run()), faces, 1, tmp_path / name, "cpu")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_the_face_that_looks_ahead_may_be_tilted(faces):
    assert column_maps.most_frontal(pd.read_parquet(faces / "test.parquet")) == TURNED


def test_places_are_few_and_the_same_for_every_run_and_seed(monkeypatch):
    assert np.array_equal(column_maps.sample_places(make_run(), IMAGES, 4), np.arange(IMAGES * 16))  # all there are
    monkeypatch.setattr(column_maps, "PLACES", 50)
    places = column_maps.sample_places(make_run(), IMAGES, 4)
    assert len(np.unique(places)) == 50
    assert (np.diff(places) > 0).all()
    assert np.array_equal(places, column_maps.sample_places(make_run(seed=2, channelwise=True), IMAGES, 4))


def test_shared_maps_of_one_seed_do_not_depend_on_the_task_columns(faces, saved, tmp_path):
    plain, channelwise = (
        measured(faces, saved, tmp_path, run) for run in (make_run(), make_run(channelwise=True, fine_tuning=True))
    )
    assert np.array_equal(plain["sample.shared"], channelwise["sample.shared"])
    assert not np.array_equal(plain["sample.landmarks"], channelwise["sample.landmarks"])


def test_nets_without_columns_from_the_image_up_are_refused(faces, saved, tmp_path):
    late = saved(make_run(branch_block=1))
    with pytest.raises(TaskshareError, match="no task columns from the image up; take a run"):
        column_maps.measure(late, faces, 1, tmp_path / "maps.safetensors", "cpu")
    with pytest.raises(TaskshareError, match="has 2 blocks of convolutions, not 3; take another"):
        column_maps.measure(saved(make_run()), faces, 3, tmp_path / "maps.safetensors", "cpu")

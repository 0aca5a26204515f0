"""Response-contrast maps of a small training split."""

import numpy as np
import pandas as pd
import pytest
import torch

from taskshare import rounding
from taskshare.data.arrays import ImageArray
from taskshare.errors import TaskshareError
from taskshare.evaluation.kinds import contrast_maps
from taskshare.networks import weights
from taskshare.networks.build import to_input
from taskshare.verify import tolerance


def set_statistics(network):
    for layer in network.trunk.layers:
        layer.normalisation.running_var.fill_(4)


@pytest.mark.parametrize("layer", [1, 5])
def test_maps_are_the_differences_of_the_mean_responses(layer, toy, make_run, saved, tmp_path, monkeypatch):
    monkeypatch.setattr(contrast_maps, "BLOCK", 64)  # several blocks, the last one short
    checkpoint = saved(make_run("hard"), set_statistics)
    contrast_maps.measure(checkpoint, toy, layer, tmp_path / "response_maps.parquet", "cpu")
    maps = pd.read_parquet(tmp_path / "response_maps.parquet")
    trunk = weights.load(checkpoint)[1].trunk
    features = to_input(torch.from_numpy(ImageArray(toy / "train.npy").read(np.arange(300))))
    with torch.no_grad():
        for hidden in trunk.layers[: layer - 1]:
            features = hidden(features)
        responses = trunk.layers[layer - 1].respond(features).numpy()
    table = pd.read_parquet(toy / "train.parquet")
    share = tolerance(weights.longest_sum(checkpoint))  # by blocks, and at once
    for name in ("Bright", "Left", "Rare"):
        own = table[name].to_numpy() == 1
        expected = np.abs(responses[own].mean(0) - responses[~own].mean(0)).mean(0)
        found = maps[(maps["attribute"] == name) & (maps["layer"] == layer)].pivot(
            index="row", columns="column", values="contrast"
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=share * responses.max())


def test_layer_0_holds_what_the_pixels_show_without_a_net(toy, make_run, saved, tmp_path):
    contrast_maps.measure(saved(make_run("hard")), toy, 5, tmp_path / "response_maps.parquet", "cpu")
    maps = pd.read_parquet(tmp_path / "response_maps.parquet")
    left = maps[(maps["attribute"] == "Left") & (maps["layer"] == 0)]
    own = pd.read_parquet(toy / "train.parquet")["Left"].to_numpy() == 1
    pixels = ImageArray(toy / "train.npy").read(np.arange(300))[..., 0] / 127.5
    expected = np.abs(pixels[own].mean(0) - pixels[~own].mean(0))
    found = left.pivot(index="row", columns="column", values="contrast")
    share = rounding.largest_difference(300, torch.float32)
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * pixels.max())


def test_a_label_of_one_value_has_no_map(toy, make_run, saved, tmp_path):
    contrast_maps.measure(
        saved(make_run("hard", tasks=["Bright", "Left"])), toy, 5, tmp_path / "response_maps.parquet", "cpu"
    )
    maps = pd.read_parquet(tmp_path / "response_maps.parquet")
    assert list(maps["attribute"].unique()) == ["Bright", "Left", "Rare"]  # Rare is no task of the run, Never no one's
    assert maps.dtypes.astype(str).to_dict() == {
        "layer": "int8",
        "attribute": "str",
        "row": "int16",
        "column": "int16",
        "contrast": "float32",
    }


def test_a_bar_on_the_left_shows_on_the_left(toy, make_run, saved, tmp_path):
    contrast_maps.measure(saved(make_run("hard")), toy, 1, tmp_path / "response_maps.parquet", "cpu")
    maps = pd.read_parquet(tmp_path / "response_maps.parquet")
    by_column = maps[(maps["attribute"] == "Left") & (maps["layer"] == 1)].groupby("column")["contrast"].mean()
    assert by_column[:2].min() > 4 * by_column[4:].max()  # 16 pixels are 8 after the pool; the bar is pixels 1 to 3


def test_of_images_of_classes_the_tasks_have_maps(toy, make_run, saved, tmp_path):
    classes = {"layout": "classes", "labels": ["cat", "dog", "deer", "horse"]}
    run = make_run("hard", tasks=["cat.dog", "deer.horse"], **classes)
    contrast_maps.measure(saved(run), toy, 5, tmp_path / "response_maps.parquet", "cpu")
    assert set(pd.read_parquet(tmp_path / "response_maps.parquet")["attribute"]) == {"cat.dog", "deer.horse"}


def test_a_net_without_a_trunk_is_refused(toy, make_run, saved, tmp_path):
    with pytest.raises(TaskshareError, match="has no shared layers; take a run with"):
        contrast_maps.measure(saved(make_run("dynamic")), toy, 5, tmp_path / "response_maps.parquet", "cpu")

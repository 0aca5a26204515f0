from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from taskshare.data import manifests
from taskshare.data.labels import task_labels
from taskshare.errors import TaskshareError
from taskshare.seeds import generator

LABELS = np.array([0] * 70 + [1] * 19 + [-1] * 11, np.int8)[np.random.default_rng(4).permutation(100)]
CLASSES = ["airplane", "cat", "dog"]


def counts(manifest: pd.DataFrame, label: int) -> pd.Series:
    return manifest.loc[manifest["label"] == label, "index"].value_counts()


def test_the_original_sampling_takes_every_sample_of_the_task_once() -> None:
    manifest = manifests.draw(LABELS, "original", "duplicated", generator(1))
    assert sorted(manifest["index"]) == np.flatnonzero(LABELS >= 0).tolist()
    assert (LABELS[manifest["index"]] == manifest["label"]).all()
    assert [str(dtype) for dtype in manifest.dtypes] == ["int32", "int8"]


@pytest.mark.parametrize("resampling", ["duplicated", "replacement"])
@pytest.mark.parametrize("minority", [0, 1])
def test_resampling_gives_both_labels_the_majority_s_count(
    resampling: Literal["duplicated", "replacement"], minority: int
) -> None:
    labels = LABELS if minority == 1 else np.where(LABELS >= 0, 1 - LABELS, -1).astype(np.int8)
    manifest = manifests.draw(labels, "resampled", resampling, generator(1))
    assert manifest["label"].value_counts().to_dict() == {0: 70, 1: 70}
    assert (labels[manifest["index"]] == manifest["label"]).all()
    majority = counts(manifest, 1 - minority)
    assert len(majority) == 70
    assert (majority == 1).all()
    pd.testing.assert_frame_equal(manifest, manifest.sort_values(["label", "index"], ignore_index=True))


def test_duplication_takes_each_minority_sample_floor_k_times_or_once_more() -> None:
    times = counts(manifests.draw(LABELS, "resampled", "duplicated", generator(1)), 1)
    assert times.value_counts().to_dict() == {3: 6, 4: 13}  # 70 = 3 * 19 + 13


def test_replacement_draws_unevenly() -> None:
    times = counts(manifests.draw(LABELS, "resampled", "replacement", generator(1)), 1)
    assert times.max() > 4


def test_a_task_with_one_label_only_is_refused(tmp_path: Path) -> None:
    table = pd.DataFrame({"Bald": np.zeros(5, np.int8)})
    with pytest.raises(TaskshareError, match=r"^Bald: no training image has label 1"):
        manifests.write(tmp_path / "bald.parquet", table, ["Bald"], "Bald", "original", "duplicated", 1)
    assert list(tmp_path.iterdir()) == []


def test_seeds_and_tasks_differ_and_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    table = pd.DataFrame({name: np.maximum(LABELS, 0) for name in ("Bald", "Goatee")})

    def drawn(task: str, seed: int) -> bytes:
        path = tmp_path / "manifests" / f"{task}.parquet"
        manifests.write(path, table, ["Bald", "Goatee"], task, "resampled", "duplicated", seed)
        return path.read_bytes()

    assert drawn("Bald", 1) == drawn("Bald", 1)
    assert drawn("Bald", 1) != drawn("Bald", 2)
    assert drawn("Bald", 1) != drawn("Goatee", 1)


def test_a_class_pair_leaves_the_other_classes_out() -> None:
    table = pd.DataFrame({"class": np.array([0, 1, 2, 2, 1], np.int8)})
    labels = task_labels(table, CLASSES, "cat.dog")
    assert labels.tolist() == [-1, 0, 1, 1, 0]
    assert labels.dtype == np.int8
    assert task_labels(table, CLASSES, "dog.airplane").tolist() == [1, -1, 0, 0, -1]


def test_an_attribute_is_its_column() -> None:
    table = pd.DataFrame({"Bald": np.array([0, 1, 1], np.int8), "Goatee": np.array([1, 0, 1], np.int8)})
    assert task_labels(table, ["Bald", "Goatee"], "Goatee").tolist() == [1, 0, 1]

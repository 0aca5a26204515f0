"""How often labels occur together."""

import pandas as pd

from taskshare.data.cooccurrence import cooccurrence


def test_images_with_both_labels_are_counted():
    labels = ["Bright", "Left", "Never"]
    table = pd.DataFrame({"Bright": [1, 1, -1, 1], "Left": [1, -1, 1, 1], "Never": [-1] * 4})
    assert cooccurrence(table, labels, labels).tolist() == [[3, 2, 0], [2, 3, 0], [0, 0, 0]]


def test_of_a_pair_of_classes_the_second_one_is_positive():
    classes = ["cat", "dog", "deer", "horse"]
    table = pd.DataFrame({"class": [0, 1, 1, 2, 3]})
    assert cooccurrence(table, classes, ["cat.dog", "deer.horse"]).tolist() == [[2, 0], [0, 1]]

"""Handwritten digits in the place of CIFAR-10's pictures."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from taskshare import seeds

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""CIFAR-10's classes in the official order; digit d stands for class number d."""
SIZE = 32
TEST_SHARE = 0.2
DIGIT_SIZE = 8
BRIGHTEST = 16.0


def split_digits(seed: int) -> dict[str, dict[int, NDArray[np.float32]]]:
    """Return scikit-learn's 1,797 digits by split and class, a fifth of each class for testing.

    Args:
        seed: draws which digits go where.

    Returns:
        For "test" and "train", per digit 0 to 9, float32 of shape (count, 8, 8), 0 (paper) to 1 (ink). No digit lies
        in both splits.
    """
    # Not at the top: processes that only draw faces need not wait for scikit-learn.
    from sklearn.datasets import load_digits

    digits, labels = load_digits(return_X_y=True)
    pictures = (digits / BRIGHTEST).astype(np.float32).reshape(-1, DIGIT_SIZE, DIGIT_SIZE)
    splits: dict[str, dict[int, NDArray[np.float32]]] = {"test": {}, "train": {}}
    for digit in range(len(CLASSES)):
        members = seeds.generator(seed, "digit split", digit).permutation(np.flatnonzero(labels == digit))
        test_count = round(TEST_SHARE * len(members))
        splits["test"][digit] = pictures[members[:test_count]]
        splits["train"][digit] = pictures[members[test_count:]]
    return splits


def draw_digit(digit: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a digit in two random colours, a little turned, shifted and noisy.

    Args:
        digit: ink, float32 of shape (8, 8), 0 to 1.
        generator: where the draws come from.

    Returns:
        RGB, uint8 of shape (32, 32, 3).
    """
    zoom = generator.uniform(3.2, 4.2)
    centre = ((DIGIT_SIZE - 1) / 2,) * 2
    turn = np.asarray(cv2.getRotationMatrix2D(centre, generator.normal(0, 7), zoom), dtype=np.float64)
    turn[:, 2] += (SIZE - DIGIT_SIZE) / 2 + generator.uniform(-2.5, 2.5, 2)
    ink = cv2.warpAffine(digit, turn, (SIZE, SIZE), flags=cv2.INTER_CUBIC).clip(0, 1)[..., None]
    paper, pen = generator.uniform(20, 235, (2, 3))
    # A pen too close to the paper in brightness would not show in grey.
    if abs(pen.mean() - paper.mean()) < 70:
        pen = (pen + (255 if paper.mean() < 128 else 0)) / 2
        paper = (paper + (0 if paper.mean() < 128 else 255)) / 2
    picture = paper + ink * (pen - paper) + generator.normal(0, generator.uniform(3, 14), (SIZE, SIZE, 3))
    return picture.clip(0, 255).round().astype(np.uint8)


def digit_pictures(seed: int, copies: int) -> Iterator[tuple[str, str, int, NDArray[np.uint8]]]:
    """Yield split, class name, number from 1, and picture of every digit, in sorted order of the first three.

    Args:
        seed: draws the split and the pictures.
        copies: how many pictures are drawn of each training digit; of a test digit it is one.
    """
    splits = split_digits(seed)
    for split in ("test", "train"):
        for digit, name in enumerate(CLASSES):
            pictures = np.repeat(splits[split][digit], copies if split == "train" else 1, axis=0)
            for number, picture in enumerate(pictures, start=1):
                yield split, name, number, draw_digit(picture, seeds.generator(seed, "digit", split, digit, number))

"""Which files count as whole images."""

import cv2
import numpy as np
import pytest

from taskshare.data.catalogue import BadImageError
from taskshare.data.image_files import ImageFiles


def encoded(suffix):
    image = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_bytes_behind_the_end_do_no_harm(suffix, tmp_path):
    (tmp_path / "image").write_bytes(encoded(suffix) + bytes(500))
    assert ImageFiles(tmp_path)("image").shape == (20, 30, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
def test_a_file_that_ends_within_its_pixels_is_truncated(suffix, kept, tmp_path):
    whole = encoded(suffix)
    (tmp_path / "image").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(BadImageError, match="truncated"):
        ImageFiles(tmp_path)("image")


def test_a_thumbnail_in_front_does_not_hide_a_truncated_jpeg(tmp_path):
    whole, thumbnail = encoded(".jpg"), encoded(".jpg")
    block = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    (tmp_path / "image").write_bytes(whole[:2] + block + whole[2:-100])
    with pytest.raises(BadImageError, match="truncated"):
        ImageFiles(tmp_path)("image")

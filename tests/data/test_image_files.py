"""Which files count as whole images."""

import cv2
import numpy as np
import pytest

from taskshare import seeds
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


@pytest.mark.parametrize("damage", [bytes(200), b"", "random"], ids=["zeros", "missing", "random"])
def test_a_jpeg_with_damaged_pixels_in_its_middle_is_refused(damage, tmp_path):
    """OpenCV makes a picture of each of these, and says nothing that a program could hear."""
    whole = encoded(".jpg")
    middle = len(whole) // 2
    if damage == "random":
        damage = seeds.generator(1, "damage").bytes(200)
    (tmp_path / "image").write_bytes(whole[:middle] + damage + whole[middle + 200 :])
    with pytest.raises(BadImageError, match="cannot be decoded: Corrupt JPEG data"):
        ImageFiles(tmp_path)("image")


def test_a_png_with_a_flipped_bit_is_refused(tmp_path):
    content = bytearray(encoded(".png"))
    content[len(content) // 2] ^= 1
    (tmp_path / "image").write_bytes(content)
    with pytest.raises(BadImageError, match="cannot be decoded"):
        ImageFiles(tmp_path)("image")


@pytest.mark.parametrize(
    "options",
    [
        [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, 1],
        [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420],
    ],
    ids=["progressive", "restarts", "subsampled"],
)
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (218, 178)])
def test_jpegs_of_every_kind_are_whole(options, size, tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    (tmp_path / "image").write_bytes(cv2.imencode(".jpg", image, options)[1].tobytes())
    assert ImageFiles(tmp_path)("image").shape == (*size, 3)

import pickle
from pathlib import Path

import numpy as np
import pytest

from taskshare.data.arrays import ImageArray, ImageArrayWriter
from taskshare.errors import TaskshareError


def write(path: Path, images: np.ndarray, block: int = 7) -> ImageArray:
    with ImageArrayWriter(path, images.shape[1:]) as writer:
        for start in range(0, len(images), block):
            writer.append(images[start : start + block])
    return ImageArray(path)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (50, 8, 8, 3), np.uint8)


def test_numpy_reads_what_was_written_in_blocks(tmp_path: Path, images: np.ndarray) -> None:
    array = write(tmp_path / "folder" / "train.npy", images)
    np.testing.assert_array_equal(np.load(tmp_path / "folder" / "train.npy"), images)
    assert array.shape == (50, 8, 8, 3)
    assert len(array) == 50


def test_rows_come_in_the_order_asked_for(tmp_path: Path, images: np.ndarray) -> None:
    indices = np.array([49, 0, 7, 7, 31], np.int32)
    np.testing.assert_array_equal(write(tmp_path / "train.npy", images).read(indices), images[indices])


def test_no_rows(tmp_path: Path, images: np.ndarray) -> None:
    empty = write(tmp_path / "validation.npy", images[:0])
    assert empty.shape == (0, 8, 8, 3)
    assert empty.read(np.array([], np.int64)).shape == (0, 8, 8, 3)
    assert list(empty.blocks(4)) == []


def test_blocks_hold_every_row_once(tmp_path: Path, images: np.ndarray) -> None:
    blocks = list(write(tmp_path / "train.npy", images).blocks(16))
    assert [len(block) for block in blocks] == [16, 16, 16, 2]
    np.testing.assert_array_equal(np.concatenate(blocks), images)


@pytest.mark.parametrize("index", [-1, 50])
def test_an_index_outside_is_an_error(tmp_path: Path, images: np.ndarray, index: int) -> None:
    with pytest.raises(IndexError, match="0 to 49"):
        write(tmp_path / "train.npy", images).read(np.array([3, index]))


def test_the_file_is_not_mapped_into_memory(tmp_path: Path, images: np.ndarray) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("the system shows no memory maps of a process")
    path = tmp_path / "train.npy"
    array = write(path, images)
    array.read(np.arange(50))
    assert str(path) not in maps.read_text()
    mapped = np.load(path, mmap_mode="r")
    assert str(path) in maps.read_text()
    del mapped


def test_another_process_gets_a_reader_of_its_own(tmp_path: Path, images: np.ndarray) -> None:
    array = write(tmp_path / "train.npy", images)
    copy = pickle.loads(pickle.dumps(array))
    del array
    np.testing.assert_array_equal(copy.read(np.array([5])), images[[5]])


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path, images: np.ndarray) -> None:
    with pytest.raises(RuntimeError), ImageArrayWriter(tmp_path / "train.npy", (8, 8, 3)) as writer:
        writer.append(images)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, images: np.ndarray) -> None:
    path = tmp_path / "train.npy"
    write(path, images)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TaskshareError, match="does not fit its header"):
        ImageArray(path)


def test_files_that_hold_no_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskshareError, match="no such file"):
        ImageArray(tmp_path / "missing.npy")
    np.save(tmp_path / "floats.npy", np.zeros((2, 8, 8, 3)))
    with pytest.raises(TaskshareError, match="holds no images"):
        ImageArray(tmp_path / "floats.npy")
    (tmp_path / "text.npy").write_text("not an array")
    with pytest.raises(TaskshareError, match="not a NumPy array"):
        ImageArray(tmp_path / "text.npy")

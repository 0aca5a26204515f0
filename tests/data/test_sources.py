import os
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from taskshare import config
from taskshare.data import official
from taskshare.data.catalogue import LANDMARK_COLUMNS, BadImageError
from taskshare.data.official import OfficialFile
from taskshare.data.sources import open_source
from taskshare.errors import TaskshareError

FACES = config.Dataset(layout="attributes", labels=["Smiling", "Bald"], variants={})
OBJECTS = config.Dataset(layout="classes", labels=["cat", "dog"], variants={}, validation_fraction=0.25)

NAMES = [f"{number:06d}.jpg" for number in range(1, 7)]
SMILING = [1, 0, 1, 0, 0, 1]
BALD = [0, 0, 1, 1, 0, 0]


def image(number: int) -> np.ndarray:
    """A flat RGB image whose colour tells its number."""
    return np.full((12, 10, 3), (200, 40 * number % 256, 0), np.uint8)


def write_image(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image(number), cv2.COLOR_RGB2BGR))


def write_faces(folder: Path) -> Path:
    """Six faces in CelebA's layout, each file's rows in another order."""
    for number, name in enumerate(NAMES):
        write_image(folder / "img_align_celeba" / name, number)
    rows = [f"{name} {2 * a - 1:2d} {2 * b - 1:2d}" for name, a, b in zip(NAMES, SMILING, BALD, strict=True)]
    points = [f"{name}  " + "  ".join(str(number + i) for i in range(10)) for number, name in enumerate(NAMES)]
    (folder / "list_attr_celeba.txt").write_text("\n".join(["6", "Smiling Bald ", *rows]) + "\n")
    (folder / "list_landmarks_align_celeba.txt").write_text(
        "\n".join(["6", " ".join(LANDMARK_COLUMNS), *points[::-1]]) + "\n"
    )
    partition = [f"{name} {split}" for name, split in zip(NAMES, [0, 0, 0, 1, 2, 2], strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(partition[3:] + partition[:3]) + "\n")
    (folder / "identity_CelebA.txt").write_text("".join(f"{name} {i // 2}\n" for i, name in enumerate(NAMES)))
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return write_faces(tmp_path / "celeba")


def refusal(folder: Path, dataset: config.Dataset = FACES) -> str:
    """The one line with which a source is refused."""
    with pytest.raises(TaskshareError) as caught, open_source("faces", dataset, folder):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rows_are_joined_by_file_name_not_by_order(faces: Path) -> None:
    with open_source("faces", FACES, faces) as catalogue:
        table = catalogue.table
        assert list(table["id"]) == NAMES
        assert list(table["Smiling"]) == SMILING
        assert list(table["Bald"]) == BALD
        assert list(table["lefteye_x"]) == [0, 1, 2, 3, 4, 5]
        assert list(table["rightmouth_y"]) == [9, 10, 11, 12, 13, 14]
        assert list(table["identity"]) == [0, 0, 1, 1, 2, 2]
        assert list(table["split"]) == ["train", "train", "train", "validation", "test", "test"]
        assert {str(table[name].dtype) for name in FACES.labels} == {"int8"}
        assert {str(table[name].dtype) for name in LANDMARK_COLUMNS} == {"float32"}
        assert str(table["identity"].dtype) == "int32"
        assert catalogue.bad == []
        assert not catalogue.official
        assert not catalogue.synthetic


def test_columns_follow_the_configuration_whatever_their_order_in_the_file(faces: Path) -> None:
    swapped = FACES.model_copy(update={"labels": ["Bald", "Smiling"]})
    with open_source("faces", swapped, faces) as catalogue:
        assert list(catalogue.table.columns[2:4]) == ["Bald", "Smiling"]
        assert list(catalogue.table["Bald"]) == BALD


def test_images_are_rgb_and_the_loader_can_be_sent_to_another_process(faces: Path) -> None:
    with open_source("faces", FACES, faces) as catalogue:
        load = pickle.loads(pickle.dumps(catalogue.load))
        loaded = load("000003.jpg")
        assert loaded.shape == (12, 10, 3)
        assert loaded.dtype == np.uint8
        assert np.abs(loaded.astype(int) - image(2)).max() <= 4


@pytest.mark.parametrize("form", [".tar.xz", ".tar", ".zip"])
@pytest.mark.parametrize("below", [True, False], ids=["folder-inside", "files-at-root"])
def test_an_archive_reads_like_the_folder_in_it(faces: Path, tmp_path: Path, form: str, below: bool) -> None:
    kind = {".tar.xz": "xztar", ".tar": "tar", ".zip": "zip"}[form]
    base = {"root_dir": faces.parent, "base_dir": "celeba"} if below else {"root_dir": faces}
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), kind, **base))
    with open_source("faces", FACES, archive) as catalogue:
        assert list(catalogue.table["id"]) == NAMES
        assert catalogue.load("000006.jpg").shape == (12, 10, 3)
        assert catalogue.files[archive.name]["bytes"] == archive.stat().st_size
        assert len(catalogue.files["list_attr_celeba.txt"]["sha256"]) == 64


def test_images_may_still_lie_in_the_official_zip(faces: Path) -> None:
    shutil.make_archive(str(faces / "img_align_celeba"), "zip", faces, "img_align_celeba")
    shutil.rmtree(faces / "img_align_celeba")
    with open_source("faces", FACES, faces) as catalogue:
        assert len(catalogue.table) == 6
        assert catalogue.load("000001.jpg").shape == (12, 10, 3)
        assert "img_align_celeba.zip" in catalogue.files


def test_files_with_the_official_checksums_are_official(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.make_archive(str(faces / "img_align_celeba"), "zip", faces, "img_align_celeba")
    published = [OfficialFile(name, "", official.md5(faces / name)) for name in official.CELEBA_FILES]
    monkeypatch.setattr(official, "official_files", lambda name: published)
    with open_source("faces", FACES, faces) as catalogue:
        assert catalogue.official

    for name, place in zip(official.CELEBA_FILES, ["Img", "Anno", "Anno", "Eval", "Anno"], strict=True):
        (faces / place).mkdir(exist_ok=True)
        (faces / name).rename(faces / place / name)  # as the official distribution has them
    with open_source("faces", FACES, faces) as catalogue:
        assert catalogue.official

    write_image(faces / "img_align_celeba" / NAMES[0], 9)  # one picture differs from the zip's
    with open_source("faces", FACES, faces) as catalogue:
        assert not catalogue.official


def test_a_source_can_declare_itself_synthetic(faces: Path) -> None:
    (faces / "SYNTHETIC.txt").write_text("drawn\n")
    with open_source("faces", FACES, faces) as catalogue:
        assert catalogue.synthetic


def test_windows_line_ends_blank_lines_and_zero_one_labels_are_fine(faces: Path) -> None:
    for path in faces.glob("*.txt"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    labels = faces / "list_attr_celeba.txt"
    labels.write_bytes(labels.read_bytes().replace(b"-1", b" 0"))
    with open_source("faces", FACES, faces) as catalogue:
        assert list(catalogue.table["Smiling"]) == SMILING


def test_identities_are_optional(faces: Path) -> None:
    edit(faces / "identity_CelebA.txt", "000002.jpg 0\n", "")
    with open_source("faces", FACES, faces) as catalogue:
        assert list(catalogue.table["identity"]) == [0, -1, 1, 1, 2, 2]
    (faces / "identity_CelebA.txt").unlink()
    with open_source("faces", FACES, faces) as catalogue:
        assert set(catalogue.table["identity"]) == {-1}


def test_what_cannot_be_joined_is_listed_with_the_reason(faces: Path) -> None:
    (faces / "img_align_celeba/000001.jpg").unlink()
    edit(faces / "list_attr_celeba.txt", "6\n", "5\n")
    edit(faces / "list_attr_celeba.txt", "000002.jpg -1 -1\n", "")
    edit(faces / "list_eval_partition.txt", "000003.jpg 0\n", "")
    edit(faces / "list_landmarks_align_celeba.txt", "000004.jpg", "000005.jpg")
    with open_source("faces", FACES, faces) as catalogue:
        assert list(catalogue.table["id"]) == ["000006.jpg"]
        assert catalogue.bad == [
            ("000001.jpg", "no image in img_align_celeba"),
            ("000002.jpg", "no row in list_attr_celeba.txt"),
            ("000003.jpg", "no row in list_eval_partition.txt"),
            ("000004.jpg", "no row in list_landmarks_align_celeba.txt"),
            ("000005.jpg", "listed more than once in list_landmarks_align_celeba.txt"),
        ]


def test_a_source_without_a_usable_image_is_refused(faces: Path) -> None:
    shutil.rmtree(faces / "img_align_celeba")
    (faces / "img_align_celeba").mkdir()
    assert "holds no usable image; the first: 000001.jpg: no image in img_align_celeba" in refusal(faces)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("list_attr_celeba.txt", "Smiling", "Smilling", "line 2: .*unknown: Smilling; missing: Smiling"),
        ("list_attr_celeba.txt", "Smiling Bald", "Smiling Bald Bald", "line 2: .*twice: Bald"),
        ("list_attr_celeba.txt", "6\n", "7\n", "line 1: says 7 images, but 6 rows"),
        ("list_attr_celeba.txt", "6\n", "<!DOCTYPE html>\n", "line 1: not the number of images"),
        ("list_attr_celeba.txt", "000001.jpg  1", "000001.jpg", r"line 3 \(000001.jpg\): 1 values, but 2 columns"),
        ("list_attr_celeba.txt", "000003.jpg  1", "000003.jpg", r"line 5 \(000003.jpg\): 1 values, but 2 columns"),
        ("list_attr_celeba.txt", "000004.jpg", "000004.jpg 1", r"line 6 \(000004.jpg\): 3 values, but 2 columns"),
        ("list_attr_celeba.txt", "000003.jpg  1", "000003.jpg 5", r"line 5 \(000003.jpg\): Smiling is '5', not one of"),
        ("list_attr_celeba.txt", "000003.jpg  1", "000003.jpg x", r"line 5 \(000003.jpg\): Smiling is 'x', not one of"),
        ("list_attr_celeba.txt", "000003.jpg  1", "000003.jpg 0", r"000003.jpg: the value 0 in a file of -1 and 1"),
        ("list_landmarks_align_celeba.txt", "000005.jpg  4", "000005.jpg  nan", r"line 4 \(000005.jpg\): lefteye_x is"),
        ("list_landmarks_align_celeba.txt", "nose_x", "chin_x", "unknown: chin_x; missing: nose_x"),
        ("list_eval_partition.txt", "000005.jpg 2", "000005.jpg 3", r"line 2 \(000005.jpg\): partition is '3'"),
        ("identity_CelebA.txt", "000002.jpg 0", "000002.jpg", r"line 2 \(000002.jpg\): 0 values, but 1 columns"),
    ],
)
def test_a_wrong_label_file_is_refused_with_its_line(faces: Path, file: str, old: str, new: str, message: str) -> None:
    edit(faces / file, old, new)
    with pytest.raises(TaskshareError, match=rf"^{file}.*{message}"), open_source("faces", FACES, faces):
        pass


def test_missing_files_are_named(faces: Path) -> None:
    (faces / "list_eval_partition.txt").unlink()
    assert refusal(faces).startswith("list_eval_partition.txt: no such file in the source")
    shutil.rmtree(faces / "img_align_celeba")
    assert "neither img_align_celeba/ nor img_align_celeba.zip" in refusal(faces)
    (faces / "list_attr_celeba.txt").unlink()
    assert "no list_attr_celeba.txt in the source" in refusal(faces)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda whole: whole[:-40], "truncated"),
        (lambda whole: b"", "not an image of a format that is read"),
        (lambda whole: b"<html>quota</html>", "not an image of a format that is read"),
        (lambda whole: whole[:2] + bytes(100) + whole[-2:], "cannot be decoded"),
    ],
)
def test_a_broken_image_is_reported_with_its_id(faces: Path, content: Any, reason: str) -> None:
    path = faces / "img_align_celeba/000002.jpg"
    path.write_bytes(content(path.read_bytes()))
    with open_source("faces", FACES, faces) as catalogue:
        with pytest.raises(BadImageError, match=rf"^000002\.jpg: {reason}") as caught:
            catalogue.load("000002.jpg")
        again = pickle.loads(pickle.dumps(caught.value))  # as a worker process sends it
        assert (again.id, again.reason) == (caught.value.id, caught.value.reason)


def test_a_truncated_png_is_no_image(tmp_path: Path) -> None:
    folder = write_classes(tmp_path)
    path = folder / "test/cat/0.png"
    path.write_bytes(path.read_bytes()[:-20])
    with open_source("objects", OBJECTS, folder) as catalogue, pytest.raises(BadImageError, match="truncated"):
        catalogue.load("test/cat/0.png")


def write_classes(folder: Path) -> Path:
    for label in ("cat", "dog"):
        for number in range(8):
            write_image(folder / f"train/{label}/{number}.jpg", number)
        write_image(folder / f"test/{label}/0.png", 0)
    return folder


def test_class_folders(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "objects")
    (folder / "train/.cache").mkdir()
    (folder / "train/cat/notes.txt").write_text("no image")
    with open_source("objects", OBJECTS, tmp_path) as catalogue:
        table = catalogue.table
        assert list(table["id"][:2]) == ["test/cat/0.png", "test/dog/0.png"]
        assert list(table["id"]) == sorted(table["id"])
        assert str(table["class"].dtype) == "int8"
        assert (table["class"] == table["id"].str.contains("/dog/")).all()
        assert catalogue.load("test/dog/0.png").tolist() == image(0).tolist()
        # A quarter of each class's eight training images.
        assert table.groupby(["split", "class"]).size().to_dict() == {
            ("test", 0): 1,
            ("test", 1): 1,
            ("train", 0): 6,
            ("train", 1): 6,
            ("validation", 0): 2,
            ("validation", 1): 2,
        }
    with open_source("objects", OBJECTS, folder) as again:
        assert again.table.equals(table)


def test_class_folders_must_be_those_of_the_configuration(tmp_path: Path) -> None:
    folder = write_classes(tmp_path)
    (folder / "test/dog").rename(folder / "test/wolf")
    assert "test: the classes are not those of the configuration; unknown: wolf; missing: dog" in refusal(
        folder, OBJECTS
    )


def batch_of_python2(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch in the very form of the official files: protocol 2 as Python 2 and an early NumPy wrote it."""

    def text(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    def number(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    dtype = b"cnumpy\ndtype\n(" + text(b"u1") + number(0) + number(1) + b"tR"
    dtype += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    shape = b"(" + number(images.shape[0]) + number(images.shape[1]) + b"t"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + number(0) + b"t" + text(b"b") + b"tR"
    array += b"(" + number(1) + shape + dtype + b"\x89" + text(images.tobytes()) + b"tb"
    classes = b"](" + b"".join(number(label) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + classes + b"u."


def write_batches(folder: Path, protocol: int | None = None) -> np.ndarray:
    """Six batches of four images, as Python 2 wrote them or in a protocol of today's; returns the images."""
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 3, 32, 32), dtype=np.uint8)
    for name, batch in zip([f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"], images, strict=True):
        rows, labels = batch.reshape(4, -1), [0, 1, 1, 0]
        old = batch_of_python2(rows, labels)
        new = pickle.dumps({"data": rows, "labels": labels}, protocol or 2)
        (folder / name).write_bytes(old if protocol is None else new)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["dog", "cat"]}, 2))
    return images


@pytest.mark.parametrize("protocol", [None, 2, 4], ids=["python2", "protocol2", "protocol4"])
def test_official_batches(tmp_path: Path, protocol: int | None) -> None:
    images = write_batches(tmp_path / "cifar-10-batches-py", protocol)
    with open_source("objects", OBJECTS, tmp_path) as catalogue:
        table = catalogue.table.set_index("id")
        assert len(table) == 24
        assert table["split"].value_counts().to_dict() == {"train": 16, "validation": 4, "test": 4}
        assert set(table.loc[table.index.str.startswith("test_batch/"), "split"]) == {"test"}
        # The file numbers dog 0 and cat 1, the configuration the other way round.
        assert list(table.loc[[f"data_batch_2/{row}" for row in range(4)], "class"]) == [1, 0, 0, 1]
        load = pickle.loads(pickle.dumps(catalogue.load))
        assert (load("data_batch_3/2") == images[2, 2].transpose(1, 2, 0)).all()
        assert (load("test_batch/3") == images[5, 3].transpose(1, 2, 0)).all()
        assert "data_batch_1" in catalogue.files
        assert not catalogue.official


def test_the_batches_may_lie_in_the_official_archive_in_a_folder(tmp_path: Path) -> None:
    write_batches(tmp_path / "cifar-10-batches-py")
    (tmp_path / "downloaded").mkdir()
    with tarfile.open(tmp_path / "downloaded/cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py")
    with open_source("objects", OBJECTS, tmp_path / "downloaded") as catalogue:
        assert len(catalogue.table) == 24
        assert "cifar-10-python.tar.gz" in catalogue.files


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_code_in_a_batch_is_refused_and_never_run(tmp_path: Path) -> None:
    folder = tmp_path / "cifar"
    write_batches(folder)
    (folder / "data_batch_2").write_bytes(pickle.dumps({"data": Malicious(tmp_path / "evil"), "labels": []}))
    assert refusal(folder, OBJECTS).startswith(f"data_batch_2: asks for the code {os.name}.mkdir, so it is not read")
    assert not (tmp_path / "evil").exists()


def test_damaged_batches_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "cifar"
    write_batches(folder)
    whole = (folder / "data_batch_2").read_bytes()
    (folder / "data_batch_2").write_bytes(whole[:500])
    assert refusal(folder, OBJECTS).startswith("data_batch_2: not a whole batch")
    (folder / "data_batch_2").write_bytes(pickle.dumps({"data": np.zeros((4, 10), np.uint8), "labels": [0] * 4}))
    assert refusal(folder, OBJECTS).startswith("data_batch_2: 'data' is not a uint8 array")
    (folder / "data_batch_2").write_bytes(pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 7]}))
    assert refusal(folder, OBJECTS).startswith("data_batch_2: 'labels' are not 2 classes")
    (folder / "data_batch_2").unlink()
    assert "missing: data_batch_2" in refusal(folder, OBJECTS)


def test_a_folder_without_classes_or_batches_is_refused(tmp_path: Path) -> None:
    assert "neither batches.meta nor train/CLASS" in refusal(tmp_path, OBJECTS)


@pytest.mark.slow
@pytest.mark.skipif("TASKSHARE_REAL_DATA" not in os.environ, reason="TASKSHARE_REAL_DATA names no folder of archives")
@pytest.mark.parametrize(
    ("name", "archive", "counts"),
    [
        ("celeba", "celeba-10k.tar.xz", {"train": 7500, "validation": 500, "test": 2000}),
        ("cifar10", "cifar10.tar.xz", {"train": 45_000, "validation": 5_000, "test": 10_000}),
    ],
)
def test_real_data(name: str, archive: str, counts: dict[str, int]) -> None:
    dataset = config.load(Path(__file__).parents[2] / "params.yaml").datasets[name]
    with open_source(name, dataset, Path(os.environ["TASKSHARE_REAL_DATA"]) / archive) as catalogue:
        assert catalogue.table["split"].value_counts().to_dict() == counts
        assert catalogue.bad == []
        assert not catalogue.official
        assert not catalogue.synthetic
        for id in catalogue.table["id"][::500]:
            assert catalogue.load(id).ndim == 3

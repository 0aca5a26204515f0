"""Sources as other people have them: other image formats, other folders, label files that were repackaged."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from taskshare import config
from taskshare.data import prepare as preparation
from taskshare.data.attributes_layout import locate_images
from taskshare.data.sources import open_source
from taskshare.errors import TaskshareError

from .test_sources import BALD, FACES, NAMES, OBJECTS, SMILING, image, refusal, write_faces, write_image

SUFFIXES = [".jpg", ".jpeg", ".jpe", ".JPG", ".png", ".webp", ".bmp", ".tif", ".tiff"]


def write_objects(folder: Path, splits: tuple[str, ...] = ("train", "test"), count: int = 8) -> Path:
    for split in splits:
        for label in ("cat", "dog"):
            for number in range(count):
                write_image(folder / split / label / f"{number}.png", number)
    return folder


def read(folder: Path, dataset: config.Dataset = OBJECTS):
    with open_source("objects", dataset, folder) as catalogue:
        return catalogue


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_common_image_format_is_read(suffix: str, tmp_path: Path) -> None:
    folder = write_objects(tmp_path)
    write_image(folder / "train" / "cat" / f"other{suffix}", 3)
    catalogue = read(folder)
    assert f"train/cat/other{suffix}" in set(catalogue.table["id"])
    assert catalogue.bad == []
    assert np.abs(catalogue.load(f"train/cat/other{suffix}").astype(int) - image(3)).max() < 12


@pytest.mark.parametrize("suffix", [".webp", ".bmp"])
def test_a_truncated_image_of_another_format_is_refused(suffix: str, tmp_path: Path) -> None:
    folder = write_objects(tmp_path)
    path = folder / "train" / "cat" / f"0{suffix}"
    write_image(path, 3)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(Exception, match="truncated"):
        read(folder).load(f"train/cat/0{suffix}")


def test_images_in_subfolders_of_a_class_are_read(tmp_path: Path) -> None:
    folder = write_objects(tmp_path)
    write_image(folder / "train" / "cat" / "black" / "0.png", 5)
    assert "train/cat/black/0.png" in set(read(folder).table["id"])


@pytest.mark.parametrize("name", ["validation", "valid", "val", "Val"])
def test_own_validation_images_are_taken_and_none_is_held_out(name: str, tmp_path: Path) -> None:
    catalogue = read(write_objects(tmp_path, ("train", name, "test")))
    counts = catalogue.table["split"].value_counts()
    assert counts.to_dict() == {"train": 16, "validation": 16, "test": 16}
    assert catalogue.bad == []


def test_without_test_images_some_of_the_training_images_are_held_out(tmp_path: Path) -> None:
    counts = read(write_objects(tmp_path, ("train",))).table["split"].value_counts()
    assert counts.to_dict() == {"train": 8, "validation": 4, "test": 4}, "a quarter of each class, twice"


def test_what_is_not_read_is_named_and_stops_the_run(tmp_path: Path) -> None:
    folder = write_objects(tmp_path / "objects", count=4)
    for name in ("train/cat/clip.mp4", "train/cat/.DS_Store", "train/dog/Thumbs.db", "train/notes.txt"):
        (folder / name).write_text("x")
    write_image(folder / "extra" / "0.png", 1)
    assert [id for id, _ in read(folder).bad] == ["extra", "train/notes.txt", "train/cat/clip.mp4"]
    variant = config.Variant(size=8)
    with pytest.raises(TaskshareError, match=r"image extra: not in a folder of a split .*on_bad_image: skip"):
        preparation.prepare("objects", OBJECTS, folder, "path", variant, tmp_path / "out", "stop", 1)
    preparation.prepare("objects", OBJECTS, folder, "path", variant, tmp_path / "out", "skip", 1)
    assert '"train/notes.txt"' in (tmp_path / "out" / "facts.json").read_text()


def test_the_only_image_of_a_class_is_not_taken_from_training(tmp_path: Path) -> None:
    folder = write_objects(tmp_path)
    for number in range(1, 8):
        (folder / "train" / "dog" / f"{number}.png").unlink()
    message = refusal(folder, OBJECTS.model_copy(update={"validation_fraction": 0.6}))
    assert message.startswith("train/dog/0.png: of the 1 training images of its class, a share of 0.6 cannot be held")


def turned(path: Path) -> None:
    """A JPEG with the orientation tag of a phone that was held upright: a quarter turn to the right."""
    content = path.read_bytes()
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    path.write_bytes(content[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + content[2:])


def test_a_phones_orientation_is_applied_where_no_landmarks_refer_to_stored_pixels(tmp_path: Path) -> None:
    folder = write_objects(tmp_path / "objects")
    write_image(folder / "train" / "cat" / "phone.jpg", 1)  # 12 high, 10 wide
    turned(folder / "train" / "cat" / "phone.jpg")
    assert read(folder).load("train/cat/phone.jpg").shape == (10, 12, 3)
    faces = write_faces(tmp_path / "faces")
    turned(faces / "img_align_celeba" / NAMES[0])
    assert read(faces, FACES).load(NAMES[0]).shape == (12, 10, 3)


def test_kaggles_cifar10_has_its_labels_in_a_list(tmp_path: Path) -> None:
    rows = ["id,label"]
    for number in range(1, 17):
        write_image(tmp_path / "train" / f"{number}.png", number)
        rows.append(f"{number},{'cat' if number % 2 else 'dog'}")
    (tmp_path / "trainLabels.csv").write_text("\n".join(rows))
    write_image(tmp_path / "test" / "1.png", 1)  # without a label
    table = read(tmp_path).table
    assert table["split"].value_counts().to_dict() == {"train": 8, "validation": 4, "test": 4}
    assert table.set_index("id")["class"][["train/1.png", "train/2.png"]].tolist() == [0, 1]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return write_faces(tmp_path / "celeba")


def labels_of(folder: Path) -> list[list[int]]:
    table = read(folder, FACES).table
    assert list(table["id"].str.partition(".")[0]) == [name.partition(".")[0] for name in NAMES]
    assert table["split"].tolist() == ["train"] * 3 + ["validation"] + ["test"] * 2
    return [table[label].tolist() for label in FACES.labels]


def as_csv(path: Path, header: list[str], separator: str = ",", skip: int = 0, none: str = "-1") -> None:
    rows = [line.split() for line in path.read_text().splitlines()[skip:]]
    content = [header, *([none if value == "-1" else value for value in row] for row in rows)]
    path.with_suffix(".csv").write_text("\n".join(separator.join(row) for row in content))
    path.unlink()


@pytest.mark.parametrize("none", ["-1", "0"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_kaggles_celeba_has_csv_files_and_a_folder_in_the_images_folder(separator: str, none: str, faces: Path) -> None:
    landmarks = (faces / "list_landmarks_align_celeba.txt").read_text().splitlines()[1].split()
    as_csv(faces / "list_attr_celeba.txt", ["image_id", "Smiling", "Bald"], separator, 2, none)
    as_csv(faces / "list_landmarks_align_celeba.txt", ["image_id", *landmarks], separator, 2)
    as_csv(faces / "list_eval_partition.txt", ["image_id", "partition"], separator)
    (faces / "img_align_celeba").rename(faces / "inner")
    (faces / "img_align_celeba").mkdir()
    (faces / "inner").rename(faces / "img_align_celeba" / "img_align_celeba")
    assert labels_of(faces) == [SMILING, BALD]


def test_a_wrong_value_in_a_csv_is_told_with_its_line(faces: Path) -> None:
    as_csv(faces / "list_attr_celeba.txt", ["image_id", "Smiling", "Bald"], ",", 2, "no")
    assert (
        refusal(faces) == "list_attr_celeba.csv, line 2 (000001.jpg): Bald is 'no', not one of -1, 0, 1; mend the row"
    )


def test_the_original_distribution_has_three_folders(faces: Path) -> None:
    for place, names in {
        "Anno": ["list_attr_celeba.txt", "list_landmarks_align_celeba.txt", "identity_CelebA.txt"],
        "Eval": ["list_eval_partition.txt"],
    }.items():
        (faces / place).mkdir()
        for name in names:
            (faces / name).rename(faces / place / name)
    shutil.make_archive(str(faces / "img_align_celeba"), "zip", faces, "img_align_celeba")
    shutil.rmtree(faces / "img_align_celeba")
    (faces / "Img").mkdir()
    (faces / "img_align_celeba.zip").rename(faces / "Img" / "img_align_celeba.zip")
    assert locate_images(faces) == faces / "Img" / "img_align_celeba.zip"
    assert labels_of(faces) == [SMILING, BALD]


def test_celebas_png_variant_has_labels_for_the_jpeg_files(faces: Path) -> None:
    for name in NAMES:
        path = faces / "img_align_celeba" / name
        cv2.imwrite(str(path.with_suffix(".png")), cv2.imread(str(path)))
        path.unlink()
    (faces / "img_align_celeba").rename(faces / "img_align_celeba_png")
    assert labels_of(faces) == [SMILING, BALD]


@pytest.mark.parametrize(
    "name", ["list_attr_celeba", "list_landmarks_align_celeba", "list_eval_partition", "identity_CelebA"]
)
def test_a_byte_order_mark_is_no_part_of_a_label_file(name: str, faces: Path) -> None:
    path = faces / f"{name}.txt"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert labels_of(faces) == [SMILING, BALD]


def test_landmarks_are_needed_only_to_align(faces: Path, tmp_path: Path) -> None:
    (faces / "list_landmarks_align_celeba.txt").unlink()
    assert labels_of(faces) == [SMILING, BALD]
    with pytest.raises(TaskshareError, match=r"no landmarks in .* to align by; add their file, or set align: false"):
        preparation.prepare("f", FACES, faces, "path", config.Variant(size=8, align=True), tmp_path / "o", "stop", 1)
    preparation.prepare("f", FACES, faces, "path", config.Variant(size=8), tmp_path / "o", "stop", 1)


PAGE = Path(__file__).parents[2] / "docs" / "reading-data.md"


def documented() -> list[list[str]]:
    """The layout and the files of each row of the table."""
    cells = [line.split("|")[1:3] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[layout.strip(), *files.strip(" `").split("` `")] for layout, files in cells[1:]]


@pytest.mark.parametrize("row", documented(), ids=" ".join)
def test_every_layout_of_the_page_is_read(row: list[str], tmp_path: Path) -> None:
    layout, *files = row
    folder = tmp_path / "source"
    whole = write_faces(tmp_path / "whole") if layout == "attributes" else None
    for file in files:
        path = folder / file
        if whole is None:
            write_documented_classes(folder, file)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip":
            shutil.make_archive(str(path.with_suffix("")), "zip", whole, "img_align_celeba")
        elif path.stem == "*":
            for name in NAMES:
                picture = cv2.imread(str(whole / "img_align_celeba" / name))
                cv2.imwrite(str(path.parent / Path(name).with_suffix(path.suffix)), picture)
        else:
            shutil.copy(whole / Path(file).with_suffix(".txt").name, path.with_suffix(".txt"))
            if path.suffix == ".csv":
                points = (whole / "list_landmarks_align_celeba.txt").read_text().splitlines()[1].split()
                names = {"attr": ["Smiling", "Bald"], "landmarks": points, "eval": ["partition"]}
                kind = path.name.split("_")[1]
                as_csv(path.with_suffix(".txt"), ["image_id", *names[kind]], skip=0 if kind == "eval" else 2)
    if layout == "attributes":
        assert labels_of(folder) == [SMILING, BALD]
        return
    catalogue = read(folder)
    assert catalogue.bad == []
    assert len(catalogue.table) == sum(1 for path in folder.rglob("*") if path.is_file() and path.suffix != ".csv")
    assert set(catalogue.table["split"]) == {"train", "validation", "test"}


def write_documented_classes(folder: Path, file: str) -> None:
    """Files of a row: eight images of each class, or a list of them."""
    if file == "trainLabels.csv":
        folder.mkdir()
        rows = [f"{number},{'cat' if number % 2 else 'dog'}" for number in range(16)]
        (folder / file).write_text("\n".join(["id,label", *rows]))
    for number in range(16) if "*" in file else ():
        write_image(folder / file.replace("CLASS", "cat" if number % 2 else "dog").replace("*", str(number)), number)


def test_the_page_names_every_layout() -> None:
    assert len(documented()) == 10

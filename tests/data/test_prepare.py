import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from taskshare.cli import app
from taskshare.config import Dataset, Variant
from taskshare.data import align, prepare
from taskshare.data.catalogue import LANDMARK_COLUMNS
from taskshare.data.contact_sheet import draw_contact_sheet
from taskshare.errors import TaskshareError

GREY = Variant(size=16, colour="grey", align=True, equalise=True)
PLAIN = Variant(size=16, colour="rgb")
FACES = Dataset(layout="attributes", labels=["Bright", "Odd"], variants={"grey": GREY})
CLASSES = Dataset(layout="classes", labels=["cat", "dog"], variants={"rgb": PLAIN})
COUNT = 30


def brightness(number: int) -> int:
    return 8 * number


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """CelebA's layout: image N is plain with brightness 8 N; each file lists the images in an order of its own."""
    folder = tmp_path / "faces"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = {number: f"{number:06d}.jpg" for number in range(1, COUNT + 1)}
    for number, name in names.items():
        image = np.full((54, 44, 3), brightness(number), np.uint8)
        cv2.imwrite(str(folder / "img_align_celeba" / name), image)

    def write(file: str, header: Sequence[str], rows: dict[int, str]) -> None:
        order = np.random.default_rng(len(file)).permutation(list(rows))
        lines = [*header, *(f"{names[number]} {rows[number]}" for number in order.tolist())]
        (folder / file).write_text("\n".join(lines) + "\n")

    def sign(true: bool) -> int:
        return 1 if true else -1

    def points(number: int) -> str:
        return " ".join(f"{value:.2f}" for value in (align.TEMPLATE * 30 + (number / 10, 12)).ravel())

    write(
        "list_attr_celeba.txt",
        [str(COUNT), "Bright Odd"],
        {n: f"{sign(brightness(n) > 120)} {sign(n % 2 == 1)}" for n in names},
    )
    write("list_landmarks_align_celeba.txt", [str(COUNT), " ".join(LANDMARK_COLUMNS)], {n: points(n) for n in names})
    write("list_eval_partition.txt", [], {n: str({8: 1, 9: 2}.get(n % 10, 0)) for n in names})
    return folder


def run(
    source: Path, out: Path, dataset: Dataset = FACES, variant: Variant = PLAIN, skip: bool = False, workers: int = 1
) -> dict[str, Any]:
    prepare.prepare("faces", dataset, source, "path", variant, out, "skip" if skip else "stop", workers)
    return json.loads((out / "facts.json").read_text())


def test_images_and_labels_are_joined_by_name(faces: Path, tmp_path: Path) -> None:
    facts = run(faces, tmp_path / "out")
    assert facts["counts"] == {"train": 24, "validation": 3, "test": 3}
    for split, count in facts["counts"].items():
        images = np.load(tmp_path / "out" / f"{split}.npy")
        table = pd.read_parquet(tmp_path / "out" / f"{split}.parquet")
        numbers = table["id"].str[:6].astype(int).to_numpy()
        assert images.shape == (count, 16, 16, 3)
        assert (np.diff(numbers) > 0).all()
        np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), brightness(numbers), atol=2)
        assert table["Bright"].tolist() == (brightness(numbers) > 120).astype(int).tolist()
        assert table["Odd"].tolist() == (numbers % 2).tolist()
        assert facts["positives"][split] == {name: int(table[name].sum()) for name in FACES.labels}


def test_the_table_holds_landmarks_in_original_and_prepared_pixels(faces: Path, tmp_path: Path) -> None:
    run(faces, tmp_path / "out", variant=GREY)
    table = pd.read_parquet(tmp_path / "out" / "train.parquet")
    prepared = table[list(prepare.PREPARED_LANDMARKS)].to_numpy().reshape(-1, 5, 2)
    np.testing.assert_allclose(prepared, np.broadcast_to(align.TEMPLATE * 16 - 0.5, prepared.shape), atol=0.01)
    original = table[list(LANDMARK_COLUMNS)].to_numpy().reshape(-1, 5, 2)
    numbers = table["id"].str[:6].astype(int).to_numpy()
    np.testing.assert_allclose(original[:, 0, 0], 30 * align.TEMPLATE[0, 0] + numbers / 10, atol=0.01)
    assert "split" not in table.columns


def test_the_bytes_do_not_depend_on_the_number_of_workers(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "_IMAGES_PER_PROCESS", 10)
    monkeypatch.setattr(prepare, "_CHUNK", 4)
    (faces / "img_align_celeba" / "000011.jpg").write_bytes(b"no image")
    for workers in (1, 2):
        run(faces, tmp_path / str(workers), variant=GREY, skip=True, workers=workers)
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert len(names) == 7
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_the_preparation_stops_at_a_broken_image(faces: Path, tmp_path: Path) -> None:
    (faces / "img_align_celeba" / "000011.jpg").write_bytes(b"no image")
    with pytest.raises(TaskshareError, match=r"image 000011\.jpg: .*; .*data\.on_bad_image: skip"):
        run(faces, tmp_path / "out")
    assert not (tmp_path / "out" / "facts.json").exists()


def test_the_preparation_stops_at_a_missing_image(faces: Path, tmp_path: Path) -> None:
    (faces / "img_align_celeba" / "000011.jpg").unlink()
    with pytest.raises(TaskshareError, match=r"image 000011\.jpg: no image"):
        run(faces, tmp_path / "out")


def test_bad_images_are_left_out_and_listed(faces: Path, tmp_path: Path) -> None:
    (faces / "img_align_celeba" / "000011.jpg").write_bytes(b"no image")
    (faces / "img_align_celeba" / "000012.jpg").unlink()
    landmarks = (faces / "list_landmarks_align_celeba.txt").read_text().splitlines()
    landmarks = [f"000013.jpg {'20 ' * 10}" if line.startswith("000013") else line for line in landmarks]
    (faces / "list_landmarks_align_celeba.txt").write_text("\n".join(landmarks) + "\n")

    facts = run(faces, tmp_path / "out", variant=GREY, skip=True)
    left_out = dict(facts["left_out"])
    assert list(left_out) == ["000011.jpg", "000012.jpg", "000013.jpg"]
    assert left_out["000013.jpg"] == "the eyes lie less than a pixel apart"
    assert facts["counts"]["train"] == 21
    table = pd.read_parquet(tmp_path / "out" / "train.parquet")
    assert not set(left_out) & set(table["id"])
    assert len(np.load(tmp_path / "out" / "train.npy")) == len(table) == 21
    assert table.notna().all(axis=None)


def overwrite_pixels(path: Path) -> None:
    """Put an image in a file's place that is damaged in its middle; its beginning and its end are whole."""
    noise = np.random.default_rng(1).integers(0, 256, (54, 44, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(200) + content[middle + 200 :])


def edit_labels(faces: Path, edit: Callable[[str], str]) -> None:
    path = faces / "list_attr_celeba.txt"
    path.write_bytes(edit(path.read_text()).encode())


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated image": (
        lambda faces: os.truncate(faces / "img_align_celeba/000011.jpg", 300),
        r"image 000011\.jpg: truncated",
    ),
    "overwritten image": (
        lambda faces: overwrite_pixels(faces / "img_align_celeba/000011.jpg"),
        r"image 000011\.jpg: cannot be decoded: Corrupt JPEG data",
    ),
    "missing row": (
        lambda faces: edit_labels(faces, lambda text: re.sub(r"000011\.jpg.*\n", "", text).replace("30\n", "29\n", 1)),
        r"image 000011\.jpg: no row in list_attr_celeba\.txt",
    ),
    "missing row that is counted": (
        lambda faces: edit_labels(faces, lambda text: re.sub(r"000011\.jpg.*\n", "", text)),
        r"list_attr_celeba\.txt.* line 1: says 30 images, but 29 rows",
    ),
    "extra column": (
        lambda faces: edit_labels(faces, lambda text: text.replace("Odd", "Odd Hat").replace("1\n", "1 1\n")),
        r"list_attr_celeba\.txt.* line 2: .*unknown: Hat",
    ),
    "extra column without a name": (
        lambda faces: edit_labels(faces, lambda text: text.replace("1\n", "1 1\n")),
        r"list_attr_celeba\.txt.* line 3 .*: 3 values, but 2 columns",
    ),
}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_source_is_one_line_and_leaves_nothing(faces: Path, tmp_path: Path, fault: str, packed: bool) -> None:
    damage, expected = FAULTS[fault]
    damage(faces)
    source = Path(shutil.make_archive(str(tmp_path / "packed"), "xztar", faces)) if packed else faces
    assert re.match(f"taskshare: .*{expected}", refusal(source, tmp_path / "out"))
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("form", ["tar", "gztar", "xztar", "zip"])
def test_a_truncated_archive_is_one_line_and_leaves_nothing(faces: Path, tmp_path: Path, form: str) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), form, faces))
    os.truncate(archive, archive.stat().st_size * 2 // 3)
    line = refusal(archive, tmp_path / "out")
    assert line.startswith(f"taskshare: {archive}: truncated or corrupt archive")
    assert not list(tmp_path.glob("out/*"))


def refusal(source: Path, out: Path) -> str:
    """The one line with which the command line refuses to prepare a source."""
    command = ["prepare", "--name", "faces", "--dataset", FACES.model_dump_json(), "--source", str(source)]
    done = CliRunner().invoke(app, [*command, "--variant", PLAIN.model_dump_json(), "--out", str(out)])
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1, done.stderr or done.exception
    return done.stderr


def test_windows_line_ends_change_no_byte(faces: Path, tmp_path: Path) -> None:
    run(faces, tmp_path / "unix", variant=GREY)
    for path in faces.glob("*.txt"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    run(faces, tmp_path / "windows", variant=GREY)
    for split in ("train", "validation", "test"):
        for kind in ("npy", "parquet"):
            unix, windows = (tmp_path / system / f"{split}.{kind}" for system in ("unix", "windows"))
            assert unix.read_bytes() == windows.read_bytes()


def test_a_split_whose_images_are_all_bad_is_an_error(faces: Path, tmp_path: Path) -> None:
    for number in (9, 19, 29):
        (faces / "img_align_celeba" / f"{number:06d}.jpg").write_bytes(b"no image")
    with pytest.raises(TaskshareError, match="no usable image in the test split"):
        run(faces, tmp_path / "out", skip=True)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    folder = tmp_path / "classes"
    for split, count in (("train", 5), ("test", 2)):
        for label, value in (("cat", 40), ("dog", 200)):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                cv2.imwrite(
                    str(folder / split / label / f"{number}.png"), np.full((16, 16, 3), value + number, np.uint8)
                )
    return folder


def test_classes_without_a_validation_split(classes: Path, tmp_path: Path) -> None:
    facts = run(classes, tmp_path / "out", CLASSES)
    assert facts["counts"] == {"train": 10, "validation": 0, "test": 4}
    assert facts["positives"]["train"] == {"cat": 5, "dog": 5}
    table = pd.read_parquet(tmp_path / "out" / "train.parquet")
    assert list(table.columns) == ["id", "class"]
    images = np.load(tmp_path / "out" / "train.npy")
    assert images[:, 0, 0, 0].tolist() == [40, 41, 42, 43, 44, 200, 201, 202, 203, 204]
    assert np.load(tmp_path / "out" / "validation.npy").shape == (0, 16, 16, 3)
    assert len(pd.read_parquet(tmp_path / "out" / "validation.parquet")) == 0


def test_classes_cannot_be_aligned(classes: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskshareError, match="no landmarks to align by"):
        run(classes, tmp_path / "out", CLASSES, GREY)


def test_the_contact_sheet_shows_positives_left_and_negatives_right(classes: Path, tmp_path: Path) -> None:
    run(classes, tmp_path / "out", CLASSES)
    for name in ("sheet.png", "again.png"):
        draw_contact_sheet(tmp_path / "out", CLASSES.labels, ["cat.dog", "dog.cat"], tmp_path / name)
    assert (tmp_path / "sheet.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[24:]  # without the heading
    (dogs_left, cats_right), (cats_left, dogs_right) = (np.hsplit(row, 2) for row in np.vsplit(sheet, 2))

    def shown(half: np.ndarray) -> set[int]:
        """Which of the images' colours fill at least one image."""
        return {v for v in [*range(40, 45), *range(200, 205)] if (half == v).all(axis=-1).sum() >= 64 * 64}

    assert shown(dogs_left) == shown(dogs_right) == set(range(200, 205))
    assert shown(cats_left) == shown(cats_right) == set(range(40, 45))


def test_real_faces(tmp_path: Path) -> None:
    folder = os.environ.get("TASKSHARE_REAL_DATA")
    if not folder:
        pytest.skip("TASKSHARE_REAL_DATA does not name the folder of the real data's archives")
    source = tmp_path / "celeba"
    (source / "img_align_celeba").mkdir(parents=True)
    with tarfile.open(Path(folder) / "celeba-10k.tar.xz") as archive:
        for member in archive:
            if not member.name.endswith((".txt", "00.jpg", "50.jpg")):
                continue
            name = Path(member.name).relative_to("celeba")
            content = archive.extractfile(member)
            assert content is not None
            (source / name).write_bytes(content.read())
    labels = (source / "list_attr_celeba.txt").read_text().splitlines()[1].split()
    dataset = Dataset(layout="attributes", labels=labels, variants={"grey": GREY})
    facts = run(source, tmp_path / "out", dataset, GREY.model_copy(update={"size": 48}), skip=True)
    images = np.load(tmp_path / "out" / "train.npy")
    assert len(images) == facts["counts"]["train"] > 100
    # Aligned faces have much in common: on the left and right of the mean face lies the same picture.
    mean = images.mean(axis=0)[..., 0]
    assert np.corrcoef(mean.ravel(), mean[:, ::-1].ravel())[0, 1] > 0.9

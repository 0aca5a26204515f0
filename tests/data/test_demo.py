"""The demonstration data: labels like CelebA's, faces that show them, archives in the official layouts."""

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score

from taskshare import seeds
from taskshare.demo import digits, generated_sources
from taskshare.demo.attributes import ATTRIBUTES, CORRELATIONS, POSITIVE_RATES, sample_attributes
from taskshare.demo.canvas import Pose
from taskshare.demo.faces import draw_face
from taskshare.errors import TaskshareError

FANG_TASKS = ("Goatee", "Heavy_Makeup", "High_Cheekbones", "No_Beard", "Sideburns", "Smiling", "Wearing_Lipstick")
FANG_ATTRIBUTES = (*FANG_TASKS, "Bald", "Wearing_Hat", "Mustache", "Young")


def labels_with(*positive: str) -> NDArray[np.bool_]:
    return np.array([name in positive for name in ATTRIBUTES])


@pytest.fixture(scope="module")
def faces() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Grey faces at 32 x 32 and their labels; the rarer value of each attribute is there at least 60 times."""
    pool = sample_attributes(20_000, seeds.generator(3, "labels"))
    columns = [ATTRIBUTES.index(name) for name in FANG_ATTRIBUTES]
    rarer = [np.flatnonzero(pool[:, column] == (pool[:, column].mean() < 0.5))[:60] for column in columns]
    chosen = np.unique(np.concatenate([*rarer, np.arange(350)]))
    pictures = [draw_face(pool[index], int(index) // 5, 3, int(index))[0] for index in chosen]
    grey = [cv2.cvtColor(cv2.resize(x, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY) for x in pictures]
    return np.array(grey), pool[chosen][:, columns]


def test_labels_have_celebas_rates_and_correlations() -> None:
    labels = sample_attributes(100_000, seeds.generator(1, "labels"))
    correlations = np.corrcoef(labels.T.astype(float))
    difference = np.abs(correlations - CORRELATIONS)
    assert np.abs(labels.mean(axis=0) - POSITIVE_RATES).max() < 0.006
    assert difference.mean() < 0.015
    # Attributes that exclude each other are the hardest for a Gaussian copula.
    assert difference.max() < 0.15
    smiling, cheekbones = ATTRIBUTES.index("Smiling"), ATTRIBUTES.index("High_Cheekbones")
    assert correlations[smiling, cheekbones] == pytest.approx(CORRELATIONS[smiling, cheekbones], abs=0.03)


def test_a_face_depends_on_its_arguments_alone() -> None:
    labels = labels_with("Male", "Goatee")
    picture, landmarks = draw_face(labels, 4, 7, 12)
    again, landmarks_again = draw_face(labels, 4, 7, 12)
    other, _ = draw_face(labels, 4, 7, 13)
    assert picture.shape == (218, 178, 3) and picture.dtype == np.uint8
    assert landmarks.shape == (5, 2) and landmarks.dtype == np.float32
    assert np.array_equal(picture, again) and np.array_equal(landmarks, landmarks_again)
    assert not np.array_equal(picture, other)


def test_landmarks_lie_on_what_they_name() -> None:
    darker = []
    for index in range(30):
        picture, landmarks = draw_face(labels_with("Wearing_Lipstick", "Young", "No_Beard"), index, 7, index)
        left_eye, right_eye, nose, left_mouth, right_mouth = landmarks
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        mouth = (left_mouth + right_mouth) / 2
        grey = cv2.blur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (5, 5))
        for feature in (left_eye, right_eye, mouth):
            (x, y), (beside_x, beside_y) = np.rint(feature).astype(int), np.rint((feature + nose) / 2).astype(int)
            darker.append(grey[y, x] < grey[beside_y, beside_x])
    # Pupils and painted lips are darker than the skin towards the nose; a cast shadow may hide it.
    assert np.mean(darker) > 0.85


def test_a_turned_head_moves_the_nose_more_than_the_eyes() -> None:
    straight = Pose(0, 0, 0, 1, (0, 0))
    turned = Pose(20, 0, 0, 1, (0, 0))
    eyes, nose = np.array([(-19.0, 0.0), (19.0, 0.0)]), np.array([(0.0, 23.0)])
    nose_shift = (turned.project(nose, 8) - straight.project(nose, 8))[0, 0]
    eyes_shift = (turned.project(eyes) - straight.project(eyes))[:, 0].mean()
    assert nose_shift > eyes_shift + 2


@pytest.mark.parametrize("position", range(len(FANG_ATTRIBUTES)), ids=FANG_ATTRIBUTES)
def test_no_single_pixel_gives_an_attribute_away(
    faces: tuple[NDArray[np.uint8], NDArray[np.bool_]], position: int
) -> None:
    pictures, labels = faces
    positive = labels[:, position]
    pixels = pictures.reshape(len(pictures), -1)
    # Balanced accuracy of "pixel at most t" for every threshold t and pixel, either way round.
    best = 0.0
    for threshold in range(0, 255, 3):
        dark = pixels <= threshold
        best = max(best, float(np.abs(dark[positive].mean(axis=0) - dark[~positive].mean(axis=0)).max()))
    assert 0.5 + best / 2 < 0.80


def test_whole_pictures_show_the_attributes(faces: tuple[NDArray[np.uint8], NDArray[np.bool_]]) -> None:
    pictures, labels = faces
    down, across = np.gradient(np.array([cv2.equalizeHist(x) for x in pictures]) / 255, axis=(1, 2))
    direction = np.floor((np.arctan2(down, across) / (2 * np.pi) + 0.5) * 8) % 8
    strength = np.hypot(down, across)
    # Histograms of edge directions in cells of 4 x 4 pixels.
    cells = [(strength * (direction == k)).reshape(-1, 8, 4, 8, 4).sum(axis=(2, 4)) for k in range(8)]
    features = np.sqrt(np.stack(cells, axis=-1)).reshape(len(pictures), -1)
    testing = np.arange(len(pictures)) % 3 == 0
    scores = []
    for position in range(len(FANG_TASKS)):
        model = RidgeClassifier(alpha=30, class_weight="balanced").fit(features[~testing], labels[~testing, position])
        scores.append(balanced_accuracy_score(labels[testing, position], model.predict(features[testing])))
    assert np.mean(scores) > 0.70


def test_pictures_of_one_person_share_their_skin() -> None:
    labels = labels_with("Young", "No_Beard")

    def skin(identity: int, index: int) -> NDArray[np.float64]:
        picture, landmarks = draw_face(labels, identity, 7, index)
        x, y = np.rint(landmarks[:3].mean(axis=0)).astype(int)
        colour = picture[y - 3 : y + 4, x - 3 : x + 4].mean(axis=(0, 1))
        # The share of red over blue tells skins apart in any light.
        return np.log(colour[0] / colour[2])

    ratios = np.array([[skin(identity, 20 * identity + copy) for copy in range(6)] for identity in range(12)])
    assert ratios.mean(axis=1).std() > ratios.std(axis=1).mean()


def test_celeba_archive_has_the_official_layout(tmp_path: Path) -> None:
    path = tmp_path / "celeba.tar"
    generated_sources.write_celeba(path, train=24, validation=10, test=6, seed=5, workers=1)
    with tarfile.open(path) as archive:
        content = {entry.name: archive.extractfile(entry).read() for entry in archive}
        entries = archive.getmembers()
    assert list(content) == sorted(content)
    assert all((entry.mtime, entry.uid, entry.gid) == (0, 0, 0) for entry in entries)
    assert sum(name.startswith("celeba/img_align_celeba/") for name in content) == 40
    assert b"SYNTHETIC" in content["celeba/SYNTHETIC.txt"]

    def lines(name: str) -> list[str]:
        return content[f"celeba/{name}.txt"].decode().splitlines()

    attributes, landmarks = lines("list_attr_celeba"), lines("list_landmarks_align_celeba")
    assert attributes[0] == landmarks[0] == "40"
    assert tuple(attributes[1].split()) == ATTRIBUTES
    assert all(set(line.split()[1:]) <= {"1", "-1"} and len(line.split()) == 41 for line in attributes[2:])
    partition = dict(line.split() for line in lines("list_eval_partition"))
    assert partition["000024.jpg"] == "0" and partition["000025.jpg"] == "1" and partition["000040.jpg"] == "2"
    identities = dict(line.split() for line in lines("identity_CelebA"))
    splits_of_person = {(identities[name], split) for name, split in partition.items()}
    assert len(splits_of_person) == len(set(identities.values()))

    # The third picture is the face that its labels and its person give.
    labels = np.array([value == "1" for value in attributes[4].split()[1:]])
    drawn, points = draw_face(labels, int(identities["000003.jpg"]), 5, 2)
    stored = cv2.imdecode(np.frombuffer(content["celeba/img_align_celeba/000003.jpg"], np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(stored[..., ::-1].astype(float) - drawn).mean() < 6
    assert [float(value) for value in landmarks[4].split()[1:]] == pytest.approx(points.ravel(), abs=0.051)


def test_celeba_bytes_depend_on_the_seed_and_not_on_the_workers(tmp_path: Path) -> None:
    def written(name: str, seed: int, workers: int) -> bytes:
        generated_sources.write_celeba(tmp_path / name, train=20, validation=4, test=4, seed=seed, workers=workers)
        return (tmp_path / name).read_bytes()

    alone = written("alone.tar", 5, 1)
    assert written("pair.tar", 5, 2) == alone
    assert written("other.tar", 6, 1) != alone


def test_digits_stand_in_for_cifar10(tmp_path: Path) -> None:
    for name in ("first.tar", "second.tar"):
        generated_sources.write_cifar10(tmp_path / name, seed=5, copies=1)
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
    with tarfile.open(tmp_path / "first.tar") as archive:
        names = archive.getnames()
        png = archive.extractfile("cifar10/train/airplane/0001.png").read()
    assert names == sorted(names)
    assert {name.split("/")[2] for name in names if name.startswith("cifar10/test/")} == set(digits.CLASSES)
    assert sum(name.startswith("cifar10/") and name.endswith(".png") for name in names) == 1797
    assert cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).shape == (32, 32, 3)


def test_no_digit_lies_in_both_splits() -> None:
    splits = digits.split_digits(seed=5)
    for digit in range(10):
        train, test = splits["train"][digit], splits["test"][digit]
        assert len(test) == pytest.approx(0.2 * (len(train) + len(test)), abs=1)
        assert not {x.tobytes() for x in train} & {x.tobytes() for x in test}


def test_counts_below_one_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(TaskshareError, match="validation 0"):
        generated_sources.write_celeba(tmp_path / "celeba.tar", train=5, validation=0, test=5, seed=1)
    with pytest.raises(TaskshareError, match="0 copies"):
        generated_sources.write_cifar10(tmp_path / "cifar10.tar", seed=1, copies=0)
    assert not list(tmp_path.iterdir())

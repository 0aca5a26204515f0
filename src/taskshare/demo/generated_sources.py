"""The demonstration data as archives in the layouts of CelebA and CIFAR-10."""

import io
import itertools
import multiprocessing
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from taskshare import seeds
from taskshare.demo.attributes import ATTRIBUTES, sample_attributes
from taskshare.demo.digits import digit_pictures
from taskshare.demo.faces import draw_face
from taskshare.errors import TaskshareError
from taskshare.files import atomic

JPEG_QUALITY = 92
FACES_PER_IDENTITY = 8
FACES_PER_MESSAGE = 16
LANDMARKS = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
CELEBA_NOTE = (
    "SYNTHETIC: faces drawn by taskshare's procedural generator from sampled labels; no photograph of CelebA.\n"
)
CIFAR10_NOTE = (
    "SYNTHETIC: scikit-learn's digits 0 to 9 drawn in the place of CIFAR-10's ten classes; no picture of it.\n"
)

FaceJob = tuple[NDArray[np.bool_], int, int, int]


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Append a file whose entry depends on its name and content alone."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _encode(picture: NDArray[np.uint8], suffix: str, options: list[int]) -> bytes:
    """Return an RGB picture as the bytes of an image file."""
    return cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def _face_file(job: FaceJob) -> tuple[bytes, NDArray[np.float32]]:
    """Return the JPEG file and the landmarks of one face."""
    labels, identity, seed, index = job
    picture, landmarks = draw_face(labels, identity, seed, index)
    return _encode(picture, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]), landmarks


def _face_files(jobs: Iterable[FaceJob], workers: int) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
    """Yield what `_face_file` returns, in order, drawn by `workers` processes."""
    if workers == 1:
        yield from map(_face_file, jobs)
        return
    # One thread each: the processes share the cores among themselves.
    with multiprocessing.get_context("spawn").Pool(workers, cv2.setNumThreads, (1,)) as pool:
        yield from pool.imap(_face_file, jobs, FACES_PER_MESSAGE)


def _draw_identities(
    labels: NDArray[np.bool_], partition: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return the identity of each face, from 1: none in two splits, and none both Male and not Male."""
    identities = np.zeros(len(labels), dtype=np.int64)
    male = labels[:, ATTRIBUTES.index("Male")]
    first = 1
    for split, is_male in itertools.product(range(3), (False, True)):
        members = np.flatnonzero((partition == split) & (male == is_male))
        people = max(1, len(members) // FACES_PER_IDENTITY)
        identities[members] = first + generator.integers(people, size=len(members))
        first += people
    return identities


def _list_file(names: list[str], rows: Iterable[str], header: str | None = None) -> bytes:
    """Return a list file in CelebA's manner: with a header, the count and the header come first."""
    lines = [f"{name} {row}\n" for name, row in zip(names, rows, strict=True)]
    head = [f"{len(names)}\n", f"{header}\n"] if header else []
    return "".join(head + lines).encode()


def write_celeba(path: Path, train: int, validation: int, test: int, seed: int, workers: int = 2) -> None:
    """Write drawn faces as one tar archive in CelebA's layout.

    The archive holds `celeba/` with `img_align_celeba/000001.jpg` and so on (178 x 218), the lists of attributes,
    landmarks (one decimal where CelebA rounds to integers), partition and identities, and `SYNTHETIC.txt`, which says
    what the data is. The bytes depend on the counts and the seed alone, not on `workers`. Pictures are streamed; what
    stays in memory is labels, identity and landmarks, about a hundred bytes a face.

    Args:
        path: the archive, a `.tar`; it appears whole or not at all.
        train: number of training faces, the first in the numbering.
        validation: number of validation faces.
        test: number of test faces.
        seed: draws labels, identities and faces.
        workers: number of processes that draw.

    Raises:
        TaskshareError: if a number of faces or of workers is below 1.
    """
    counts = (train, validation, test)
    if min(*counts, workers) < 1:
        raise TaskshareError(
            f"demo faces: train {train}, validation {validation}, test {test}, workers {workers}: "
            "each must be at least 1; raise the one that is not"
        )
    partition = np.repeat(np.arange(3), counts)
    labels = sample_attributes(len(partition), seeds.generator(seed, "face labels"))
    identities = _draw_identities(labels, partition, seeds.generator(seed, "face identities"))
    names = [f"{number:06d}.jpg" for number in range(1, len(partition) + 1)]
    jobs = ((labels[index], int(identities[index]), seed, index) for index in range(len(partition)))
    landmarks = np.zeros((len(partition), 10), dtype=np.float32)
    with atomic(path) as partial, tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "celeba/SYNTHETIC.txt", CELEBA_NOTE.encode())
        _add(archive, "celeba/identity_CelebA.txt", _list_file(names, map(str, identities)))
        for index, (content, points) in enumerate(_face_files(jobs, workers)):
            landmarks[index] = points.ravel()
            _add(archive, f"celeba/img_align_celeba/{names[index]}", content)
        signs = (" ".join(" 1" if label else "-1" for label in row) for row in labels)
        _add(archive, "celeba/list_attr_celeba.txt", _list_file(names, signs, " ".join(ATTRIBUTES)))
        _add(archive, "celeba/list_eval_partition.txt", _list_file(names, map(str, partition)))
        places = (" ".join(f"{value:.1f}" for value in row) for row in landmarks)
        _add(archive, "celeba/list_landmarks_align_celeba.txt", _list_file(names, places, LANDMARKS))


def write_cifar10(path: Path, seed: int, copies: int = 2) -> None:
    """Write scikit-learn's digits as one tar archive in the layout `cifar10/SPLIT/CLASS/0001.png`.

    Args:
        path: the archive, a `.tar`; it appears whole or not at all.
        seed: draws the split, the colours and the places of the digits.
        copies: how many pictures are drawn of each training digit.

    Raises:
        TaskshareError: if `copies` is below 1.
    """
    if copies < 1:
        raise TaskshareError(f"demo digits: {copies} copies of each training digit; ask for 1 or more")
    with atomic(path) as partial, tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "cifar10/SYNTHETIC.txt", CIFAR10_NOTE.encode())
        for split, name, number, picture in digit_pictures(seed, copies):
            _add(archive, f"cifar10/{split}/{name}/{number:04d}.png", _encode(picture, ".png", []))

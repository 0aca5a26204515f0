"""From a source of raw images to prepared arrays with their label tables, in any number of processes."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from taskshare import files
from taskshare.config import SPLITS, Dataset, Split, Variant
from taskshare.data.align import LandmarkError
from taskshare.data.arrays import ImageArrayWriter
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS, BadImageError, Catalogue
from taskshare.data.images import prepare_image
from taskshare.data.sources import open_source
from taskshare.errors import TaskshareError

_CHUNK = 64  # images that travel to a process at a time
_SECONDS_PER_LINE = 10  # of progress in a log
_IMAGES_PER_PROCESS = 2000  # fewer take less time than a process takes to start


def prepare(
    name: str,
    dataset: Dataset,
    source: Path,
    kind: Literal["synthetic", "download", "path"],
    variant: Variant,
    out: Path,
    on_bad_image: Literal["stop", "skip"],
    workers: int,
    splits: Sequence[Split] = SPLITS,
) -> None:
    """Prepare every image of a data set, and write arrays, label tables and facts.json.

    For each split `SPLIT.npy`, uint8 (N, size, size, C), and `SPLIT.parquet`, in the same order: by id. The table holds
    the catalogue's columns and, for the attributes layout, PREPARED_LANDMARKS. facts.json, written last, says where the
    images come from, how many there are and which were left out. The bytes do not depend on `workers`.

    Args:
        name: Name of the data set.
        dataset: Its layout and labels.
        source: An archive or a folder.
        kind: Where the source comes from.
        variant: How images are prepared.
        out: Folder of the results.
        on_bad_image: `stop` at the first bad image, or `skip` it and list it in facts.json.
        workers: Number of processes that prepare images; 1 works in this process.
        splits: The splits to prepare.

    Raises:
        TaskshareError: an image is bad and `on_bad_image` is `stop`, one of `splits` stays empty (all of them may lack
            validation images only), or the source is not what the layout asks for.
    """
    if variant.align and dataset.layout == "classes":
        raise TaskshareError(f"datasets.{name}: the classes layout has no landmarks to align by; set align: false")
    # A call that is cut off must not leave new images beside old labels.
    for stale in (out / "facts.json", *out.glob("*.parquet")):
        stale.unlink(missing_ok=True)
    with open_source(name, dataset, source) as catalogue:
        if variant.align and LANDMARK_COLUMNS[0] not in catalogue.table:
            raise TaskshareError(f"{name}: no landmarks in {source} to align by; add their file, or set align: false")
        left_out: list[tuple[str, str]] = []

        def leave_out(id: str, reason: str) -> None:
            if on_bad_image == "stop":
                raise TaskshareError(
                    f"{name}: image {id}: {reason}; mend it, or leave such images out with data.on_bad_image: skip"
                )
            left_out.append((id, reason))

        for id, reason in catalogue.bad:
            leave_out(id, reason)
        tables: dict[str, pd.DataFrame] = {}
        workers = min(workers, 1 + len(catalogue.table) // _IMAGES_PER_PROCESS)
        with (
            _progress(f"{name} {variant.size}x{variant.size} {variant.colour}", len(catalogue.table)) as advance,
            _mapper(_ChunkPreparer(catalogue.load, variant), workers) as prepare_chunks,
        ):
            for split in splits:
                table = catalogue.table[catalogue.table["split"] == split].drop(columns="split")
                results = prepare_chunks(_chunks(table))
                shape = (variant.size, variant.size, variant.channels)
                with ImageArrayWriter(out / f"{split}.npy", shape) as writer:
                    tables[split] = _write_split(table, results, writer, leave_out, advance)
        for split in splits:
            table = tables[split]
            if table.empty and (split != "validation" or len(splits) == 1):
                raise TaskshareError(f"{name}: no usable image in the {split} split; check the source {source}")
            with files.atomic(out / f"{split}.parquet") as partial:
                table.to_parquet(partial, index=False)
        files.write_json(out / "facts.json", _facts(name, dataset, kind, variant, catalogue, tables, left_out))


@dataclass(frozen=True)
class _Chunk:
    ids: list[str]
    landmarks: np.ndarray | None  # float32 (n, 5, 2), original pixels


@dataclass(frozen=True)
class _Prepared:
    images: np.ndarray  # uint8 (n, H, W, C), the good ones
    landmarks: np.ndarray | None  # float32 (n, 5, 2), prepared pixels
    bad: dict[str, str]  # id: reason
    count: int  # images good and bad


@dataclass(frozen=True)
class _ChunkPreparer:
    load: Callable[[str], np.ndarray]
    variant: Variant

    def __call__(self, chunk: _Chunk) -> _Prepared:
        images, landmarks, bad = [], [], {}
        for row, id in enumerate(chunk.ids):
            points = None if chunk.landmarks is None else chunk.landmarks[row]
            try:
                image, points = prepare_image(self.load(id), points, self.variant)
            except BadImageError as error:
                bad[id] = error.reason
            except LandmarkError as error:
                bad[id] = str(error)
            else:
                images.append(image)
                landmarks.append(points)
        shape = (len(images), self.variant.size, self.variant.size, self.variant.channels)
        return _Prepared(
            np.array(images, np.uint8).reshape(shape),
            None if chunk.landmarks is None else np.array(landmarks, np.float32).reshape(-1, 5, 2),
            bad,
            len(chunk.ids),
        )


def _chunks(table: pd.DataFrame) -> Iterator[_Chunk]:
    for start in range(0, len(table), _CHUNK):
        rows = table.iloc[start : start + _CHUNK]
        has_landmarks = LANDMARK_COLUMNS[0] in table.columns
        points = rows[list(LANDMARK_COLUMNS)].to_numpy(np.float32).reshape(-1, 5, 2) if has_landmarks else None
        yield _Chunk(rows["id"].tolist(), points)


def _write_split(
    table: pd.DataFrame,
    results: Iterable[_Prepared],
    writer: ImageArrayWriter,
    leave_out: Callable[[str, str], None],
    advance: Callable[[int], None],
) -> pd.DataFrame:
    """Write the images of a split, and return the label table of those that are good."""
    bad: dict[str, str] = {}
    landmarks = [np.empty((0, 5, 2), np.float32)]
    for result in results:
        for id, reason in result.bad.items():
            leave_out(id, reason)
        bad.update(result.bad)
        writer.append(result.images)
        if result.landmarks is not None:
            landmarks.append(result.landmarks)
        advance(result.count)
    table = table[~table["id"].isin(list(bad))].reset_index(drop=True)
    if LANDMARK_COLUMNS[0] in table.columns:
        points = pd.DataFrame(np.concatenate(landmarks).reshape(-1, 10), columns=list(PREPARED_LANDMARKS))
        table = pd.concat([table, points], axis=1)
    return table


_chunk_preparer: _ChunkPreparer  # of a worker process


def _start_worker(chunk_preparer: _ChunkPreparer) -> None:
    global _chunk_preparer
    _chunk_preparer = chunk_preparer
    cv2.setNumThreads(1)


def _prepare_in_worker(chunk: _Chunk) -> _Prepared:
    return _chunk_preparer(chunk)


@contextmanager
def _mapper(
    chunk_preparer: _ChunkPreparer, workers: int
) -> Iterator[Callable[[Iterator[_Chunk]], Iterator[_Prepared]]]:
    """Yield a function that prepares chunks and returns the results in order; few wait in memory at a time."""
    if workers == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # on small images, several threads cost twice the processor time
        try:
            yield lambda chunks: map(chunk_preparer, chunks)
        finally:
            cv2.setNumThreads(threads)
        return
    # The server imports this module once; workers fork from it, where neither threads nor open files are inherited.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(workers, context, _start_worker, (chunk_preparer,)) as executor:

        def in_order(chunks: Iterator[_Chunk]) -> Iterator[_Prepared]:
            waiting: deque[Future[_Prepared]] = deque()
            for chunk in chunks:
                waiting.append(executor.submit(_prepare_in_worker, chunk))
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
            yield from (future.result() for future in waiting)

        try:
            yield in_order
        except BrokenProcessPool:
            raise TaskshareError(
                "preparation: a process was killed, perhaps for lack of memory; give fewer workers"
            ) from None


@contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances a bar on standard error, or prints a line now and then if that is no terminal."""
    console = Console(stderr=True)
    said = time.monotonic()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(title, total=total)

        def advance(count: int) -> None:
            nonlocal said
            progress.advance(bar, count)
            if not console.is_terminal and time.monotonic() - said >= _SECONDS_PER_LINE:
                said = time.monotonic()
                console.print(f"{title}: {progress.tasks[0].completed:.0f} of {total} images", highlight=False)

        yield advance


def _facts(
    name: str,
    dataset: Dataset,
    kind: str,
    variant: Variant,
    catalogue: Catalogue,
    tables: dict[str, pd.DataFrame],
    left_out: list[tuple[str, str]],
) -> dict[str, Any]:
    """Return the content of facts.json."""

    def positives(table: pd.DataFrame) -> dict[str, int]:
        if dataset.layout == "attributes":
            return {label: int(table[label].sum()) for label in dataset.labels}
        return {label: int((table["class"] == index).sum()) for index, label in enumerate(dataset.labels)}

    return {
        "dataset": name,
        "variant": variant.model_dump(),
        "source": kind,
        "official": catalogue.official,
        "synthetic": catalogue.synthetic,
        "files": catalogue.files,
        "counts": {split: len(table) for split, table in tables.items()},
        "positives": {split: positives(table) for split, table in tables.items()},
        "left_out": sorted(left_out),
    }

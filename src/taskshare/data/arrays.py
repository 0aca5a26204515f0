"""Prepared images as one .npy file: written row by row, read row by row, never held whole in memory."""

import os
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib import format as npy

from taskshare import files
from taskshare.errors import TaskshareError


class ImageArrayWriter:
    """Writes images to a .npy file, any number of them, with memory for one block.

    A context manager: the file takes its name at the end of the block, and only if that ends without an error.

    Args:
        path: The .npy file; its folder is made.
        image_shape: (H, W, C) of every image.
    """

    def __init__(self, path: Path, image_shape: tuple[int, int, int]) -> None:
        self._path = path
        self._image_shape = image_shape
        self._count = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._file = self._stack.enter_context(self._stack.enter_context(files.atomic(self._path)).open("wb"))
        self._file.write(self._header())
        return self

    def append(self, images: np.ndarray) -> None:
        """Write uint8 images (n, H, W, C) behind those already written; n may be 0."""
        self._file.write(np.ascontiguousarray(images).data)
        self._count += len(images)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._file.seek(0)
            self._file.write(self._header())
        self._stack.__exit__(kind, error, trace)

    def _header(self) -> bytes:
        # NumPy pads the header so that the first axis can grow: its length is the same for every count.
        header = BytesIO()
        shape = (self._count, *self._image_shape)
        npy.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return header.getvalue()


class ImageArray:
    """Images of a .npy file, read with `pread` when asked for.

    The file is not mapped into memory, so the resident memory of a process stays that of what it has read and kept.

    Args:
        path: A file that `ImageArrayWriter` wrote.

    Attributes:
        shape: (N, H, W, C).

    Raises:
        TaskshareError: the file is missing, holds no uint8 images, or is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                npy.read_magic(file)
                self.shape, fortran_order, dtype = npy.read_array_header_1_0(file)
                self._start = file.tell()
                size = os.fstat(file.fileno()).st_size
                self._descriptor = os.dup(file.fileno())
        except FileNotFoundError:
            raise TaskshareError(f"{path}: no such file; prepare the data first") from None
        except ValueError:
            raise TaskshareError(f"{path}: not a NumPy array file; delete it and prepare the data again") from None
        weakref.finalize(self, os.close, self._descriptor)
        if dtype != np.uint8 or fortran_order or len(self.shape) != 4:
            raise TaskshareError(f"{path}: holds no images (uint8, N x H x W x C); prepare the data again")
        self._stride = int(np.prod(self.shape[1:]))
        if size != self._start + len(self) * self._stride:
            raise TaskshareError(f"{path}: its size does not fit its header; delete it and prepare the data again")

    def __len__(self) -> int:
        return int(self.shape[0])

    def __reduce__(self) -> tuple[type["ImageArray"], tuple[Path]]:
        return ImageArray, (self._path,)  # another process opens the file itself

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Return the images at `indices` (n integers, any order, repetitions allowed) as uint8 (n, H, W, C).

        Raises:
            IndexError: an index is below 0 or beyond the last image.
        """
        if len(indices) and (np.min(indices) < 0 or np.max(indices) >= len(self)):
            raise IndexError(f"{self._path}: indices must lie in 0 to {len(self) - 1}")
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        flat = images.reshape(-1).data
        for row, index in enumerate(np.asarray(indices).tolist()):
            self._fill(flat[row * self._stride : (row + 1) * self._stride], index)
        return images

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """Yield all images in order as uint8 arrays (n, H, W, C) with n = `size`, the last one perhaps shorter."""
        for start in range(0, len(self), size):
            images = np.empty((min(size, len(self) - start), *self.shape[1:]), np.uint8)
            self._fill(images.reshape(-1).data, start)
            yield images

    def _fill(self, view: memoryview, row: int) -> None:
        """Read bytes from the start of image `row` until `view` is full; one call returns 2 GiB at most."""
        position = self._start + row * self._stride
        while len(view):
            count = os.preadv(self._descriptor, [view], position)
            if count == 0:
                raise TaskshareError(f"{self._path}: was shortened while it was read; prepare the data again")
            view, position = view[count:], position + count

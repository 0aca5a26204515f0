"""Single image files of a raw data set: which files count as images, and their decoding."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from taskshare.data.catalogue import BadImageError

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff")
_OF_THE_SYSTEM = {"thumbs.db", "desktop.ini", "__macosx"}

# First bytes of a format, the marker before its pixels, and the one that ends them. OpenCV fills the missing part of a
# truncated image with grey and reports nothing, so the end is looked for first: behind the last pixels, since a
# thumbnail in front has an end of its own, and some cameras write more behind it.
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG"
_FORMATS = {_JPEG: (b"\xff\xda", b"\xff\xd9"), _PNG: (b"IDAT", b"IEND")}


def is_image(name: str) -> bool:
    """Return whether a file name is that of an image in a format that is read, and not hidden."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def is_ignored(name: str) -> bool:
    """Return whether a file or folder is none of the user's: hidden, or what a system puts beside pictures."""
    return name.startswith(".") or name.lower() in _OF_THE_SYSTEM


def walk(folder: Path) -> Iterator[str]:
    """Yield the path in `folder`, with slashes, of every file in it and its subfolders that is not ignored."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_ignored(name))
        place = Path(root).relative_to(folder)
        yield from ((place / name).as_posix() for name in sorted(names) if not is_ignored(name))


@dataclass(frozen=True)
class ImageFiles:
    """Loads images of a folder by their path in it, as `Catalogue.load` asks for.

    Attributes:
        folder: Holds the images.
        upright: Whether an orientation that the camera noted (EXIF) is applied; not where landmarks refer to the
            pixels as stored.
    """

    folder: Path
    upright: bool = True

    def __call__(self, id: str) -> np.ndarray:
        """Return an image as uint8 RGB (height, width, 3).

        Raises:
            BadImageError: if the file cannot be read, is in no known format, or is truncated or broken.
        """
        try:
            content = (self.folder / id).read_bytes()
        except OSError as error:
            raise BadImageError(id, f"cannot be read: {error.strerror}") from None
        markers = next((markers for start, markers in _FORMATS.items() if content.startswith(start)), None)
        if markers is not None:
            pixels, end = (content.rfind(marker) for marker in markers)
            if end < pixels or end == -1:
                raise BadImageError(id, "truncated: the end of the file is missing")
        elif not content.startswith(_OTHERS):
            raise BadImageError(id, f"not an image of a format that is read ({', '.join(SUFFIXES)})")
        elif len(content) < (whole := _length(content)):
            raise BadImageError(id, f"truncated: {len(content)} of {whole} bytes")
        if content.startswith(_JPEG):
            _check_jpeg(id, content)
        try:
            flags = cv2.IMREAD_COLOR_RGB | (0 if self.upright else cv2.IMREAD_IGNORE_ORIENTATION)
            image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
        except cv2.error:
            image = None
        if image is None:
            raise BadImageError(id, "cannot be decoded")
        return image


_OTHERS = (b"RIFF", b"BM", b"II*\0", b"MM\0*")
"""First bytes of WebP, BMP and TIFF files."""


def _length(content: bytes) -> int:
    """Return the bytes that a WebP or BMP file says it has; a TIFF file does not say."""
    if content.startswith(b"RIFF"):
        return 8 + int.from_bytes(content[4:8], "little")
    return int.from_bytes(content[2:6], "little") if content.startswith(b"BM") else 0


def _check_jpeg(id: str, content: bytes) -> None:
    """Refuse a JPEG whose data are damaged. OpenCV makes a picture of it all the same; of a PNG it does not.

    All of the data are read, but an eighth of the size is decoded: a third of the time.
    """
    try:
        simplejpeg.decode_jpeg(content, "GRAY", fastdct=True, min_height=1, min_width=1)
    except ValueError as error:
        raise BadImageError(id, f"cannot be decoded: {error}") from None

"""Single image files of a raw data set: which files count as images, and their decoding."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from taskshare.data.catalogue import BadImageError

SUFFIXES = (".jpg", ".jpeg", ".png")

# First bytes of a format, the marker before its pixels, and the one that ends them. OpenCV fills the missing part of a
# truncated image with grey and reports nothing, so the end is looked for first: behind the last pixels, since a
# thumbnail in front has an end of its own, and some cameras write more behind it.
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG"
_FORMATS = {_JPEG: (b"\xff\xda", b"\xff\xd9"), _PNG: (b"IDAT", b"IEND")}


def is_image(name: str) -> bool:
    """Return whether a file name is that of an image: a JPEG or PNG that is not hidden."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


@dataclass(frozen=True)
class ImageFiles:
    """Loads images of a folder by their path in it, as `Catalogue.load` asks for."""

    folder: Path

    def __call__(self, id: str) -> np.ndarray:
        """Return an image as uint8 RGB (height, width, 3).

        Raises:
            BadImageError: if the file cannot be read, is no JPEG or PNG, or is truncated or broken.
        """
        try:
            content = (self.folder / id).read_bytes()
        except OSError as error:
            raise BadImageError(id, f"cannot be read: {error.strerror}") from None
        markers = next((markers for start, markers in _FORMATS.items() if content.startswith(start)), None)
        if markers is None:
            raise BadImageError(id, "neither a JPEG nor a PNG file")
        pixels, end = (content.rfind(marker) for marker in markers)
        if end < pixels or end == -1:
            raise BadImageError(id, "truncated: the end of the file is missing")
        if content.startswith(_JPEG):
            _check_jpeg(id, content)
        try:
            # Landmarks refer to the pixels as stored, so an orientation tag is not applied.
            flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
            image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
        except cv2.error:
            image = None
        if image is None:
            raise BadImageError(id, "cannot be decoded")
        return image


def _check_jpeg(id: str, content: bytes) -> None:
    """Refuse a JPEG whose data are damaged. OpenCV makes a picture of it all the same; of a PNG it does not.

    All of the data are read, but an eighth of the size is decoded: a third of the time.
    """
    try:
        simplejpeg.decode_jpeg(content, "GRAY", fastdct=True, min_height=1, min_width=1)
    except ValueError as error:
        raise BadImageError(id, f"cannot be decoded: {error}") from None

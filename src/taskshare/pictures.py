"""Pictures inside the page, as data addresses."""

import base64
from typing import Literal

import cv2
import numpy as np


def address(content: bytes, kind: Literal["png", "jpeg"]) -> str:
    """Return a picture file's content as a data address."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def png(pixels: np.ndarray) -> str:
    """Return a picture, uint8 (H, W) grey or (H, W, 3) in blue, green, red, as a data address."""
    return address(cv2.imencode(".png", pixels)[1].tobytes(), "png")

"""Facial hair: stubble, beard, moustache, goatee, sideburns."""

import numpy as np
from numpy.typing import NDArray

from taskshare.demo.canvas import Canvas, curve, ellipse, mirrored, ribbon
from taskshare.demo.head import chin, half_width
from taskshare.demo.look import Look

FloatArray = NDArray[np.float32]


def facial_hair(canvas: Canvas, look: Look, head: FloatArray) -> None:
    """Draw the facial hair that the labels name, within the coverage of the head.

    CelebA's No_Beard means no facial hair at all. A face that has some, but neither goatee nor moustache nor sideburns,
    gets a light beard over the whole lower face.
    """
    width, bottom = half_width(look), chin(look)
    named = look.has("Goatee") or look.has("Mustache") or look.has("Sideburns")
    beard = 1 - look["No_Beard"] if not look.has("No_Beard") else 0.0
    right = [(14, 30), (22, 39), (width * 0.82, 33), (width * 1.02, 14), (width, 45), (24, bottom + 4)]
    jaw = [(0, 31), *right, (0, bottom + 6), *mirrored(right[::-1])]
    stubble = max(0.34 * look["5_o_Clock_Shadow"], (0.2 if named else 0.72) * beard)
    if stubble > 0.05:
        canvas.paint([curve(jaw, closed=True)], look.beard, stubble, 3, texture=0.45, within=head)
    if look["Sideburns"] > 0.25:
        amount = look["Sideburns"]
        end = 16 + 24 * amount
        burn = ribbon([(width - 2, -18), (width - 4, 8), (width - 6.5, end)], [9, 9 + 5 * amount, 6 + 4 * amount])
        canvas.paint([burn, mirrored(burn)], look.beard, 0.25 + 0.75 * amount, 1, texture=0.35, within=head)
    if look["Goatee"] > 0.25:
        _goatee(canvas, look)
    if look["Mustache"] > 0.25:
        amount = look["Mustache"]
        wide = 14 + 6 * amount
        height = 33.5 - 1.5 * look["Smiling"]
        line = [
            (-wide, height + 4.5),
            (-wide * 0.5, height),
            (0, height - 0.8),
            (wide * 0.5, height),
            (wide, height + 4.5),
        ]
        thick = 3 + 4 * amount
        lip = ribbon(line, [1.5, thick, thick, thick, 1.5])
        canvas.paint([lip, ellipse(0, height, 4, 1.8)], look.beard, 0.25 + 0.75 * amount, 0.9, texture=0.3)


def _goatee(canvas: Canvas, look: Look) -> None:
    """Draw a goatee: a full patch, a narrow one, or one that is linked to the upper lip."""
    amount, bottom = look["Goatee"], chin(look)
    kind = look.generator.integers(3)
    wide = (8 if kind == 1 else 11 + 5 * amount) * look.generator.uniform(0.85, 1.15)
    top = bottom - look.generator.uniform(9, 16)
    right = [(wide * 0.55, top - 1), (wide, top + 7), (wide * 0.7, bottom + 5)]
    patch = curve([(0, top), *right, (0, bottom + 8), *mirrored(right[::-1])], closed=True)
    canvas.paint([patch], look.beard, 0.2 + 0.75 * amount, 1.2, texture=0.35)
    if kind == 2:
        corner = 20 + 2 * look["Smiling"]
        link = ribbon([(corner - 3, 35), (corner, 44), (wide * 0.8, bottom - 8)], [4, 5, 6])
        canvas.paint([link, mirrored(link)], look.beard, 0.15 + 0.6 * amount, 1, texture=0.35)

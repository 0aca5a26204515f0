"""The features of a face: eyes, brows, nose, cheeks, wrinkles, mouth, glasses, earrings."""

import numpy as np
from numpy.typing import NDArray

from taskshare.demo.canvas import Canvas, curve, ellipse, mirrored, ribbon
from taskshare.demo.head import chin, half_width
from taskshare.demo.look import Look

FloatArray = NDArray[np.float32]

IRIS_COLOURS = ((62, 40, 28), (84, 60, 36), (70, 92, 70), (84, 108, 136))
NOSE_RELIEF = 8.0


def landmarks(look: Look) -> tuple[FloatArray, FloatArray]:
    """Return CelebA's five points in coordinates of the face, (5, 2), and how far each stands out of the head, (5,)."""
    eye = 19.2 * look.identity.eye_distance
    corner, height = _mouth_corner(look)
    points = [(-eye, 0), (eye, 0), (0, _nose_tip(look)), (-corner, height), (corner, height)]
    return np.array(points, dtype=np.float32), np.array([0, 0, NOSE_RELIEF, 0, 0], dtype=np.float32)


def _nose_tip(look: Look) -> float:
    return 23 * look.identity.nose_length


def _mouth_corner(look: Look) -> tuple[float, float]:
    smile = look["Smiling"]
    return (14.8 + 5.6 * smile) * look.identity.mouth_width, 42 - 5.2 * smile


def _both(shape: FloatArray) -> list[FloatArray]:
    return [shape, mirrored(shape)]


def eyes(canvas: Canvas, look: Look) -> None:
    """Draw eyes with lashes, their makeup, the bags below them, and the brows."""
    generator = look.generator
    x = 19.2 * look.identity.eye_distance
    wide = 9.2 * look.identity.eye_size * (1 + 0.08 * look["Attractive"])
    tall = 4.6 * look.identity.eye_size * (1 - 0.55 * look["Narrow_Eyes"]) * (1 - 0.18 * look["Smiling"])
    makeup = look["Heavy_Makeup"]
    canvas.shade(_both(ellipse(x, -2, wide + 3, tall + 4)), 0.86, 2.5)
    if look["Bags_Under_Eyes"] > 0.2 or not look.has("Young"):
        amount = max(look["Bags_Under_Eyes"], 0.5 * (1 - look["Young"]))
        bag = ribbon([(x - 9, 7), (x, 11.5), (x + 9, 7)], [1, 4, 1])
        canvas.shade(_both(bag), 1 - 0.4 * amount, 1.2)
    shadow = np.array([(66, 40, 78), (50, 44, 60), (82, 44, 40), (40, 58, 84)])[generator.integers(4)]
    lid = curve([(x - wide - 2, 1), (x - wide * 0.5, -tall - 6), (x + wide * 0.6, -tall - 7), (x + wide + 6, -5)], True)
    canvas.paint(_both(lid), shadow * (look.skin.mean() / 200), 0.92 * makeup, 1.2)
    upper = [(x - wide, 1.2), (x - wide * 0.45, -tall), (x + wide * 0.3, -tall * 1.02), (x + wide, -0.6)]
    lower = [(x + wide * 0.4, tall * 0.85), (x - wide * 0.4, tall * 0.9)]
    canvas.paint(_both(curve([*upper, *lower], True)), (236, 232, 228))
    iris = IRIS_COLOURS[int(generator.integers(len(IRIS_COLOURS)))]
    gaze = generator.uniform(-1.5, 1.5)
    opening = min(tall * 0.95, 4.3)
    canvas.paint([ellipse(x + gaze, 0, 4.3, opening), ellipse(-x + gaze, 0, 4.3, opening)], iris)
    pupil = min(tall, 2)
    canvas.paint([ellipse(x + gaze, 0, 2, pupil), ellipse(-x + gaze, 0, 2, pupil)], (10, 8, 8))
    lash = ribbon(
        [*upper, (x + wide + 1 + 3 * makeup, -1.5 - 2 * makeup)], [0.8, 1.8 + 1.6 * makeup, 1.6 + 2.6 * makeup]
    )
    canvas.paint(_both(lash), (26, 18, 18), 0.6 + 0.4 * makeup)
    if makeup > 0.3:
        liner = ribbon([(x - wide * 0.8, 1.5), (x, tall + 0.4), (x + wide, 0)], [0.5, 1.8 * makeup, 1.8 * makeup])
        canvas.paint(_both(liner), (26, 18, 18), 0.85 * makeup)
    _brows(canvas, look, x, tall)


def _brows(canvas: Canvas, look: Look, x: float, tall: float) -> None:
    base = -13.5 - look.identity.brow_height + 0.5 * (4.6 - tall)
    arch = 1.5 + 6 * look["Arched_Eyebrows"]
    thick = 2.4 + 4.2 * look["Bushy_Eyebrows"] + 0.8 * look.has("Male")
    line = [(x - 11, base + 1.5), (x - 3, base - arch * 0.45), (x + 5, base - arch), (x + 13, base + 1.5)]
    colour = np.minimum(look.hair * 0.7, look.skin * 0.6)
    canvas.paint(_both(ribbon(line, [thick, thick * 1.05, thick * 0.8, 0.8])), colour, 0.85, 0.6, texture=0.3)


def nose(canvas: Canvas, look: Look) -> None:
    """Draw the nose: bridge, wings, nostrils."""
    tip = _nose_tip(look)
    wide = 7.6 * look.identity.nose_width * (1 + 0.5 * look["Big_Nose"] - 0.22 * look["Pointy_Nose"])
    side = ribbon([(4.5, -5), (4.2, tip * 0.45), (wide * 0.8, tip - 3)], [1.5, 3, 3])
    canvas.shade([side], 0.86, 1.6)
    canvas.shade([mirrored(side)], 0.92, 1.6)
    bridge = wide * (0.36 - 0.14 * look["Pointy_Nose"])
    canvas.shade([ribbon([(0, -4), (0, tip - 4)], [bridge, bridge * 1.3])], 1.1, 1.5)
    canvas.paint([ellipse(0, tip, wide, 5 + 1.6 * look["Big_Nose"])], look.skin * 0.97, 0.5, 1.8, NOSE_RELIEF)
    canvas.paint([ellipse(0, tip - 1.5, 3 + 2 * look["Big_Nose"], 2.6)], look.skin * 1.14, 0.7, 1.4, NOSE_RELIEF)
    nostrils = [ellipse(sign * wide * 0.5, tip + 3.6, 2.3 + look["Big_Nose"], 1.4, -12 * sign) for sign in (-1, 1)]
    canvas.paint(nostrils, look.skin * 0.36, 0.9, 0.4, NOSE_RELIEF * 0.7)
    base = ribbon(
        [(-wide, tip + 1), (-wide * 0.5, tip + 5), (0, tip + 6), (wide * 0.5, tip + 5), (wide, tip + 1)], [1, 1.6, 1]
    )
    canvas.shade([base], 0.78, 0.7)
    if look["Pointy_Nose"] > 0.3:
        canvas.paint([[(-wide * 0.45, tip + 3), (0, tip + 9), (wide * 0.45, tip + 3)]], look.skin * 0.9, 0.8, 0.6, 5)


def cheeks(canvas: Canvas, look: Look, head: FloatArray) -> None:
    """Draw cheekbones, blush and the wrinkles of age, all within the coverage of the head."""
    width = half_width(look)
    raised = look["High_Cheekbones"]
    bone = ellipse(width * 0.66, 15, 11, 5.5, -24)
    hollow = ribbon([(width * 0.98, 13), (width * 0.74, 28), (width * 0.5, 40)], [14, 13, 4])
    canvas.shade(_both(hollow), 1 - 0.52 * raised, 3, head)
    canvas.shade(_both(bone), 1 + 0.42 * raised, 3, head)
    rosy = max(look["Rosy_Cheeks"], 0.75 * look["Heavy_Makeup"])
    canvas.paint(
        _both(ellipse(width * 0.66, 20, 11, 7.5, -20)), look.skin * (0.93, 0.5, 0.52), 0.7 * rosy, 3.5, within=head
    )
    _wrinkles(canvas, look, head)


def _wrinkles(canvas: Canvas, look: Look, head: FloatArray) -> None:
    age = 1 - look["Young"] if look.has("Young") else 1.15 - look["Young"]
    corner, height = _mouth_corner(look)
    fold = ribbon([(10, 21), (corner * 0.95 + 2, 31), (corner + 4, height + 3)], [1, 3.4, 2])
    canvas.shade(_both(fold), 1 - max(0.5 * age, 0.14 * look["Smiling"]), 0.9, head)
    if age < 0.45:
        return
    depth = 1 - 0.5 * age
    first, count = look.generator.uniform(-44, -32), look.generator.integers(2, 5)
    rows = [first + 6.5 * row for row in range(count)]
    lines = [ribbon([(-25, y + 1.5), (-9, y - 1), (9, y - 1), (25, y + 1.5)], [0.8, 2.6, 0.8]) for y in rows]
    canvas.shade(lines, depth, 0.6, head)
    side = half_width(look) - 9
    feet = [ribbon([(side - 1, y * 0.4), (side + 7, y)], [1.8, 0.7]) for y in (-5, 0, 5, 10)]
    marionette = ribbon([(corner + 1, height + 5), (corner + 2, chin(look) - 10)], [1, 2.4])
    frown = ribbon([(3, -17), (2.5, -9)], [1.5, 0.8])
    canvas.shade([shape for line in (*feet, marionette, frown) for shape in _both(line)], depth, 0.7, head)
    jowl = ellipse(corner + 11, chin(look) - 13, 7, 6)
    canvas.shade(_both(jowl), 1 - 0.16 * age, 2.5, head)
    # Skin of the old is blotched.
    spots = look.generator.uniform((-32, -50), (32, 45), (7, 2))
    canvas.shade([ellipse(x, y, 1.8, 1.5) for x, y in spots], 0.8, 0.8, head)


def mouth(canvas: Canvas, look: Look) -> None:
    """Draw lips, teeth and the shadow under the lower lip; a smile raises the corners and shows teeth."""
    corner, height = _mouth_corner(look)
    smile, lips = look["Smiling"], 1 + 0.65 * look["Big_Lips"]
    centre = 40.5 + 2.2 * smile
    gap = 7.5 * look["Mouth_Slightly_Open"] if look["Mouth_Slightly_Open"] > 0.25 else 0.0
    gap *= 0.55 + 0.45 * smile
    top = centre - 3.3 * lips - 0.2 * gap
    bottom = centre + gap + 4.3 * lips
    upper = [(-corner, height), (-corner * 0.4, top), (0, top + 1.2), (corner * 0.4, top), (corner, height)]
    seam_side = height + 0.62 * (centre - height)
    inner_top = [(-corner * 0.86, height + 0.5), (-corner * 0.4, seam_side), (0, centre - 0.2 * gap),
                 (corner * 0.4, seam_side), (corner * 0.86, height + 0.5)]  # fmt: skip
    inner_low = [(corner * 0.4, seam_side + 0.95 * gap), (0, centre + gap), (-corner * 0.4, seam_side + 0.95 * gap)]
    under = [(corner * 0.45, bottom - 0.8), (0, bottom), (-corner * 0.45, bottom - 0.8)]
    canvas.shade([ellipse(0, bottom + 3.5, corner * 0.6, 2.4)], 0.8, 1.2)
    canvas.paint([np.concatenate([curve(upper), curve(under)])], look.lips, softness=0.4)
    canvas.shade([ellipse(0, (centre + gap + bottom) / 2 + 0.3, corner * 0.4, 1.3)], 1.12, 0.7)
    if gap:
        hole = curve([*inner_top, *inner_low], closed=True)
        canvas.paint([hole], (58, 24, 26))
        if smile > 0.25 or look.generator.random() < 0.25:
            canvas.paint([hole * (0.95, 1) - (0, 0.28 * gap)], (238, 234, 226), 0.95, within=canvas.coverage(hole))
    else:
        canvas.paint([ribbon(inner_top, [1.2, 2.2, 1.2])], look.lips * 0.42, 0.9, 0.3)
    dimple = ribbon([(corner + 0.5, height - 3), (corner + 2.5, height), (corner + 1, height + 3)], [1, 2.6, 1])
    canvas.shade(_both(dimple), 1 - 0.45 * smile, 0.7)


def glasses(canvas: Canvas, look: Look) -> None:
    """Draw eyeglasses: rims, bridge and temples, the lenses tinted now and then."""
    if not look.has("Eyeglasses"):
        return
    x = 19.2 * look.identity.eye_distance
    frame = look.generator.uniform(8, 75) + look.generator.uniform(-8, 20, 3)
    wide, tall = look.generator.uniform(13.5, 16.5), look.generator.uniform(9.5, 12.5)
    thick = look.generator.uniform(1.8, 3.4)
    if look.generator.random() < 0.25:
        canvas.paint(_both(ellipse(x, 1, wide, tall)), frame, 0.8, relief=4)
    rim = ribbon(np.concatenate([ellipse(x, 1, wide, tall), ellipse(x, 1, wide, tall)[:1]]), [thick])
    bridge = ribbon([(-x + wide, -1), (0, -3), (x - wide, -1)], [thick])
    temple = ribbon([(x + wide, -1), (half_width(look), -2)], [thick])
    canvas.paint([*_both(rim), bridge, *_both(temple)], frame, relief=4)


def earrings(canvas: Canvas, look: Look) -> None:
    """Draw earrings below the ears."""
    if not look.has("Wearing_Earrings"):
        return
    x = half_width(look) + 2
    metal = ((224, 192, 98), (226, 226, 232), (60, 150, 150))[int(look.generator.integers(3))]
    size = 2.6 + 2 * look["Wearing_Earrings"]
    drop = look.generator.uniform(0, 13)
    shape = ribbon([(x, 24), (x, 26 + drop)], [1.5])
    canvas.paint([*_both(shape), *_both(ellipse(x, 26 + drop, size, size * 1.15))], metal)

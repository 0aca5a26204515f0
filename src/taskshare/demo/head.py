"""The head and what lies around it: background, body, neck, ears, skin, hair, hat."""

import cv2
import numpy as np
from numpy.typing import NDArray

from taskshare.demo.canvas import HEIGHT, WIDTH, Canvas, curve, ellipse, mirrored, ribbon
from taskshare.demo.look import Look

FloatArray = NDArray[np.float32]

HEAD_TOP = -70.0


def half_width(look: Look) -> float:
    """Return the distance from the middle of the face to its side at the cheeks, in pixels of CelebA's mean face."""
    return 41.5 * look.identity.width * (1 + 0.13 * look["Chubby"] - 0.05 * look["Oval_Face"])


def chin(look: Look) -> float:
    """Return how far the chin lies below the eyes."""
    return 64 * look.identity.length * (1 + 0.05 * look["Oval_Face"])


def background(look: Look) -> FloatArray:
    """Return a blurred backdrop, float32 of shape (3, 218, 178)."""
    brightness = look.generator.uniform(12, 180, (4, 3, 1)) + look.generator.uniform(0, 60, (4, 3, 3))
    smooth = cv2.resize(brightness.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(smooth.clip(0, 255).transpose(2, 0, 1), dtype=np.float32)


def grain(generator: np.random.Generator) -> FloatArray:
    """Return fine vertical texture, float32 of shape (218, 178), 0 to 1."""
    noise = generator.random((HEIGHT // 2, WIDTH), dtype=np.float32)
    return np.asarray(cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def outline(look: Look) -> FloatArray:
    """Return the outline of the head from chin to skull, shape (n, 2)."""
    width, bottom = half_width(look), chin(look)
    jaw = look.identity.jaw * (1 + 0.09 * look.has("Male") + 0.14 * look["Chubby"] - 0.10 * look["Oval_Face"])
    sag = 1 + 0.05 * (1 - look["Young"])
    right = [
        (11 * jaw, bottom - 1.5),
        (25 * jaw * sag, bottom - 12),
        (width * 0.84 * jaw, bottom - 30),
        (width, 8),
        (width * 0.99, -20),
        (width * 0.86, -48),
        (width * 0.48, -66),
    ]
    left = [(-x, y) for x, y in reversed(right)]
    return curve([(0, bottom), *right, (0, HEAD_TOP), *left], closed=True)


def body(canvas: Canvas, look: Look) -> None:
    """Draw neck, shoulders, clothes, necklace and necktie."""
    neck = (25 if look.has("Male") else 20) * (1 + 0.15 * look["Chubby"])
    bottom = chin(look)
    cloth = look.generator.uniform(15, 225) + look.generator.uniform(-30, 30, 3)
    canvas.paint([[(-neck, 25), (neck, 25), (neck + 3, 112), (-neck - 3, 112)]], look.skin * 0.86)
    canvas.shade([ellipse(0, bottom + 6, neck * 1.2, 13)], 0.62, 5)
    depth = bottom + look.generator.uniform(16, 34)
    shoulders = [(-neck - 1, bottom + 14), (-70, bottom + 30), (-120, 125), (-120, 160)]
    canvas.paint([curve([*shoulders, (120, 160), *mirrored(shoulders[2::-1]), (0, depth + 14)], closed=True)], cloth)
    if look.has("Wearing_Necktie"):
        top = bottom + 13
        canvas.paint([[(-neck, top), (0, top + 16), (neck, top), (26, 150), (-26, 150)]], (232, 232, 236))
        tie = look.generator.uniform(10, 130, 3)
        canvas.paint([[(-6, top + 8), (6, top + 8), (4, top + 17), (10, 150), (-10, 150), (-4, top + 17)]], tie)
    if look.has("Wearing_Necklace"):
        line = curve(
            [(-neck, bottom + 8), (-neck * 0.6, depth), (0, depth + 7), (neck * 0.6, depth), (neck, bottom + 8)]
        )
        metal = ((222, 190, 96), (215, 215, 222))[int(look.generator.integers(2))]
        canvas.paint([ribbon(line[::6], [2.6])], metal, 0.95)
        canvas.paint([ellipse(x, y, 2.1, 2.1) for x, y in line[6::4]], np.array(metal) * 1.1)


def skin(canvas: Canvas, look: Look) -> FloatArray:
    """Draw ears and the bare head; return the coverage of the head, (218, 178)."""
    width = half_width(look)
    shape = outline(look)
    ears = [ellipse(width, 10, 6.5, 13, -8), ellipse(-width, 10, 6.5, 13, 8)]
    canvas.paint(ears, look.skin * 0.9)
    canvas.shade([ellipse(width, 10, 3, 8), ellipse(-width, 10, 3, 8)], 0.75, 1.5)
    canvas.paint([shape], look.skin)
    head = canvas.coverage(shape)
    canvas.shade([shape * 0.86 + (0, 1)], 1.09, 9, head)
    bottom = chin(look)
    if look["Double_Chin"] > 0.25:
        fold = [(-22, bottom - 1), (-12, bottom + 7), (0, bottom + 10), (12, bottom + 7), (22, bottom - 1)]
        canvas.paint([ellipse(0, bottom - 2, 25, 12)], look.skin * 0.95, 0.9, 1)
        canvas.shade([ribbon(fold, [1, 4, 1])], 0.62, 1)
        canvas.shade([ribbon(np.array(fold) * (0.7, 1) + (0, -9), [0.5, 3, 0.5])], 0.65, 1)
    if look["Bald"] > 0.25:
        canvas.shade([ellipse(look.generator.uniform(-16, 16), -54, 18, 8)], look.generator.uniform(0.85, 1.3), 4, head)
    return head


def _is_long(look: Look) -> bool:
    return look.generator.random() < (0.07 if look.has("Male") else 0.88) and not look.has("Bald")


def hair_behind(canvas: Canvas, look: Look) -> bool:
    """Draw the hair that hangs behind the head; return whether it is long."""
    if not _is_long(look):
        return False
    width = half_width(look) + look.generator.uniform(7, 15)
    end = look.generator.uniform(50, 100)
    heights = np.linspace(-50, end, 8)
    waves = 7 * look["Wavy_Hair"] * (-1.0) ** np.arange(8)
    side = np.stack([width * (1 + 0.002 * (heights + 50)) + waves, heights], axis=1)
    top = [(width * 0.6, -76), (0, -82), (-width * 0.6, -76)]
    shape = curve([*top, *mirrored(side), *side[::-1]], closed=True)
    canvas.paint([shape], look.hair * 0.62)
    canvas.paint([shape], look.hair * 1.15, 0.55, texture=1)
    return True


def hair(canvas: Canvas, look: Look, is_long: bool) -> None:
    """Draw the hair over the skull and the forehead, its strands, and locks beside the cheeks."""
    width = half_width(look)
    if look.has("Bald"):
        # A fringe at the ears is left, and where the label is faint, cropped hair over the skull.
        crop = max(0.0, 1.05 - look["Bald"])
        skull = curve([(width, -22), (width * 0.8, -58), (0, -74), (-width * 0.8, -58), (-width, -22), (0, -50)], True)
        canvas.paint([skull], look.hair, 1.1 * crop, 4, texture=0.5)
        fringe = ellipse(width - 1, -10, 5.5, 17, -6)
        canvas.paint([fringe, mirrored(fringe)], look.hair, max(0.0, 1.1 - look["Bald"]), 2, texture=0.5)
        return
    generator = look.generator
    volume = generator.uniform(3, 9) + 5 * look["Wavy_Hair"]
    line = generator.normal(-43, 2.5) - 13 * look["Receding_Hairline"]
    temple = -34 - 24 * look["Receding_Hairline"]
    parting = generator.uniform(-14, 14)
    inner = [
        (width * 1.0, -4),
        (width * 0.9, -22),
        (width * 0.78, temple),
        (width * 0.42, line - 3 + 0.15 * parting),
        (parting, line),
        (-width * 0.42, line - 3 - 0.15 * parting),
        (-width * 0.78, temple),
        (-width * 0.9, -22),
        (-width * 1.0, -4),
    ]
    outer = width + 0.7 * volume
    rim = [
        (-outer, -2),
        (-outer - 1, -32),
        (-outer * 0.8, -58 - 0.6 * volume),
        (-outer * 0.42, HEAD_TOP - volume),
        (0, HEAD_TOP - volume - 2),
        (outer * 0.42, HEAD_TOP - volume),
        (outer * 0.8, -58 - 0.6 * volume),
        (outer + 1, -32),
        (outer, -2),
    ]
    cap = np.concatenate([curve(inner), curve(rim)])
    canvas.paint([cap], look.hair * 0.8, softness=0.7)
    canvas.paint([cap], look.hair * 1.25, 0.6, 0.7, texture=1)
    shine = ellipse(generator.uniform(-20, 20), generator.uniform(-70, -52), 24, 9)
    canvas.shade([shine], 1 + 0.9 * generator.random(), 5)
    canvas.paint(_strands(look, width, line, parting), look.hair * generator.choice([0.6, 1.45]), 0.45, 0.6)
    if look["Bangs"] > 0.25:
        edge = -34 + 21 * look["Bangs"]
        x = np.linspace(-width * 0.93, width * 0.93, 9)
        lower = np.stack([x, edge + generator.uniform(-3.5, 3.5, 9) + 4 * np.abs(x) / width], axis=1)
        fringe = np.concatenate([lower, curve([(width * 0.85, -45), (0, -62), (-width * 0.85, -45)])])
        canvas.paint([fringe], look.hair * 0.85, softness=1)
        canvas.paint([fringe], look.hair * 1.25, 0.55, 1, texture=1)
    if is_long:
        ends = np.linspace(-30, 64, 7)
        waves = 3.5 * look["Wavy_Hair"] * (-1.0) ** np.arange(7)
        lock = ribbon(np.stack([width + 2 + waves, ends], axis=1), [6, 11, 12, 9])
        canvas.paint([lock, mirrored(lock)], look.hair * 0.9, 0.95, 0.8)
        canvas.paint([lock, mirrored(lock)], look.hair * 1.3, 0.5, 0.8, texture=1)


def _strands(look: Look, width: float, line: float, parting: float) -> list[FloatArray]:
    """Return thin bands from the parting to the sides: straight hair shows many, wavy hair bent ones."""
    count = 4 + int(8 * max(look["Straight_Hair"], look["Wavy_Hair"]))
    bend = 6 * look["Wavy_Hair"]
    strands = []
    for start in np.linspace(-0.9, 0.9, count):
        top = parting * 0.6 + start * 8
        end = start * width * 1.02
        middle = (top + end) / 2
        height = min(-4.0, line - 2 + 55 * abs(start) ** 3)
        points = [
            (top, HEAD_TOP - 3),
            (middle + bend, HEAD_TOP + 8),
            (middle * 1.3 - bend, line - 12),
            (end, height - 8),
        ]
        strands.append(ribbon(points, [0.6, 1.6, 0.6]))
    return strands


def hat(canvas: Canvas, look: Look) -> None:
    """Draw a hat over the hair: a cap with a visor, a woollen hat, or one with a wide brim."""
    if look["Wearing_Hat"] < 0.25:
        return
    generator = look.generator
    width = half_width(look) + generator.uniform(5, 9)
    cloth = np.clip(generator.uniform(10, 235) + generator.uniform(-45, 45, 3), 5, 245)
    # A faint label sits high on the head.
    edge = -50 + 18 * look["Wearing_Hat"]
    tall = generator.uniform(-98, -84)
    crown = curve(
        [(-width, edge + 3), (-width * 0.98, -62), (-width * 0.6, tall + 4), (0, tall), (width * 0.6, tall + 4),
         (width * 0.98, -62), (width, edge + 3), (width * 0.5, edge - 2), (0, edge - 4), (-width * 0.5, edge - 2)],
        closed=True,
    )  # fmt: skip
    canvas.paint([crown], cloth)
    canvas.shade([ellipse(-width * 0.35, -70, 14, 14)], 1.2, 7)
    kind = generator.integers(3)
    band = cloth * 0.55 if cloth.mean() > 90 else cloth * 0.5 + 95
    arc = np.array(
        [(-width, edge + 3), (-width * 0.5, edge - 2), (0, edge - 4), (width * 0.5, edge - 2), (width, edge + 3)]
    )
    if kind == 0:
        canvas.shade([ellipse(0, edge + 8, width * 0.85, 9)], 0.55, 4)
        visor = [
            (-width * 0.95, edge),
            (-width * 0.5, edge + 8),
            (0, edge + 11),
            (width * 0.5, edge + 8),
            (width * 0.95, edge),
        ]
        canvas.paint(
            [curve([*visor, (width * 0.5, edge - 6), (0, edge - 8), (-width * 0.5, edge - 6)], closed=True)], band
        )
    elif kind == 1:
        canvas.paint([ribbon(arc - (0, 5), [13])], band)
        canvas.shade([ribbon(arc - (0, -3), [5])], 0.6, 2)
    else:
        canvas.shade([ellipse(0, edge + 8, width * 0.9, 9)], 0.6, 4)
        canvas.paint([ribbon(arc - (0, 9), [9])], band)
        brim = [
            (-width * 1.55, edge + 2),
            (-width * 0.7, edge),
            (0, edge - 1),
            (width * 0.7, edge),
            (width * 1.55, edge + 2),
        ]
        canvas.paint([ribbon(brim, [3, 10, 11, 10, 3])], cloth * 0.85)

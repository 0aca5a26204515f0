"""What a face looks like: what its identity fixes, and how strongly each of its labels shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskshare import seeds
from taskshare.demo.attributes import ATTRIBUTES

FloatArray = NDArray[np.float32]

# Skin from light to dark, in sRGB.
SKIN_TONES = np.array([(243, 211, 188), (232, 190, 160), (212, 165, 130), (180, 130, 96), (124, 84, 60)], np.float32)
HAIR_COLOURS = {
    "Black_Hair": (28, 25, 26),
    "Brown_Hair": (88, 58, 38),
    "Blond_Hair": (208, 172, 108),
    "Gray_Hair": (158, 157, 158),
}
# Faces without a hair colour label: auburn, dark blond, dyed.
UNNAMED_HAIR_COLOURS = np.array([(118, 58, 36), (130, 100, 66), (60, 42, 36), (150, 70, 50)], np.float32)


@dataclass(frozen=True)
class Identity:
    """What all pictures of one person share; lengths are factors of the mean face unless said otherwise."""

    skin: float  # 0 (light) to 1 (dark)
    hair_hue: FloatArray  # added to the hair colour, RGB
    unnamed_hair: int  # which colour the hair has where no label names one
    width: float
    length: float
    jaw: float
    eye_distance: float
    eye_size: float
    nose_width: float
    nose_length: float
    mouth_width: float
    brow_height: float  # pixels above the mean

    @classmethod
    def draw(cls, number: int, seed: int) -> "Identity":
        """Return the person `number` of the data set that is drawn from `seed`."""
        generator = seeds.generator(seed, "identity", number)
        return cls(
            skin=float(generator.beta(1.1, 2.2)),
            hair_hue=generator.normal(0, 9, 3).astype(np.float32),
            unnamed_hair=int(generator.integers(len(UNNAMED_HAIR_COLOURS))),
            width=float(generator.normal(1, 0.035)),
            length=float(generator.normal(1, 0.035)),
            jaw=float(generator.normal(1, 0.05)),
            eye_distance=float(generator.normal(1, 0.035)),
            eye_size=float(generator.normal(1, 0.08)),
            nose_width=float(generator.normal(1, 0.1)),
            nose_length=float(generator.normal(1, 0.06)),
            mouth_width=float(generator.normal(1, 0.06)),
            brow_height=float(generator.normal(0, 1.2)),
        )


class Look:
    """One picture's labels, how strongly each shows, its person and its colours.

    Labels are never drawn at one strength: a positive may be faint and a negative may bear a trace, so the two overlap
    a little, as they do in photographs.

    Attributes:
        identity: the person.
        generator: further draws for this picture.
        skin: RGB of the skin, float32 (3,).
        hair: RGB of the hair.
        lips: RGB of the lips.
        beard: RGB of facial hair.
    """

    def __init__(self, labels: NDArray[np.bool_], identity: Identity, generator: np.random.Generator):
        self.identity = identity
        self.generator = generator
        self._labels = dict(zip(ATTRIBUTES, labels.tolist(), strict=True))
        strengths = np.where(labels, 0.22 + 0.78 * generator.beta(2, 1.1, 40), 0.34 * generator.beta(1, 2.5, 40))
        self._strengths = dict(zip(ATTRIBUTES, strengths.tolist(), strict=True))
        self.skin = self._skin_colour()
        self.hair = self._hair_colour()
        self.lips = self._lip_colour()
        # Darker than the skin around it by more than light and noise hide.
        dark = np.minimum(self.hair * 0.55, self.skin * 0.42)
        self.beard = dark + 0.35 * self["Gray_Hair"] * (self.skin * 0.7 - dark)

    def has(self, attribute: str) -> bool:
        """Return the label."""
        return self._labels[attribute]

    def __getitem__(self, attribute: str) -> float:
        """Return how strongly the attribute shows, 0 to 1: mostly above 0.4 for positives, below 0.2 for negatives."""
        return self._strengths[attribute]

    def _skin_colour(self) -> FloatArray:
        position = self.identity.skin * (len(SKIN_TONES) - 1)
        skin = np.array([np.interp(position, range(len(SKIN_TONES)), SKIN_TONES[:, channel]) for channel in range(3)])
        if self.has("Pale_Skin"):
            skin += self["Pale_Skin"] * (np.array((252, 238, 230)) - skin)
        return (skin + self.generator.normal(0, 4, 3)).astype(np.float32)

    def _hair_colour(self) -> FloatArray:
        named = [colour for name, colour in HAIR_COLOURS.items() if self.has(name)]
        hair = np.mean(named, axis=0) if named else UNNAMED_HAIR_COLOURS[self.identity.unnamed_hair]
        if not self.has("Young") and not self.has("Gray_Hair"):
            hair = hair + 0.35 * self.generator.random() * (np.array(HAIR_COLOURS["Gray_Hair"]) - hair)
        # Hair takes light very differently from picture to picture.
        hair = (hair + self.identity.hair_hue) * np.exp(self.generator.normal(0.05, 0.25))
        return np.clip(hair, 8, 235).astype(np.float32)

    def _lip_colour(self) -> FloatArray:
        bare = self.skin * (0.86, 0.66, 0.66)
        tints = np.array([(150, 18, 42), (120, 14, 46), (172, 22, 58), (104, 20, 30)]) * (self.skin.mean() / 190)
        tint = tints[self.generator.integers(len(tints))]
        amount = min(1.0, 1.25 * self["Wearing_Lipstick"])
        return (bare + amount * (tint - bare)).astype(np.float32)

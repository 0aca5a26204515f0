"""Named seeds: every random draw comes from a generator that is derived from a seed and the draw's name."""

import hashlib

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """Return the seed, 0 to 2**63 - 1, that belongs to `seed` and the names of what is drawn.

    The result depends on nothing else: not on the order of calls, the platform or `PYTHONHASHSEED`.
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return NumPy's generator for `seed` and the names of what is drawn."""
    return np.random.default_rng(derive(seed, *names))

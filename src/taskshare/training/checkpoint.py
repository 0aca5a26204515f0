"""The state of an unfinished run, so that a killed job goes on where it was."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from taskshare import files
from taskshare.errors import TaskshareError

DIGEST_BYTES = 32


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them, whole or not at all, behind the SHA-256 of what follows.

    Raises:
        OSError: if there is no room for it.
    """
    # Through memory: torch.save hides why it cannot write, and nobody looks at its archive's checksums on loading.
    content = io.BytesIO()
    torch.save(state, content)
    with files.atomic(path) as partial, partial.open("wb") as file:
        file.write(hashlib.sha256(content.getbuffer()).digest())
        file.write(content.getbuffer())


def load(path: Path) -> dict[str, Any] | None:
    """Return what `save` wrote, on the CPU, or None if there is nothing. No code in the file is run.

    Raises:
        TaskshareError: if a single bit of the file has changed, or it holds more than `save` writes.
    """
    if not path.exists():
        return None
    content = path.read_bytes()
    recorded, state = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(state).digest() != recorded:
        raise TaskshareError(
            f"{path}: damaged checkpoint (its digest is not the recorded one); remove it to train from the start"
        )
    try:
        return torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise TaskshareError(
            f"{path}: no checkpoint of taskshare ({reason}); remove it to train from the start"
        ) from None

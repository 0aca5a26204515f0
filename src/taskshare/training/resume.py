"""The state of an unfinished run, so that a killed job goes on where it was."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import torch

from taskshare import files
from taskshare.errors import TaskshareError

DIGEST_BYTES = 32


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them, whole or not at all, behind the SHA-256 of what follows.

    Raises:
        OSError: if there is no room for it.
    """
    # A digest, for nobody looks at the checksums of torch's archive on loading.
    with files.atomic(path) as partial, partial.open("wb") as file:
        file.write(bytes(DIGEST_BYTES))
        digested = _Digested(file)
        try:
            torch.save(state, digested)  # type: ignore[arg-type]
        except RuntimeError as error:
            raise digested.error or error from None
        file.seek(0)
        file.write(digested.sha.digest())


def load(path: Path) -> dict[str, Any] | None:
    """Return what `save` wrote, on the CPU, or None if there is nothing. No code in the file is run.

    Raises:
        TaskshareError: if a single bit of the file has changed, or it holds more than `save` writes.
    """
    if not path.exists():
        return None
    with path.open("rb") as file:
        recorded, state = file.read(DIGEST_BYTES), file.read()
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


class _Digested(io.RawIOBase):
    """Passes on what is written; keeps its SHA-256, and the error that torch.save makes a RuntimeError of."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.sha = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, content: Any) -> int:
        self.sha.update(content)
        try:
            return self.file.write(content)
        except OSError as error:
            self.error = error
            raise

"""The state of an unfinished run, so that a killed job goes on where it was."""

import pickle
from pathlib import Path
from typing import Any

import torch

from taskshare import files
from taskshare.errors import TaskshareError


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them, whole or not at all."""
    with files.atomic(path) as partial:
        torch.save(state, partial)


def load(path: Path) -> dict[str, Any] | None:
    """Return what `save` wrote, on the CPU, or None if there is nothing. No code in the file is run.

    Raises:
        TaskshareError: if the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise TaskshareError(f"{path}: damaged checkpoint ({reason}); remove it to train from the start") from None

"""Weights on disk: a safetensors file that carries its run's configuration and a digest, and no code."""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from taskshare import files
from taskshare.config import Run, Selection
from taskshare.errors import TaskshareError
from taskshare.graph import WEIGHTS
from taskshare.networks.build import SharingNetwork, build_for

# One key only: safetensors does not keep the order of several, and equal weights shall be equal bytes.
METADATA_KEY = "taskshare"


def save(path: Path, state: dict[str, Tensor], run: Run) -> None:
    """Write a network's weights and running statistics, float32, its run and a digest of all, whole or not at all."""
    _write(path, state, {"run": run.model_dump()})


def save_others(
    path: Path, states: dict[int, dict[str, Tensor]], selections: dict[Selection, dict[str, int]], run: Run
) -> None:
    """Write the weights of further iterations of a run, and which iteration each selection takes for each task."""
    tensors = {f"{iteration}.{name}": tensor for iteration, state in states.items() for name, tensor in state.items()}
    _write(path, tensors, {"run": run.model_dump(), "selections": selections})


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata["digest"] = _digest(metadata, tensors)
    with files.atomic(path) as partial:
        # Not save_file, which lets nobody but the owner read the file.
        partial.write_bytes(serialise(tensors, {METADATA_KEY: json.dumps(metadata, sort_keys=True)}))


def load(path: Path) -> tuple[Run, SharingNetwork]:
    """Return the run and the network, on the CPU and in evaluation mode, of a file that `save` wrote.

    Raises:
        TaskshareError: if the file is missing, damaged, or not one of ours; a single changed bit is found.
    """
    metadata, tensors = _read(path)
    with _refusing(path):
        run = Run.model_validate(metadata["run"])
        network = build_for(run)
        network.load_state_dict(tensors)
    return run, network.eval()


def load_others(path: Path, run: Run) -> tuple[dict[int, dict[str, Tensor]], dict[Selection, dict[str, int]]]:
    """Return the states by iteration, and the selections, of a file that `save_others` wrote for a run.

    Raises:
        TaskshareError: if the file is missing, damaged, of another run, or not one of ours.
    """
    metadata, tensors = _read(path)
    if metadata["run"] != run.model_dump():
        raise TaskshareError(f"{path}: of another run than the {WEIGHTS} beside it; train {run.key} again")
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        iteration, _, rest = name.partition(".")
        states.setdefault(int(iteration), {})[rest] = tensor
    return states, metadata["selections"]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with _refusing(path), safe_open(path, framework="pt") as file:
        metadata = json.loads((file.metadata() or {})[METADATA_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.pop("digest") != _digest(metadata, tensors):
            raise TaskshareError(
                f"{path}: damaged checkpoint (its digest is not the recorded one); train it again, or `dvc pull`"
            )
        return metadata, tensors


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise TaskshareError(f"{path}: no such checkpoint; train it first, or `dvc pull`") from None
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise TaskshareError(
            f"{path}: damaged, or no checkpoint of taskshare ({reason}); train it again, or `dvc pull`"
        ) from None


def longest_sum(path: Path) -> int:
    """Return the number of terms in the longest sum that a checkpoint's net computes: the inputs of one unit."""
    with safe_open(path, framework="pt") as file:
        return max(math.prod(file.get_slice(name).get_shape()[1:]) for name in file.keys())  # noqa: SIM118


def _digest(metadata: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    return files.digest([metadata, digest_of(tensors)])


def digest_of(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and values."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()

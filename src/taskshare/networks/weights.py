"""Weights on disk: a safetensors file that carries its run's configuration and a digest, and no code."""

import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from taskshare import files
from taskshare.config import Run
from taskshare.errors import TaskshareError
from taskshare.networks.build import SharingNetwork, build_for
from taskshare.networks.inherit import digest

# One key only: safetensors does not keep the order of several, and equal weights shall be equal bytes.
METADATA_KEY = "taskshare"


def save(path: Path, network: SharingNetwork, run: Run) -> None:
    """Write a network's weights and running statistics, float32, its run and a digest of all, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    configuration = run.model_dump()
    metadata = {"run": configuration, "digest": _digest(configuration, tensors)}
    with files.atomic(path) as partial:
        # Not save_file, which lets nobody but the owner read the file.
        partial.write_bytes(serialise(tensors, {METADATA_KEY: json.dumps(metadata, sort_keys=True)}))


def load(path: Path) -> tuple[Run, SharingNetwork]:
    """Return the run and the network, on the CPU and in evaluation mode, of a file that `save` wrote.

    Raises:
        TaskshareError: if the file is missing, damaged, or not one of ours; a single changed bit is found.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata["digest"] != _digest(metadata["run"], tensors):
            raise TaskshareError(
                f"{path}: damaged checkpoint (its digest is not the recorded one); train it again, or `dvc pull`"
            )
        run = Run.model_validate(metadata["run"])
        network = build_for(run)
        network.load_state_dict(tensors)
    except FileNotFoundError:
        raise TaskshareError(f"{path}: no such checkpoint; train it first, or `dvc pull`") from None
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise TaskshareError(
            f"{path}: damaged, or no checkpoint of taskshare ({reason}); train it again, or `dvc pull`"
        ) from None
    return run, network.eval()


def longest_sum(path: Path) -> int:
    """Return the number of terms in the longest sum that a checkpoint's net computes: the inputs of one unit."""
    with safe_open(path, framework="pt") as file:
        return max(math.prod(file.get_slice(name).get_shape()[1:]) for name in file.keys())  # noqa: SIM118


def _digest(run: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    return files.digest([run, digest(tensors)])

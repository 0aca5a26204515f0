"""Weights on disk: a safetensors file that carries its run's configuration and no code."""

import json
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from taskshare import files
from taskshare.config import Run
from taskshare.errors import TaskshareError
from taskshare.networks.build import SharingNetwork, build_for

# One key only: safetensors does not keep the order of several, and equal weights shall be equal bytes.
METADATA_KEY = "taskshare"


def save(path: Path, network: SharingNetwork, run: Run) -> None:
    """Write a network's weights and running statistics, float32, and its run, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with files.atomic(path) as partial:
        # Not save_file, which lets nobody but the owner read the file.
        partial.write_bytes(serialise(tensors, {METADATA_KEY: json.dumps(run.model_dump(), sort_keys=True)}))


def load(path: Path) -> tuple[Run, SharingNetwork]:
    """Return the run and the network, on the CPU and in evaluation mode, of a file that `save` wrote.

    Raises:
        TaskshareError: if the file is missing, damaged, or not one of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            run = Run.model_validate_json((file.metadata() or {})[METADATA_KEY])
            network = build_for(run)
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except FileNotFoundError:
        raise TaskshareError(f"{path}: no such checkpoint; train it first, or `dvc pull`") from None
    except (SafetensorError, KeyError, ValidationError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise TaskshareError(f"{path}: not a checkpoint of taskshare ({reason}); train it again") from None
    return run, network.eval()

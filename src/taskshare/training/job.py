"""One training job: from prepared arrays and manifests to weights, history and provenance."""

import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock
from torch import Tensor

from taskshare import device, files
from taskshare.config import Run
from taskshare.graph import OTHER_WEIGHTS, PROVENANCE, TRAINING_FILES, WEIGHTS
from taskshare.networks import weights
from taskshare.networks.build import count_parameters
from taskshare.networks.parents import open_parent
from taskshare.training import provenance
from taskshare.training.loop import Loop, tell
from taskshare.training.uncompiled import uncompiled


def train(
    run: Run,
    prepared: Path,
    manifests: list[Path],
    out: Path,
    wanted_device: str = "auto",
    parent: Path | None = None,
    cuda_graphs: bool = False,
) -> None:
    """Train a run, or go on with it, and write its files into `out`.

    While it is under way, a folder `work-DIGEST` in `out` holds its checkpoint; the digest is that of configuration
    and inputs, so a changed run never goes on from another's state. A run that was killed and goes on ends in the
    same bytes as one that was not. Of two processes that are asked for the same, one trains and the other waits.

    Args:
        run: what to train.
        prepared: folder with train.npy, train.parquet and, if validated, validation.npy and validation.parquet.
        manifests: for each task that is trained, its manifest.
        out: folder for weights.safetensors, other_weights.safetensors, history.parquet, transfer.parquet,
            timing.parquet and provenance.json.
        wanted_device: `auto`, `cpu` or `cuda`.
        parent: weights.safetensors of the run's parent, for the same seed; None for a run that has no parent.
        cuda_graphs: whether a step on a GPU is replayed as one CUDA graph; elsewhere it changes nothing.

    Raises:
        TaskshareError: if the loss is no longer finite, there is nothing to validate on though selection needs it, or
            `parent` is not a checkpoint that the run can start from.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")  # stays there: removed, it would no longer hold back who waits for it
    waited = not files.acquire_at_once(lock)
    if waited:
        # Its Snakemake was killed, and a second one asks for the same.
        tell(f"{run.key}: another process trains it; waits for its result")
        lock.acquire()
    try:
        _train(run, prepared, manifests, out, wanted_device, parent, cuda_graphs, may_be_finished=waited)
    finally:
        lock.release()


def _train(
    run: Run,
    prepared: Path,
    manifests: list[Path],
    out: Path,
    wanted_device: str,
    parent: Path | None,
    cuda_graphs: bool,
    may_be_finished: bool,
) -> None:
    started = provenance.now()
    code = provenance.code()
    inherited = open_parent(run, parent)
    images = [prepared / f"{split}.{kind}" for split in run.splits for kind in ("npy", "parquet")]
    inputs = {path.name: files.sha256(path) for path in [*images, *manifests]}
    if parent is not None:
        inputs[f"parent {parent.name}"] = files.sha256(parent)
    configuration = run.model_dump()
    if may_be_finished and _is_finished(out, configuration, inputs):
        tell(f"{run.key}: finished by the other process")
        return
    work = out / f"work-{files.digest([configuration, inputs])[:16]}"
    device.set_up(run.training.threads)
    with uncompiled():
        loop = Loop(run, prepared, manifests, device.choose(wanted_device), inherited, cuda_graphs)
        loop.run_to_end(work / "checkpoint.pt")
    _write_weights(out, loop)
    record = {
        "run": configuration,
        "configuration_digest": files.digest(configuration),
        "inputs": inputs,
        "start": _start_record(loop, inherited),
        **code,
        **_record(loop),
        "started": started.isoformat(timespec="seconds"),
        "finished": provenance.now().isoformat(timespec="seconds"),
    }
    files.write_json(out / PROVENANCE, record)
    for folder in out.glob("work-*"):  # this run's, and those of configurations that were given up
        shutil.rmtree(folder, ignore_errors=True)


def _is_finished(out: Path, configuration: dict[str, Any], inputs: dict[str, str]) -> bool:
    """Return whether a run has been trained from these inputs, and nothing of it was removed since."""
    if not all((out / name).exists() for name in TRAINING_FILES):
        return False
    found = files.read_json(out / PROVENANCE)
    return found["configuration_digest"] == files.digest(configuration) and found["inputs"] == inputs


def _write_weights(out: Path, loop: Loop) -> None:
    """Write the weights that selections name, and the history with the selected rows marked."""
    selections = loop.selections()
    loop.history.select(selections[loop.run.training.selection])
    kept = loop.kept_states()
    weights.save(out / WEIGHTS, kept.pop(loop.main_iteration), loop.run)
    weights.save_others(out / OTHER_WEIGHTS, kept, selections, loop.run)
    loop.history.write(out)


def _record(loop: Loop) -> dict[str, Any]:
    """Return where a job was computed, and what it took."""
    machine = device.describe(loop.device)
    return {
        "versions": provenance.versions(),
        "device": machine["device"],
        "processor": machine["processor"],
        "cuda_graph": loop.graphed,
        "precision": "bfloat16" if loop.bfloat16 else "float32",
        "parameters": count_parameters(loop.network),
        "selected_iteration": loop.main_iteration,
        "selections": loop.selections(),
        "seconds": round(loop.progress.seconds, 3),
        "images": loop.progress.images,
        "multiply_adds": loop.progress.multiply_adds,
        "peak_memory_bytes": provenance.peak_memory_bytes(),
    }


def _start_record(loop: Loop, inherited: dict[str, Tensor]) -> dict[str, Any] | None:
    """Return where a run started, and the digests of what was frozen: the parent's, and what is there now."""
    if loop.run.start is None:
        return None
    state = loop.network.state_dict()
    before = weights.digest_of({name: inherited[name] for name in loop.frozen})
    after = weights.digest_of({name: state[name] for name in loop.frozen})
    return {**loop.run.start.model_dump(), "frozen": {"before": before, "after": after}}

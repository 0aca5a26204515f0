"""A trained parent's weights in a child's network: what is taken over, and what of it is frozen."""

import hashlib
from typing import cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from taskshare.config import Run, VggNetwork
from taskshare.networks.build import SharingNetwork
from taskshare.networks.vgg import first_layer

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def inherited_state(child: Run, parent: Run, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what a child starts from, by the names in its own network.

    Incremental (Fang 2017, section 4.4): the whole parent, as the core. Removal (section 4.3): the subnets of the tasks
    that are kept, and the connections among them. Separation (Matsui 2019, section 3.2): the trunk, as the shared
    column and, for fine-tuning, as the start of each task's convolutions (section 3.3, reading 7).

    Args:
        child: the run, with `start`.
        parent: the run whose weights these are.
        state: the parent's weights and running statistics.
    """
    assert child.start is not None
    if child.start.kind == "incremental":
        return {f"core.{name}": tensor for name, tensor in state.items()}
    if child.start.kind == "separation":
        return _separated(child, state)
    kept = [parent.tasks.index(task) for task in child.tasks]
    taken = {}
    for name, tensor in state.items():
        part, _, rest = name.partition(".")
        if part == "transfers":
            if child.start.beta == "learned" or not rest.endswith(".beta"):
                taken[name] = tensor[kept][:, kept].clone()
            continue
        old, _, rest = rest.partition(".")
        if int(old) in kept:
            taken[f"subnets.{kept.index(int(old))}.{rest}"] = tensor
    return taken


def _separated(child: Run, state: dict[str, Tensor]) -> dict[str, Tensor]:
    network = cast(VggNetwork, child.network)
    trunk = {name.removeprefix("trunk."): tensor for name, tensor in state.items() if name.startswith("trunk.")}
    end = first_layer(network, network.shared_blocks + 1)
    taken = {f"shared.{name}": tensor for name, tensor in trunk.items() if int(name.partition(".")[0]) < end}
    if network.fine_tuning:
        skipped = sum(network.convolutions[: network.branch_block or 0])
        places = sorted({int(name.partition(".")[0]) for name in trunk})[skipped:]  # of the convolutions among layers
        for column in range(len(child.tasks)):
            for number, place in enumerate(places):
                for part in ("weight", "bias"):
                    taken[f"columns.{column}.convolutions.{number}.{part}"] = trunk[f"{place}.{part}"]
    return taken


def freeze(run: Run, network: SharingNetwork) -> None:
    """Freeze what a run has from its parent and does not train (Fang 2017, readings 19 and 20; Matsui 2019, 8)."""
    frozen = frozen_names(run, network)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in frozen)


def frozen_names(run: Run, network: SharingNetwork) -> set[str]:
    """Return the names of the tensors that training must not touch."""
    names = set(network.state_dict())
    if run.start is None:
        return set()
    if run.start.kind == "incremental":
        return {name for name in names if name.startswith("core.")}
    if run.start.kind == "separation":
        return {name for name in names if name.startswith("shared.")}
    weights = {name for name in names if name.startswith("subnets.")}
    if run.start.statistics == "reestimated":
        weights -= {name for name in weights if name.endswith(STATISTICS)}
    return weights


def keep_statistics(run: Run, network: nn.Module) -> None:
    """Let batch normalisation compute with the parent's statistics if the run freezes them; call it after `train()`."""
    if run.start is not None and run.start.kind == "removal" and run.start.statistics == "frozen":
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


def digest(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and values."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()

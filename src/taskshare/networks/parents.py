"""What a net has from the trained net it starts from, and what of that stays frozen: one class a kind of parent."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from taskshare.config import Run, VggNetwork
from taskshare.config.checks import can_start, wanted_parent
from taskshare.errors import TaskshareError
from taskshare.networks import weights
from taskshare.networks.vgg import first_layer

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Start(ABC):
    """How a run starts.

    Args:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    @abstractmethod
    def inherited(self, old: Run, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what is taken from the parent's run `old` and its weights and statistics, by the run's own names."""

    @abstractmethod
    def frozen(self, names: set[str]) -> set[str]:
        """Return those of the net's tensors, by name, that training must not touch."""

    def parent_tasks(self) -> list[str]:
        """Return the tasks that the parent must have learned."""
        return self.run.tasks

    def check_tasks(self, where: str, old: Run) -> None:
        """Raise TaskshareError if the parent's run lacks a task; `where` names its file."""
        missing = [task for task in self.parent_tasks() if task not in old.tasks]
        if missing:
            raise TaskshareError(
                f"{where}: its tasks are {', '.join(old.tasks)}; {self.run.key} starts from {missing[0]} too"
            )

    def keep_statistics(self, network: nn.Module) -> None:  # noqa: B027
        """Let batch normalisation compute with frozen statistics, if the run freezes them; call it after `train()`."""

    def freeze(self, network: nn.Module) -> set[str]:
        """Take gradients from what is frozen, and return its names."""
        frozen = self.frozen(set(network.state_dict()))
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name not in frozen)
        return frozen


class Scratch(Start):
    """No parent: initial weights."""

    def inherited(self, old: Run, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return nothing."""
        return {}

    def frozen(self, names: set[str]) -> set[str]:
        """Return nothing."""
        return set()


class Removal(Start):
    """Some of a trained net's tasks, whose connections are retrained (Fang 2017, section 4.3; reading fang2017-19)."""

    def inherited(self, old: Run, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the subnets of the tasks that are kept, and the connections among them."""
        assert self.run.start is not None
        kept = [old.tasks.index(task) for task in self.run.tasks]
        taken = {}
        for name, tensor in state.items():
            part, _, rest = name.partition(".")
            if part == "transfers":
                if self.run.start.beta == "learned" or not rest.endswith(".beta"):
                    taken[name] = tensor[kept][:, kept].clone()
                continue
            subnet, _, rest = rest.partition(".")
            if int(subnet) in kept:
                taken[f"subnets.{kept.index(int(subnet))}.{rest}"] = tensor
        return taken

    def frozen(self, names: set[str]) -> set[str]:
        """Return the subnets' weights, and their statistics unless these are estimated again."""
        weights = {name for name in names if name.startswith("subnets.")}
        if not self._keeps_statistics:
            weights -= {name for name in weights if name.endswith(STATISTICS)}
        return weights

    def keep_statistics(self, network: nn.Module) -> None:
        """Let batch normalisation compute with the parent's statistics if the run freezes them."""
        if self._keeps_statistics:
            for module in network.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    @property
    def _keeps_statistics(self) -> bool:
        assert self.run.start is not None
        return self.run.start.statistics == "frozen"


class Incremental(Start):
    """Tasks that join a trained net, which stays as it is (Fang 2017, section 4.4; reading fang2017-20)."""

    def inherited(self, old: Run, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the whole parent, as the core."""
        return {f"core.{name}": tensor for name, tensor in state.items()}

    def frozen(self, names: set[str]) -> set[str]:
        """Return the core."""
        return {name for name in names if name.startswith("core.")}

    def parent_tasks(self) -> list[str]:
        """Return the tasks that do not join now."""
        return [task for task in self.run.tasks if task not in self.run.trained_tasks]

    def check_tasks(self, where: str, old: Run) -> None:
        """Raise TaskshareError if the parent's tasks, in their order, are not those of the core."""
        super().check_tasks(where, old)
        if old.tasks != self.parent_tasks():
            raise TaskshareError(
                f"{where}: its tasks are {', '.join(old.tasks)}; {self.run.key} starts from "
                f"{', '.join(self.parent_tasks())}"
            )


class Separation(Start):
    """A hard-sharing net's trunk as the frozen shared column (Matsui 2019, section 3.2; reading matsui2019-8)."""

    def inherited(self, old: Run, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the trunk as the shared column.

        For fine-tuning it is the start of each task's convolutions too (section 3.3; reading matsui2019-7).
        """
        network = cast(VggNetwork, self.run.network)
        trunk = {name.removeprefix("trunk."): tensor for name, tensor in state.items() if name.startswith("trunk.")}
        end = first_layer(network, network.shared_blocks + 1)
        taken = {f"shared.{name}": tensor for name, tensor in trunk.items() if int(name.partition(".")[0]) < end}
        if network.fine_tuning:
            skipped = sum(network.convolutions[: network.branch_block or 0])
            places = sorted({int(name.partition(".")[0]) for name in trunk})[skipped:]  # of the convolutions
            for column in range(len(self.run.tasks)):
                for number, place in enumerate(places):
                    for part in ("weight", "bias"):
                        taken[f"columns.{column}.convolutions.{number}.{part}"] = trunk[f"{place}.{part}"]
        return taken

    def frozen(self, names: set[str]) -> set[str]:
        """Return the shared column."""
        return {name for name in names if name.startswith("shared.")}

    def check_tasks(self, where: str, old: Run) -> None:
        """Accept any tasks: only the trunk is taken."""


STARTS: dict[str, type[Start]] = {"removal": Removal, "incremental": Incremental, "separation": Separation}


def start_of(run: Run) -> Start:
    """Return how a run starts."""
    return STARTS[run.start.kind](run) if run.start else Scratch(run)


def open_parent(run: Run, path: Path | None) -> dict[str, Tensor]:
    """Return what a run takes from its parent's checkpoint, by the names in its own net.

    Args:
        run: the run.
        path: weights.safetensors of its parent, for the same seed; None for a run that has none.

    Raises:
        TaskshareError: if `path` is not a checkpoint that the run can start from.
    """
    if run.start is None:
        return {}
    if path is None:
        raise TaskshareError(f"{run.key}: starts from {run.start.job}; give that run's weights with --parent")
    old, network = weights.load(path)
    if (old.dataset, old.variant) != (run.dataset, run.variant):
        raise TaskshareError(
            f"{path}: a parent of another data set ({old.dataset}, {old.variant_name}); {run.key} learns from "
            f"{run.dataset}, {run.variant_name}"
        )
    if not can_start(run.start.kind, run.network, old.network) or old.seed != run.seed:
        raise TaskshareError(
            f"{path}: {old.key}, {old.network.scheme}, is not the net that {run.key} starts from; it needs "
            f"{wanted_parent(run.start.kind)}, and the same seed"
        )
    start = start_of(run)
    start.check_tasks(str(path), old)
    return start.inherited(old, network.state_dict())

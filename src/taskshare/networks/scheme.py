"""Sharing schemes over subnets: each is a file of this folder, found by its name."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol, TypeVar

from torch import Tensor, nn

from taskshare import config
from taskshare.networks.subnet import Subnet

MakeSubnet = Callable[..., Subnet]
"""`subnet(owner, first=1, last=7)`: layers `first` to `last`; initial weights depend on the seed and the owner only."""


class SharingScheme(Protocol):
    """What the class of a scheme must be: a `torch.nn.Module` with these methods."""

    @classmethod
    def build(cls, network: config.Network, tasks: Sequence[str], subnet: MakeSubnet) -> nn.Module:
        """Return a network with its initial weights.

        Args:
            network: widths and switches; those of a scheme of your own are in `network.options`.
            tasks: the tasks in the order of the logits.
            subnet: makes layers, see `MakeSubnet`; the owner is a task, or any other name.
        """

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W), float32 in -1..1, to logits (N, tasks)."""


Scheme = TypeVar("Scheme", bound=type[SharingScheme])
_registered: dict[str, type[SharingScheme]] = {}


def sharing_scheme(scheme: Scheme) -> Scheme:
    """Register a class as the scheme that has the name of its file."""
    _registered[scheme.__module__.rpartition(".")[2]] = scheme
    return scheme


def find(name: str) -> type[SharingScheme]:
    """Return the class of a scheme, such as `hard`, from the file of that name."""
    import_module(f"taskshare.networks.{name}")
    return _registered[name]

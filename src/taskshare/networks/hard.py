"""Hard parameter sharing (MT): one trunk for all tasks, and a branch for each."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taskshare import config
from taskshare.networks.scheme import MakeSubnet, sharing_scheme
from taskshare.networks.subnet import Subnet


@sharing_scheme
class HardSharing(nn.Module):
    """A shared trunk of the first layers and one branch per task with the rest (Fang 2017's MT CNN, reading 3)."""

    def __init__(self, trunk: Subnet, branches: list[Subnet]) -> None:
        super().__init__()
        self.trunk = trunk
        self.branches = nn.ModuleList(branches)

    @classmethod
    def build(cls, network: config.Network, tasks: Sequence[str], subnet: MakeSubnet) -> "HardSharing":
        """Return a network with its initial weights, see `SharingScheme`."""
        first = network.shared_layers + 1
        return cls(subnet("shared", last=network.shared_layers), [subnet(task, first=first) for task in tasks])

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, tasks)."""
        features = self.trunk(images)
        return torch.stack([branch(features) for branch in self.branches], dim=1)

"""Single-task learning (ST): one subnet per task, and nothing between them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taskshare import config
from taskshare.networks.scheme import MakeSubnet, sharing_scheme
from taskshare.networks.subnet import Subnet


@sharing_scheme
class SingleTask(nn.Module):
    """Independent subnets side by side; with one task, the paper's ST CNN (Fang 2017, section 4.1)."""

    def __init__(self, subnets: list[Subnet]) -> None:
        super().__init__()
        self.subnets = nn.ModuleList(subnets)

    @classmethod
    def build(cls, network: config.Network, tasks: Sequence[str], subnet: MakeSubnet) -> "SingleTask":
        """Return a network with its initial weights, see `SharingScheme`."""
        return cls([subnet(task) for task in tasks])

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, tasks)."""
        return torch.stack([subnet(images) for subnet in self.subnets], dim=1)

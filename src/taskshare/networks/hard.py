"""Hard parameter sharing (MT): one trunk for all tasks, and a branch for each."""

import torch
from torch import Tensor, nn

from taskshare.networks.subnet import Subnet


class HardSharing(nn.Module):
    """A shared trunk of the first layers and one branch per task with the rest (Fang 2017's MT CNN, reading 3)."""

    def __init__(self, trunk: Subnet, branches: list[Subnet]) -> None:
        super().__init__()
        self.trunk = trunk
        self.branches = nn.ModuleList(branches)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, tasks)."""
        features = self.trunk(images)
        return torch.stack([branch(features) for branch in self.branches], dim=1)

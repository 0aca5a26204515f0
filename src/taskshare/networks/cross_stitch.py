"""Cross-stitch networks (Misra et al. 2016): parallel subnets, joined layer by layer by learned linear combinations."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from taskshare import config
from taskshare.networks.dynamic import Connection, JoinedSubnets
from taskshare.networks.scheme import sharing_scheme


class CrossStitchUnit(Connection):
    """Task j continues with sum_i alpha_ij h_i, and any alpha is learned, the own one too (Misra 2016, eqs 1 and 2).

    The first alphas are a convex combination: `own` of a task's own features, and equal shares of the others
    (section 3.3).

    Args:
        tasks: number of tasks, of which there are two or more.
        width: channels of the layer.
        stitch: granularity and start.
    """

    def __init__(self, tasks: int, width: int, stitch: config.Stitch) -> None:
        super().__init__()
        start = torch.full((tasks, tasks), (1 - stitch.own) / (tasks - 1)).fill_diagonal_(stitch.own)
        if stitch.granularity == "channel":
            start = start[:, :, None].expand(tasks, tasks, width).contiguous()
        self.coefficients = nn.Parameter(start)

    def alpha(self) -> Tensor:
        """Return the coefficients, of any sign and size."""
        return self.coefficients


@sharing_scheme
class CrossStitch(JoinedSubnets):
    """One subnet per task and a `CrossStitchUnit` after each chosen layer (Misra 2016, section 3.2)."""

    def connections(self, tasks: int, network: config.Network) -> Mapping[int, nn.Module]:
        """Return a `CrossStitchUnit` for each chosen layer, by its number."""
        stitch = network.stitch
        return {
            layer: CrossStitchUnit(tasks, network.widths[layer - 1], stitch) for layer in sorted(set(stitch.layers))
        }

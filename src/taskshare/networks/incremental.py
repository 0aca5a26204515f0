"""Task-wise incremental learning: new tasks join a trained dynamic net, which stays as it is."""

import torch
from torch import Tensor, nn

from taskshare import config
from taskshare.networks.dynamic import (
    ParallelSubnets,
    classify_all,
    complete_all,
    respond_all,
    strengths,
    transfer_connections,
)
from taskshare.networks.subnet import Subnet


class IncrementalMultiTask(ParallelSubnets):
    """New subnets that take from a trained net's layers and from each other (Fang 2017, section 4.4, Figure 3).

    The trained net takes nothing from the new tasks, computes in evaluation mode whatever the mode of the whole, and
    gets no gradients, so its outputs stay equal to the last bit (reading 20).

    Args:
        core: the trained net.
        subnets: one per new task.
        network: widths of the layers and switches of the connections.
    """

    def __init__(self, core: ParallelSubnets, subnets: list[Subnet], network: config.Network) -> None:
        super().__init__()
        self.core = core.requires_grad_(False).eval()
        self.tasks = core.tasks + len(subnets)
        self.subnets = nn.ModuleList(subnets)
        joining = transfer_connections(self.tasks, len(subnets), network)
        self.transfers = nn.ModuleDict({str(layer): connection for layer, connection in joining.items()})

    def train(self, mode: bool = True) -> "IncrementalMultiTask":
        """Set the mode of the new tasks' part."""
        super().train(mode)
        self.core.eval()
        return self

    def respond(self, number: int, features: list[Tensor]) -> list[Tensor]:
        """Return each task's response of hidden layer `number`, 1 to 6, those of the trained net first."""
        with torch.no_grad():
            old = self.core.respond(number, features[: self.core.tasks])
        return old + respond_all(self.subnets, number, features[self.core.tasks :], self.joins_first_layers)

    def mix(self, number: int, responses: list[Tensor]) -> list[Tensor]:
        """Return what each task hands on from layer `number`."""
        with torch.no_grad():
            old = self.core.mix(number, responses[: self.core.tasks])
        connected = str(number) in self.transfers
        new = self.transfers[str(number)](responses) if connected else responses[self.core.tasks :]
        return old + complete_all(self.subnets, number, new)

    def classify(self, features: list[Tensor]) -> list[Tensor]:
        """Return each task's logits, (N,)."""
        with torch.no_grad():
            old = self.core.classify(features[: self.core.tasks])
        return old + classify_all(self.subnets, features[self.core.tasks :])

    def connection_strengths(self) -> dict[int, Tensor]:
        """Return alpha per layer, detached, (from i, to j); 0 from a task that joined later to an earlier one."""
        whole = {}
        core = self.core.connection_strengths()
        for layer, incoming in strengths(self.transfers).items():
            alpha = incoming.new_zeros(self.tasks, self.tasks)
            alpha[: self.core.tasks, : self.core.tasks] = core[layer]
            alpha[:, self.core.tasks :] = incoming
            whole[layer] = alpha
        return whole

"""Dynamic multi-task learning (DMT): parallel subnets, joined layer by layer by task transfer connections."""

from typing import Any

import torch
from torch import Tensor, nn

from taskshare import config
from taskshare.networks.subnet import HIDDEN_LAYERS, Subnet


class TransferConnection(nn.Module):
    """The connections of one layer: task j continues with sum_i alpha_ij h_i (Fang 2017, eqs 4 to 8, reading 1).

    alpha_ij = sigmoid(beta_ij) for i != j (eq 8), and alpha_jj = 1 (below eq 11).

    Args:
        tasks: number of tasks n.
        width: channels of the layer.
        transfer: granularity, start and switches.
    """

    def __init__(self, tasks: int, width: int, transfer: config.Transfer) -> None:
        super().__init__()
        self.applied = transfer.applied
        per_channel = transfer.granularity == "channel"
        shape = (tasks, tasks, width) if per_channel else (tasks, tasks)
        own = torch.eye(tasks)
        self.register_buffer("own", own[:, :, None] if per_channel else own, persistent=False)
        self.beta: nn.Parameter | None = None
        if transfer.alpha == "learned":
            self.beta = nn.Parameter(torch.full(shape, transfer.initial_beta))
        else:
            limit = own if transfer.alpha == "identity" else torch.full((tasks, tasks), 1 / tasks)
            self.register_buffer("limit", (limit[:, :, None] if per_channel else limit).expand(shape).contiguous())

    def alpha(self) -> Tensor:
        """Return alpha, float32 in 0..1, of shape (from i, to j) or (from i, to j, channel)."""
        if self.beta is None:
            return self.limit  # type: ignore[return-value]
        # The diagonal of beta takes no part: its gradient is exactly zero.
        return torch.where(self.own.bool(), torch.ones_like(self.beta), torch.sigmoid(self.beta))  # type: ignore[operator]

    def forward(self, responses: list[Tensor]) -> list[Tensor]:
        """Mix the responses of all tasks, n tensors of (N, C, H, W) or (N, F), for each of them."""
        # Channels last, so that one matrix product over the task axis reads memory in order.
        planes = torch.stack([_channels_last(response) for response in responses])
        mixed = self._mixed(planes)
        return [_channels_first(part) for part in mixed]

    def _mixed(self, planes: Tensor) -> Tensor:
        alpha = self.alpha()
        if self.applied == "forward":
            return _product(alpha, planes)
        if self.applied == "gradient":
            # Forward value: the task's own response. Backward: eq 10's weighted supervisory signals.
            others = _product(torch.where(self.own.bool(), torch.zeros_like(alpha), alpha), planes)  # type: ignore[operator]
            return planes + (others - others.detach())
        value = _product(alpha, planes.detach())
        signal = _product(alpha.detach() ** 2, planes)
        return value + (signal - signal.detach())


class DynamicMultiTask(nn.Module):
    """One subnet per task and a `TransferConnection` after each chosen layer (Fang 2017, section 3, Figure 1)."""

    def __init__(self, subnets: list[Subnet], network: config.Network) -> None:
        super().__init__()
        self.subnets = nn.ModuleList(subnets)
        widths = [*network.channels, network.fully_connected]
        self.transfers = nn.ModuleDict(
            {
                str(layer): TransferConnection(len(subnets), widths[layer - 1], network.transfer)
                for layer in sorted(set(network.transfer.layers))
            }
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, tasks)."""
        features = [images] * len(self.subnets)
        for number in range(1, HIDDEN_LAYERS + 1):
            layers: list[Any] = [subnet.layers[number - 1] for subnet in self.subnets]  # type: ignore[index]
            responses = [layer.respond(inputs) for layer, inputs in zip(layers, features, strict=True)]
            if str(number) in self.transfers:
                responses = self.transfers[str(number)](responses)
            features = [layer.complete(response) for layer, response in zip(layers, responses, strict=True)]
        logits = [subnet.classify(inputs) for subnet, inputs in zip(self.subnets, features, strict=True)]  # type: ignore[operator]
        return torch.stack(logits, dim=1)

    def connection_strengths(self) -> dict[int, Tensor]:
        """Return alpha per layer, detached, (from i, to j); the mean over channels where alpha has them."""
        strengths = {int(layer): transfer.alpha().detach() for layer, transfer in self.transfers.items()}  # type: ignore[operator]
        return {layer: alpha.mean(-1) if alpha.dim() == 3 else alpha for layer, alpha in strengths.items()}


def _product(alpha: Tensor, planes: Tensor) -> Tensor:
    """Return sum_i alpha_ij planes_i for each j; planes of shape (tasks, ..., C)."""
    if alpha.dim() == 3:
        return torch.einsum("ijc,inc->jnc", alpha, planes.flatten(1, -2)).view_as(planes)
    return (alpha.t() @ planes.flatten(1)).view_as(planes)


def _channels_last(response: Tensor) -> Tensor:
    return response.permute(0, 2, 3, 1) if response.dim() == 4 else response


def _channels_first(plane: Tensor) -> Tensor:
    return plane.permute(0, 3, 1, 2) if plane.dim() == 4 else plane

"""Dynamic multi-task learning (DMT): parallel subnets, joined layer by layer by task transfer connections."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn

from taskshare import config
from taskshare.networks.scheme import MakeSubnet, sharing_scheme
from taskshare.networks.subnet import HIDDEN_LAYERS, Layer, Subnet, respond_together


class Connection(nn.Module, ABC):
    """What joins the subnets behind one layer: each target goes on with a weighted sum of all sources' responses."""

    @abstractmethod
    def alpha(self) -> Tensor:
        """Return the weights, in the net's dtype, of shape (from i, to j) or (from i, to j, channel)."""

    def forward(self, responses: list[Tensor]) -> list[Tensor]:
        """Mix the responses of all sources, tensors of (N, C, H, W) or (N, F), for each target."""
        # Channels last, so that one matrix product over the task axis reads memory in order.
        planes = torch.stack([_channels_last(response) for response in responses])
        mixed = self.mixed(planes)
        return [_channels_first(part) for part in mixed]

    def mixed(self, planes: Tensor) -> Tensor:
        """Return what each target goes on with, (targets, ..., C), from the responses (sources, ..., C)."""
        return product(self.alpha(), planes)


class TransferConnection(Connection):
    """The connections of one layer: task j continues with sum_i alpha_ij h_i (Fang 2017, eqs 4 to 8, reading 1).

    alpha_ij = sigmoid(beta_ij) for i != j (eq 8), and alpha_jj = 1 (below eq 11).

    Args:
        sources: number of tasks that are taken from.
        targets: number of tasks that take; they are the last of the sources.
        width: channels of the layer.
        transfer: granularity, start and switches.
    """

    own: Tensor
    limit: Tensor

    def __init__(self, sources: int, targets: int, width: int, transfer: config.Transfer) -> None:
        super().__init__()
        self.targets = targets
        self.applied = transfer.applied
        per_channel = transfer.granularity == "channel"
        shape = (sources, targets, width) if per_channel else (sources, targets)
        own = torch.eye(sources)[:, sources - targets :]
        self.register_buffer("own", own[:, :, None] if per_channel else own, persistent=False)
        self.beta: nn.Parameter | None = None
        if transfer.alpha == "learned":
            self.beta = nn.Parameter(torch.full(shape, transfer.initial_beta))
        else:
            limit = own if transfer.alpha == "identity" else torch.ones(sources, targets)
            self.register_buffer("limit", (limit[:, :, None] if per_channel else limit).expand(shape).contiguous())

    def alpha(self) -> Tensor:
        """Return alpha, 0..1 in the net's dtype, of shape (from i, to j) or (from i, to j, channel)."""
        if self.beta is None:
            return self.limit / self.limit.sum(0)
        # The diagonal of beta takes no part: its gradient is exactly zero.
        return torch.where(self.own.bool(), torch.ones_like(self.beta), torch.sigmoid(self.beta))

    def mixed(self, planes: Tensor) -> Tensor:
        """Return what each target goes on with, (targets, ..., C), as `applied` says."""
        if self.applied in ("gradient", "layerwise"):
            return self.supervised(planes, planes)
        alpha = self.alpha()
        if self.applied == "forward":
            return product(alpha, planes)
        value = product(alpha, planes.detach())
        signal = product(alpha.detach() ** 2, planes)
        return value + (signal - signal.detach())

    def supervised(self, planes: Tensor, senders: Tensor) -> Tensor:
        """Return each target's own response, whose gradient also goes, weighed by alpha, to the others (eq 10).

        Args:
            planes: the responses, (sources, ..., C).
            senders: the same values, through which the gradient goes to the other tasks' weights.
        """
        alpha = self.alpha()
        others = product(torch.where(self.own.bool(), torch.zeros_like(alpha), alpha), senders)
        return planes[-self.targets :] + (others - others.detach())


@dataclass(frozen=True)
class Trace:
    """What a net computed for a batch: responses by layer, 1 to 6, a tensor for each task, and logits (N, tasks)."""

    responses: dict[int, list[Tensor]]
    logits: Tensor


class ParallelSubnets(nn.Module, ABC):
    """Subnets side by side that may take from each other between the two halves of a layer.

    A scheme says what `respond`, `mix` and `classify` do for one tensor per task.

    Attributes:
        tasks: number of tasks.
        joins_first_layers: whether one convolution computes the first layers of all subnets, which is faster. It adds
            up in another order than a subnet by itself does on some instruction sets; without it, subnets that take
            nothing from each other equal single-task nets bit for bit on all of them.
    """

    tasks: int
    joins_first_layers: bool = True

    @abstractmethod
    def respond(self, number: int, features: list[Tensor]) -> list[Tensor]:
        """Return each task's response of hidden layer `number`, 1 to 6."""

    @abstractmethod
    def mix(self, number: int, responses: list[Tensor]) -> list[Tensor]:
        """Return what each task hands on from layer `number`."""

    @abstractmethod
    def classify(self, features: list[Tensor]) -> list[Tensor]:
        """Return each task's logits, (N,)."""

    @abstractmethod
    def connection_strengths(self) -> dict[int, Tensor]:
        """Return alpha per layer, detached, (from i, to j), 0 where there is no connection.

        It is the mean over channels where alpha has them.
        """

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, tasks)."""
        features = [images] * self.tasks
        for number in range(1, HIDDEN_LAYERS + 1):
            features = self.advance(number, features)
        return torch.stack(self.classify(features), dim=1)

    def advance(self, number: int, features: list[Tensor]) -> list[Tensor]:
        """Return what each task hands on from layer `number`, from what the layer below handed on."""
        return self.mix(number, self.respond(number, features))

    def trace(self, images: Tensor) -> Trace:
        """Map images (N, C, H, W) to logits, and keep what every layer responds."""
        responses, features = {}, [images] * self.tasks
        for number in range(1, HIDDEN_LAYERS + 1):
            responses[number] = self.respond(number, features)
            features = self.mix(number, responses[number])
        return Trace(responses, torch.stack(self.classify(features), dim=1))


class JoinedSubnets(ParallelSubnets):
    """One subnet per task, and something that joins them behind some layers: a scheme says what, in `connections`.

    Args:
        subnets: one per task.
        network: widths and switches.
    """

    def __init__(self, subnets: list[Subnet], network: config.Network) -> None:
        super().__init__()
        self.tasks = len(subnets)
        self.subnets = nn.ModuleList(subnets)
        self.transfers = nn.ModuleDict(
            {str(layer): joining for layer, joining in self.connections(self.tasks, network).items()}
        )

    @classmethod
    def build(cls, network: config.Network, tasks: Sequence[str], subnet: MakeSubnet) -> Self:
        """Return a network with its initial weights, see `SharingScheme`."""
        return cls([subnet(task) for task in tasks], network)

    @abstractmethod
    def connections(self, tasks: int, network: config.Network) -> Mapping[int, nn.Module]:
        """Return what joins the subnets, by the number of the layer behind which it does so, 1 to 6.

        Each maps a list with every task's response, (N, C, H, W) or (N, F), to a list of what the tasks go on with.
        Its method `alpha` returns how much each task takes of each, (from i, to j) or (from i, to j, channel).
        """

    def respond(self, number: int, features: list[Tensor]) -> list[Tensor]:
        """Return each task's response of hidden layer `number`, 1 to 6."""
        return respond_all(self.subnets, number, features, self.joins_first_layers)

    def mix(self, number: int, responses: list[Tensor]) -> list[Tensor]:
        """Return what each task hands on from layer `number`."""
        if str(number) in self.transfers:
            responses = self.transfers[str(number)](responses)
        return complete_all(self.subnets, number, responses)

    def classify(self, features: list[Tensor]) -> list[Tensor]:
        """Return each task's logits, (N,)."""
        return classify_all(self.subnets, features)

    def connection_strengths(self) -> dict[int, Tensor]:
        """Return alpha per layer, detached, (from i, to j); the mean over channels where alpha has them."""
        return strengths(self.transfers)


@sharing_scheme
class DynamicMultiTask(JoinedSubnets):
    """One subnet per task and a `TransferConnection` after each chosen layer (Fang 2017, section 3, Figure 1)."""

    def __init__(self, subnets: list[Subnet], network: config.Network) -> None:
        super().__init__(subnets, network)
        self.layerwise = network.transfer.applied == "layerwise"

    def connections(self, tasks: int, network: config.Network) -> Mapping[int, nn.Module]:
        """Return a `TransferConnection` for each chosen layer, by its number."""
        return transfer_connections(tasks, tasks, network)

    def advance(self, number: int, features: list[Tensor]) -> list[Tensor]:
        """Return what each task hands on from layer `number`, from what the layer below handed on.

        `layerwise`: the weights of layer l of task i are updated by sum_j alpha_ij V_ij (Algorithm 1, line 5), where
        V_ij is the signal of task j behind that layer; what another task sends goes no further down than these weights.
        """
        if not self.layerwise or str(number) not in self.transfers:
            return super().advance(number, features)
        responses = self.respond(number, features)
        senders = self.respond(number, [part.detach() for part in features])
        transfer = cast(TransferConnection, self.transfers[str(number)])
        planes, sent = (torch.stack([_channels_last(part) for part in parts]) for parts in (responses, senders))
        mixed = [_channels_first(part) for part in transfer.supervised(planes, sent)]
        return complete_all(self.subnets, number, mixed)


def is_connection(name: str) -> bool:
    """Return whether a parameter, by its name in a net, belongs to what joins the subnets."""
    return ".transfers." in f".{name}"


def transfer_connections(sources: int, targets: int, network: config.Network) -> dict[int, nn.Module]:
    """Return a `TransferConnection` for each chosen layer, by the layer's number."""
    return {
        layer: TransferConnection(sources, targets, network.widths[layer - 1], network.transfer)
        for layer in sorted(set(network.transfer.layers))
    }


def strengths(transfers: nn.ModuleDict) -> dict[int, Tensor]:
    """Return alpha per layer, detached, (sources, targets); the mean over channels where alpha has them."""
    alphas = {int(layer): cast(Connection, transfer).alpha().detach() for layer, transfer in transfers.items()}
    return {layer: alpha.mean(-1) if alpha.dim() == 3 else alpha for layer, alpha in alphas.items()}


def respond_all(subnets: nn.ModuleList, number: int, features: list[Tensor], joins_first_layers: bool) -> list[Tensor]:
    """Return the response of layer `number` of each subnet to its own features."""
    layers = _layers(subnets, number)
    if number == 1 and joins_first_layers:
        return respond_together(layers, features[0])  # all see the same images
    return [layer.respond(part) for layer, part in zip(layers, features, strict=True)]


def complete_all(subnets: nn.ModuleList, number: int, responses: list[Tensor]) -> list[Tensor]:
    """Return what layer `number` of each subnet makes of its mixed response."""
    return [layer.complete(part) for layer, part in zip(_layers(subnets, number), responses, strict=True)]


def classify_all(subnets: nn.ModuleList, features: list[Tensor]) -> list[Tensor]:
    """Return each subnet's logits, (N,)."""
    return [cast(Subnet, subnet).classify(part) for subnet, part in zip(subnets, features, strict=True)]


def _layers(subnets: nn.ModuleList, number: int) -> list[Layer]:
    return [cast(Layer, cast(Subnet, subnet).layers[number - 1]) for subnet in subnets]


def product(alpha: Tensor, planes: Tensor) -> Tensor:
    """Return sum_i alpha_ij planes_i for each j, in alpha's dtype; planes of shape (sources, ..., C).

    bfloat16 has steps of 0.002 to 0.004 around an alpha of 0.5, in which its small moves would be lost.
    """
    shape = (alpha.shape[1], *planes.shape[1:])
    mixed_precision = planes.dtype is torch.bfloat16
    with torch.autocast(planes.device.type, enabled=False) if mixed_precision else nullcontext():
        planes = planes.to(alpha.dtype)
        if alpha.dim() == 3:
            return torch.einsum("ijc,inc->jnc", alpha, planes.flatten(1, -2)).view(shape)
        return (alpha.t() @ planes.flatten(1)).view(shape)


def _channels_last(response: Tensor) -> Tensor:
    return response.permute(0, 2, 3, 1) if response.dim() == 4 else response


def _channels_first(plane: Tensor) -> Tensor:
    return plane.permute(0, 3, 1, 2) if plane.dim() == 4 else plane

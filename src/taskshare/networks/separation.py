"""Separation Multi-task Networks: a frozen shared column, and a column beside it for each task (Matsui 2019)."""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taskshare import config
from taskshare.networks.shapes import KERNEL, Convolution, layer_plan
from taskshare.networks.subnet import initialise, uninitialised, with_own_gradient
from taskshare.networks.vgg import GAINS, Head, convolutions, first_layer


class TaskColumn(nn.Module):
    """A task's convolutions; after each, the shared maps of the same layer join its own (section 3.1, Figure 2).

    Maps are concatenated as [shared, own] after every convolution (reading 4), or after none of those behind a branch
    point (reading 11). With `channelwise`, a linear 1x1 convolution brings them back to the layer's channels
    (section 3.3, Figure 3; reading 6).

    Args:
        network: widths and switches.
        image_size: height and width of the image in pixels.
        generator: where the initial weights come from.
    """

    def __init__(self, network: config.VggNetwork, image_size: int, generator: torch.Generator) -> None:
        super().__init__()
        whole = layer_plan(network, image_size)
        start = network.branch_block or 0
        self.plan: list[Convolution] = [layer for layer in whole if layer.block > start]
        self.skipped = len(whole) - len(self.plan)
        gain = GAINS[network.initialisation]
        self.convolutions = nn.ModuleList()
        self.mixers = nn.ModuleList() if network.channelwise else None
        self.joins = network.concatenation == "everywhere"
        channels = 3 if start == 0 else network.channels[start - 1]
        for layer in self.plan:
            convolution = uninitialised(nn.Conv2d, channels, layer.channels, KERNEL, padding=KERNEL // 2)
            initialise(convolution, gain, generator)
            self.convolutions.append(convolution)
            channels = (2 if self.joins else 1) * layer.channels
            if self.mixers is not None:
                mixer = uninitialised(nn.Conv2d, channels, layer.channels, 1)
                initialise(mixer, 1.0, generator)
                if network.first_mixers == "identity":
                    own = torch.cat([torch.zeros(layer.channels, layer.channels), torch.eye(layer.channels)], dim=1)
                    mixer.weight.data.copy_(own[:, :, None, None])
                self.mixers.append(mixer)
                channels = layer.channels

    def forward(self, images: Tensor, shared: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return what the head sees, (N, C, H, W), and the column's own rectified maps of each convolution.

        Args:
            images: (N, 3, H, W).
            shared: the shared column's rectified maps of each convolution, before any pool.
        """
        features = F.max_pool2d(shared[self.skipped - 1], 2) if self.skipped else images
        own = []
        for number, (layer, convolution) in enumerate(zip(self.plan, self.convolutions, strict=True)):
            own.append(F.relu(convolution(features)))
            features = torch.cat([shared[self.skipped + number], own[-1]], dim=1) if self.joins else own[-1]
            if self.mixers is not None:
                features = self.mixers[number](features)
            if layer.pool:
                features = F.max_pool2d(features, 2)
        return features, own


class Separation(nn.Module):
    """The shared column of a trained hard sharing net, never trained again, and a column and head for each task.

    The columns do not see each other: what one task learns does not depend on which others are trained beside it
    (section 3.2, stage 2; readings 4 to 8 and 11).

    Args:
        network: widths and switches.
        image_size: height and width of the image in pixels.
        outputs: number of outputs of each task.
        shared_generator: where the shared column's weights come from until a parent's take their place.
        generators: where the initial weights of each task's part come from.
    """

    def __init__(
        self,
        network: config.VggNetwork,
        image_size: int,
        outputs: Sequence[int],
        shared_generator: torch.Generator,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        end = first_layer(network, network.shared_blocks + 1)
        self.shared = nn.Sequential(*list(convolutions(network, shared_generator))[:end]).requires_grad_(False)
        self.columns = nn.ModuleList(TaskColumn(network, image_size, generator) for generator in generators)
        self.heads = nn.ModuleList(
            Head(network, image_size, count, generator) for count, generator in zip(outputs, generators, strict=True)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the outputs of all tasks side by side, (N, K)."""
        shared = self.shared_maps(images)
        parts = zip(self.columns, self.heads, strict=True)
        return torch.cat([with_own_gradient(head(column(images, shared)[0])) for column, head in parts], dim=1)

    def shared_maps(self, images: Tensor) -> list[Tensor]:
        """Return the shared column's rectified maps of each convolution, without gradients."""
        maps = []
        features = images
        with torch.no_grad():
            for layer in self.shared:
                features = layer(features)
                if isinstance(layer, nn.ReLU):
                    maps.append(features)
        return maps

    def maps(self, images: Tensor) -> tuple[list[Tensor], list[list[Tensor | None]]]:
        """Return the rectified maps of each convolution, the shared column's and each task's; None before it starts."""
        shared = self.shared_maps(images)
        columns = cast(Iterable[TaskColumn], self.columns)
        own = [[None] * column.skipped + column(images, shared)[1] for column in columns]
        return shared, own

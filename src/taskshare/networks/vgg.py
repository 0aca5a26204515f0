"""Hard parameter sharing over VGG convolutions: Matsui 2019's stage 1, which is the paper's baseline."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taskshare import config
from taskshare.networks.shapes import head_inputs
from taskshare.networks.subnet import initialise, uninitialised

GAINS = {"lecun": 1.0, "he": math.sqrt(2)}


def convolutions(network: config.VggNetwork, generator: torch.Generator) -> nn.Sequential:
    """Return the layers of a whole column, as torchvision's VGG has them but without its import, which takes a second.

    A convolution and a ReLU in turn, and a max-pool after each block.
    """
    layers: list[nn.Module] = []
    inputs = 3
    for channels, count in zip(network.channels, network.convolutions, strict=True):
        for _ in range(count):
            convolution: nn.Conv2d = uninitialised(nn.Conv2d, inputs, channels, kernel_size=3, padding=1)
            initialise(convolution, GAINS[network.initialisation], generator)
            layers += [convolution, nn.ReLU(inplace=True)]
            inputs = channels
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


def first_layer(network: config.VggNetwork, block: int) -> int:
    """Return the index in `convolutions` of the first layer of a block, counted from 1, or one behind the last."""
    return sum(2 * count + 1 for count in network.convolutions[: block - 1])


class Head(nn.Module):
    """A task's fully connected layer with ReLU, and its outputs (Table 1; reading 5).

    Args:
        network: width and kind of the head.
        image_size: height and width of the image in pixels.
        outputs: number of outputs.
        generator: where the initial weights come from.
    """

    def __init__(self, network: config.VggNetwork, image_size: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.average = network.head == "average"
        self.hidden = uninitialised(nn.Linear, head_inputs(network, image_size), network.fully_connected)
        self.output = uninitialised(nn.Linear, network.fully_connected, outputs)
        for layer in (self.hidden, self.output):
            initialise(layer, GAINS[network.initialisation], generator)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, H, W) to outputs (N, K)."""
        features = maps.mean((2, 3)) if self.average else maps.flatten(1)
        return self.output(torch.relu(self.hidden(features)))

    def start_at(self, constant: Tensor) -> None:
        """Let the outputs be `constant`, (K,), for every image until training changes them."""
        with torch.no_grad():
            self.output.weight.zero_()
            self.output.bias.copy_(constant)


class HardVgg(nn.Module):
    """A shared trunk of convolutions, and for each task the rest of them and a head (Matsui 2019, Figure 1a).

    Args:
        network: widths, and after which block the tasks part.
        image_size: height and width of the image in pixels.
        outputs: number of outputs of each task.
        generators: where the initial weights come from: of the trunk, and of each task's part.
    """

    def __init__(
        self,
        network: config.VggNetwork,
        image_size: int,
        outputs: Sequence[int],
        trunk_generator: torch.Generator,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        part = first_layer(network, network.shared_blocks + 1)
        self.trunk = convolutions(network, trunk_generator)[:part]
        self.branches = nn.ModuleList(convolutions(network, generator)[part:] for generator in generators)
        self.heads = nn.ModuleList(
            Head(network, image_size, count, generator) for count, generator in zip(outputs, generators, strict=True)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the outputs of all tasks side by side, (N, K)."""
        features = self.trunk(images)
        parts = zip(self.branches, self.heads, strict=True)
        return torch.cat([head(branch(features)) for branch, head in parts], dim=1)

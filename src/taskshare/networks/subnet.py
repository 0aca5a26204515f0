"""The seven-layer subnet of Fang 2017, section 4.1, and any run of consecutive layers of it."""

import math
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taskshare import config
from taskshare.errors import TaskshareError

CONVOLUTIONS = 5
HIDDEN_LAYERS = 6  # five convolutions and the first fully connected layer; layer 7 is the output
Operation = TypeVar("Operation", bound=nn.Module)


def feature_sizes(network: config.Network, image_size: int) -> list[int]:
    """Return height and width in pixels of the maps that layers 1 to 5 hand on.

    Raises:
        TaskshareError: if the image is too small for the convolutions without padding.
    """
    sizes, size = [], image_size
    for layer, kernel in enumerate(network.kernels, start=1):
        size = size if network.padding == "same" else size - kernel + 1
        size = size // 2 if layer < CONVOLUTIONS else size
        sizes.append(size)
    if size < 1:
        raise TaskshareError(
            f"network.padding: {network.padding}: images of {image_size} pixels vanish before layer 5; "
            "take a larger size in scales.SCALE.image_sizes (valid padding needs 68)"
        )
    return sizes


class Layer(nn.Module):
    """One hidden layer in two halves, so that a sharing scheme can step between them.

    `respond` is the convolution or matrix product with ReLU, and max-pooling if the mix comes after it; `complete` is
    the rest: max-pooling if the mix comes before it, and batch normalisation (readings 5 and 6).
    """

    def __init__(
        self, operation: nn.Conv2d | nn.Linear, width: int, pool: bool, mix_after_pool: bool, extra_edge: int = 0
    ) -> None:
        super().__init__()
        self.operation = operation
        self.normalisation = nn.BatchNorm2d(width) if isinstance(operation, nn.Conv2d) else nn.BatchNorm1d(width)
        self.extra_edge = extra_edge  # rows and columns that "same" padding of an even kernel adds on one side
        self.pool_first = pool and mix_after_pool
        self.pool_last = pool and not mix_after_pool

    def respond(self, inputs: Tensor) -> Tensor:
        """Map (N, C, H, W) or (N, F) to the rectified response."""
        if isinstance(self.operation, nn.Linear):
            inputs = inputs.flatten(1)
            return F.relu(self.operation(inputs))
        return self.convolve(inputs, self.operation.weight, self.operation.bias)

    def convolve(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Map (N, C, H, W) to the rectified response of kernels that are this layer's own, or more of their kind."""
        if self.extra_edge:
            inputs = F.pad(inputs, (0, self.extra_edge, 0, self.extra_edge))
        response = F.conv2d(inputs, weight, bias, padding=self.operation.padding)  # type: ignore[arg-type]
        # One layout for all schemes, whatever a grey image's ambiguous strides suggest: the sums keep their order.
        response = response.contiguous(memory_format=torch.channels_last)
        # Rectifying after the pool gives the same values and gradients from a quarter of the pixels.
        return F.relu(F.max_pool2d(response, 2) if self.pool_first else response)

    def complete(self, response: Tensor) -> Tensor:
        """Pool if that was left, and normalise."""
        if self.pool_last:
            response = F.max_pool2d(response, 2)
        return self.normalisation(response)

    def forward(self, inputs: Tensor) -> Tensor:
        """Respond and complete, with nothing between."""
        return self.complete(self.respond(inputs))


def respond_together(layers: list[Layer], inputs: Tensor) -> list[Tensor]:
    """Return the responses of convolutions of one shape to the same inputs, from one convolution with all kernels."""
    weight = torch.cat([layer.operation.weight for layer in layers])
    bias = torch.cat([layer.operation.bias for layer in layers])  # type: ignore[misc]
    return list(layers[0].convolve(inputs, weight, bias).chunk(len(layers), dim=1))


class Subnet(nn.Module):
    """Layers `first` to `last` of the subnet: 40@5x5, 60@5x5, 80@3x3, 100@3x3, 140@2x2, 360, one logit.

    Args:
        network: widths, kernels and padding.
        image_size: height and width of the image in pixels.
        image_channels: 1 for grey, 3 for RGB.
        generator: where the initial weights come from.
        first: first layer, 1 to 7.
        last: last layer, 1 to 7; layer 7 is the output.
    """

    def __init__(
        self,
        network: config.Network,
        image_size: int,
        image_channels: int,
        generator: torch.Generator,
        first: int = 1,
        last: int = 7,
    ) -> None:
        super().__init__()
        *channels, fully_connected = network.widths
        widths = [image_channels, *channels]
        sizes = feature_sizes(network, image_size)
        self.layers = nn.ModuleList()
        for number in range(first, min(last, HIDDEN_LAYERS) + 1):
            operation: nn.Conv2d | nn.Linear
            extra_edge = 0
            if number <= CONVOLUTIONS:
                kernel = network.kernels[number - 1]
                same = network.padding == "same"
                padding, extra_edge = ((kernel - 1) // 2, (kernel - 1) % 2) if same else (0, 0)
                operation = uninitialised(nn.Conv2d, widths[number - 1], widths[number], kernel, padding=padding)
                width = widths[number]
            else:
                operation = uninitialised(nn.Linear, widths[-1] * sizes[-1] ** 2, fully_connected)
                width = fully_connected
            initialise(operation, gain=math.sqrt(2), generator=generator)
            pool = number < CONVOLUTIONS
            self.layers.append(Layer(operation, width, pool, network.transfer.position == "after_pool", extra_edge))
        self.output: nn.Linear | None = None
        if last > HIDDEN_LAYERS:
            output: nn.Linear = uninitialised(nn.Linear, fully_connected, 1)
            initialise(output, gain=1.0, generator=generator)
            self.output = output

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, C, H, W) through all layers; logits of shape (N,) if the output layer is among them."""
        for layer in self.layers:
            inputs = layer(inputs)
        return self.classify(inputs) if self.output is not None else inputs

    def classify(self, features: Tensor) -> Tensor:
        """Map the features of layer 6, (N, F), to logits of shape (N,)."""
        assert self.output is not None
        return with_own_gradient(self.output(features).squeeze(1))


def with_own_gradient(outputs: Tensor) -> Tensor:
    """Return a part of a net's outputs, whose gradient will lie in memory of its own.

    Beside other parts' it would be a strided slice, of which a matrix product may add up in another order. So a part
    trains as it does by itself, to the last bit.
    """
    if outputs.requires_grad:
        outputs.register_hook(Tensor.contiguous)
    return outputs


def uninitialised(operation: type[Operation], *arguments: Any, **options: Any) -> Operation:
    """Construct a layer whose weights hold whatever the memory held, float32, without a draw from the global generator.

    `torch.nn.utils.skip_init` does the same, but imports SymPy at the first call, which takes 0.4 s.
    """
    layer = operation(*arguments, **options, device="meta")
    for name, parameter in list(layer.named_parameters()):
        setattr(layer, name, nn.Parameter(torch.empty(parameter.shape)))
    return layer


def initialise(operation: nn.Conv2d | nn.Linear, gain: float, generator: torch.Generator) -> None:
    """Draw weights with standard deviation gain / sqrt(inputs of one unit); biases start at 0.

    A gain of sqrt(2) is that of He 2015, a gain of 1 that of LeCun 1998.
    """
    fan_in = int(np.prod(operation.weight.shape[1:]))
    with torch.no_grad():
        operation.weight.normal_(0.0, gain / math.sqrt(fan_in), generator=generator)
        if operation.bias is not None:
            operation.bias.zero_()

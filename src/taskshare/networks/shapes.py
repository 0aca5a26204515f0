"""The layers of Matsui 2019's columns, as data: what the nets are built from, and what Table 1 shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskshare.config import VggNetwork
from taskshare.config.tasks import answers

KERNEL = 3


@dataclass(frozen=True)
class Convolution:
    """One 3x3 convolution with padding 1 and ReLU.

    Attributes:
        name: as in the paper, such as `conv1-2`.
        block: counted from 1.
        channels: of its maps.
        size: height and width of its maps in pixels.
        pool: whether a 2x2 max-pool follows.
    """

    name: str
    block: int
    channels: int
    size: int
    pool: bool


def layer_plan(network: VggNetwork, image_size: int) -> list[Convolution]:
    """Return the convolutions of one column, from the image up (Table 1)."""
    return [
        Convolution(f"conv{block}-{number}", block, channels, image_size // 2 ** (block - 1), number == count)
        for block, (channels, count) in enumerate(zip(network.channels, network.convolutions, strict=True), start=1)
        for number in range(1, count + 1)
    ]


def map_size(network: VggNetwork, image_size: int) -> int:
    """Return height and width in pixels of a column's maps after the last pool."""
    return image_size // 2 ** len(network.channels)


def head_inputs(network: VggNetwork, image_size: int) -> int:
    """Return the number of inputs of a task's fully connected layer (reading 5)."""
    places = map_size(network, image_size) ** 2 if network.head == "flatten" else 1
    both = network.scheme == "separation" and not network.channelwise and network.concatenation == "everywhere"
    return (2 if both else 1) * network.channels[-1] * places


def output_count(task: str, labels: Sequence[str]) -> int:
    """Return the number of outputs of a task: 10 for landmarks, 2 for each label (Table 1, reading 10)."""
    return 2 * len(answers(task, labels))

"""What params.yaml says of networks: the sharing scheme and its switches."""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from taskshare.config.base import Model, PositiveInt

Backbone = Literal["subnet", "vgg"]
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)
VggScheme = Literal["hard", "separation"]
BUILT_IN = ("single", "hard", "dynamic", "cross_stitch")
_FOLDER = Path(__file__).parents[1] / "networks"


@cache
def subnet_schemes() -> tuple[str, ...]:
    """Return the names of the schemes over subnets: the files that register one. None of them is imported."""
    files = sorted(_FOLDER.glob("*.py"))
    return tuple(file.stem for file in files if "\n@sharing_scheme\n" in file.read_text(encoding="utf-8"))


def schemes() -> tuple[str, ...]:
    """Return the names of all schemes."""
    return (*subnet_schemes(), *get_args(VggScheme))


def _known(scheme: str) -> str:
    if scheme not in subnet_schemes():
        raise ValueError(f"no such sharing scheme; allowed: {', '.join(subnet_schemes())}")
    return scheme


SubnetScheme = Annotated[str, AfterValidator(_known)]


class Transfer(Model):
    """Task transfer connections of the dynamic scheme (Fang 2017, section 3)."""

    layers: list[Annotated[int, Field(ge=1, le=6)]] = Field(
        default=[1, 2, 3, 4, 5, 6], description="layers whose outputs are mixed (reading 4)"
    )
    granularity: Literal["scalar", "channel"] = Field(
        default="scalar", description="one alpha per pair and layer, or one per pair, layer and channel (reading 4)"
    )
    applied: Literal["forward", "gradient", "layerwise", "twice"] = Field(
        default="forward",
        description="alpha weighs the features, only the supervisory signal, that signal for each layer's own weights "
        "alone, or features and signal (reading 1)",
    )
    position: Literal["after_pool", "before_pool"] = Field(
        default="after_pool", description="where the outputs of a convolution are mixed (reading 5)"
    )
    initial_beta: float = Field(default=0.0, description="start of beta; alpha = sigmoid(beta) (reading 7)")
    learning_rate_factor: float = Field(default=1.0, ge=0, description="rate of beta over that of the weights (8)")
    alpha: Literal["learned", "identity", "equal"] = Field(
        default="learned", description="learned, or fixed at one of the two limits of section 3 (reading 2)"
    )


class Stitch(Model):
    """Cross-stitch units (Misra et al. 2016, section 3)."""

    layers: list[Annotated[int, Field(ge=1, le=6)]] = Field(
        default=[1, 2, 3, 4, 5, 6], description="layers whose outputs are combined"
    )
    granularity: Literal["scalar", "channel"] = Field(
        default="scalar", description="one coefficient per pair and layer, or one per pair, layer and channel"
    )
    own: float = Field(
        default=0.9, description="first coefficient of a task's own features; the others share the rest to 1"
    )
    learning_rate_factor: float = Field(
        default=1.0, ge=0, description="rate of the coefficients over that of the weights"
    )


class Network(Model):
    """A sharing scheme over Fang 2017's seven-layer subnet (section 4.1)."""

    backbone: Literal["subnet"] = "subnet"
    scheme: SubnetScheme = Field(description="single, hard, dynamic, cross_stitch, or a scheme of your own")
    channels: list[PositiveInt] = Field(default=[40, 60, 80, 100, 140], min_length=5, max_length=5)
    kernels: list[PositiveInt] = Field(default=[5, 5, 3, 3, 2], min_length=5, max_length=5)
    fully_connected: PositiveInt = 360
    width_factor: float = Field(
        default=1.0, gt=0, description="factor on all widths; √7 gives hard sharing DMT's number of parameters (3)"
    )
    padding: Literal["same", "valid"] = Field(default="same", description="padding of the convolutions (reading 9)")
    shared_layers: Literal[5, 6] = Field(default=6, description="hard: the trunk ends after this layer (reading 3)")
    transfer: Transfer = Transfer()
    stitch: Stitch = Stitch()
    options: dict[str, Any] = Field(default={}, description="switches of a scheme of your own")

    @model_validator(mode="after")
    def _check(self) -> "Network":
        if self.options and self.scheme in BUILT_IN:
            raise ValueError(f"options: {self.scheme} has none; they are for a scheme of your own")
        return self

    @property
    def connection_rate_factor(self) -> float:
        """Learning rate of what joins the subnets over that of the weights."""
        return (self.stitch if self.scheme == "cross_stitch" else self.transfer).learning_rate_factor

    @property
    def widths(self) -> list[int]:
        """Channels of layers 1 to 5 and neurons of layer 6."""
        return [round(self.width_factor * width) for width in (*self.channels, self.fully_connected)]


class VggNetwork(Model):
    """A sharing scheme over Matsui 2019's columns of VGG convolutions (Table 1): landmarks and attributes."""

    backbone: Literal["vgg"]
    scheme: VggScheme = Field(
        description="hard: one column for all tasks (stage 1); separation: frozen, and one for each task (stage 2)"
    )
    channels: list[PositiveInt] = Field(
        default=[64, 128, 256, 512], min_length=1, description="of the convolutions of each block"
    )
    convolutions: list[PositiveInt] = Field(default=[2, 2, 3, 3], min_length=1, description="of each block, 3x3, ReLU")
    fully_connected: PositiveInt = 2048
    branch_block: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="hard: tasks part after this block, none: the last one; separation: the task columns start after "
        "it, none: at the image (11)",
    )
    channelwise: bool = Field(default=False, description="separation: a 1x1 convolution at each concatenation (6)")
    concatenation: Literal["everywhere", "none"] = Field(
        default="everywhere",
        description="separation with branch_block: whether shared maps join the task's own behind it (11)",
    )
    fine_tuning: bool = Field(default=False, description="separation: task columns start from the shared weights (7)")
    first_mixers: Literal["random", "identity"] = Field(
        default="random",
        description="channelwise: 1x1 convolutions start at random, or hand on the task's own maps (7)",
    )
    head: Literal["flatten", "average"] = Field(
        default="flatten", description="what the fully connected layer sees of the last maps (5)"
    )
    initialisation: Literal["lecun", "he"] = Field(
        default="lecun", description="variance of the first weights: 1 or 2 over the inputs of a unit (1)"
    )

    first_outputs: Literal["random", "constant"] = Field(
        default="random",
        description="outputs before training: of random weights, or the mean landmarks and label rates of the training "
        "images",
    )

    @model_validator(mode="after")
    def _check(self) -> "VggNetwork":
        if len(self.channels) != len(self.convolutions):
            raise ValueError("channels and convolutions: give one number for each block in both")
        if self.branch_block is not None and self.branch_block > len(self.channels):
            raise ValueError(f"branch_block: there are {len(self.channels)} blocks, not {self.branch_block}")
        if self.scheme == "separation" and self.branch_block == len(self.channels):
            raise ValueError("branch_block: after the last block no task column is left; take an earlier one")
        if self.scheme == "hard" and (self.channelwise or self.fine_tuning):
            raise ValueError("channelwise and fine_tuning: go with scheme: separation")
        if self.concatenation == "none" and (not self.branch_block or self.channelwise):
            raise ValueError("concatenation: none goes with a branch_block, and without channelwise")
        if self.first_mixers == "identity" and not self.channelwise:
            raise ValueError("first_mixers: identity goes with channelwise: true")
        if self.fine_tuning and not self.channelwise:
            raise ValueError("fine_tuning: needs channelwise: true, or the shared weights do not fit (reading 7)")
        return self

    @property
    def shared_blocks(self) -> int:
        """Number of blocks that all tasks share: of the trunk, or of the frozen column."""
        if self.branch_block is None or (self.scheme == "separation" and self.concatenation == "everywhere"):
            return len(self.channels)
        return self.branch_block


def backbone_of(content: Any) -> str:
    """Return which family of networks raw content or a model belongs to."""
    return content.get("backbone", "subnet") if isinstance(content, dict) else content.backbone


AnyNetwork = Annotated[
    Annotated[Network, Tag("subnet")] | Annotated[VggNetwork, Tag("vgg")],
    Discriminator(backbone_of),
]

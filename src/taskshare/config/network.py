"""What params.yaml says of networks: the sharing scheme and its switches."""

from typing import Annotated, Literal

from pydantic import Field

from taskshare.config.base import Model, PositiveInt


class Transfer(Model):
    """Task transfer connections of the dynamic scheme (Fang 2017, section 3)."""

    layers: list[Annotated[int, Field(ge=1, le=6)]] = Field(
        default=[1, 2, 3, 4, 5, 6], description="layers whose outputs are mixed (reading 4)"
    )
    granularity: Literal["scalar", "channel"] = Field(
        default="scalar", description="one alpha per pair and layer, or one per pair, layer and channel (reading 4)"
    )
    applied: Literal["forward", "gradient", "twice"] = Field(
        default="forward",
        description="alpha weighs the features, only the supervisory signal, or both (reading 1)",
    )
    position: Literal["after_pool", "before_pool"] = Field(
        default="after_pool", description="where the outputs of a convolution are mixed (reading 5)"
    )
    initial_beta: float = Field(default=0.0, description="start of beta; alpha = sigmoid(beta) (reading 7)")
    learning_rate_factor: float = Field(default=1.0, ge=0, description="rate of beta over that of the weights (8)")
    alpha: Literal["learned", "identity", "equal"] = Field(
        default="learned", description="learned, or fixed at one of the two limits of section 3 (reading 2)"
    )


class Network(Model):
    """A sharing scheme over Fang 2017's seven-layer subnet (section 4.1)."""

    scheme: Literal["single", "hard", "dynamic"]
    channels: list[PositiveInt] = Field(default=[40, 60, 80, 100, 140], min_length=5, max_length=5)
    kernels: list[PositiveInt] = Field(default=[5, 5, 3, 3, 2], min_length=5, max_length=5)
    fully_connected: PositiveInt = 360
    width_factor: float = Field(
        default=1.0, gt=0, description="factor on all widths; √7 gives hard sharing DMT's number of parameters (3)"
    )
    padding: Literal["same", "valid"] = Field(default="same", description="padding of the convolutions (reading 9)")
    shared_layers: Literal[5, 6] = Field(default=6, description="hard: the trunk ends after this layer (reading 3)")
    transfer: Transfer = Transfer()

    @property
    def widths(self) -> list[int]:
        """Channels of layers 1 to 5 and neurons of layer 6."""
        return [round(self.width_factor * width) for width in (*self.channels, self.fully_connected)]

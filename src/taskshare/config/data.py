"""What params.yaml says of data: data sets, image variants, generated data, and how the data phase behaves."""

from typing import Literal, get_args

from pydantic import Field, model_validator

from taskshare.config.base import Label, Model, Name, PositiveInt
from taskshare.config.tasks import JOINT_TASKS, LANDMARK_POINTS, pair_of

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
GENERATED_OR_OFFICIAL = ("celeba", "cifar10")
"""Data sets that can be generated or downloaded; all others come from a path."""


class Data(Model):
    """How the data phase behaves."""

    on_bad_image: Literal["stop", "skip"] = Field(
        default="stop",
        description="stop at a broken, missing or unlabelled image, or leave it out and list it in the report",
    )


class Variant(Model):
    """One way of preparing a data set's images; `size` comes from the scale."""

    size: PositiveInt = Field(default=64, description="height and width of a prepared image in pixels")
    colour: Literal["grey", "rgb"] = Field(default="grey", description="one luma channel, or red, green and blue")
    align: bool = Field(default=False, description="similarity transform of the five landmarks to a fixed template")
    equalise: bool = Field(default=False, description="histogram equalisation of each image (of luma for rgb)")

    @property
    def channels(self) -> int:
        """Number of channels of a prepared image."""
        return 1 if self.colour == "grey" else 3


class Dataset(Model):
    """One data set: its layout on disk and its labels."""

    layout: Literal["attributes", "classes"] = Field(
        description="attributes: CelebA's files; classes: CIFAR-10's batches, or train/CLASS and test/CLASS"
    )
    labels: list[Label] = Field(min_length=2, description="the attributes, or the classes, in the files' order")
    variants: dict[Name, Variant]
    validation_fraction: float = Field(
        default=0.0, ge=0, lt=1, description="classes layout: share of the training images held out for validation"
    )

    @model_validator(mode="after")
    def _check(self) -> "Dataset":
        for label in (*JOINT_TASKS, *LANDMARK_POINTS):
            if label in self.labels:
                raise ValueError(f"labels: '{label}' is the name of landmarks or of a joint task; rename the label")
        return self

    def check_task(self, task: str) -> str | None:
        """Return what is wrong with a task's name, or None."""
        if self.layout == "attributes":
            allowed = [*self.labels, *JOINT_TASKS]
            return None if task in allowed else f"no task '{task}'; allowed: {', '.join(allowed)}"
        if pair_of(task, self.labels):
            return None
        return f"no task '{task}'; allowed: FIRST.SECOND, two different classes of {', '.join(self.labels)}"


class Synthetic(Model):
    """Sizes of the generated demonstration data."""

    train: PositiveInt = 2000
    validation: PositiveInt = 400
    test: PositiveInt = 600
    digit_copies: PositiveInt = Field(default=2, description="drawings of each training digit")

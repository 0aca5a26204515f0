"""What params.yaml says of runs: training jobs as they are written, and as they are resolved."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from taskshare.config.base import Model, Name, PositiveInt, file_name
from taskshare.config.data import Split, Variant
from taskshare.config.network import AnyNetwork
from taskshare.config.tasks import ATTRIBUTES, JOINT_TASKS, LANDMARKS

Optimiser = Literal["sgd", "rmsprop", "adagrad"]
Selection = Literal["last", "best", "best_per_task"]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)


class Training(Model):
    """How a run is optimised.

    Fang 2017 gives no entry (readings 8, 10 and 11), Matsui 2019 (section 4.1) rate, momentum, batch and epochs.
    """

    iterations: PositiveInt = 1000
    batch_size: Annotated[int, Field(gt=1, multiple_of=2)] = Field(default=32, description="images per task's pool")
    optimiser: Optimiser = Field(default="sgd", description="Fang 2017 names all three (8)")
    learning_rate: float = Field(default=0.02, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd and rmsprop; adagrad has none: 0")
    weight_decay: float = Field(default=5e-4, ge=0, description="on convolutions and matrices only")
    schedule: Literal["cosine", "constant"] = "cosine"
    warm_up: float = Field(
        default=0.0, ge=0, lt=1, description="share of the iterations in which the rate rises from 0"
    )
    loss_weights: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={}, description="vgg: task: factor on its loss; 10 for landmarks gives the sum over the coordinates"
    )
    update: Literal["joint", "per_pool"] = Field(
        default="joint", description="one update from the summed costs, or one after every task's pool (reading 10)"
    )
    selection: Selection = Field(
        default="best",
        description="weights with the best mean score on the validation split, the best ones of each task, or the last "
        "ones; the score is balanced accuracy, for landmarks the detection rate, for attributes their mean accuracy",
    )
    validation: bool = Field(
        default=False, description="selection last: score the validation split nevertheless, for the report"
    )
    record_every: PositiveInt | None = Field(
        default=None, description="iterations between two rows of training loss and error; none: as validate_every"
    )
    validate_every: PositiveInt = Field(default=100, description="iterations between two validations")
    checkpoint_every: float = Field(default=60.0, gt=0, description="seconds between two checkpoints")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 where the device computes with it, else float32"
    )
    threads: PositiveInt = Field(default=1, description="CPU threads of one training job")

    @model_validator(mode="after")
    def _check(self) -> "Training":
        if self.optimiser == "adagrad" and self.momentum:
            raise ValueError("momentum: adagrad has none; set momentum: 0")
        return self


class Parent(Model):
    """The trained net that a run starts from, seed by seed: one of `remove`, `add` and `separate` says how."""

    run: Name = Field(
        description="an entry of `runs`; its data set, variant, sampling, batches and network hold unless given here"
    )
    remove: list[str] = Field(
        default=[], description="section 4.3: cut these tasks off, freeze the rest, retrain the connections"
    )
    add: list[str] = Field(
        default=[], description="section 4.4: train subnets of these tasks and their incoming connections alone"
    )
    separate: bool = Field(
        default=False,
        description="Matsui 2019, section 3.2, stage 2: freeze the shared column, train one for each task beside it",
    )
    beta: Literal["learned", "reset"] = Field(
        default="learned", description="remove: where the connections start again (reading 19)"
    )
    statistics: Literal["reestimated", "frozen"] = Field(
        default="reestimated", description="remove: the running statistics of batch normalisation (reading 19)"
    )

    @model_validator(mode="after")
    def _check(self) -> "Parent":
        if bool(self.remove) + bool(self.add) + self.separate != 1:
            raise ValueError("give one of remove, add and separate")
        return self

    @property
    def kind(self) -> Literal["removal", "incremental", "separation"]:
        """How a run starts from its parent."""
        if self.separate:
            return "separation"
        return "removal" if self.remove else "incremental"


# What a run takes over from its parent unless it says otherwise.
INHERITED = ("dataset", "variant", "sampling", "resampling", "batches", "network")


class RunEntry(Model):
    """One entry of `runs` as it is written: training jobs that differ by seed only, or by seed and task."""

    parent: Parent | None = None
    dataset: str | None = None
    variant: Name | None = None
    tasks: list[str] = Field(default=[], description="what one job learns; of a run with a parent they follow from it")
    groups: dict[Name, Annotated[list[str], Field(min_length=1)]] = Field(
        default={}, description="instead of `tasks`: one job per group, which learns the group's tasks only"
    )
    network: AnyNetwork | None = None
    each_task_alone: bool = Field(default=False, description="one job per task, which sees no other task")
    sampling: Literal["resampled", "original"] = Field(
        default="resampled", description="pools with equal positives and negatives, or the samples as they are"
    )
    resampling: Literal["duplicated", "replacement"] = Field(
        default="duplicated", description="how the minority fills half a pool (reading 11)"
    )
    batches: Literal["pooled", "shared"] = Field(
        default="pooled", description="a batch from each task's own pool, or one batch with all labels (reading 10)"
    )
    seeds: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, description="instead of the scale's seeds")
    training: dict[str, Any] = Field(default={}, description="entries of `training` that differ for this run")


class RunSpec(RunEntry):
    """One entry of `runs` with what it has from its parent and the current scale."""

    dataset: str
    variant: Name
    network: AnyNetwork

    @model_validator(mode="after")
    def _check(self) -> "RunSpec":
        if bool(self.tasks) == bool(self.groups):
            raise ValueError("give either tasks or groups")
        if self.groups and self.each_task_alone:
            raise ValueError("each_task_alone: goes with tasks, not with groups")
        return self

    @property
    def jobs(self) -> dict[str, list[str]]:
        """Tasks of each job, by the last part of its name; the empty name is the run's own."""
        if self.each_task_alone:
            return {task: [task] for task in self.tasks}
        return self.groups or {"": self.tasks}


def job_name(run_name: str, part: str) -> str:
    """Return the name of a run's job: the run's own, or for a part, which is a task or a group, with that behind it."""
    return f"{run_name}.{file_name(part)}" if part else run_name


class Start(Model):
    """How a job starts from its parent's weights of the same seed."""

    job: str
    kind: Literal["removal", "incremental", "separation"]
    beta: Literal["learned", "reset"] = "learned"
    statistics: Literal["reestimated", "frozen"] = "reestimated"


class Run(Model):
    """One resolved training job, all that determines its result but the data. Written into its checkpoint."""

    name: str
    dataset: str
    layout: Literal["attributes", "classes"]
    labels: list[str]
    variant_name: str
    variant: Variant
    tasks: list[str]
    sampling: Literal["resampled", "original"]
    resampling: Literal["duplicated", "replacement"]
    batches: Literal["pooled", "shared"]
    network: AnyNetwork
    training: Training
    seed: int
    start: Start | None = None
    generations: list[list[str]] = Field(
        default=[], description="the tasks by the time they joined, in the order of `tasks`; none: all at once"
    )

    @model_validator(mode="after")
    def _check(self) -> "Run":
        if self.batches == "shared" and (self.sampling != "original" or self.layout == "classes"):
            raise ValueError("batches: shared needs sampling: original and tasks that every image has a label for")
        if self.batches == "shared" and self.training.update == "per_pool":
            raise ValueError("update: per_pool needs batches: pooled")
        if self.network.scheme == "cross_stitch" and len(self.tasks) < 2:
            raise ValueError("network.scheme: cross_stitch needs two tasks or more")
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError("tasks: one is listed twice")
        if self.network.backbone == "vgg":
            if self.batches != "shared":
                raise ValueError("network.backbone: vgg needs batches: shared and sampling: original")
            if self.variant.channels != 3 or self.variant.size < 2 ** len(self.network.channels):
                raise ValueError(
                    f"network.backbone: vgg needs an rgb variant of {2 ** len(self.network.channels)} pixels or more"
                )
            if ATTRIBUTES in self.tasks and set(self.tasks) - set(JOINT_TASKS):
                raise ValueError(f"tasks: {ATTRIBUTES} holds every other label; leave those out")
            unknown = set(self.training.loss_weights) - {*self.labels, *JOINT_TASKS}
            if unknown:
                allowed = f"{', '.join(JOINT_TASKS)} and labels"
                raise ValueError(f"training.loss_weights: no task '{min(unknown)}'; allowed: {allowed}")
            if self.network.scheme == "separation" and self.start is None:
                raise ValueError("network.scheme: separation needs parent: {run: RUN, separate: true}")
        elif self.training.loss_weights:
            raise ValueError("training.loss_weights: go with network.backbone: vgg; leave them out")
        elif set(self.tasks) & set(JOINT_TASKS):
            raise ValueError(f"tasks: {' and '.join(JOINT_TASKS)} need network.backbone: vgg")
        return self

    @property
    def key(self) -> str:
        """Name of the run with its seed, as errors and folders show it."""
        return f"{self.name}/seed{self.seed}"

    @property
    def trained_tasks(self) -> list[str]:
        """The tasks whose samples are trained on: those that join, or all."""
        return self.generations[-1] if self.generations else self.tasks

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that training reads: the training images, and the validation images if they are scored."""
        validated = self.training.selection != "last" or self.training.validation
        return ("train", "validation") if validated else ("train",)

    @property
    def finds_landmarks(self) -> bool:
        """Whether landmarks are among the tasks."""
        return LANDMARKS in self.tasks

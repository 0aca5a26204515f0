"""What params.yaml says of experiments: which runs fill which table or figure."""

import itertools
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import Discriminator, Field, Tag

from taskshare.config.base import Model, Name, PositiveInt, kind_or_table
from taskshare.config.data import Split
from taskshare.config.run import Optimiser, Run

if TYPE_CHECKING:
    from taskshare.config.params import Params

Groups = dict[Name, Annotated[list[str], Field(min_length=1)]]


class Measurement(NamedTuple):
    """What a kind of experiment measures of a job, beside its scores, and writes into one file.

    Attributes:
        kind: of experiment that measures it, which is the name of the file too.
        ending: of the file.
        split: of the prepared images that are looked at; None for none.
        images: how many of them; None for all.
        weights: whether trained weights are needed, or the run's initial ones are meant.
        alone: whether the job has the machine to itself, since it measures times.
    """

    kind: str
    ending: str
    split: Split | None = None
    images: int | None = None
    weights: bool = True
    alone: bool = False

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.kind}.{self.ending}"


class Entry(Model):
    """What every experiment has.

    `measurement` says what it measures of nets, and `data_files` which prepared files are read when its results are
    summarised.
    """

    measurement: ClassVar[Measurement | None] = None
    data_files: ClassVar[tuple[str, ...]] = ()

    enabled: bool = True

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        raise NotImplementedError

    def measured_jobs(self, params: "Params") -> list[Run]:
        """Return the jobs that are measured: all of the runs, or none."""
        return [job for name in self.run_names for job in params.jobs(name)] if self.measurement else []

    def measured_with(self, params: "Params") -> dict[str, Any]:
        """Return what the measurement depends on beside the net, as plain JSON."""
        return {}


Kind = TypeVar("Kind", bound=Entry)
Metric = Literal["balanced_accuracy", "accuracy", "detection_rate"]


class Table(Entry):
    """Shares of right answers: a row for each sharing scheme, a column for each task, attribute or landmark."""

    kind: Literal["table"] = "table"
    metric: Metric = Field(
        default="balanced_accuracy",
        description="what the cells hold; detection_rate: share of faces whose landmark is found (Matsui 2019, eq 2)",
    )
    constant: bool = Field(
        default=False,
        description="whether a last row shows one answer for all faces: mean landmarks, or the commoner label",
    )
    rows: dict[str, str | Annotated[list[str], Field(min_length=1)]] = Field(
        min_length=1, description="row label: name of a run, or of several"
    )
    columns: list[str] = Field(
        default=[],
        description="TASK, or TASK/GROUP where several groups have the task, a landmark, or an attribute of the task "
        "attributes; none: every one of the rows",
    )

    @property
    def runs(self) -> dict[str, list[str]]:
        """Names of the runs that fill each row."""
        return {label: [run] if isinstance(run, str) else run for label, run in self.rows.items()}

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [name for names in self.runs.values() for name in names]


class ResponseMaps(Entry):
    """Response-contrast maps, co-occurrence, and the groups that follow from them (Fang 2017, section 2, Figure 2)."""

    measurement = Measurement("response_maps", "parquet", "train")
    data_files = ("train.parquet",)

    kind: Literal["response_maps"]
    run: str = Field(description="a run with hard sharing")
    layer: Annotated[int, Field(ge=1, le=5)] = Field(default=5, description="whose maps are compared (reading 22)")
    groups: Groups = Field(min_length=2, description="the groups to compare with; their tasks are grouped anew")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.run]

    def measured_with(self, params: "Params") -> dict[str, Any]:
        """Return the layer whose maps are measured."""
        return {"layer": self.layer}


class Connections(Entry):
    """Learned task transfer connections (Fang 2017, section 4.3, Figures 4 and 5)."""

    measurement = Measurement("connections", "parquet", "train", images=512)

    kind: Literal["connections"]
    run: str = Field(description="a run with the dynamic scheme")
    task: str | None = Field(default=None, description="the task to show first, if not the first one")
    layer: Annotated[int, Field(ge=1, le=6)] = Field(default=6, description="followed over training, and judged")
    groups: Groups = Field(min_length=2, description="tasks that are expected to connect with each other")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.run]


class Removal(Entry):
    """Shares of the connections before and after tasks are removed (Fang 2017, section 4.3, Table 6)."""

    measurement = Connections.measurement

    kind: Literal["removal"]
    after: str = Field(description="a run whose parent lost tasks")
    layer: Annotated[int, Field(ge=1, le=6)] = 6

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.after]

    def measured_jobs(self, params: "Params") -> list[Run]:
        """Return the jobs of the run and of its ancestors."""
        return [job for name in params.lineage(self.after) for job in params.jobs(name)]


class Convergence(Entry):
    """Training error of a task that is trained alone, and that joins a trained net (Fang 2017, Figure 6)."""

    kind: Literal["convergence"]
    alone: str = Field(description="a run of the task alone")
    incremental: str = Field(description="a run that adds the task to its parent")
    task: str
    error: float = Field(default=0.1, gt=0, lt=1, description="training error to reach")
    smoothing_images: PositiveInt = Field(default=640, description="images over which the error is averaged (21)")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.alone, self.incremental]


class Landmarks(Entry):
    """Landmarks found by some nets: examples, errors and their cumulative curve (Matsui 2019, Figure 4, eq 2)."""

    data_files = ("train.parquet", "test.parquet", "test.npy")

    kind: Literal["landmarks"]
    rows: dict[str, str] = Field(min_length=1, description="row label: name of a run that finds landmarks")
    faces: PositiveInt = Field(default=8, description="examples, half of them profile faces")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return list(self.rows.values())


class FeatureMaps(Entry):
    """Feature maps of the shared column and of the task columns of a separation net (Matsui 2019, Figure 6)."""

    measurement = Measurement("feature_maps", "safetensors", "test")

    kind: Literal["feature_maps"]
    run: str = Field(description="a run with the separation scheme whose columns start at the image")
    block: PositiveInt = Field(default=1, description="whose last convolution is shown")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.run]

    def measured_with(self, params: "Params") -> dict[str, Any]:
        """Return the block whose maps are measured."""
        return {"block": self.block}


SHARED, ALONE = "Hard sharing", "One net per task"
"""Labels of two rows of every costs experiment."""


class Costs(Entry):
    """Parameters, FLOPs and times of shared and separate nets against one net per task (Matsui 2019, section 1)."""

    measurement = Measurement("costs", "json", weights=False, alone=True)

    kind: Literal["costs"]
    shared: str = Field(description="a vgg run with hard sharing; one net per task is its net with one task each")
    separation: dict[str, str] = Field(default={}, description="row label: name of a run with the separation scheme")
    batch_size: PositiveInt = 32

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.shared, *self.separation.values()]

    def measured_jobs(self, params: "Params") -> list[Run]:
        """Return the first job of hard sharing: all nets are measured at once, and no seed costs more than another."""
        return [next(params.jobs(self.shared))]

    def measured_with(self, params: "Params") -> dict[str, Any]:
        """Return what is compared: by label the runs whose nets are needed together, and the size of a batch."""
        (first,) = self.measured_jobs(params)
        nets = {SHARED: [first]}
        for label, run_name in self.separation.items():
            jobs = list(params.jobs(run_name))
            nets[label] = [job for job in jobs if job.seed == jobs[0].seed]
        nets[ALONE] = [
            first.model_copy(update={"name": f"{first.name}.{task}", "tasks": [task]}) for task in first.tasks
        ]
        content = {
            label: [run.model_dump(mode="json", exclude_defaults=True) for run in runs] for label, runs in nets.items()
        }
        return {"batch_size": self.batch_size, "nets": content}


class Architecture(Entry):
    """The layers of a separation net (Matsui 2019, Table 1)."""

    kind: Literal["architecture"]
    run: str = Field(description="a run with the separation scheme")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.run]


class Limits(Entry):
    """The dynamic net at its two limits: single-task nets, and hard sharing (Fang 2017, section 3)."""

    measurement = Measurement("limits", "json", "train", images=36, weights=False)

    kind: Literal["limits"]
    run: str = Field(description="a run with the dynamic scheme")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.run]


class Setting(Model):
    """Settings to try: every combination of the values."""

    optimiser: Optimiser
    momentum: float
    learning_rate: Annotated[list[float], Field(min_length=1)]
    weight_decay: Annotated[list[float], Field(min_length=1)]
    loss_weights: list[dict[str, float]] = Field(default=[], description="vgg: those of `training`; none: as they are")

    def combinations(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `training` of each combination, by a name of it."""
        found: dict[str, dict[str, Any]] = {}
        for rate, decay, factors in itertools.product(self.learning_rate, self.weight_decay, self.loss_weights or [{}]):
            entries: dict[str, Any] = {"optimiser": self.optimiser, "momentum": self.momentum}
            entries |= {"learning_rate": rate, "weight_decay": decay}
            if factors:
                entries["loss_weights"] = factors
            of_losses = "".join(f"-{task}{factor:g}" for task, factor in factors.items())
            found[f"{self.optimiser}-{rate:g}-{decay:g}{of_losses}"] = entries
        return found


class Tuning(Entry):
    """Validation scores of some runs under the same grid of training settings; no test image is looked at."""

    kind: Literal["tuning"]
    rows: dict[str, str] = Field(min_length=1, description="row label: name of a run; each gets the same settings")
    settings: list[Setting] = Field(min_length=1)
    training: dict[str, Any] = Field(default={}, description="entries of `training` of every trial, such as iterations")
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="of every trial")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs whose training is tried."""
        return list(self.rows.values())

    def combinations(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `training` of each setting, by its name."""
        return {name: entries for setting in self.settings for name, entries in setting.combinations().items()}

    def trials(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the run that each trial is of, and its entries of `training`, by the trial's name."""
        return {
            trial_name(run, name): (run, {**entries, **self.training})
            for run in self.run_names
            for name, entries in self.combinations().items()
        }


def trial_name(run_name: str, setting: str) -> str:
    """Return the name of the run that tries a setting."""
    return f"{run_name}-{setting}"


Experiment = Annotated[
    Annotated[Table, Tag("table")]
    | Annotated[ResponseMaps, Tag("response_maps")]
    | Annotated[Connections, Tag("connections")]
    | Annotated[Removal, Tag("removal")]
    | Annotated[Convergence, Tag("convergence")]
    | Annotated[Limits, Tag("limits")]
    | Annotated[Landmarks, Tag("landmarks")]
    | Annotated[FeatureMaps, Tag("feature_maps")]
    | Annotated[Costs, Tag("costs")]
    | Annotated[Architecture, Tag("architecture")]
    | Annotated[Tuning, Tag("tuning")],
    Discriminator(kind_or_table),
]

"""What params.yaml says of experiments: which runs fill which table or figure."""

import itertools
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from taskshare.config.base import Name, PositiveInt, kind_or_table
from taskshare.config.entry import Entry, Measurement
from taskshare.config.network import VggNetwork
from taskshare.config.run import Run, RunSpec
from taskshare.config.table import Table
from taskshare.config.tasks import LANDMARKS
from taskshare.config.tuning_grid import Tuning

if TYPE_CHECKING:
    from taskshare.config.params import Params

Groups = dict[Name, Annotated[list[str], Field(min_length=1)]]


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

    def check(self, params: "Params", where: str) -> None:
        """Check that the run has one trunk, and the tasks of the groups."""
        spec = params.spec(self.run)
        if spec.network.scheme != "hard" or spec.network.backbone != "subnet":
            raise ValueError(f"{where}.run: {self.run} is no run with hard sharing of the subnet")
        _check_groups(where, self, spec)


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

    def check(self, params: "Params", where: str) -> None:
        """Check that the run learns connections, and has the tasks."""
        spec = params.spec(self.run)
        if spec.network.scheme != "dynamic" or params.generations(self.run):
            raise ValueError(f"{where}.run: {self.run} is no run of the dynamic scheme that learned its tasks at once")
        _check_groups(where, self, spec)
        if self.task not in (None, *spec.tasks):
            raise ValueError(f"{where}.task: {self.run} has no task '{self.task}'")


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

    def check(self, params: "Params", where: str) -> None:
        """Check that tasks were removed."""
        parent = params.spec(self.after).parent
        if parent is None or not parent.remove:
            raise ValueError(f"{where}.after: {self.after} has no parent that lost tasks")


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

    def check(self, params: "Params", where: str) -> None:
        """Check that one run trains the task alone, and the other one adds it."""
        if [self.task] not in params.spec(self.alone).jobs.values():
            raise ValueError(f"{where}.alone: {self.alone} does not train {self.task} alone")
        parent = params.spec(self.incremental).parent
        if parent is None or parent.add != [self.task]:
            raise ValueError(f"{where}.incremental: {self.incremental} does not add {self.task} to a parent")


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

    def check(self, params: "Params", where: str) -> None:
        """Check that all rows find landmarks."""
        for run_name in self.run_names:
            if LANDMARKS not in itertools.chain(*params.spec(run_name).jobs.values()):
                raise ValueError(f"{where}.rows: {run_name} has no task {LANDMARKS}")


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

    def check(self, params: "Params", where: str) -> None:
        """Check that the net has the block, and columns that start at the image."""
        net = params.network(self.run)
        if list(params.spec(self.run).jobs) != [""]:
            raise ValueError(f"{where}.run: {self.run} must be one net that learns all of its tasks")
        if not isinstance(net, VggNetwork) or net.scheme != "separation" or net.branch_block:
            raise ValueError(f"{where}.run: {self.run} is no separation run whose task columns start at the image")
        if self.block > len(net.channels):
            raise ValueError(f"{where}.block: {self.run} has {len(net.channels)} blocks, not {self.block}")


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

    def check(self, params: "Params", where: str) -> None:
        """Check that the nets can be compared."""
        shared, net = params.spec(self.shared), params.network(self.shared)
        if not isinstance(net, VggNetwork) or net.scheme != "hard" or list(shared.jobs) != [""]:
            raise ValueError(f"{where}.shared: {self.shared} is no vgg run with hard sharing of all its tasks")
        for run_name in self.separation.values():
            spec = params.spec(run_name)
            if spec.network.scheme != "separation":
                raise ValueError(f"{where}.separation: {run_name} is no run with the separation scheme")
            if spec.variant != shared.variant:
                raise ValueError(f"{where}.separation: {run_name} has another variant than {self.shared}")
        if {SHARED, ALONE} & set(self.separation):
            raise ValueError(f"{where}.separation: '{SHARED}' and '{ALONE}' are labels of its own; take others")


class Architecture(Entry):
    """The layers of a separation net (Matsui 2019, Table 1)."""

    kind: Literal["architecture"]
    run: str = Field(description="a run with the separation scheme")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.run]

    def check(self, params: "Params", where: str) -> None:
        """Check that the run is one separation net."""
        spec = params.spec(self.run)
        if spec.network.scheme != "separation" or list(spec.jobs) != [""]:
            raise ValueError(f"{where}.run: {self.run} is no run with the separation scheme and all tasks in one net")


class Limits(Entry):
    """The dynamic net at its two limits: single-task nets, and hard sharing (Fang 2017, section 3)."""

    measurement = Measurement("limits", "json", "train", images=36, weights=False)

    kind: Literal["limits"]
    run: str = Field(description="a run with the dynamic scheme")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [self.run]

    def check(self, params: "Params", where: str) -> None:
        """Check that the run has connections."""
        if params.spec(self.run).network.scheme != "dynamic":
            raise ValueError(f"{where}.run: {self.run} is no run with the dynamic scheme")


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


def _check_groups(where: str, experiment: ResponseMaps | Connections, spec: RunSpec) -> None:
    if list(spec.jobs) != [""]:
        raise ValueError(f"{where}.run: {experiment.run} must be one net that learns all of its tasks")
    seen: set[str] = set()
    for task in itertools.chain(*experiment.groups.values()):
        if task not in spec.tasks:
            raise ValueError(f"{where}.groups: {experiment.run} has no task '{task}'; it has {', '.join(spec.tasks)}")
        if task in seen:
            raise ValueError(f"{where}.groups: '{task}' is in two groups; leave it in one")
        seen.add(task)

"""params.yaml as models: validated at the door, then expanded into runs.

Only pydantic, PyYAML and the standard library are imported here: the Snakefile reads this module in an environment
that holds nothing but Snakemake.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from taskshare.errors import TaskshareError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
GENERATED_OR_OFFICIAL = ("celeba", "cifar10")
"""Data sets that can be generated or downloaded; all others come from a path."""
PositiveInt = Annotated[int, Field(gt=0)]
# No dot, which joins two classes to a task, and nothing that a file name or wildcard cannot hold.
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class Model(BaseModel):
    """A part of params.yaml: unknown keys are errors, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Model):
    """How the data phase behaves."""

    on_bad_image: Literal["stop", "skip"] = Field(
        default="stop",
        description="stop at a broken, missing or unlabelled image, or leave it out and list it in the report",
    )


class Report(Model):
    """What the report shows."""

    example_images: bool = Field(default=True, description="whether pictures of single samples are shown")


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

    def check_task(self, task: str) -> str | None:
        """Return what is wrong with a task's name, or None."""
        if self.layout == "attributes":
            return None if task in self.labels else f"no task '{task}'; allowed: {', '.join(self.labels)}"
        pair = task.split(".")
        if len(pair) == 2 and pair[0] != pair[1] and set(pair) <= set(self.labels):
            return None
        return f"no task '{task}'; allowed: FIRST.SECOND, two different classes of {', '.join(self.labels)}"


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
    padding: Literal["same", "valid"] = Field(default="same", description="padding of the convolutions (reading 9)")
    shared_layers: Literal[5, 6] = Field(default=6, description="hard: the trunk ends after this layer (reading 3)")
    transfer: Transfer = Transfer()


class Training(Model):
    """How a run is optimised; every entry is a reading, since the paper gives none (readings 8, 10 and 11)."""

    iterations: PositiveInt = 1000
    batch_size: Annotated[int, Field(gt=1, multiple_of=2)] = Field(default=32, description="images per task's pool")
    learning_rate: float = Field(default=0.02, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0, description="on convolutions and matrices only")
    schedule: Literal["cosine", "constant"] = "cosine"
    update: Literal["joint", "per_pool"] = Field(
        default="joint", description="one update from the summed costs, or one after every task's pool (reading 10)"
    )
    selection: Literal["best", "last"] = Field(
        default="best",
        description="weights with the best mean balanced accuracy on the validation split, or the last ones",
    )
    validate_every: PositiveInt = Field(default=100, description="iterations between two validations")
    checkpoint_every: float = Field(default=60.0, gt=0, description="seconds between two checkpoints")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 where the device computes with it, else float32"
    )
    threads: PositiveInt = Field(default=1, description="CPU threads of one training job")


class RunSpec(Model):
    """One entry of `runs`: training jobs that differ by seed only, or by seed and task."""

    dataset: str
    variant: Name
    tasks: list[str] = []
    groups: dict[Name, Annotated[list[str], Field(min_length=1)]] = Field(
        default={}, description="instead of `tasks`: one job per group, which learns the group's tasks only"
    )
    network: Network
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


class Experiment(Model):
    """A table or figure: which runs fill its rows."""

    enabled: bool = True
    rows: dict[str, str] = Field(min_length=1, description="row label: name of a run")


class Synthetic(Model):
    """Sizes of the generated demonstration data."""

    train: PositiveInt = 2000
    validation: PositiveInt = 400
    test: PositiveInt = 600
    digit_copies: PositiveInt = Field(default=2, description="drawings of each training digit")


class Scale(Model):
    """How big everything is."""

    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    synthetic: Synthetic = Synthetic()
    image_sizes: dict[str, dict[Name, PositiveInt]] = Field(description="data set: variant: pixels")
    training: dict[str, dict[str, Any]] = Field(default={}, description="data set: entries of `training`")
    network: dict[str, Any] = Field(default={}, description="entries of `network` that differ at this scale")
    runs: dict[Name, dict[str, Any]] = Field(default={}, description="run: entries that differ at this scale")


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
    network: Network
    training: Training
    seed: int

    @model_validator(mode="after")
    def _check(self) -> "Run":
        if self.batches == "shared" and (self.sampling != "original" or self.layout == "classes"):
            raise ValueError("batches: shared needs sampling: original and tasks that every image has a label for")
        if self.batches == "shared" and self.training.update == "per_pool":
            raise ValueError("update: per_pool needs batches: pooled")
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError("tasks: one is listed twice")
        return self

    @property
    def key(self) -> str:
        """Name of the run with its seed, as errors and folders show it."""
        return f"{self.name}/seed{self.seed}"

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that training reads: the training images, and the validation images if they select."""
        return ("train", "validation") if self.training.selection == "best" else ("train",)


class Params(BaseModel):
    """The whole of params.yaml. Besides these keys, each data set's name is a key that gives its source."""

    model_config = ConfigDict(extra="allow", frozen=True)

    scale: str = Field(description="an entry of `scales`")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where networks are computed")
    data: Data = Data()
    report: Report = Report()
    datasets: dict[Name, Dataset]
    scales: dict[Name, Scale]
    runs: dict[Name, RunSpec]
    experiments: dict[Name, Experiment]

    @model_validator(mode="after")
    def _check(self) -> "Params":
        def choose(key: str, value: str, allowed: Mapping[str, Any]) -> None:
            if value not in allowed:
                raise ValueError(f"{key}: '{value}' is not known; allowed: {', '.join(allowed)}")

        extra = self.model_extra or {}
        for key in extra:
            if key not in self.datasets:
                known = [*type(self).model_fields, *self.datasets]
                raise ValueError(f"{key}: unknown key; allowed: {', '.join(known)}")
        for name in self.datasets:
            if not isinstance(extra.get(name), str):
                raise ValueError(f"{name}: give its source: synthetic, download, or the path of an archive or folder")
            if extra[name] in ("synthetic", "download") and name not in GENERATED_OR_OFFICIAL:
                allowed = ", ".join(GENERATED_OR_OFFICIAL)
                raise ValueError(f"{name}: {extra[name]} is there for {allowed} only; give a path")
        choose("scale", self.scale, self.scales)
        for name, dataset in self.datasets.items():
            for key, variant in dataset.variants.items():
                if variant.align and dataset.layout == "classes":
                    raise ValueError(f"datasets.{name}.variants.{key}.align: the classes layout has no landmarks")
        for name, experiment in self.experiments.items():
            for row, run_name in experiment.rows.items():
                choose(f"experiments.{name}.rows.{row}", run_name, self.runs)
        for scale_name, scale in self.scales.items():
            for key in scale.training:
                choose(f"scales.{scale_name}.training", key, self.datasets)
            for key, sizes in scale.image_sizes.items():
                choose(f"scales.{scale_name}.image_sizes", key, self.datasets)
                for variant_name in sizes:
                    choose(f"scales.{scale_name}.image_sizes.{key}", variant_name, self.datasets[key].variants)
            for run_name in scale.runs:
                choose(f"scales.{scale_name}.runs", run_name, self.runs)
            self.model_copy(update={"scale": scale_name})._check_runs(choose)
        return self

    def _check_runs(self, choose: Callable[[str, str, Mapping[str, Any]], None]) -> None:
        for name in self.runs:
            run = self._spec(name)
            where = f"scales.{self.scale}.runs.{name}" if name in self.current.runs else f"runs.{name}"
            choose(f"{where}.dataset", run.dataset, self.datasets)
            choose(f"{where}.variant", run.variant, self.datasets[run.dataset].variants)
            for task in itertools.chain(*run.jobs.values()):
                wrong = self.datasets[run.dataset].check_task(task)
                if wrong:
                    raise ValueError(f"{where}.tasks: {wrong}")

    @property
    def current(self) -> Scale:
        """The scale that `scale` names."""
        return self.scales[self.scale]

    def source(self, dataset: str) -> str:
        """Source of a data set: `synthetic`, `download`, or the path of an archive or folder."""
        source = str((self.model_extra or {})[dataset])
        return str(Path(source).expanduser()) if source.startswith("~") else source

    def source_kind(self, dataset: str) -> Literal["synthetic", "download", "path"]:
        """Where a data set comes from."""
        source = self.source(dataset)
        return source if source in ("synthetic", "download") else "path"  # type: ignore[return-value]

    def variant(self, dataset: str, name: str) -> Variant:
        """A variant at the size of the current scale."""
        size = self.current.image_sizes.get(dataset, {}).get(name)
        variant = self.datasets[dataset].variants[name]
        return variant.model_copy(update={"size": size}) if size else variant

    def job_names(self, run_name: str) -> list[str]:
        """Names of a run's jobs: the run itself, RUN.TASK for each task that trains alone, or RUN.GROUP."""
        return [f"{run_name}.{part}" if part else run_name for part in self._spec(run_name).jobs]

    def jobs(self, run_name: str) -> Iterator[Run]:
        """Resolved training jobs of a run, task by task and seed by seed."""
        spec = self._spec(run_name)
        dataset = self.datasets[spec.dataset]
        training = Training.model_validate({**self.current.training.get(spec.dataset, {}), **spec.training})
        network = Network.model_validate(_merge(self.current.network, spec.network.model_dump(exclude_unset=True)))
        for job_name, tasks in zip(self.job_names(run_name), spec.jobs.values(), strict=True):
            for seed in spec.seeds or self.current.seeds:
                yield Run(
                    name=job_name,
                    dataset=spec.dataset,
                    layout=dataset.layout,
                    labels=dataset.labels,
                    variant_name=spec.variant,
                    variant=self.variant(spec.dataset, spec.variant),
                    tasks=tasks,
                    sampling=spec.sampling,
                    resampling=spec.resampling,
                    batches=spec.batches,
                    network=network,
                    training=training,
                    seed=seed,
                )

    def enabled_jobs(self) -> dict[str, Run]:
        """Every training job that an enabled experiment needs, by `Run.key`."""
        names = dict.fromkeys(run for item in self.experiments.values() if item.enabled for run in item.rows.values())
        return {job.key: job for name in names for job in self.jobs(name)}

    def _spec(self, run_name: str) -> RunSpec:
        override = self.current.runs.get(run_name)
        spec = self.runs[run_name]
        return RunSpec.model_validate(_merge(spec.model_dump(exclude_unset=True), override)) if override else spec


def _merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        merged[key] = _merge(merged[key], value) if isinstance(merged.get(key), dict) else value
    return merged


def load(path: Path, overrides: Mapping[str, Any] | None = None, check_sources: bool = True) -> Params:
    """Read and validate params.yaml, with top-level keys replaced by `overrides`.

    Raises:
        TaskshareError: one line that names the file, the key and what is allowed there.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TaskshareError(f"{path}: no such file; give the path of a params.yaml") from None
    except yaml.YAMLError as error:
        raise TaskshareError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise TaskshareError(f"{path}: holds no keys; take the project's params.yaml as a start")
    return validate({**content, **(overrides or {})}, path.name, check_sources)


def validate(content: Mapping[str, Any], where: str = "params.yaml", check_sources: bool = True) -> Params:
    """Validate the content of params.yaml, expanding every scale's runs, and check that paths given as sources exist.

    Raises:
        TaskshareError: one line that names the key and what is allowed there.
    """
    try:
        params = Params.model_validate(dict(content))
    except ValidationError as error:
        raise TaskshareError(f"{where}: {explain(error)}") from None
    for scale in params.scales:
        at_scale = params.model_copy(update={"scale": scale})
        for run in params.runs:
            try:
                list(at_scale.jobs(run))
            except ValidationError as error:
                raise TaskshareError(f"{where}: scales.{scale} with runs.{run}: {explain(error)}") from None
    for name in params.datasets:
        source = params.source(name)
        if check_sources and params.source_kind(name) == "path" and not Path(source).exists():
            raise TaskshareError(
                f"{where}: {name}: no file or folder '{source}'; allowed: synthetic, download, or an existing path"
            )
    return params


def json_schema() -> str:
    """Return the JSON schema of params.yaml as indented JSON, made from the models; editors check the file by it."""
    return json.dumps(Params.model_json_schema(), indent=2) + "\n"


def explain(error: ValidationError) -> str:
    """Return a validation error's first entry as one line: the key, what is wrong, what is allowed."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    message = re.sub(r"^(Value error|Assertion failed), ", "", first["msg"])
    if first["type"] == "extra_forbidden":
        message = f"unknown key; allowed: {', '.join(_fields(globals()[error.title], location[:-1]))}"
    elif first["type"] != "missing" and not isinstance(first["input"], dict | BaseModel):
        message = f"{message}, not {first['input']!r}"
    return f"{'.'.join(location)}: {message}" if location else message


def _fields(model: type[BaseModel], location: list[str]) -> list[str]:
    """Keys that are allowed at a location inside a model."""
    kind: Any = model
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = kind.model_fields[part].annotation
        elif get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []

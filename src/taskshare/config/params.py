"""The whole of params.yaml, and the training jobs that it stands for."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from taskshare.config.base import Model, Name, PositiveInt
from taskshare.config.checks import check_child, check_names, child_tasks
from taskshare.config.data import GENERATED_OR_OFFICIAL, Data, Dataset, Synthetic, Variant
from taskshare.config.entry import Kind
from taskshare.config.experiments import Experiment
from taskshare.config.explain import explain
from taskshare.config.network import BACKBONES, AnyNetwork, Backbone, schemes
from taskshare.config.run import INHERITED, Run, RunEntry, RunSpec, Start, Training, job_name
from taskshare.config.tuning_grid import Tuning


class Report(Model):
    """What the report shows."""

    example_images: bool = Field(default=True, description="whether pictures of single samples are shown")


class Scale(Model):
    """How big everything is."""

    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    synthetic: Synthetic = Synthetic()
    image_sizes: dict[str, dict[Name, PositiveInt]] = Field(description="data set: variant: pixels")
    training: dict[str, dict[str, Any]] = Field(
        default={},
        description="DATASET, or DATASET/BACKBONE instead of it: entries of `training`; DATASET/BACKBONE/SCHEME: those "
        "that differ for the scheme",
    )
    network: dict[Backbone, dict[str, Any]] = Field(
        default={}, description="backbone: entries of `network` that differ at this scale"
    )
    runs: dict[Name, dict[str, Any]] = Field(default={}, description="run: entries that differ at this scale")
    enable: list[Name] = Field(default=[], description="experiments that run at this scale though others leave them")


class Params(BaseModel):
    """The whole of params.yaml. Besides these keys, each data set's name is a key that gives its source."""

    model_config = ConfigDict(extra="allow", frozen=True)

    scale: str = Field(description="an entry of `scales`")
    seeds: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None, min_length=1, description="seeds of every run, instead of those of its scale"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where networks are computed")
    jobs_per_gpu: PositiveInt = Field(default=1, description="jobs that share a GPU at most")
    cuda_graphs: bool = Field(
        default=False, description="replay each training step as one CUDA graph: faster where nets are small"
    )
    data: Data = Data()
    report: Report = Report()
    datasets: dict[Name, Dataset]
    scales: dict[Name, Scale]
    runs: dict[Name, RunEntry]
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
        for scale_name, scale in self.scales.items():
            for name in scale.enable:
                choose(f"scales.{scale_name}.enable", name, self.experiments)
        if not any(map(self.is_enabled, self.experiments)):
            raise ValueError("experiments: none is enabled; enable one")
        for name, dataset in self.datasets.items():
            for key, variant in dataset.variants.items():
                if variant.align and dataset.layout == "classes":
                    raise ValueError(f"datasets.{name}.variants.{key}.align: the classes layout has no landmarks")
        for name, experiment in self.experiments.items():
            for run_name in experiment.run_names:
                choose(f"experiments.{name}", run_name, self.runs)
        for name, run in self.runs.items():
            if run.parent:
                choose(f"runs.{name}.parent.run", run.parent.run, self.runs)
        self._check_lineages()
        for scale_name, scale in self.scales.items():
            for key in scale.training:
                dataset_name, *of = key.split("/")
                choose(f"scales.{scale_name}.training", dataset_name, self.datasets)
                parts: tuple[tuple[str, ...], ...] = (BACKBONES, schemes())
                for part, names in zip(of, parts, strict=False):
                    choose(f"scales.{scale_name}.training.{key}", part, dict.fromkeys(names))
                if len(of) > 2:
                    raise ValueError(f"scales.{scale_name}.training.{key}: give DATASET/BACKBONE/SCHEME at most")
            for key, sizes in scale.image_sizes.items():
                choose(f"scales.{scale_name}.image_sizes", key, self.datasets)
                for variant_name in sizes:
                    choose(f"scales.{scale_name}.image_sizes.{key}", variant_name, self.datasets[key].variants)
            for run_name in scale.runs:
                choose(f"scales.{scale_name}.runs", run_name, self.runs)
            self.model_copy(update={"scale": scale_name})._check_runs(choose)
        return self

    def _check_lineages(self) -> None:
        for name in self.runs:
            seen = [name]
            while parent := self.runs[seen[-1]].parent:
                if parent.run in seen:
                    raise ValueError(f"runs.{name}.parent.run: {' <- '.join([*seen, parent.run])} is a circle")
                seen.append(parent.run)

    def _check_runs(self, choose: Callable[[str, str, Mapping[str, Any]], None]) -> None:
        for name in self.runs:
            where = f"scales.{self.scale}.runs.{name}" if name in self.current.runs else f"runs.{name}"
            try:
                run = self.spec(name)
            except ValidationError as error:
                separator = "." if error.errors()[0]["loc"] else ": "
                raise ValueError(f"{where}{separator}{explain(error)}") from None
            choose(f"{where}.dataset", run.dataset, self.datasets)
            choose(f"{where}.variant", run.variant, self.datasets[run.dataset].variants)
            if run.parent:
                check_child(self, where, run, run.parent)
            for task in itertools.chain(*run.jobs.values()):
                wrong = self.datasets[run.dataset].check_task(task)
                if wrong:
                    raise ValueError(f"{where}.tasks: {wrong}")
        check_names(self)
        for name, experiment in self.experiments.items():
            experiment.check(self, f"experiments.{name}")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Params":
        """Return a copy, whose trials are its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("trials", None)
        return copied

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
        return [job_name(run_name, part) for part in self.spec(run_name).jobs]

    def jobs(self, run_name: str) -> Iterator[Run]:
        """Resolved training jobs of a run, task by task and seed by seed."""
        spec = self.spec(run_name)
        dataset = self.datasets[spec.dataset]
        of_scale = self.current.training
        backbone = f"{spec.dataset}/{spec.network.backbone}"
        common = of_scale.get(backbone, of_scale.get(spec.dataset, {}))
        of_scheme = of_scale.get(f"{backbone}/{spec.network.scheme}", {})
        training = Training.model_validate({**common, **of_scheme, **spec.training})
        network, generations = self.network(run_name), self.generations(run_name)
        start = None
        if spec.parent:
            start = Start(
                job=spec.parent.run,
                kind=spec.parent.kind,
                beta=spec.parent.beta,
                statistics=spec.parent.statistics,
            )
        for name, tasks in zip(self.job_names(run_name), spec.jobs.values(), strict=True):
            for seed in self.seeds or spec.seeds or self.current.seeds:
                yield Run(
                    name=name,
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
                    start=start,
                    generations=generations,
                )

    def network(self, run_name: str) -> AnyNetwork:
        """Return a run's network at the current scale."""
        written = self.spec(run_name).network
        sizes = self.current.network.get(written.backbone, {})
        return type(written).model_validate(_merge(sizes, written.model_dump(exclude_unset=True)))

    def generations(self, run_name: str) -> list[list[str]]:
        """Return a run's tasks by the time they joined; an empty list if they were learned at once."""
        parent = self.entry(run_name).parent
        if parent is None or not parent.add:
            return []
        return [*(self.generations(parent.run) or [self.spec(parent.run).tasks]), parent.add]

    def enabled_jobs(self) -> dict[str, Run]:
        """Every training job that an enabled experiment needs, parents before their children, by `Run.key`."""
        names: dict[str, None] = {}
        for name in filter(self.is_enabled, self.experiments):
            names.update(dict.fromkeys(self.needed_runs(name)))
        return {job.key: job for name in names for job in self.jobs(name)}

    def needed_runs(self, experiment: str) -> list[str]:
        """Return the runs that an experiment needs, parents before their children: its own, or its trials."""
        item = self.experiments[experiment]
        own = item.trials() if isinstance(item, Tuning) else item.run_names
        return list(dict.fromkeys(itertools.chain(*map(self.lineage, own))))

    def judged_jobs(self) -> dict[str, Run]:
        """Those of `enabled_jobs` whose test scores are looked at: all but the trials of tuning."""
        trials = {job.key for name in self.trials for job in self.jobs(name)}
        return {key: job for key, job in self.enabled_jobs().items() if key not in trials}

    @cached_property
    def trials(self) -> dict[str, tuple[str, dict[str, Any], int]]:
        """The run, the entries of `training` and the seed of every trial of tuning, by the trial's name."""
        return {
            name: (*trial, tuning.seed)
            for tuning in self.experiments.values()
            if isinstance(tuning, Tuning)
            for name, trial in tuning.trials().items()
        }

    def is_enabled(self, experiment: str) -> bool:
        """Return whether an experiment is run at the current scale."""
        return self.experiments[experiment].enabled or experiment in self.current.enable

    def enabled(self, kind: type[Kind]) -> dict[str, Kind]:
        """Return the enabled experiments of a kind by name; of every kind for `Entry`."""
        found: dict[str, Kind] = {}
        for name, item in self.experiments.items():
            if isinstance(item, kind) and self.is_enabled(name):
                found[name] = item
        return found

    def spec(self, run_name: str) -> RunSpec:
        """Return an entry of `runs`, or a trial of one, with what it has from its parent and the current scale."""
        if run_name in self.trials:
            tried, training, seed = self.trials[run_name]
            spec = self.spec(tried)
            return spec.model_copy(update={"training": {**spec.training, **training}, "seeds": [seed]})
        entry = self.runs[run_name]
        written = _merge(entry.model_dump(exclude_unset=True), self.current.runs.get(run_name, {}))
        if entry.parent:
            parent = self.spec(entry.parent.run)
            inherited = {key: value for key, value in parent.model_dump(exclude_unset=True).items() if key in INHERITED}
            tasks = {} if written.get("groups") else {"tasks": child_tasks(parent.tasks, entry.parent)}
            written = {**tasks, **_merge(inherited, written)}
        return RunSpec.model_validate(written)

    def entry(self, run_name: str) -> RunEntry:
        """Return an entry of `runs`; of a trial, that of the run that is tried."""
        return self.runs[self.trials[run_name][0] if run_name in self.trials else run_name]

    def lineage(self, run_name: str) -> list[str]:
        """Return a run's ancestors, the first one first, and the run itself; a trial's ancestors are its run's."""
        parent = self.entry(run_name).parent
        return [*(self.lineage(parent.run) if parent else []), run_name]


def _merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        merged[key] = _merge(merged[key], value) if isinstance(merged.get(key), dict) else value
    return merged

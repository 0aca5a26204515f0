"""What the Snakefile needs to know: files of the graph and arguments of its jobs, from params.yaml.

Imports no more than `config` does, and for the same reason.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Literal

from taskshare.config import (
    Entry,
    Params,
    Run,
    Table,
)
from taskshare.config.base import file_name
from taskshare.config.entry import Measurement
from taskshare.devices import visible_devices
from taskshare.errors import TaskshareError

# What the jobs of training and evaluation write.
WEIGHTS, OTHER_WEIGHTS = "weights.safetensors", "other_weights.safetensors"
SCORES, PROVENANCE = "scores.parquet", "provenance.json"
RECORDS = ("history.parquet", "transfer.parquet", "timing.parquet", PROVENANCE)
METRICS = "metrics.json"
LANDMARKS_FILE = "landmarks.parquet"
TRAINING_FILES = (WEIGHTS, OTHER_WEIGHTS, *RECORDS)
EVALUATION_FILES = (SCORES, METRICS)
# What stands beside the report for DVC to show: a file of metrics for each row of a table, in a folder.
ROW_METRICS, LEARNING_CURVES, PUBLISHED = "metrics", "learning_curves.csv", "published.csv"
# Files of a source folder that stand for its content; single images are too many to look at in every call.
LABEL_FILES = (
    "list_*.txt",
    "list_*.csv",
    "identity_*.txt",
    "identity_*.csv",
    "trainLabels.csv",
    "img_align_celeba.zip",
    "cifar-10-python.tar.gz",
    "*_batch*",
    "batches.meta",
)


def row_files(name: str, table: Table) -> dict[str, str]:
    """Return for each row label of the table `name` the file of its metrics: its path in the report's folder."""
    paths: dict[str, str] = {}
    for label in table.rows:
        stem = re.sub(r"[^\w.]+", "-", label).strip("-.") or "row"
        while (path := f"{ROW_METRICS}/{name}/{stem}.json").casefold() in map(str.casefold, paths.values()):
            stem += "_"
        paths[label] = path
    return paths


class Graph:
    """The files and jobs of the current scale.

    Args:
        params: validated params.yaml.
        folder: the working folder; sources are looked up there.
    """

    def __init__(self, params: Params, folder: Path) -> None:
        self.params = params
        self.folder = folder
        self.results = f"results/{params.scale}"
        self.jobs = params.enabled_jobs()
        self.judged = params.judged_jobs()
        self.measured = {
            (entry.measurement.kind, job.name, str(job.seed)): (entry, entry.measurement, job)
            for entry in params.enabled(Entry).values()
            for job in entry.measured_jobs(params)
            if entry.measurement
        }
        """What is measured, by kind, run and seed: an experiment that asks for it, the measurement, and the job."""

    def job(self, run: str, seed: str) -> Run:
        """Return the resolved run of the wildcards `run` and `seed`.

        Raises:
            TaskshareError: if no enabled experiment has it.
        """
        key = f"{run}/seed{seed}"
        if key not in self.jobs:
            raise TaskshareError(f"{key}: no such training job at scale {self.params.scale}; see `taskshare runs`")
        return self.jobs[key]

    def job_json(self, run: str, seed: str) -> str:
        """Return a run as JSON without what is at its default: a new switch does not rerun what never used it."""
        return self.job(run, seed).model_dump_json(exclude_defaults=True)

    def source_path(self, dataset: str) -> str:
        """Return the archive or folder that holds a data set's raw files."""
        kind = self.params.source_kind(dataset)
        if kind == "synthetic":
            return f"{self.results}/data/{dataset}/synthetic.tar"
        return f"downloads/{dataset}" if kind == "download" else self.params.source(dataset)

    def source_files(self, dataset: str) -> list[str]:
        """Return the files whose change means that the raw data changed; never a folder."""
        path = self.source_path(dataset)
        if self.params.source_kind(dataset) == "download":
            return [f"{path}/download.json"]
        if self.params.source_kind(dataset) == "synthetic" or (self.folder / path).is_file():
            return [path]
        root = self.folder / path
        found = {file for pattern in LABEL_FILES for file in (*root.glob(pattern), *root.glob(f"*/{pattern}"))}
        return sorted(str(file) for file in found)

    def source_fingerprint(self, dataset: str) -> str:
        """Return a digest of a source's names and sizes, and of its times unless it lies in the working folder.

        What lies there is versioned with the results, and has other times in a clone. Other kinds of sources are made
        by rules of their own.
        """
        if self.params.source_kind(dataset) != "path":
            return ""
        root = self.folder / self.params.source(dataset)
        travels = root.resolve().is_relative_to(self.folder.resolve())
        found = [root] if root.is_file() else [Path(place, name) for place, _, names in os.walk(root) for name in names]
        facts = []
        for path in sorted(found):
            status = path.stat()
            time = 0 if travels else status.st_mtime_ns
            facts.append((path.relative_to(root).as_posix(), status.st_size, time))
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def prepared(self, run: Run) -> str:
        """Return the folder of a run's prepared data."""
        return f"{self.results}/data/{run.dataset}/{run.variant_name}"

    def prepared_files(self, run: Run, splits: tuple[str, ...]) -> list[str]:
        """Return array and label table of the splits."""
        return [f"{self.prepared(run)}/{split}.{kind}" for split in splits for kind in ("npy", "parquet")]

    def training_inputs(self, run: Run) -> list[str]:
        """Return what a run is trained on, and validated on if it selects."""
        return self.prepared_files(run, run.splits)

    def parent(self, run: Run) -> list[str]:
        """Return the weights that a run starts from; none for a run without a parent."""
        return [f"{self.results}/training/{run.start.job}/seed{run.seed}/{WEIGHTS}"] if run.start else []

    def landmark_runs(self) -> str:
        """Return a regular expression of the jobs that find landmarks; it matches none where there are none."""
        names = dict.fromkeys(re.escape(job.name) for job in self.judged.values() if job.finds_landmarks)
        return "|".join(names) or "(?!)"

    def manifests(self, run: Run) -> list[str]:
        """Return the manifest of each task that a run trains."""
        folder = f"{self.prepared(run)}/manifests"
        return [
            f"{folder}/{file_name(task)}-{run.sampling}-{run.resampling}-seed{run.seed}.parquet"
            for task in run.trained_tasks
        ]

    def variants(self) -> dict[str, list[str]]:
        """Return, for each folder of prepared data that a job needs, the tasks that are trained on it."""
        folders: dict[str, dict[str, None]] = {}
        for run in self.jobs.values():
            folders.setdefault(self.prepared(run), {}).update(dict.fromkeys(run.tasks))
        return {folder: list(tasks) for folder, tasks in folders.items()}

    def measured_files(self) -> list[str]:
        """Return the files that kinds of experiments measure of nets."""
        return [f"{self.results}/evaluation/{job.key}/{what.file}" for _, what, job in self.measured.values()]

    def measured_kinds(self, alone: bool) -> str:
        """Return a regular expression of the kinds that are measured here, with the machine to themselves or not."""
        kinds = {what.kind for _, what, _ in self.measured.values() if what.alone == alone}
        return "|".join(sorted(kinds)) or "(?!)"

    def measured_weights(self, kind: str, run: str, seed: str) -> list[str]:
        """Return the trained weights that are measured; none where a run's initial ones are."""
        _, what, job = self._measured(kind, run, seed)
        return [f"{self.results}/training/{job.key}/{WEIGHTS}"] if what.weights else []

    def measured_images(self, kind: str, run: str, seed: str) -> list[str]:
        """Return the prepared files that a net is measured on."""
        _, what, job = self._measured(kind, run, seed)
        return self.prepared_files(job, (what.split,)) if what.split else []

    def measure_options(self, kind: str, run: str, seed: str) -> list[str]:
        """Return the options of `taskshare measure`: the net, its images, and what else the kind has to know."""
        experiment, what, job = self._measured(kind, run, seed)
        weights = self.measured_weights(kind, run, seed)
        net = ["--checkpoint", *weights] if weights else ["--run", self.job_json(run, seed)]
        images = ["--prepared", self.prepared(job)] if what.split else []
        return [*net, *images, "--settings", json.dumps(experiment.measured_with(self.params))]

    def _measured(self, kind: str, run: str, seed: str) -> tuple[Entry, Measurement, Run]:
        if (kind, run, seed) not in self.measured:
            raise TaskshareError(f"{run}/seed{seed}: no enabled experiment asks for its {kind}; see params.yaml")
        return self.measured[kind, run, seed]

    def constants(self) -> list[str]:
        """Return the metrics of the constant predictor for each prepared variant that a table asks for."""
        specs = [
            self.params.spec(table.run_names[0]) for table in self.params.enabled(Table).values() if table.constant
        ]
        folders = dict.fromkeys(f"{spec.dataset}/{spec.variant}" for spec in specs)
        return [f"{self.results}/evaluation/constant/{folder}/{METRICS}" for folder in folders]

    def report_inputs(self) -> list[str]:
        """Return every result that the report shows."""
        folders = self.variants()
        return [
            *(f"{folder}/{name}" for folder in folders for name in ("facts.json", "contact_sheet.png")),
            *(f"{self.results}/training/{key}/{name}" for key in self.jobs for name in RECORDS),
            *(f"{self.results}/evaluation/{key}/{name}" for key in self.judged for name in EVALUATION_FILES),
            *(
                f"{self.results}/evaluation/{key}/{LANDMARKS_FILE}"
                for key, job in self.judged.items()
                if job.finds_landmarks
            ),
            *self.measured_files(),
            *self.constants(),
            *self.summarised_data(),
        ]

    def summarised_data(self) -> list[str]:
        """Return the prepared files that kinds of experiments look at when they summarise their results."""
        paths = [
            f"{self.prepared(next(self.params.jobs(run_name)))}/{name}"
            for entry in self.params.enabled(Entry).values()
            for run_name in entry.run_names
            for name in entry.data_files
        ]
        return list(dict.fromkeys(paths))

    def summary_files(self) -> list[str]:
        """Return what DVC shows of the results."""
        tables = self.params.enabled(Table)
        rows = [path for name, table in tables.items() for path in row_files(name, table).values()]
        return [f"{self.results}/report/{path}" for path in (LEARNING_CURVES, PUBLISHED, *rows)]

    def results_files(self) -> list[str]:
        """Return every versioned result but the report: what must be there for the workflow to be done."""
        return [
            *self.report_inputs(),
            *(f"{self.results}/training/{key}/{name}" for key in self.jobs for name in (WEIGHTS, OTHER_WEIGHTS)),
            f"{self.results}/findings.json",
            *self.summary_files(),
        ]

    def dataset_json(self, dataset: str) -> str:
        """Return a data set's layout and labels as JSON, without its variants, which do not concern each other."""
        return self.params.datasets[dataset].model_copy(update={"variants": {}}).model_dump_json(exclude_defaults=True)

    def synthetic_json(self, dataset: str) -> str:
        """Return as JSON the sizes of the data that are generated in a data set's place, without those of others."""
        digits = {"digit_copies"}
        include, exclude = (digits, None) if dataset == "cifar10" else (None, digits)
        return self.params.current.synthetic.model_dump_json(include=include, exclude=exclude)

    def variant_json(self, dataset: str, variant: str) -> str:
        """Return a variant at the current scale as JSON."""
        return self.params.variant(dataset, variant).model_dump_json(exclude_defaults=True)

    def params_json(self) -> str:
        """Return the whole of params.yaml as it is in force, as JSON; of a source's path only the last part.

        Defaults are left out: written down they would count as given, and go before what a scale or parent gives.
        """
        # Where nets are computed is no part of a result, which is not made again because it changed.
        content = self.params.model_dump(exclude_unset=True, exclude={"device", "jobs_per_gpu", "cuda_graphs"})
        for dataset in self.params.datasets:
            if self.params.source_kind(dataset) == "path":
                content[dataset] = Path(self.params.source(dataset)).name
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def gpus_per_job(self) -> Literal[0, 1]:
        """Return whether a job that computes nets takes a place on a GPU: where one is wanted, or there is one."""
        return 1 if self.params.device == "cuda" or self.gpu_places() else 0

    def gpu_places(self) -> int:
        """Return how many jobs the GPUs of this machine take at once."""
        return 0 if self.params.device == "cpu" else len(visible_devices()) * self.params.jobs_per_gpu

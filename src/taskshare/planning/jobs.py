"""The jobs of a scale: what each one waits for, writes and costs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal, get_args

from taskshare.config import SPLITS, Run
from taskshare.config.entry import Measurement
from taskshare.graph import EVALUATION_FILES, LANDMARKS_FILE, METRICS, TRAINING_FILES, Graph
from taskshare.planning.estimate import PASSES_START, Estimator

Phase = Literal["data", "preparation", "manifests", "training", "evaluation", "analyses", "report"]
PHASES: tuple[Phase, ...] = get_args(Phase)

# Measured on one core: seconds of a process that opens no net, and of the report.
PLAIN_START, FINDINGS, REPORT = 1.0, 7.0, 8.0
# What a core does in a second: faces or digits drawn, images prepared. Bytes that a second of a download brings.
GENERATED, PREPARED, DOWNLOADED = {"attributes": 120, "classes": 2000}, 1000, 10e6
DATA_THREADS = 2
COSTS = 3.0
"""Seconds for which nets of a costs experiment are timed."""


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes:
        name: its place among the results, without its files' names.
        phase: where it belongs.
        files: what it writes, from the working folder.
        after: names of the jobs that it waits for.
        done: whether its files are there, of this configuration.
        seconds: from its start to its end.
        recorded: whether they are recorded, by this job or the same one of another seed; else they are modelled.
        threads: CPU cores that it takes.
        on_device: whether it computes nets, on a GPU if there is one.
        memory_bytes: the most memory that it takes, of the GPU if it computes there; 0 for jobs without nets.
        run: of training jobs, the entry of `runs` that it belongs to.
    """

    name: str
    phase: Phase
    files: tuple[str, ...]
    after: tuple[str, ...]
    done: bool
    seconds: float
    recorded: bool = False
    threads: int = 1
    on_device: bool = False
    memory_bytes: int = 0
    run: str = ""

    @property
    def left(self) -> float:
        """Seconds that are still to come."""
        return 0.0 if self.done else self.seconds


def longest_chain(jobs: Sequence[Job], seconds: Callable[[Job], float]) -> float:
    """Return the time of the jobs that wait for each other longest; no number of devices is faster.

    Args:
        jobs: each behind those that it waits for.
        seconds: of a job.
    """
    ends: dict[str, float] = {}
    for job in jobs:
        ends[job.name] = seconds(job) + max((ends[name] for name in job.after), default=0.0)
    return max(ends.values())


def all_jobs(graph: Graph, estimator: Estimator) -> list[Job]:
    """Return the jobs of a scale, each behind those that it waits for."""
    return _Jobs(graph, estimator).jobs


class _Jobs:
    """Lists the jobs of a scale, phase by phase."""

    def __init__(self, graph: Graph, estimator: Estimator) -> None:
        self.graph, self.estimator, self.images = graph, estimator, estimator.images
        self.jobs: list[Job] = []
        self.jobs += self._data()
        self.jobs += self._preparation()
        self.jobs += self._manifests()
        self.jobs += self._training()
        self.jobs += self._evaluation()
        self.jobs += self._analyses()
        self.jobs += self._report()

    def _there(self, *paths: str) -> bool:
        return all((self.graph.folder / path).is_file() for path in paths)

    def _data(self) -> Iterator[Job]:
        for dataset, images in self.images.items():
            kind, layout = self.graph.params.source_kind(dataset), self.graph.params.datasets[dataset].layout
            if kind == "path":
                continue
            (path,) = self.graph.source_files(dataset)
            seconds, threads = PLAIN_START + images.raw_bytes / DOWNLOADED, 1
            if kind == "synthetic":
                seconds, threads = PLAIN_START + images.total / GENERATED[layout] / DATA_THREADS, DATA_THREADS
            yield Job(path, "data", (path,), (), self._there(path), seconds, threads=threads)

    def _preparation(self) -> Iterator[Job]:
        sources = {job.name for job in self.jobs}
        for folder in self.graph.variants():
            dataset = PurePosixPath(folder).parent.name
            splits = [f"{folder}/{split}.{kind}" for split in SPLITS for kind in ("npy", "parquet")]
            paths = (*splits, f"{folder}/facts.json")
            seconds = PLAIN_START + self.images[dataset].total / PREPARED / DATA_THREADS
            after = tuple(path for path in self.graph.source_files(dataset) if path in sources)
            yield Job(folder, "preparation", paths, after, self._there(*paths), seconds, threads=DATA_THREADS)

    def _manifests(self) -> Iterator[Job]:
        folders = {
            path: self.graph.prepared(run) for run in self.graph.jobs.values() for path in self.graph.manifests(run)
        }
        for path, folder in folders.items():
            yield Job(path, "manifests", (path,), (folder,), self._there(path), PLAIN_START)

    def _training(self) -> Iterator[Job]:
        params = self.graph.params
        names = {job: run for run in params.runs for job in params.job_names(run)}
        for trial, (tried, *_) in params.trials.items():
            names |= dict.fromkeys(params.job_names(trial), f"{tried}, tuning")
        for key, run in self.graph.jobs.items():
            name = f"{self.graph.results}/training/{key}"
            paths = tuple(f"{name}/{file}" for file in TRAINING_FILES)
            parent = tuple(str(PurePosixPath(path).parent) for path in self.graph.parent(run))
            seconds, memory_bytes, recorded = self.estimator.training(run)
            yield Job(
                name,
                "training",
                paths,
                (*self.graph.manifests(run), *parent),
                self.estimator.is_current(run) and self._there(*paths),
                seconds,
                recorded=recorded,
                threads=run.training.threads,
                on_device=True,
                memory_bytes=memory_bytes,
                run=names[run.name],
            )

    def _evaluation(self) -> Iterator[Job]:
        for run in self.graph.judged.values():
            more = (LANDMARKS_FILE,) if run.finds_landmarks else ()
            yield self._passes(run, (*EVALUATION_FILES, *more), "evaluation", self.images[run.dataset].counts["test"])

    def _passes(self, run: Run, names: Sequence[str], phase: Phase, images: int) -> Job:
        """Return a job that shows a trained net so many images."""
        paths = tuple(f"{self.graph.results}/evaluation/{run.key}/{name}" for name in names)
        return Job(
            paths[0],
            phase,
            paths,
            (f"{self.graph.results}/training/{run.key}",),
            self._there(*paths) and self.estimator.is_current(run),
            self.estimator.passes(run, images),
            on_device=True,
            memory_bytes=self.estimator.passes_bytes(run),
        )

    def _analyses(self) -> Iterator[Job]:
        for folder in self.graph.variants():
            path = f"{folder}/contact_sheet.png"
            yield Job(path, "analyses", (path,), (folder,), self._there(path), PLAIN_START)
        for path in self.graph.constants():
            folder = path.replace("/evaluation/constant/", "/data/").removesuffix(f"/{METRICS}")
            yield Job(path, "analyses", (path,), (folder,), self._there(path), PLAIN_START)
        for _, what, run in self.graph.measured.values():
            yield self._measurement(what, run)

    def _measurement(self, what: Measurement, run: Run) -> Job:
        """Return a job that measures a trained net, or one with its initial weights, which waits for no training."""
        images = what.images or (self.images[run.dataset].counts[what.split] if what.split else 0)
        job = self._passes(run, (what.file,), "analyses", images)
        if what.weights:
            return job
        seconds = PASSES_START + COSTS if what.alone else job.seconds
        after = (self.graph.prepared(run),) if what.split else ()
        return replace(job, after=after, done=self._there(*job.files), seconds=seconds)

    def _report(self) -> Iterator[Job]:
        before = tuple(job.name for job in self.jobs)
        done = all(job.done for job in self.jobs if job.phase in ("training", "evaluation", "analyses"))
        folder = self.graph.results
        params, findings, report = (
            f"{folder}/{name}" for name in ("params.json", "findings.json", "report/report.html")
        )
        yield Job(params, "report", (params,), (), self._there(params), 0.0)
        for paths, seconds in ((tuple(self.graph.summary_files()), PLAIN_START), ((findings,), FINDINGS)):
            yield Job(paths[0], "report", paths, (*before, params), done and self._there(*paths), seconds)
        yield Job(report, "report", (report,), (findings,), done and self._there(report), REPORT)

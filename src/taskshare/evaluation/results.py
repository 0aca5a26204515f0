"""What stands in a folder of results: every reader returns None for a file that is not there."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from safetensors import SafetensorError, safe_open

from taskshare import files
from taskshare.config import Entry, Metric, Params, Run, Selection, Split
from taskshare.config.run import job_name
from taskshare.config.tasks import task_of_answer
from taskshare.errors import TaskshareError
from taskshare.graph import LANDMARKS_FILE, METRICS, SCORES

Content = TypeVar("Content")


@dataclass(frozen=True)
class Results:
    """The results of one scale, of any completeness. Paths are those of the phases (results/SCALE/PHASE/...)."""

    root: Path

    def metrics(self, run: str, seed: int, selection: Selection | None = None) -> dict[str, dict[str, float]] | None:
        """Return the test metrics of a run by task, attribute or landmark, as fractions of 1 and counts.

        They are those of the weights that the run selects, or those of another selection if its job has it.
        """
        content = _read(self.root / "evaluation" / run / f"seed{seed}" / METRICS, files.read_metrics)
        if content is None:
            return None
        return content["selections"].get(selection) if selection else content["tasks"]

    def scores(self, run: str, seed: int) -> pd.DataFrame | None:
        """Return id, task, label (0 or 1) and score (0 to 1) of every test image and task of a job."""
        return _read(self.root / "evaluation" / run / f"seed{seed}" / SCORES, pd.read_parquet)

    def measured(self, kind: type[Entry], run: str, seed: int) -> Any | None:
        """Return what a kind of experiment measured of a job: a table, JSON content, or arrays by name.

        Among the arrays of a safetensors file, `facts` holds what its metadata say.
        """
        what = kind.measurement
        assert what is not None
        return _read(self.root / "evaluation" / run / f"seed{seed}" / what.file, _READERS[what.ending])

    def landmarks(self, run: str, seed: int) -> pd.DataFrame | None:
        """Return true and predicted landmarks of every test image, in original pixels, as the evaluation wrote them."""
        return _read(self.root / "evaluation" / run / f"seed{seed}" / LANDMARKS_FILE, pd.read_parquet)

    def constant(self, dataset: str, variant: str) -> dict[str, dict[str, float]] | None:
        """Return the test metrics of one answer for all images, by attribute and landmark; keys as in `metrics`."""
        content = _read(self.root / "evaluation" / "constant" / dataset / variant / METRICS, files.read_metrics)
        return None if content is None else content["tasks"]

    def history(self, run: str, seed: int) -> pd.DataFrame | None:
        """Return a run's training curves, one row per recorded iteration and task."""
        return _read(self.root / "training" / run / f"seed{seed}" / "history.parquet", pd.read_parquet)

    def transfer(self, run: str, seed: int) -> pd.DataFrame | None:
        """Return a run's alpha, one row per recorded iteration, layer, source and target."""
        return _read(self.root / "training" / run / f"seed{seed}" / "transfer.parquet", pd.read_parquet)

    def timing(self, run: str, seed: int) -> pd.DataFrame | None:
        """Return a run's iteration, seconds and images_per_second."""
        return _read(self.root / "training" / run / f"seed{seed}" / "timing.parquet", pd.read_parquet)

    def provenance(self, run: str, seed: int) -> dict[str, Any] | None:
        """Return how a run was made."""
        return _read(self.root / "training" / run / f"seed{seed}" / "provenance.json", files.read_json)

    def facts(self, dataset: str, variant: str) -> dict[str, Any] | None:
        """Return the counts and digests of prepared data."""
        return _read(self.root / "data" / dataset / variant / "facts.json", files.read_json)

    def label_table(self, dataset: str, variant: str, split: Split) -> pd.DataFrame | None:
        """Return the label table of prepared images: id, labels, and of the attributes layout the landmarks."""
        return _read(self.root / "data" / dataset / variant / f"{split}.parquet", pd.read_parquet)

    def prepared(self, dataset: str, variant: str, split: Split) -> Path | None:
        """Return the path of the array of prepared images, in the order of `label_table`."""
        path = self.root / "data" / dataset / variant / f"{split}.npy"
        return path if path.is_file() else None

    def contact_sheet(self, dataset: str, variant: str) -> Path | None:
        """Return the path of the picture of examples."""
        path = self.root / "data" / dataset / variant / "contact_sheet.png"
        return path if path.is_file() else None


def generated(params: Params, results: Results, dataset: str, variant: str) -> bool:
    """Return whether prepared data are generated: as their facts say, or where there are none, as params.yaml does."""
    facts = results.facts(dataset, variant) or {}
    return bool(facts.get("synthetic", params.source_kind(dataset) == "synthetic"))


def task_of(column: str) -> str:
    """Return the task of a table's column, which is TASK or TASK/GROUP."""
    return column.partition("/")[0]


def jobs_of_columns(params: Params, run_names: Sequence[str], columns: Iterable[str]) -> dict[str, list[Run]]:
    """Return the jobs, one a seed, that fill each column of a row; no entry for a column that none of its runs has.

    Args:
        params: The configuration.
        run_names: The row's entries of `runs`; the first one that has the column fills it.
        columns: TASK: the first job that has the task, or whose joint task answers for it, as `attributes` does for
            every attribute. TASK/GROUP: of a run with groups the job of that group, of a run without groups the job
            that has the task.
    """
    found: dict[str, list[Run]] = {}
    wanted = list(columns)
    for run_name in run_names:
        spec = params.spec(run_name)
        jobs = list(params.jobs(run_name))
        for column in wanted:
            task, _, group = column.partition("/")
            for part, tasks in spec.jobs.items():
                answered = task in tasks or task_of_answer(task, tasks, params.datasets[spec.dataset].labels)
                if column not in found and answered and (not group or not spec.groups or part == group):
                    name = job_name(run_name, part)
                    found[column] = [job for job in jobs if job.name == name]
    return found


def task_metrics(
    params: Params,
    results: Results,
    run_names: Sequence[str],
    columns: Iterable[str],
    metric: Metric = "balanced_accuracy",
    selection: Selection | None = None,
    defined: bool = True,
) -> dict[str, dict[int, dict[str, float]]]:
    """Return the test metrics of a row by column and seed, collected from the jobs that fill it.

    They are those of the weights that each run selects, or of another selection.

    A column or seed that has no result yet is absent, and so is one whose `metric` is not a number: balanced accuracy,
    where all test images have one label. With `defined` false, only the latter are returned.
    """
    collected: dict[str, dict[int, dict[str, float]]] = {}
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for column, jobs in jobs_of_columns(params, run_names, columns).items():
        for job in jobs:
            if job.key not in metrics:
                metrics[job.key] = results.metrics(job.name, job.seed, selection) or {}
            measured = metrics[job.key].get(task_of(column))
            if measured is not None and math.isnan(measured[metric]) != defined:
                collected.setdefault(column, {})[job.seed] = measured
    return collected


def check_one_precision(results: Results, jobs: Iterable[Run], where: str) -> None:
    """Check that nets that are compared were trained in one precision: bfloat16 and float32 give other numbers.

    Raises:
        TaskshareError: if they were not.
    """
    found: dict[str, str] = {}
    for job in jobs:
        provenance = results.provenance(job.name, job.seed)
        if provenance is not None:
            found.setdefault(provenance["precision"], job.key)
    if len(found) > 1:
        (first, one), (second, other), *_ = found.items()
        raise TaskshareError(
            f"{where} compares {one}, trained in {first}, with {other}, trained in {second}; set training.precision to "
            "one of them and train the others again"
        )


def _read_arrays(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return arrays | {"facts": json.loads(file.metadata()["taskshare"])}


_READERS: dict[str, Callable[[Path], Any]] = {
    "parquet": pd.read_parquet,
    "json": files.read_json,
    "safetensors": _read_arrays,
}


def _read(path: Path, reader: Callable[[Path], Content]) -> Content | None:
    if not path.is_file():
        return None
    try:
        return reader(path)
    except (OSError, ValueError, SafetensorError) as error:  # pyarrow's and json's errors are ValueErrors
        line = " ".join(str(error).split())
        raise TaskshareError(f"{path}: cannot be read ({line}); remove it and run its job again") from None

"""What stands in a folder of results: every reader returns None for a file that is not there."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from taskshare import files
from taskshare.config import Params
from taskshare.errors import TaskshareError

Content = TypeVar("Content")


@dataclass(frozen=True)
class Results:
    """The results of one scale, of any completeness. Paths are those of the phases (results/SCALE/PHASE/...)."""

    root: Path

    def metrics(self, run: str, seed: int) -> dict[str, dict[str, float]] | None:
        """Return the test metrics of a run by task, as fractions of 1 and counts."""
        content = _read(self.root / "evaluation" / run / f"seed{seed}" / "metrics.json", files.read_json)
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

    def contact_sheet(self, dataset: str, variant: str) -> Path | None:
        """Return the path of the picture of examples."""
        path = self.root / "data" / dataset / variant / "contact_sheet.png"
        return path if path.is_file() else None


def task_metrics(params: Params, results: Results, run_name: str) -> dict[str, dict[int, dict[str, float]]]:
    """Return the test metrics of an entry of `runs` by task and seed, collected from its jobs.

    A task or seed that has no result yet is absent, and so is one whose test images all have one label.
    """
    collected: dict[str, dict[int, dict[str, float]]] = {}
    for job in params.jobs(run_name):
        measured = results.metrics(job.name, job.seed) or {}
        for task in job.tasks:
            if task in measured and not math.isnan(measured[task]["balanced_accuracy"]):
                collected.setdefault(task, {})[job.seed] = measured[task]
    return collected


def _read(path: Path, reader: Callable[[Path], Content]) -> Content | None:
    if not path.is_file():
        return None
    try:
        return reader(path)
    except (OSError, ValueError) as error:  # pyarrow's and json's errors for a broken file are ValueErrors
        line = " ".join(str(error).split())
        raise TaskshareError(f"{path}: cannot be read ({line}); remove it and run its job again") from None

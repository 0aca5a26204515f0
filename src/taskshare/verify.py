"""Whether recorded results follow from their checkpoints: each is evaluated anew and compared, nothing is trained."""

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch

from taskshare import device, files, rounding
from taskshare.config import Params, Run, Table
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.errors import TaskshareError
from taskshare.evaluation import findings, scoring
from taskshare.evaluation.landmark_errors import measure_landmarks
from taskshare.evaluation.published import load_published, published_tables
from taskshare.evaluation.results import Results
from taskshare.evaluation.rows import Cell
from taskshare.evaluation.tables import ComparisonTable, comparison_table
from taskshare.graph import LANDMARKS_FILE, METRICS, OTHER_WEIGHTS, SCORES, WEIGHTS
from taskshare.networks import weights
from taskshare.statistics.metrics import decide, measure

SUMS = 22
"""That follow each other in the deepest net: ten convolutions, each with its mixer, and a head of two layers."""

LAST_BITS = 1e-9
"""Of metrics and cells elsewhere: NumPy too adds up in another order there."""
FINDINGS = "findings.json"


class Limit(NamedTuple):
    """By how much a column may differ, and the unit that its differences are told in."""

    unit: str
    largest: float


@dataclass
class Comparison:
    """What was found of one job: what differs too much, and the largest differences by their unit."""

    wrong: list[str] = field(default_factory=list)
    largest: dict[str, float] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """`differs`, `equal`, or `within the tolerance`."""
        return "differs" if self.wrong else "within the tolerance" if any(self.largest.values()) else "equal"

    def note(self, unit: str, difference: float) -> None:
        """Keep the larger one of a unit's differences."""
        self.largest[unit] = max(self.largest.get(unit, 0.0), difference)


class _Evaluation:
    """What the evaluation of a job wrote.

    Raises:
        TaskshareError: a file that cannot be read.
    """

    def __init__(self, results: Path, run: Run) -> None:
        stored = Results(results)
        self.scores = cast(pd.DataFrame, stored.scores(run.name, run.seed))
        self.landmarks = stored.landmarks(run.name, run.seed)
        stored.metrics(run.name, run.seed)  # raises if damaged
        self.metrics = cast(dict[str, Any], files.read_metrics(results / "evaluation" / run.key / METRICS))


def verify(
    params: Params,
    results: Path,
    published: Path,
    wanted_device: str = "auto",
    say: Callable[[str], None] = print,
) -> bool:
    """Compare each step from checkpoints to findings: scores of every enabled job anew, metrics, cells of tables.

    It reads weights, prepared test images, recorded evaluations and findings.json, and writes nothing there. Scores and
    landmarks are computed anew. Those of the same device, processor and version of torch must be equal to the last bit;
    another one adds up the same float32 numbers in another order, and they may lie apart by `tolerance`. Metrics must
    be those of the recorded scores, and the cells of findings.json those of the recorded metrics.

    Args:
        params: The configuration.
        results: The scale's folder of results, results/SCALE.
        published: The folder of published numbers, whose columns the tables have.
        wanted_device: `auto`, `cpu` or `cuda`.
        say: Takes a line for each job and each table cell that differs, and a last line with counts.

    Returns:
        Whether nothing differs.

    Raises:
        TaskshareError: a file that is needed is not there.
    """
    jobs = params.judged_jobs()
    _need(results, jobs)
    here = device.describe(device.choose(wanted_device))
    say(f"{len(jobs)} jobs, evaluated on {', '.join(here.values())}")
    found: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="taskshare-verify-") as temporary:
        for key, run in jobs.items():
            comparison = _verify_job(results, Path(temporary), key, run, wanted_device)
            found.append(comparison)
            say(f"{key}: {'; '.join([comparison.state, *(comparison.wrong or _words(comparison.largest))])}")
    cells, count = _verify_tables(params, published, results)
    for line in cells.wrong:
        say(line)
    total = Comparison()
    for unit, difference in itertools.chain(*(item.largest.items() for item in found)):
        total.note(unit, difference)
    states = [item.state for item in found]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(["equal", *sorted(states)]))
    say(
        f"{len(jobs)} jobs: {counts}; {count} table cells: {count - len(cells.wrong)} agree, "
        f"{len(cells.wrong)} differ; largest difference: {', '.join(_words(total.largest)) or 'none'}"
    )
    return not cells.wrong and "differs" not in states


def tolerance(longest_sum: int) -> float:
    """Return by how much a probability may differ, and by what share of the largest coordinate a predicted landmark.

    What a net puts out differs by a share of the terms of its last sum. Their root sum of squares is taken to be up to
    4 for a logit, and the logistic function has a slope of a quarter: what is left is the share itself.

    Args:
        longest_sum: number of terms in the longest sum that the net computes.
    """
    return rounding.likely_difference(longest_sum, torch.float32, SUMS)


def _landmark_limits(table: pd.DataFrame, share: float) -> tuple[float, float]:
    """Return by how much predicted coordinates may differ, in pixels of the original image, and then their errors."""
    pixels = share * float(table[["predicted_x", "predicted_y"]].abs().max().max())
    distances = np.hypot(table["predicted_x"] - table["x"], table["predicted_y"] - table["y"])
    eyes = distances / table["error"]
    return pixels, math.sqrt(2) * pixels / float(eyes[eyes > 0].min())


def _need(results: Path, jobs: Mapping[str, Run]) -> None:
    wanted: dict[Path, None] = {results / FINDINGS: None}
    for key, run in jobs.items():
        wanted.update(dict.fromkeys(results / "training" / key / name for name in (WEIGHTS, OTHER_WEIGHTS)))
        names = (SCORES, METRICS, LANDMARKS_FILE) if run.finds_landmarks else (SCORES, METRICS)
        wanted.update(dict.fromkeys(results / "evaluation" / key / name for name in names))
        wanted.update(dict.fromkeys(_prepared(results, run) / f"test.{kind}" for kind in ("npy", "parquet")))
    missing = [path for path in wanted if not path.is_file()]
    if missing:
        raise TaskshareError(
            f"{missing[0]}: not there (missing files: {len(missing)}); fetch them with `dvc pull`, or make them with "
            "snakemake"
        )


def _prepared(results: Path, run: Run) -> Path:
    return results / "data" / run.dataset / run.variant_name


def _verify_job(results: Path, anew: Path, key: str, run: Run, wanted_device: str) -> Comparison:
    """Compare one job, evaluated anew into the folder `anew`."""
    comparison = Comparison()
    try:
        recorded = _Evaluation(results, run)
        fresh_folder = anew / "evaluation" / key
        checkpoint = results / "training" / key / WEIGHTS
        scoring.evaluate(checkpoint, _prepared(results, run), "test", fresh_folder, wanted_device)
        fresh = _Evaluation(anew, run)
    except TaskshareError as error:
        comparison.wrong.append(str(error))
        return comparison
    lacking = sorted({"run", "seed", "split", "tasks", "selections"} - set(recorded.metrics))
    if lacking:
        comparison.wrong.append(f"{METRICS}: lacks {', '.join(lacking)}")
        return comparison
    # A scale has more scores than a disk for temporary files may bear.
    for name in (SCORES, LANDMARKS_FILE):
        (fresh_folder / name).unlink(missing_ok=True)
    elsewhere = recorded.metrics.get("machine") != fresh.metrics["machine"]
    share = tolerance(weights.longest_sum(checkpoint)) if elsewhere else 0.0
    limits = {"score": Limit("in a score", share)}
    _compare_tables(comparison, SCORES, recorded.scores, fresh.scores, limits)
    if comparison.wrong:
        return comparison
    if recorded.landmarks is not None and fresh.landmarks is not None:
        pixels, distance = _landmark_limits(fresh.landmarks, share)
        limits = dict.fromkeys(("predicted_x", "predicted_y"), Limit("pixels", pixels))
        limits["error"] = Limit("eye distances", distance)
        _compare_tables(comparison, LANDMARKS_FILE, recorded.landmarks, fresh.landmarks, limits)
        if comparison.wrong:
            return comparison
    _compare_metrics(comparison, recorded.metrics, fresh.metrics, _measured(recorded), LAST_BITS if elsewhere else 0.0)
    if not elsewhere and files.digest(recorded.metrics["selections"]) != files.digest(fresh.metrics["selections"]):
        comparison.wrong.append(f"{METRICS}: selections: other metrics of the weights that were not selected")
    return comparison


def _measured(recorded: _Evaluation) -> dict[str, dict[str, float | int]]:
    """Return the metrics of recorded scores and landmarks, by task, label or landmark."""
    found: dict[str, dict[str, float | int]] = {}
    if recorded.landmarks is not None:
        found |= measure_landmarks(recorded.landmarks["error"].to_numpy().reshape(-1, len(LANDMARK_POINTS)))
    for task, part in recorded.scores.groupby("task"):
        found[str(task)] = measure(part["label"].to_numpy(), decide(part["score"].to_numpy()))
    return found


def _compare_tables(
    comparison: Comparison,
    name: str,
    recorded: pd.DataFrame,
    fresh: pd.DataFrame,
    limits: Mapping[str, Limit],
) -> None:
    """Compare some columns within limits, and all others for equality."""
    same = list(recorded.columns.difference([*limits], sort=False))
    if list(recorded.columns) != list(fresh.columns) or not recorded[same].equals(fresh[same]):
        comparison.wrong.append(f"{name}: other rows, or other {', '.join(same)}")
        return
    for column, limit in limits.items():
        old, new = (table[column].to_numpy(np.float64) for table in (recorded, fresh))
        near = np.isclose(new, old, rtol=0, atol=limit.largest, equal_nan=True)
        difference = np.where(np.isnan(old) & np.isnan(new), 0, np.abs(new - old))
        comparison.note(limit.unit, float(difference.max(initial=0)))
        if not near.all():
            place = int(np.argmax(np.where(near, -1, np.nan_to_num(difference, nan=np.inf))))
            which = ", ".join(str(value) for value in recorded[same].iloc[place, :2])
            values = f"{column} {new[place]:.6g}, recorded {old[place]:.6g}"
            comparison.wrong.append(f"{name}: {which}: {values}{_more(int((~near).sum()))}")


def _compare_metrics(
    comparison: Comparison,
    recorded: dict[str, Any],
    fresh: dict[str, Any],
    measured: Mapping[str, Mapping[str, float]],
    slack: float,
) -> None:
    """Compare recorded metrics with those of the recorded scores; they may differ by `slack`."""

    def facts(content: dict[str, Any]) -> list[Any]:
        return [content[key] for key in ("run", "seed", "split")] + [
            (task, sorted(values)) for task, values in sorted(content["tasks"].items())
        ]

    if facts(recorded) != facts(fresh):
        comparison.wrong.append(f"{METRICS}: of another run, split, or other tasks")
        return
    wrong = []
    for task, values in recorded["tasks"].items():
        for key, old in values.items():
            new = measured[task][key]
            if not (abs(new - old) <= slack or (math.isnan(old) and math.isnan(new))):
                wrong.append(f"{METRICS}: {task}: {key} {new:.6g}, recorded {old:.6g}")
    if wrong:
        comparison.wrong.append(wrong[0] + _more(len(wrong)))


def _verify_tables(params: Params, published: Path, results: Path) -> tuple[Comparison, int]:
    """Compare the cells of the tables in findings.json with the recorded metrics; return their number too."""
    comparison, count, printed = Comparison(), 0, published_tables(load_published(published))
    recorded, stored = findings.read(results / FINDINGS).tables, Results(results)
    for name, experiment in params.enabled(Table).items():
        table = comparison_table(params, name, experiment, printed.get(name), stored, synthetic=False)
        if name not in recorded or len(list(_cells(recorded[name]))) != len(list(_cells(table))):
            comparison.wrong.append(f"{FINDINGS}: {name}: other rows or columns; make it again with snakemake")
            continue
        for (row, old), (_, new) in zip(_cells(recorded[name]), _cells(table), strict=True):
            if old.ours is None and new.ours is None:
                continue
            count += 1
            if not (old.ours and new.ours and abs(old.ours.mean - new.ours.mean) <= LAST_BITS):
                texts = [f"{cell.ours.mean:.4f}" if cell.ours else "none" for cell in (new, old)]
                comparison.wrong.append(f"{name}: {row}, {old.column}: {texts[0]}, in {FINDINGS} {texts[1]}")
    return comparison, count


def _cells(table: ComparisonTable) -> Iterator[tuple[str, Cell]]:
    """Yield a table's cells with the labels of their rows, those of balanced accuracy too."""
    balanced = table.balanced.rows if table.balanced else []
    for suffix, rows in (("", table.rows), (" (balanced accuracy)", balanced)):
        for row in rows:
            yield from ((row.label + suffix, cell) for cell in row.cells)


def _words(largest: Mapping[str, float]) -> list[str]:
    return [f"{value:.2g} {unit}" for unit, value in largest.items() if value]


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""

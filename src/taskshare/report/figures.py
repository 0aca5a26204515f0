"""Training curves and heat maps of the task transfer connections (Fang 2017, section 3), as inline SVG."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from taskshare.config import Metric, Network, Params, Table
from taskshare.config.tasks import JOINT_TASKS, task_of_answer
from taskshare.evaluation.results import Results, jobs_of_columns, task_of
from taskshare.evaluation.thinning import thin_out
from taskshare.report import svg

TRAINING = {"training_loss": "training loss", "training_error": "training error (%)"}
VALIDATION: dict[Metric, str] = {
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Mean accuracy",
    "detection_rate": "Detection rate",
}
Look = tuple[str, str | tuple[int, tuple[int, ...]]]
# Colours of Okabe and Ito: told apart by colour-blind readers, and seen on white and on black.
COLOURS = ["#2288cc", "#d9660a", "#0b9a70", "#b5578f", "#8a7a00"]
# Matplotlib's line styles, and the same as dashes of the legend's lines.
STROKES: list[tuple[str | tuple[int, tuple[int, ...]], str]] = [
    (":", "1.5 2.5"),
    ("--", "6 3"),
    ("-", "none"),
    ("-.", "6 2 1.5 2"),
    ((0, (5, 1, 1, 1, 1, 1)), "5 1 1 1"),
]
LOOKS: list[Look] = [
    (COLOURS[index % 5], STROKES[(index + index // 5) % 5][0]) for index in range(len(COLOURS) * len(STROKES))
]
DASHES = {str(stroke): dash for stroke, dash in STROKES}
DIVERGING = LinearSegmentedColormap.from_list("alpha", ["#2f6f9f", "#f3f1ea", "#c4622d"])


@dataclass(frozen=True)
class LegendEntry:
    """How one row's lines look."""

    label: str
    colour: str
    dashes: str


@dataclass(frozen=True)
class Curves:
    """One small multiple per column of a table, or per joint task that answers its columns.

    Attributes:
        experiments: the tables whose curves these are.
        validation: what the validation curves show; empty without any.
        left_out: rows that go on from a trained net.
    """

    experiments: list[str]
    legend: list[LegendEntry]
    pictures: list[str]
    sources: list[str]
    validation: str
    undefined: list[str]
    left_out: list[str]
    folded: bool


@dataclass(frozen=True)
class Transfer:
    """Alpha of one run at the end of training, mean over seeds: a picture per layer and the last layer as numbers."""

    run: str
    tasks: list[str]
    seeds: list[int]
    iteration: int
    start: float
    limit: float
    moved: float
    pictures: list[str]
    last_layer: int
    numbers: list[list[float]]
    source: str


def all_curves(
    params: Params,
    tables: Mapping[str, Table],
    labels: Mapping[str, Mapping[str, str]],
    results: Results,
    folded: set[str],
) -> list[Curves]:
    """Draw the curves of every table that has been run; tables that would show the same curves share one entry.

    Args:
        params: The configuration.
        tables: By the experiment's key in params.yaml.
        labels: Each table's columns with the words that stand above their pictures.
        results: What has been run.
        folded: The tables whose curves the page shows on demand only.
    """
    drawn: dict[str, Curves | None] = {}
    for name, table in tables.items():
        columns = _drawn_columns(params, table, labels[name])
        key_of_curves = repr((table.metric, list(table.runs.items()), list(columns)))
        if key_of_curves not in drawn:
            drawn[key_of_curves] = curves(params, name, table, columns, results, name in folded)
        elif same := drawn[key_of_curves]:
            same.experiments.append(name)
    return [item for item in drawn.values() if item]


def curves(
    params: Params, name: str, experiment: Table, columns: Mapping[str, str], results: Results, folded: bool = False
) -> Curves | None:
    """Draw loss, error and validation score of every row of a table, by column; None where nothing is run.

    The validation score is the table's metric. Rows that go on from a trained net are left out; a separation net's
    columns begin anew beside one, so it stays.

    Args:
        params: The configuration.
        name: The experiment's key in params.yaml.
        experiment: Its rows.
        columns: TASK or TASK/GROUP, with the words that stand above its picture; tasks may be joint ones.
        results: What has been run.
        folded: Whether the page shows them on demand only.
    """
    validation = f"validation_{experiment.metric}"
    histories: dict[str, dict[str, list[pd.DataFrame]]] = {}
    sources: dict[str, None] = {}
    undefined: dict[str, None] = {}
    children = [label for label, runs in experiment.runs.items() if any(_goes_on(params, run) for run in runs)]
    drawn = {label: runs for label, runs in experiment.runs.items() if label not in children}
    for label, runs in drawn.items():
        for run in runs:
            parts = "" if params.job_names(run) == [run] else ".*"
            sources[f"training/{run}{parts}/seed*/history.parquet"] = None
        for column, jobs in jobs_of_columns(params, runs, columns).items():
            for job in jobs:
                history = results.history(job.name, job.seed)
                if history is None:
                    continue
                if not np.isfinite(history[["training_loss", "training_error"]]).all(axis=None):
                    undefined[job.key] = None
                part = history[history["task"] == task_of(column)].sort_values("iteration")
                if validation not in part:  # of an older run
                    part = part.assign(**{validation: np.nan})
                histories.setdefault(column, {}).setdefault(label, []).append(part)
    if not histories:
        return None
    looks = dict(zip(drawn, itertools.cycle(LOOKS), strict=False))
    shown = {**TRAINING, validation: "validation (%)"}
    validated = _any(validation, histories.values())
    with svg.style():
        pictures = [
            _column_curves(name, column, columns[column], histories[column], looks, shown)
            for column in columns
            if any(_any(curve, [histories.get(column, {})]) for curve in shown)
        ]
    return Curves(
        experiments=[name],
        legend=[LegendEntry(label, look[0], DASHES[str(look[1])]) for label, look in looks.items()],
        pictures=pictures,
        sources=list(sources),
        validation=VALIDATION[experiment.metric] if validated else "",
        undefined=list(undefined),
        left_out=children,
        folded=folded,
    )


def _drawn_columns(params: Params, table: Table, labels: Mapping[str, str]) -> dict[str, str]:
    """The columns whose curves a table shows: joint tasks instead of the landmarks and attributes they answer for."""
    found = [jobs_of_columns(params, runs, labels) for runs in table.runs.values()]
    columns: dict[str, str] = {}
    for column, label in labels.items():
        for job in (jobs[column][0] for jobs in found if column in jobs):
            task = task_of_answer(task_of(column), job.tasks, job.labels)
            if task in JOINT_TASKS:
                columns[task] = task
            else:
                columns[column] = label
    return columns


def _goes_on(params: Params, run_name: str) -> bool:
    parent = params.runs[run_name].parent
    return parent is not None and not parent.separate


def _any(curve: str, histories: Iterable[Mapping[str, list[pd.DataFrame]]]) -> bool:
    """Whether a curve has any number."""
    return any(part[curve].notna().any() for rows in histories for parts in rows.values() for part in parts)


def transfer(params: Params, run_name: str, results: Results) -> Transfer | None:
    """Draw the learned alpha of a dynamic run, one picture per layer; None where the run has none.

    Colours diverge around the start of alpha, since what learning changed is the question.
    """
    jobs = list(params.jobs(run_name))
    tables = {}
    for job in jobs:
        table = results.transfer(job.name, job.seed)
        if table is not None and len(table):
            tables[job.seed] = table[table["iteration"] == table["iteration"].max()]
    tasks, network = jobs[0].tasks, jobs[0].network
    if not tables or not isinstance(network, Network):
        return None
    final = pd.concat(tables.values())
    means = final.groupby(["layer", "source", "target"])["alpha"].mean()
    layers = sorted(final["layer"].unique())
    matrices = {
        layer: np.array([[means.get((layer, source, target), np.nan) for target in tasks] for source in tasks])
        for layer in layers
    }
    start = float(1 / (1 + np.exp(-network.transfer.initial_beta)))
    off_diagonal = ~np.eye(len(tasks), dtype=bool)
    moved = max(float(np.nanmax(np.abs(matrix[off_diagonal] - start), initial=0.0)) for matrix in matrices.values())
    limit = max(0.05, moved)
    with svg.style():
        pictures = [_heat_map(run_name, layer, matrix, tasks, start, limit) for layer, matrix in matrices.items()]
    return Transfer(
        run=run_name,
        tasks=tasks,
        seeds=sorted(tables),
        iteration=int(final["iteration"].max()),
        start=start,
        limit=limit,
        moved=moved,
        pictures=pictures,
        last_layer=int(layers[-1]),
        numbers=matrices[layers[-1]].tolist(),
        source=f"training/{run_name}/seed*/transfer.parquet",
    )


def key(*parts: str) -> str:
    """Return a name that can start an id."""
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(parts))


def _column_curves(
    name: str,
    column: str,
    label: str,
    rows: Mapping[str, list[pd.DataFrame]],
    looks: Mapping[str, Look],
    curves: Mapping[str, str],
) -> str:
    shown = {curve: words for curve, words in curves.items() if _any(curve, [rows])}
    height = 1.25 * len(shown) + 0.65
    figure = Figure(figsize=(3.6, height))  # margins by hand: a layout engine takes most of the time
    figure.subplots_adjust(left=0.17, right=0.98, top=1 - 0.25 / height, bottom=0.42 / height, hspace=0.14)
    all_axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    all_axes[0].set_title(label.replace("_", " "), loc="left")
    for axes, (curve, words) in zip(all_axes, shown.items(), strict=True):
        for row, parts in rows.items():
            _lines(axes, curve, parts, looks[row])
        axes.set_ylabel(words)
        axes.grid(axis="y")
        axes.locator_params(axis="y", nbins=4)
    figure.align_ylabels()
    all_axes[-1].set_xlabel("iteration")
    all_axes[-1].locator_params(axis="x", nbins=5)
    title = f"Training curves of {label}: {', '.join(shown.values())} against iteration for {', '.join(rows)}"
    return svg.inline(figure, key(name, "curves", column), title)


def _lines(axes: Axes, curve: str, parts: list[pd.DataFrame], look: Look) -> None:
    factor = 1 if curve == "training_loss" else 100
    known = [part.dropna(subset=[curve]) for part in parts]
    if len(parts) > 1:
        for part in known:
            thin = thin_out(part)
            axes.plot(thin["iteration"], factor * thin[curve], color=look[0], linewidth=0.5, alpha=0.45)
    mean = thin_out(pd.concat(known).groupby("iteration")[curve].mean().reset_index())
    axes.plot(mean["iteration"], factor * mean[curve], color=look[0], linewidth=1.6, linestyle=look[1])


def _heat_map(run: str, layer: int, matrix: np.ndarray, tasks: list[str], start: float, limit: float) -> str:
    longest = 0.068 * max(len(task) for task in tasks)  # inches at 9 points
    width, height = 3.7, 2.75 + 0.65 * longest
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=(longest + 0.3) / width, right=0.99, top=1 - 0.25 / height, bottom=(0.65 * longest + 0.35) / height
    )
    axes = figure.subplots()
    normalise = Normalize(start - limit, start + limit)
    size = len(tasks)
    off_diagonal = np.where(np.eye(size, dtype=bool), np.nan, matrix)
    axes.pcolormesh(off_diagonal, cmap=DIVERGING, norm=normalise, linewidth=0)
    for row in range(size):
        for column in range(size):
            value = matrix[row, column]
            if np.isnan(value):
                continue
            filled = "#ffffff" if abs(value - start) > 0.75 * limit else "#1a1a1a"
            colour = svg.INK if row == column else filled
            axes.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    names = [task.replace("_", " ") for task in tasks]
    axes.set_xticks(np.arange(size) + 0.5, names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(size) + 0.5, names)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"Layer {layer}", loc="left")
    axes.set_xlabel("to")
    axes.set_ylabel("from")
    return svg.inline(figure, key(run, "alpha", str(layer)), f"Alpha of {run} on layer {layer}, from task to task")

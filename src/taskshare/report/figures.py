"""Training curves and heat maps of the task transfer connections (Fang 2017, section 3), as inline SVG."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from taskshare.evaluation.final_alpha import Transfer
from taskshare.evaluation.training_curves import ColumnCurves, Curves, RowLines
from taskshare.report import svg

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
    """How a row's line looks."""

    label: str
    colour: str
    dashes: str


def looks(rows: Sequence[str]) -> dict[str, Look]:
    """Return how the line of each row looks."""
    return dict(zip(rows, itertools.cycle(LOOKS), strict=False))


def legend(curves: Curves) -> list[LegendEntry]:
    """Return the legend of training curves."""
    return [LegendEntry(row, look[0], DASHES[str(look[1])]) for row, look in looks(curves.rows).items()]


def curve_pictures(curves: Curves) -> list[str]:
    """Return a picture for each column."""
    with svg.style():
        return [_column_picture(curves.experiments[0], column, looks(curves.rows)) for column in curves.columns]


def transfer_pictures(transfer: Transfer) -> list[str]:
    """Return a heat map for each layer. Colours diverge around the start of alpha: what learning changed is asked."""
    with svg.style():
        return [
            _heat_map(
                transfer.run,
                layer,
                np.array([[np.nan if alpha is None else alpha for alpha in row] for row in rows]),
                transfer.tasks,
                transfer.start,
                transfer.limit,
            )
            for layer, rows in transfer.layers.items()
        ]


def key(*parts: str) -> str:
    """Return a name that can start an id."""
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(parts))


def _column_picture(name: str, column: ColumnCurves, looks: Mapping[str, Look]) -> str:
    height = 1.25 * len(column.curves) + 0.65
    figure = Figure(figsize=(3.6, height))  # margins by hand: a layout engine takes most of the time
    figure.subplots_adjust(left=0.17, right=0.98, top=1 - 0.25 / height, bottom=0.42 / height, hspace=0.14)
    all_axes = figure.subplots(len(column.curves), 1, sharex=True, squeeze=False)[:, 0]
    all_axes[0].set_title(column.label.replace("_", " "), loc="left")
    for axes, (words, rows) in zip(all_axes, column.curves.items(), strict=True):
        for lines in rows:
            _plot(axes, lines, looks[lines.row])
        axes.set_ylabel(words)
        axes.grid(axis="y")
        axes.locator_params(axis="y", nbins=4)
    figure.align_ylabels()
    all_axes[-1].set_xlabel("iteration")
    all_axes[-1].locator_params(axis="x", nbins=5)
    shown = ", ".join(column.curves)
    title = f"Training curves of {column.label}: {shown} against iteration for {', '.join(column.rows)}"
    return svg.inline(figure, key(name, "curves", column.column), title)


def _plot(axes: Axes, lines: RowLines, look: Look) -> None:
    for line in lines.seeds:
        axes.plot(line.iterations, line.values, color=look[0], linewidth=0.5, alpha=0.45)
    axes.plot(lines.mean.iterations, lines.mean.values, color=look[0], linewidth=1.6, linestyle=look[1])


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

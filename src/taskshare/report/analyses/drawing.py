"""Pictures of the analyses (Fang 2017, Figures 2, 4, 5 and 6), as inline SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from scipy.cluster import hierarchy

from taskshare.evaluation.names import spoken
from taskshare.report import figures, svg
from taskshare.report.figures import LOOKS, Look

SEQUENTIAL = colormaps["viridis"]
GREY = "#7d858e"
STROKES = [stroke for stroke, _ in figures.STROKES]
LABEL_POINTS = 9.5
"""Height that the label at the end of a line needs."""


@dataclass(frozen=True)
class Line:
    """One line of a panel.

    Attributes:
        x: (n,) float.
        y: (n,) float, in the unit of the axis.
        look: colour and dashes.
        label: written at the line's end; empty for none.
        width: in points.
        opacity: 0 to 1.
        mark: x and y of a marker; None for none.
    """

    x: np.ndarray
    y: np.ndarray
    look: Look
    label: str = ""
    width: float = 1.3
    opacity: float = 1.0
    mark: tuple[float, float] | None = None


def group_looks(tasks: Sequence[str], groups: Mapping[str, Sequence[str]]) -> dict[str, Look]:
    """Return each task's look: the colour of its first group, dashes by its place there; grey outside of all groups."""
    looks: dict[str, Look] = {}
    colours = [colour for colour, _ in LOOKS]
    for index, members in enumerate(groups.values()):
        for place, task in enumerate(members):
            looks.setdefault(task, (colours[index % len(colours)], STROKES[place % len(STROKES)]))
    alone = [task for task in tasks if task not in looks]
    return {**looks, **{task: (GREY, STROKES[place % len(STROKES)]) for place, task in enumerate(alone)}}


def colour_scale() -> str:
    """Return the colours of maps and heat maps, lowest first, as a CSS gradient."""
    stops = ", ".join(to_hex(SEQUENTIAL(place)) for place in np.linspace(0, 1, 7))
    return f"linear-gradient(90deg, {stops})"


def heat_map(key: str, title: str, heading: str, matrix: np.ndarray, tasks: Sequence[str], digits: int) -> str:
    """Draw a symmetric matrix (n, n) of tasks with its numbers; the diagonal, of another kind, takes no colour."""
    longest = _inches(tasks)
    width, height = longest + 0.25 + 0.36 * len(tasks), 0.65 * longest + 0.45 + 0.3 * len(tasks)
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=(longest + 0.15) / width, right=0.99, top=1 - 0.25 / height, bottom=(0.65 * longest + 0.2) / height
    )
    axes = figure.subplots()
    off_diagonal = np.where(np.eye(len(tasks), dtype=bool), np.nan, matrix)
    normalise = Normalize(np.nanmin(off_diagonal), np.nanmax(off_diagonal))
    axes.pcolormesh(off_diagonal, cmap=SEQUENTIAL, norm=normalise, linewidth=0)
    for (row, column), value in np.ndenumerate(matrix):
        filled = "#111111" if normalise(value) > 0.55 else "#ffffff"
        colour = svg.INK if row == column else filled
        axes.text(column + 0.5, row + 0.5, f"{value:.{digits}f}", ha="center", va="center", fontsize=7.5, color=colour)
    ticks = np.arange(len(tasks)) + 0.5
    axes.set_xticks(ticks, [spoken(task) for task in tasks], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, [spoken(task) for task in tasks])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(heading, loc="left")
    return svg.inline(figure, key, title)


def dendrogram(key: str, title: str, merges: np.ndarray, tasks: Sequence[str], count: int) -> str:
    """Draw a tree of average linkage, SciPy's (n - 1, 4), and where it is cut into `count` groups."""
    tree = hierarchy.dendrogram(merges, labels=[spoken(task) for task in tasks], no_plot=True)
    longest = _inches(tasks)
    width, height = 3.6, 0.7 + 0.22 * len(tasks)
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(left=(longest + 0.15) / width, right=0.97, top=1 - 0.28 / height, bottom=0.42 / height)
    axes = figure.subplots()
    for across, up in zip(tree["dcoord"], tree["icoord"], strict=True):
        axes.plot(across, up, color=svg.INK, linewidth=1.2)
    heights = [0.0, *merges[:, 2]]
    axes.axvline(sum(heights[len(tasks) - count : len(tasks) - count + 2]) / 2, color=LOOKS[1][0], linestyle="--")
    axes.set_xlim(left=0)
    axes.set_yticks(10 * np.arange(len(tasks)) + 5, tree["ivl"])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("L1 distance")
    axes.set_title("Average linkage", loc="left")
    return svg.inline(figure, key, title)


def line_panel(
    key: str,
    title: str,
    heading: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    reference: float | None = None,
    size: tuple[float, float] = (3.75, 2.25),
) -> str:
    """Draw lines over a common x, each labelled at its end.

    Args:
        key: the picture's name, unique in the page.
        title: what it shows, for readers who cannot see it.
        heading: stands above it.
        lines: at least one.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        reference: y of a thin dotted horizontal line; None for none.
        size: width and height in inches.
    """
    longest = _inches([line.label for line in lines])
    width, height = size
    bottom, top = 0.42 / height, 1 - 0.27 / height
    figure = Figure(figsize=(width, height))  # margins by hand: a layout engine takes most of the time
    figure.subplots_adjust(left=0.56 / width, right=1 - (longest + 0.27) / width, top=top, bottom=bottom)
    axes = figure.subplots()
    if reference is not None:
        axes.axhline(reference, color=svg.INK, linewidth=0.8, linestyle=(0, (1, 2)))
    for line in lines:
        axes.plot(
            line.x,
            line.y,
            color=line.look[0],
            linestyle=line.look[1],
            linewidth=line.width,
            alpha=line.opacity,
            clip_on=False,
        )
        if line.mark:
            axes.plot(*line.mark, color=line.look[0], marker="o", markersize=4.5, linestyle="none")
    ticks = np.unique(np.concatenate([line.x for line in lines]))
    if len(ticks) <= 6:
        axes.set_xticks(ticks)
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.locator_params(axis="y", nbins=5)
    axes.margins(x=0)
    axes.ticklabel_format(useOffset=False)
    axes.grid(axis="y", clip_on=False)
    axes.tick_params(length=0)
    axes.set_title(heading, loc="left", y=1.0)  # a fixed height: none is searched for
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes_size = (width - 0.83 - longest, height * (top - bottom))
    _label_ends(axes, [line for line in lines if line.label], axes_size)
    return svg.inline(figure, key, title)


def spread(values: np.ndarray, gap: float) -> np.ndarray:
    """Return places for labels (n,), as near to `values` as it goes with `gap` or more between any two."""
    order = np.argsort(values, kind="stable")
    places = values[order].astype(np.float64)
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    places -= (places - values[order]).mean()
    return places[np.argsort(order)]


def _label_ends(axes: Axes, lines: Sequence[Line], size: tuple[float, float]) -> None:
    """Write labels to the right of axes of `size`, width and height in inches."""
    low, high = axes.get_ylim()
    ends = np.array([line.y[-1] for line in lines])
    places = spread(ends, (high - low) * LABEL_POINTS / (72 * size[1]))
    away = 1 + 0.14 / size[0]
    for line, end, place in zip(lines, ends, places, strict=True):
        axes.plot(
            [1, away],
            [end, place],
            transform=axes.get_yaxis_transform(),
            color=line.look[0],
            linewidth=0.7,
            clip_on=False,
            scalex=False,
            scaley=False,
        )
        axes.text(
            away + 0.03 / size[0],
            place,
            spoken(line.label),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8,
            fontweight="bold" if line.width > 2 else "normal",
        )
    axes.set_ylim(low, high)


def _inches(labels: Sequence[str]) -> float:
    """Width of the longest label, for text of 8 to 9 points."""
    return 0.066 * max(len(label) for label in labels)

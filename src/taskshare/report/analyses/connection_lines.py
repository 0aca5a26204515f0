"""Lines of what each task takes from the others (Fang 2017, Figures 4 and 5)."""

from collections.abc import Mapping, Sequence

import numpy as np

from taskshare.evaluation.kinds.connections import ConnectionsSummary, TaskLines
from taskshare.evaluation.names import spoken
from taskshare.report import figures
from taskshare.report.analyses import drawing
from taskshare.report.figures import LegendEntry, Look

EMPHASIS = 2.4
"""Width of the lines of tasks in the same group, in points."""
QUANTITIES = {
    "share": "share without itself (%)",
    "alpha": "α",
    "influence": "share of α × magnitude (%)",
}


def draw(name: str, summary: ConnectionsSummary) -> dict[str, object]:
    """Return the legend, and for each task one panel a quantity, over training and over layers.

    Args:
        name: the experiment's key in params.yaml; the pictures' ids start with it.
        summary: what is drawn.
    """
    looks = drawing.group_looks(summary.tasks, summary.groups)
    return {
        "legend": _legend(summary.tasks, summary.groups, looks),
        "training": [_panels(name, "training", "iteration", lines, looks) for lines in summary.training],
        "layers": [_panels(name, "layers", "layer", lines, looks) for lines in summary.layers],
    }


def _legend(tasks: Sequence[str], groups: Mapping[str, list[str]], looks: Mapping[str, Look]) -> list[LegendEntry]:
    order = dict.fromkeys([*(task for members in groups.values() for task in members), *tasks])
    return [LegendEntry(task, looks[task][0], figures.DASHES[str(looks[task][1])]) for task in order]


def _panels(name: str, figure: str, axis: str, shown: TaskLines, looks: Mapping[str, Look]) -> list[str]:
    return [_panel(name, figure, axis, shown, quantity, looks) for quantity in QUANTITIES if quantity in shown.lines]


def _panel(name: str, figure: str, axis: str, shown: TaskLines, quantity: str, looks: Mapping[str, Look]) -> str:
    lines = [
        drawing.Line(
            x=np.array(shown.x, np.float64),
            y=np.array(values, np.float64),
            look=looks[source],
            label=source,
            width=EMPHASIS if source in shown.companions else 1.2,
        )
        for source, values in shown.lines[quantity].items()
    ]
    return drawing.line_panel(
        figures.key(name, figure, quantity, shown.task),
        f"{QUANTITIES[quantity]} that {shown.task} takes from {', '.join(shown.lines[quantity])}, by {axis}",
        f"To {spoken(shown.task)}",
        lines,
        axis,
        QUANTITIES[quantity],
        None if quantity == "alpha" else 100 / len(lines),
    )

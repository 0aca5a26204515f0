"""Training errors of a task alone and joining a trained net (Fang 2017, Figure 6)."""

import numpy as np

from taskshare.evaluation.kinds.convergence import ALONE, JOINING, ConvergenceSummary, Curve
from taskshare.evaluation.names import spoken
from taskshare.report import figures
from taskshare.report.analyses import drawing
from taskshare.report.figures import LegendEntry, Look

LOOK: dict[str, Look] = {ALONE: ("#2288cc", "--"), JOINING: ("#d9660a", "-")}


def draw(name: str, summary: ConvergenceSummary) -> dict[str, object]:
    """Return the legend and the curves: thin each seed, thick their mean.

    Args:
        name: the experiment's key in params.yaml; the picture's ids start with it.
        summary: what is drawn.
    """
    lines = []
    for which, mean in summary.means.items():
        for learned in (getattr(row, which) for row in summary.rows):
            if learned:
                mark = (learned.reached.iteration, 100 * summary.error) if learned.reached else None
                lines.append(_line(learned.curve, LOOK[which], width=0.7, opacity=0.6, mark=mark))
        lines.append(_line(mean, LOOK[which], label=which, width=2.2))
    picture = drawing.line_panel(
        figures.key(name, "convergence"),
        f"Smoothed training error of {summary.task}, alone and joining, by iteration",
        spoken(summary.task),
        lines,
        "iteration",
        "training error (%)",
        100 * summary.error,
        size=(5.4, 3.0),
    )
    shown = {which: look for which, look in LOOK.items() if which in summary.means}
    return {
        "legend": [LegendEntry(which, look[0], figures.DASHES[str(look[1])]) for which, look in shown.items()],
        "picture": picture,
    }


def _line(
    curve: Curve,
    look: Look,
    label: str = "",
    width: float = 1.0,
    opacity: float = 1.0,
    mark: tuple[float, float] | None = None,
) -> drawing.Line:
    x, y = np.array(curve.iteration, np.float64), 100 * np.array(curve.error, np.float64)
    return drawing.Line(x, y, look, label, width, opacity, mark)

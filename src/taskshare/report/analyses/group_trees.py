"""Distances of response-contrast maps, co-occurrence, and the tree of groups (Fang 2017, Figure 2)."""

import numpy as np

from taskshare.evaluation.kinds.response_maps import ResponseMapsSummary
from taskshare.report import figures
from taskshare.report.analyses import drawing


def draw(name: str, summary: ResponseMapsSummary) -> dict[str, object]:
    """Return the colour scale, a heat map of distances, one of co-occurrence where there is one, and the tree.

    Args:
        name: the experiment's key in params.yaml; the pictures' ids start with it.
        summary: what is drawn.
    """
    tasks, distances = summary.tasks, np.array(summary.distances.numbers, np.float64)
    return {
        "colours": drawing.colour_scale(),
        "distances": drawing.heat_map(
            figures.key(name, "distances"),
            f"L1 distances of the maps of {', '.join(tasks)}",
            "L1 distance",
            distances,
            tasks,
            2 if distances.max() < 10 else 1,
        ),
        "frequencies": summary.frequencies
        and drawing.heat_map(
            figures.key(name, "cooccurrence"),
            f"Share of training images with both of two attributes, for {', '.join(tasks)}, in percent",
            "Co-occurrence (%)",
            np.array(summary.frequencies.numbers, np.float64),
            tasks,
            1,
        ),
        "dendrogram": drawing.dendrogram(
            figures.key(name, "tree"),
            f"Tree of {', '.join(tasks)} by L1 distance",
            np.array(summary.merges, np.float64),
            tasks,
            len(summary.published),
        ),
    }

"""Pictures of the experiments that are no tables; every number comes from an experiment's summary."""

from collections.abc import Callable, Mapping
from typing import Any

from taskshare.evaluation.kinds.analysis import Analysis
from taskshare.report import svg
from taskshare.report.analyses import connection_lines, error_curves, group_trees, landmark_faces

Pictures = dict[str, Any]
DRAWN: Mapping[str, Callable[[str, Any], Pictures]] = {
    "connections": connection_lines.draw,
    "convergence": error_curves.draw,
    "landmarks": landmark_faces.draw,
    "response_maps": group_trees.draw,
}
"""By `kind`; the other kinds are shown as tables, or with pictures that their summary holds."""


def draw(analysis: Analysis) -> Pictures:
    """Return what the template of an analysis needs beside its summary, by name: SVG, legends and colours.

    Args:
        analysis: of any kind; nothing is drawn of one that has not been run.
    """
    if analysis.summary is None or analysis.kind not in DRAWN:
        return {}
    with svg.style():
        return DRAWN[analysis.kind](analysis.id, analysis.summary)

"""Faces with the landmarks that nets find in them, and how many are found (Matsui 2019, Figure 4)."""

import html

import numpy as np

from taskshare.evaluation.kinds.example_faces import Face, Strip
from taskshare.evaluation.kinds.landmarks import LandmarksSummary
from taskshare.report import figures, svg
from taskshare.report.analyses import drawing
from taskshare.report.figures import LOOKS

UNITS = 100
"""Height and width of a face in the units of its SVG."""
TRUE_COLOUR, PREDICTED_COLOUR = "#ff3b30", "#3dff6e"


def draw(name: str, summary: LandmarksSummary) -> dict[str, object]:
    """Return one strip of faces a row, and the cumulative curves of the error.

    Args:
        name: the experiment's key in params.yaml; the curves' ids start with it.
        summary: what is drawn.
    """
    return {"strips": [_strip(strip) for strip in summary.strips], "curve": _curves(name, summary)}


def _strip(strip: Strip) -> str:
    """Faces side by side with their points."""
    faces = "".join(
        f'<svg x="{UNITS * number}" width="{UNITS}" height="{UNITS}">{_points(face)}</svg>'
        for number, face in enumerate(strip.faces)
    )
    count = len(strip.faces)
    title = html.escape(f"{count} test faces with annotated points in red and those of {strip.label} in green")
    width = UNITS * count
    return (
        f'<svg viewBox="0 0 {width} {UNITS}" role="img" aria-label="{title}">'
        f'<image href="{strip.picture}" width="{width}" height="{UNITS}"/>{faces}</svg>'
    )


def _points(face: Face) -> str:
    """A red ring around the places that count as found, a green dot where predicted."""
    rings = "".join(
        f'<circle cx="{UNITS * x:.1f}" cy="{UNITS * y:.1f}" r="{UNITS * face.radius:.2f}"/>' for x, y in face.truth
    )
    dots = "".join(f'<circle cx="{UNITS * x:.1f}" cy="{UNITS * y:.1f}" r="1.2"/>' for x, y in face.predicted)
    return (
        f'<g fill="none" stroke="{TRUE_COLOUR}" stroke-width=".8">{rings}</g>'
        f'<g fill="{PREDICTED_COLOUR}" stroke="#000" stroke-width=".3">{dots}</g>'
    )


def _curves(name: str, summary: LandmarksSummary) -> str:
    """The share of points with an error of x or less, for each row: thin each seed, thick their mean."""
    x = np.array(summary.curve.x)
    lines = [drawing.Line(np.full(2, summary.detected), np.array([0.0, 100.0]), (svg.INK, ":"), width=0.8)]
    for (label, by_seed), look in zip(summary.curve.rows.items(), LOOKS, strict=False):
        shares = np.array(by_seed)
        if len(shares) > 1:
            lines += [drawing.Line(x, share, look, width=0.6, opacity=0.5) for share in shares]
        lines.append(drawing.Line(x, shares.mean(axis=0), look, label, width=1.8))
    return drawing.line_panel(
        figures.key(name, "curve"),
        f"Share of points by largest error, from 0 to {x[-1]}, for {', '.join(summary.curve.rows)}",
        "Points with at most this error",
        lines,
        "error, in distances of the eyes",
        "points (%)",
        size=(6.2, 3.2),
    )

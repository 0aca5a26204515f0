"""Where nets put the landmarks, and how far off (Matsui 2019, section 4.2, Figure 4, eq 2)."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from taskshare.config import Landmarks, Params, Run
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.data.arrays import ImageArray
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS
from taskshare.evaluation.intervals import Interval, student_interval
from taskshare.evaluation.landmark_errors import DETECTED, constant_errors, detected, points, to_original, turn
from taskshare.evaluation.names import POINTS
from taskshare.evaluation.results import Results
from taskshare.evaluation.tables import CONSTANT
from taskshare.report import figures, svg
from taskshare.report.analyses import drawing as pictures
from taskshare.report.figures import LOOKS
from taskshare.report.inline import png

PROFILE_SHARE = 0.1
"""Part of the test faces that counts as profile faces: those that are turned most."""
LARGEST_ERROR = 0.3
STEPS = 60
TILE = 96
"""Most pixels of a face in the pictures along one side; larger images are drawn coarser."""
UNITS = 100
"""Height and width of a face in the units of its SVG."""
TRUE_COLOUR, PREDICTED_COLOUR = "#ff3b30", "#3dff6e"


@dataclass(frozen=True)
class Strip:
    """The example faces with the landmarks of one row: its label, the picture as SVG, points found and drawn."""

    label: str
    picture: str
    found: int
    count: int


@dataclass(frozen=True)
class Example:
    """A face of the examples: the image's id, how far it is turned, and whether it is one of the profile faces."""

    id: str
    turn: float
    profile: bool


@dataclass(frozen=True)
class RowErrors:
    """The errors of one row, over seeds.

    Attributes:
        label: the row's.
        run: its run; empty for the constant predictor.
        seeds: those that have results; none for the constant predictor.
        errors: mean error by point and `mean`, in percent of the distance of the eyes.
        profile: detection rate on profile faces, all points together, in percent.
        others: that on all other faces.
        gain_profile: detection rate on profile faces less that of the first row, paired by seed, in points; None for
            the first row, and where no seed has both.
        gain_others: the same on all other faces.
    """

    label: str
    run: str
    seeds: list[int]
    errors: dict[str, Interval]
    profile: Interval
    others: Interval
    gain_profile: Interval | None = None
    gain_others: Interval | None = None


@dataclass(frozen=True)
class ShownLandmarks:
    """What is shown of a `landmarks` experiment.

    Attributes:
        rows: those that are run, then the constant predictor where the training images' landmarks are there.
        absent: labels of rows without results.
        points: readers' names by point.
        images: number of test faces.
        profile_faces: how many of them count as profile faces.
        profile_turn: how far the least turned of these is turned.
        examples: the faces in the pictures, from left to right.
        strips: the pictures, one a row.
        seed: the net that the pictures are of.
        wanted: whether pictures of single samples may be shown.
        curve: the cumulative curves of the error as SVG.
        reading: what the numbers say.
    """

    rows: list[RowErrors]
    absent: list[str]
    points: dict[str, str]
    images: int
    profile_faces: int
    profile_turn: float
    examples: list[Example]
    strips: list[Strip]
    seed: int
    wanted: bool
    curve: str
    reading: str


@dataclass(frozen=True)
class _Net:
    """What one net found: ids (N,), true and predicted points (N, 5, 2) in original pixels, errors (N, 5)."""

    job: Run
    ids: pd.Index
    truth: np.ndarray
    predicted: np.ndarray
    errors: np.ndarray

    @property
    def in_profile(self) -> np.ndarray:
        """Bool (N,): the faces that are turned most; of equals the first ones."""
        return np.isin(np.arange(len(self.ids)), _turned(self.truth)[: max(1, round(PROFILE_SHARE * len(self.ids)))])


def shown_landmarks(params: Params, name: str, experiment: Landmarks, results: Results) -> ShownLandmarks | None:
    """Draw examples and measure errors of an experiment's rows; None where none of them has results.

    Args:
        params: the configuration.
        name: the experiment's key in params.yaml.
        experiment: its rows.
        results: what has been run.
    """
    nets = {label: _nets(params, run, results) for label, run in experiment.rows.items()}
    run_here = {label: by_seed for label, by_seed in nets.items() if by_seed}
    if not run_here:
        return None
    first = next(iter(next(iter(run_here.values())).values()))
    rows = _rows(experiment, run_here)
    curves = {label: [net.errors for net in by_seed.values()] for label, by_seed in run_here.items()}
    constant = _constant(params, results, first, [net.job for by_seed in run_here.values() for net in by_seed.values()])
    if constant is not None:
        curves[CONSTANT] = [constant]
        rows.append(_row(CONSTANT, "", {}, [constant], [first.in_profile]))
    examples, places = _examples(first, experiment.faces)
    strips = []
    if params.report.example_images:
        nets_shown = {label: next(iter(by_seed.values())) for label, by_seed in run_here.items()}
        drawn = (_strip(results, label, net, first.ids[places]) for label, net in nets_shown.items())
        strips = [strip for strip in drawn if strip]
    in_profile = first.in_profile
    with svg.style():
        curve = _curve(name, curves)
    return ShownLandmarks(
        rows=rows,
        absent=[label for label in experiment.rows if label not in run_here],
        points=POINTS,
        images=len(first.ids),
        profile_faces=int(in_profile.sum()),
        profile_turn=float(turn(first.truth)[in_profile].min()),
        examples=examples,
        strips=strips,
        seed=first.job.seed,
        wanted=params.report.example_images,
        curve=curve,
        reading=_reading(rows),
    )


def cumulative(errors: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the share of `errors`, of any shape, that are at most each of `x` (n,), in percent (n,)."""
    return 100 * np.searchsorted(np.sort(errors, axis=None), x, side="right") / errors.size


def _nets(params: Params, run: str, results: Results) -> dict[int, _Net]:
    """The nets of a run that find landmarks and have results, by seed."""
    found = {}
    for job in params.jobs(run):
        table = results.landmarks(job.name, job.seed) if job.finds_landmarks else None
        if table is not None:
            truth, predicted = (
                table[columns].to_numpy(np.float64).reshape(-1, len(LANDMARK_POINTS), 2)
                for columns in (["x", "y"], ["predicted_x", "predicted_y"])
            )
            ids = pd.Index(table["id"].iloc[:: len(LANDMARK_POINTS)])
            found[job.seed] = _Net(job, ids, truth, predicted, table["error"].to_numpy().reshape(len(truth), -1))
    return found


def _turned(truth: np.ndarray) -> np.ndarray:
    """Places of the faces (N,), the one that is turned most first; of equals the first one."""
    return np.argsort(-turn(truth), kind="stable")


def _rows(experiment: Landmarks, nets: Mapping[str, Mapping[int, _Net]]) -> list[RowErrors]:
    rows: list[RowErrors] = []
    rates: dict[str, dict[int, tuple[float, float]]] = {}
    for label, by_seed in nets.items():
        errors, masks = [net.errors for net in by_seed.values()], [net.in_profile for net in by_seed.values()]
        rates[label] = dict(zip(by_seed, map(_detection_rates, errors, masks), strict=True))
        before = rates[rows[0].label] if rows else {}
        gains = np.array([np.subtract(rates[label][seed], before[seed]) for seed in by_seed if seed in before])
        paired = [student_interval(part.tolist()) for part in gains.reshape(-1, 2).T]
        rows.append(_row(label, experiment.rows[label], by_seed, errors, masks, *paired))
    return rows


def _row(
    label: str,
    run: str,
    seeds: Mapping[int, _Net],
    errors: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    gain_profile: Interval | None = None,
    gain_others: Interval | None = None,
) -> RowErrors:
    means = 100 * np.array([own.mean(axis=0, dtype=np.float64) for own in errors])
    columns = dict(zip(LANDMARK_POINTS, means.T, strict=True)) | {"mean": means.mean(axis=1)}
    profile, others = (_interval(part) for part in zip(*map(_detection_rates, errors, masks), strict=True))
    intervals = {point: _interval(values) for point, values in columns.items()}
    return RowErrors(label, run, list(seeds), intervals, profile, others, gain_profile, gain_others)


def _detection_rates(errors: np.ndarray, in_profile: np.ndarray) -> tuple[float, float]:
    """Percent of points found, on profile faces and on the others."""
    right = 100 * detected(errors)
    return float(right[in_profile].mean()), float(right[~in_profile].mean())


def _interval(values: Sequence[float] | np.ndarray) -> Interval:
    interval = student_interval([float(value) for value in values])
    assert interval is not None  # a row has one seed at least
    return interval


def _constant(params: Params, results: Results, net: _Net, jobs: Sequence[Run]) -> np.ndarray | None:
    """Errors (N, 5) of the mean training landmarks; None if rows are prepared differently, or data are not there."""
    dataset, variant = net.job.dataset, net.job.variant_name
    if any((job.dataset, job.variant_name) != (dataset, variant) for job in jobs):
        return None
    train, test = (results.label_table(dataset, variant, split) for split in ("train", "test"))
    if train is None or test is None or not pd.Index(test["id"]).equals(net.ids):
        return None
    return constant_errors(train, test, params.variant(dataset, variant).size)


def _examples(net: _Net, count: int) -> tuple[list[Example], np.ndarray]:
    """The example faces and their places: half those that are turned most, half evenly spaced among the others."""
    order, turns = _turned(net.truth), turn(net.truth)
    profile, rest = order[: count // 2], order[count // 2 :]
    others = min(count - len(profile), len(rest))
    even = rest[(2 * np.arange(others) + 1) * len(rest) // (2 * max(others, 1))]
    places = np.concatenate([profile, even])
    shown = [Example(str(net.ids[place]), float(turns[place]), place in profile) for place in places]
    return shown, places


def _strip(results: Results, label: str, net: _Net, ids: pd.Index) -> Strip | None:
    """Draw the faces with their points side by side; None where a face or the images are not there."""
    path = results.prepared(net.job.dataset, net.job.variant_name, "test")
    table = results.label_table(net.job.dataset, net.job.variant_name, "test")
    if path is None or table is None:
        return None
    own, places = net.ids.get_indexer(ids), pd.Index(table["id"]).get_indexer(ids)
    if min(*own, *places) < 0:
        return None
    original, seen = (points(table, columns)[places] for columns in (LANDMARK_COLUMNS, PREPARED_LANDMARKS))
    predicted = to_original(net.predicted[own], original, seen)  # the other way round: from original to prepared
    images = ImageArray(path).read(places)
    scale = UNITS / images.shape[1]
    faces = "".join(
        f'<svg x="{UNITS * number}" width="{UNITS}" height="{UNITS}">{_points(*face)}</svg>'
        for number, face in enumerate(zip((seen + 0.5) * scale, (predicted + 0.5) * scale, strict=True))
    )
    found = detected(net.errors[own])
    title = html.escape(f"{len(images)} test faces with annotated points in red and those of {label} in green")
    width = UNITS * len(images)
    picture = (
        f'<svg viewBox="0 0 {width} {UNITS}" role="img" aria-label="{title}">'
        f'<image href="{_side_by_side(images)}" width="{width}" height="{UNITS}"/>{faces}</svg>'
    )
    return Strip(label, picture, int(found.sum()), found.size)


def _side_by_side(images: np.ndarray) -> str:
    """Return images, uint8 (n, H, W, 1 or 3), as one PNG in a data URI."""
    side = min(TILE, images.shape[1])
    tiles = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images]
    picture = np.hstack(tiles)
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return png(picture)


def _points(truth: np.ndarray, predicted: np.ndarray) -> str:
    """Return points (5, 2) as SVG: a red ring around the places that count as found, a green dot where predicted."""
    radius = DETECTED * float(np.hypot(*(truth[1] - truth[0])))
    rings = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.2f}"/>' for x, y in truth)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.2"/>' for x, y in predicted[np.isfinite(predicted).all(axis=1)]
    )
    return (
        f'<g fill="none" stroke="{TRUE_COLOUR}" stroke-width=".8">{rings}</g>'
        f'<g fill="{PREDICTED_COLOUR}" stroke="#000" stroke-width=".3">{dots}</g>'
    )


def _curve(name: str, errors: Mapping[str, Sequence[np.ndarray]]) -> str:
    """Draw the share of points with an error of x or less, for each row: thin each seed, thick their mean."""
    x = np.linspace(0, LARGEST_ERROR, STEPS + 1)
    limit = pictures.Line(np.full(2, DETECTED), np.array([0.0, 100.0]), (svg.INK, ":"), width=0.8)
    lines = [limit]
    for (label, by_seed), look in zip(errors.items(), LOOKS, strict=False):
        shares = [cumulative(own, x) for own in by_seed]
        if len(shares) > 1:
            lines += [pictures.Line(x, share, look, width=0.6, opacity=0.5) for share in shares]
        lines.append(pictures.Line(x, np.mean(shares, axis=0), look, label, width=1.8))
    return pictures.line_panel(
        figures.key(name, "curve"),
        f"Share of points by largest error, from 0 to {LARGEST_ERROR}, for {', '.join(errors)}",
        "Points with at most this error",
        lines,
        "error, in distances of the eyes",
        "points (%)",
        size=(6.2, 3.2),
    )


def _reading(rows: Sequence[RowErrors]) -> str:
    parts = [f"{row.label} {row.profile.mean:.1f} % and {row.others.mean:.1f} %" for row in rows]
    text = f"Points found on profile faces and on the others: {'; '.join(parts)}."
    for row in rows:
        if row.gain_profile and row.gain_others:
            text += (
                f" From {rows[0].label} to {row.label} the rate changes by {_signed(row.gain_profile.mean)} points on "
                f"profile faces and by {_signed(row.gain_others.mean)} on the others."
            )
    return text


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")

"""Where nets put the landmarks, and how far off (Matsui 2019, section 4.2, Figure 4, eq 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import pandas as pd

from taskshare.config import Landmarks, Params, Run
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.data.arrays import ImageArray
from taskshare.data.catalogue import LANDMARK_COLUMNS, PREPARED_LANDMARKS
from taskshare.evaluation.claims.judged import signed
from taskshare.evaluation.intervals import student_interval
from taskshare.evaluation.kinds.kind import Kind, Number, Part
from taskshare.evaluation.landmark_errors import (
    DETECTED,
    constant_errors,
    detected,
    points,
    to_fractions,
    to_original,
    turn,
)
from taskshare.evaluation.names import POINTS
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results
from taskshare.evaluation.tables import CONSTANT
from taskshare.graph import LANDMARKS_FILE
from taskshare.pictures import png

PROFILE_SHARE = 0.1
"""Part of the test faces that counts as profile faces: those that are turned most."""
LARGEST_ERROR = 0.3
STEPS = 60
TILE = 96
"""Most pixels of a face in the pictures along one side; larger images are drawn coarser."""


class Face(Part):
    """Where the points of a face lie, as shares of its width: the annotated ones, and those that a net predicts.

    Attributes:
        truth: x and y of each point, 0 to 1.
        predicted: likewise; of points that are no numbers, none.
        radius: within which of the annotated points a predicted one counts as found.
    """

    truth: list[tuple[float, float]]
    predicted: list[tuple[float, float]]
    radius: float


class Strip(Part):
    """The example faces with the landmarks of one row.

    Attributes:
        label: the row's.
        faces: from left to right.
        found: how many of the points are found.
        count: of all points.
    """

    label: str
    faces: list[Face]
    found: int
    count: int


class Example(Part):
    """A face of the examples: the image's id, how far it is turned, and whether it is one of the profile faces."""

    id: str
    turn: float
    profile: bool


class Estimate(Part):
    """A mean over seeds, with half the width of Student's t interval; None for one seed."""

    mean: Number
    half_width: Number


class RowErrors(Part):
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
    errors: dict[str, Estimate]
    profile: Estimate
    others: Estimate
    gain_profile: Estimate | None = None
    gain_others: Estimate | None = None


class Cumulative(Part):
    """The share of points, in percent, whose error is at most x, of each row by seed; errors in distances of the eyes.

    Attributes:
        x: (n,).
        rows: by label one curve a seed, (n,).
    """

    x: list[float]
    rows: dict[str, list[list[float]]]


class LandmarksSummary(Part):
    """What is shown of a `landmarks` experiment.

    Attributes:
        rows: those that are run, then the constant predictor where the training images' landmarks are there.
        absent: labels of rows without results.
        points: readers' names by point.
        images: number of test faces.
        profile_faces: how many of them count as profile faces.
        profile_turn: how far the least turned of these is turned.
        examples: the faces in the pictures, from left to right.
        pictures: the example faces side by side, as a data URI; None where they are not wanted, or not there.
        strips: the points in the pictures, by row.
        seed: the net that the pictures are of.
        wanted: whether pictures of single samples may be shown.
        detected: the largest error of a point that counts as found.
        curve: the cumulative curves of the error.
        reading: what the numbers say.
    """

    kind: Literal["landmarks"] = "landmarks"
    rows: list[RowErrors]
    absent: list[str]
    points: dict[str, str]
    images: int
    profile_faces: int
    profile_turn: float
    examples: list[Example]
    pictures: str | None
    strips: list[Strip]
    seed: int
    wanted: bool
    detected: float
    curve: Cumulative
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


class LandmarksKind(Kind):
    """Shows examples and errors of what evaluation finds."""

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Landmarks, results: Results, published: Published | None
    ) -> LandmarksSummary | None:
        """Choose examples and measure errors of an experiment's rows; None where none of them has results."""
        nets = {label: _nets(params, run, results) for label, run in experiment.rows.items()}
        run_here = {label: by_seed for label, by_seed in nets.items() if by_seed}
        if not run_here:
            return None
        first = next(iter(next(iter(run_here.values())).values()))
        rows = _rows(experiment, run_here)
        errors = {label: [net.errors for net in by_seed.values()] for label, by_seed in run_here.items()}
        constant = _constant(params, results, [net.job for own in run_here.values() for net in own.values()], first.ids)
        if constant is not None:
            errors[CONSTANT] = [constant]
            rows.append(_row(CONSTANT, "", {}, [constant], [first.in_profile]))
        examples, places = _examples(first, experiment.faces)
        wanted = params.report.example_images
        shown = {label: next(iter(by_seed.values())) for label, by_seed in run_here.items()} if wanted else {}
        strips = [strip for label, net in shown.items() if (strip := _strip(results, label, net, first.ids[places]))]
        return LandmarksSummary(
            rows=rows,
            absent=[label for label in experiment.rows if label not in run_here],
            points=POINTS,
            images=len(first.ids),
            profile_faces=int(first.in_profile.sum()),
            profile_turn=float(turn(first.truth)[first.in_profile].min()),
            examples=examples,
            pictures=_side_by_side(results, first.job, first.ids[places]) if strips else None,
            strips=strips,
            seed=first.job.seed,
            wanted=wanted,
            detected=DETECTED,
            curve=_curve(errors),
            reading=_reading(rows),
        )

    @staticmethod
    def files(params: Params, experiment: Landmarks) -> list[str]:
        """Return what evaluation found."""
        runs = [next(job.name for job in params.jobs(run) if job.finds_landmarks) for run in experiment.rows.values()]
        return [f"evaluation/{run}/seed*/{LANDMARKS_FILE}" for run in runs]


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
        paired = [_estimate(part) if len(part) else None for part in gains.reshape(-1, 2).T]
        rows.append(_row(label, experiment.rows[label], by_seed, errors, masks, *paired))
    return rows


def _row(
    label: str,
    run: str,
    seeds: Mapping[int, _Net],
    errors: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    gain_profile: Estimate | None = None,
    gain_others: Estimate | None = None,
) -> RowErrors:
    means = 100 * np.array([own.mean(axis=0, dtype=np.float64) for own in errors])
    columns = dict(zip(LANDMARK_POINTS, means.T, strict=True)) | {"mean": means.mean(axis=1)}
    profile, others = (_estimate(part) for part in zip(*map(_detection_rates, errors, masks), strict=True))
    intervals = {point: _estimate(values) for point, values in columns.items()}
    return RowErrors(
        label=label,
        run=run,
        seeds=list(seeds),
        errors=intervals,
        profile=profile,
        others=others,
        gain_profile=gain_profile,
        gain_others=gain_others,
    )


def _detection_rates(errors: np.ndarray, in_profile: np.ndarray) -> tuple[float, float]:
    """Percent of points found, on profile faces and on the others."""
    right = 100 * detected(errors)
    return float(right[in_profile].mean()), float(right[~in_profile].mean())


def _estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    interval = student_interval([float(value) for value in values])
    assert interval is not None  # there is one value at least
    return Estimate(mean=interval.mean, half_width=interval.half_width)


def _constant(params: Params, results: Results, jobs: Sequence[Run], ids: pd.Index) -> np.ndarray | None:
    """Errors (N, 5) of the mean training landmarks; None if rows are prepared differently, or data are not there."""
    (dataset, variant), *others = {(job.dataset, job.variant_name) for job in jobs}
    train, test = (results.label_table(dataset, variant, split) for split in ("train", "test"))
    if others or train is None or test is None or not pd.Index(test["id"]).equals(ids):
        return None
    return constant_errors(train, test, params.variant(dataset, variant).size)


def _examples(net: _Net, count: int) -> tuple[list[Example], np.ndarray]:
    """The example faces and their places: half those that are turned most, half evenly spaced among the others."""
    order, turns = _turned(net.truth), turn(net.truth)
    profile, rest = order[: count // 2], order[count // 2 :]
    others = min(count - len(profile), len(rest))
    even = rest[(2 * np.arange(others) + 1) * len(rest) // (2 * max(others, 1))]
    places = np.concatenate([profile, even])
    shown = [Example(id=str(net.ids[place]), turn=float(turns[place]), profile=place in profile) for place in places]
    return shown, places


def _strip(results: Results, label: str, net: _Net, ids: pd.Index) -> Strip | None:
    """Return where the points of some faces lie in their pictures; None where a face or the images are not there."""
    path = results.prepared(net.job.dataset, net.job.variant_name, "test")
    table = results.label_table(net.job.dataset, net.job.variant_name, "test")
    if path is None or table is None:
        return None
    own, places = net.ids.get_indexer(ids), pd.Index(table["id"]).get_indexer(ids)
    if min(*own, *places) < 0:
        return None
    original, seen = (points(table, columns)[places] for columns in (LANDMARK_COLUMNS, PREPARED_LANDMARKS))
    predicted = to_original(net.predicted[own], original, seen)  # the other way round: from original to prepared
    size = net.job.variant.size
    found = detected(net.errors[own])
    faces = [_face(*face) for face in zip(to_fractions(seen, size), to_fractions(predicted, size), strict=True)]
    return Strip(label=label, faces=faces, found=int(found.sum()), count=found.size)


def _face(truth: np.ndarray, predicted: np.ndarray) -> Face:
    radius = DETECTED * float(np.hypot(*(truth[1] - truth[0])))
    known = predicted[np.isfinite(predicted).all(axis=1)]
    return Face(truth=truth.tolist(), predicted=known.tolist(), radius=radius)


def _side_by_side(results: Results, job: Run, ids: pd.Index) -> str | None:
    """Return the prepared images of some faces as one PNG in a data URI."""
    path, table = results.prepared(job.dataset, job.variant_name, "test"), None
    if path is not None:
        table = results.label_table(job.dataset, job.variant_name, "test")
    if path is None or table is None:
        return None
    images = ImageArray(path).read(pd.Index(table["id"]).get_indexer(ids))
    side = min(TILE, images.shape[1])
    picture = np.hstack([cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images])
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return png(picture)


def _curve(errors: Mapping[str, Sequence[np.ndarray]]) -> Cumulative:
    x = np.linspace(0, LARGEST_ERROR, STEPS + 1)
    rows = {label: [cumulative(own, x).tolist() for own in by_seed] for label, by_seed in errors.items()}
    return Cumulative(x=x.tolist(), rows=rows)


def _reading(rows: Sequence[RowErrors]) -> str:
    parts = [f"{row.label} {row.profile.mean:.1f} % and {row.others.mean:.1f} %" for row in rows]
    text = f"Points found on profile faces and on the others: {'; '.join(parts)}."
    for row in rows:
        if row.gain_profile and row.gain_others:
            text += (
                f" From {rows[0].label} to {row.label} the rate changes by {signed(row.gain_profile.mean, 1)} points on "
                f"profile faces and by {signed(row.gain_others.mean, 1)} on the others."
            )
    return text

"""Where nets put the landmarks, and how far off (Matsui 2019, section 4.2, Figure 4, eq 2)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from taskshare.config import Landmarks, Params, Run
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.evaluation.claims.judged import signed
from taskshare.evaluation.kinds import example_faces
from taskshare.evaluation.kinds.example_faces import Example, Found, Strip, found_by
from taskshare.evaluation.kinds.kind import Kind, Number, Part
from taskshare.evaluation.landmark_errors import (
    DETECTED,
    constant_errors,
    detected,
    turn,
)
from taskshare.evaluation.names import POINTS
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results
from taskshare.evaluation.tables import CONSTANT
from taskshare.graph import LANDMARKS_FILE
from taskshare.statistics.intervals import student_interval

LARGEST_ERROR = 0.3
STEPS = 60


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
        strips: the pictures of the examples, one a row.
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
    strips: list[Strip]
    seed: int
    wanted: bool
    detected: float
    curve: Cumulative
    reading: str


class LandmarksKind(Kind):
    """Shows examples and errors of what evaluation finds."""

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Landmarks, results: Results, published: Published | None
    ) -> LandmarksSummary | None:
        """Choose examples and measure errors of an experiment's rows; None where none of them has results."""
        nets = {label: found_by(params, run, results) for label, run in experiment.rows.items()}
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
        examples, places = example_faces.examples(first, experiment.faces)
        wanted = params.report.example_images
        shown = {label: next(iter(by_seed.values())) for label, by_seed in run_here.items()} if wanted else {}
        strips = [
            strip
            for label, net in shown.items()
            if (strip := example_faces.strip(results, label, net, first.ids[places]))
        ]
        return LandmarksSummary(
            rows=rows,
            absent=[label for label in experiment.rows if label not in run_here],
            points=POINTS,
            images=len(first.ids),
            profile_faces=int(first.in_profile.sum()),
            profile_turn=float(turn(first.truth)[first.in_profile].min()),
            examples=examples,
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


def _rows(experiment: Landmarks, nets: Mapping[str, Mapping[int, Found]]) -> list[RowErrors]:
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
    seeds: Mapping[int, Found],
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
                f" From {rows[0].label} to {row.label} the rate changes by {signed(row.gain_profile.mean, 1)} points "
                f"on profile faces and by {signed(row.gain_others.mean, 1)} on the others."
            )
    return text

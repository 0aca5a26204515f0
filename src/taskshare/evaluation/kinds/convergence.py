"""How soon a task learns alone and joining a trained net (Fang 2017, section 4.4, Figure 6)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pandas as pd

from taskshare.config import Convergence, Params, Run
from taskshare.evaluation.convergence import TOLERANCE, Reached, reach, smoothed
from taskshare.evaluation.intervals import RatioInterval, ratio_interval
from taskshare.evaluation.results import Results
from taskshare.report import figures, svg
from taskshare.report.analyses import drawing as pictures
from taskshare.report.figures import LegendEntry, Look

QUANTITIES = ("iteration", "images", "seconds")
ALONE, JOINING = "alone", "joining"
LEVELS = (0.3, 0.2, 0.15)
LOOK: dict[str, Look] = {ALONE: ("#2288cc", "--"), JOINING: ("#d9660a", "-")}


@dataclass(frozen=True)
class Learned:
    """How one seed of a run learned the task.

    Attributes:
        reached: where the smoothed training error fell to the mark; None if it did not.
        at_once: whether it was there with the first average over enough images, and perhaps earlier.
        final: the last smoothed training error, 0 to 1.
        test_error: 1 - balanced accuracy on the test split; None where not evaluated.
    """

    reached: Reached | None
    at_once: bool
    final: float
    test_error: float | None


@dataclass(frozen=True)
class SeedRow:
    """One seed; None for a run that has not been run."""

    seed: int
    alone: Learned | None
    joining: Learned | None

    def ratio(self, quantity: str) -> float | None:
        """How many times less joining needs than alone; None unless both reached the error and recorded this."""
        if not (self.alone and self.joining and self.alone.reached and self.joining.reached):
            return None
        ratio: float = getattr(self.alone.reached, quantity) / getattr(self.joining.reached, quantity)
        return None if math.isnan(ratio) else ratio


@dataclass(frozen=True)
class Level:
    """How much sooner a training error is reached, in iterations; None where no seed reached it in both runs."""

    error: float
    ratio: RatioInterval | None


@dataclass(frozen=True)
class ShownConvergence:
    """What is shown of a `convergence` experiment.

    Attributes:
        alone: run of the task alone.
        joining: run that adds the task to its parent.
        task: the task.
        error: the mark, 0 to 1.
        smoothing_images: images that an error is averaged over.
        legend: how the two runs' lines look.
        picture: the smoothed errors.
        rows: by seed.
        ratios: of iterations, images and seconds; those without a seed are left out.
        levels: ratios of iterations to other errors, the largest first, the mark among them.
        printed_ratio: the paper's; None if none is given.
        reading: what this says.
    """

    alone: str
    joining: str
    task: str
    error: float
    smoothing_images: int
    legend: list[LegendEntry]
    picture: str
    rows: list[SeedRow]
    ratios: dict[str, RatioInterval]
    levels: list[Level]
    printed_ratio: float | None
    reading: str


def shown_convergence(
    params: Params, name: str, experiment: Convergence, printed: float | None, results: Results
) -> ShownConvergence | None:
    """Compare how soon both runs reach the error; None where neither has been run.

    Reading 21: the ratio of iterations to a smoothed training error of 0.10, beside those of images and seconds.
    """
    jobs = {
        ALONE: _jobs(params, experiment.alone, experiment.task),
        JOINING: _jobs(params, experiment.incremental, experiment.task),
    }
    curves: dict[str, dict[int, pd.DataFrame]] = {ALONE: {}, JOINING: {}}
    learned: dict[str, dict[int, Learned]] = {ALONE: {}, JOINING: {}}
    for which, job in [(which, job) for which, own in jobs.items() for job in own]:
        history, timing = results.history(job.name, job.seed), results.timing(job.name, job.seed)
        if history is None or timing is None:
            continue
        curve = smoothed(history, experiment.task, experiment.smoothing_images)
        if curve.empty:
            continue
        metrics = (results.metrics(job.name, job.seed) or {}).get(experiment.task)
        curves[which][job.seed] = curve
        reached = reach(history, timing, experiment.task, experiment.error, experiment.smoothing_images)
        learned[which][job.seed] = Learned(
            reached=reached,
            at_once=reached is not None and reached.iteration == curve["iteration"].iloc[0],
            final=float(curve["error"].iloc[-1]),
            test_error=None if metrics is None else 1 - metrics["balanced_accuracy"],
        )
    seeds = sorted(learned[ALONE].keys() | learned[JOINING].keys())
    if not seeds:
        return None
    rows = [SeedRow(seed, learned[ALONE].get(seed), learned[JOINING].get(seed)) for seed in seeds]
    ratios = {
        quantity: ratio
        for quantity in QUANTITIES
        if (ratio := ratio_interval([value for row in rows if (value := row.ratio(quantity)) is not None]))
    }
    with svg.style():
        return ShownConvergence(
            alone=experiment.alone,
            joining=experiment.incremental,
            task=experiment.task,
            error=experiment.error,
            smoothing_images=experiment.smoothing_images,
            legend=[
                LegendEntry(which, look[0], figures.DASHES[str(look[1])])
                for which, look in LOOK.items()
                if curves[which]
            ],
            picture=_picture(name, experiment, curves, learned),
            rows=rows,
            ratios=ratios,
            levels=[_level(curves, error) for error in sorted({*LEVELS, experiment.error}, reverse=True)],
            printed_ratio=printed,
            reading=_reading(experiment, rows, ratios.get("iteration"), printed),
        )


def _level(curves: Mapping[str, Mapping[int, pd.DataFrame]], error: float) -> Level:
    """How much sooner the smoothed error falls to a level; seeds that reach it in both runs count."""

    def first(which: str) -> dict[int, int]:
        reached = {seed: curve[curve["error"] <= error + TOLERANCE] for seed, curve in curves[which].items()}
        return {seed: int(below["iteration"].iloc[0]) for seed, below in reached.items() if len(below)}

    alone, joining = first(ALONE), first(JOINING)
    return Level(error, ratio_interval([alone[seed] / joining[seed] for seed in sorted(alone.keys() & joining.keys())]))


def _jobs(params: Params, run_name: str, task: str) -> list[Run]:
    """The jobs of a run that train the task, one a seed."""
    jobs = [job for job in params.jobs(run_name) if task in job.trained_tasks]
    return [job for job in jobs if job.name == jobs[0].name]


def _picture(
    name: str,
    experiment: Convergence,
    curves: Mapping[str, Mapping[int, pd.DataFrame]],
    learned: Mapping[str, Mapping[int, Learned]],
) -> str:
    lines = []
    for which, by_seed in curves.items():
        for seed, curve in by_seed.items():
            reached = learned[which][seed].reached
            lines.append(
                _line(
                    figures.thin_out(curve),
                    LOOK[which],
                    width=0.7,
                    opacity=0.6,
                    mark=(reached.iteration, 100 * experiment.error) if reached else None,
                )
            )
        if by_seed:
            mean = pd.concat(by_seed.values()).groupby("iteration")["error"].mean().reset_index()
            lines.append(_line(figures.thin_out(mean), LOOK[which], label=which, width=2.2))
    return pictures.line_panel(
        figures.key(name, "convergence"),
        f"Smoothed training error of {experiment.task}, alone and joining, by iteration",
        pictures.spoken(experiment.task),
        lines,
        "iteration",
        "training error (%)",
        100 * experiment.error,
        size=(5.4, 3.0),
    )


def _line(
    curve: pd.DataFrame,
    look: Look,
    label: str = "",
    width: float = 1.0,
    opacity: float = 1.0,
    mark: tuple[float, float] | None = None,
) -> pictures.Line:
    x, y = curve["iteration"].to_numpy(np.float64), 100 * curve["error"].to_numpy(np.float64)
    return pictures.Line(x, y, look, label, width, opacity, mark)


def _reading(
    experiment: Convergence, rows: Sequence[SeedRow], ratio: RatioInterval | None, printed: float | None
) -> str:
    task, mark = pictures.spoken(experiment.task), f"{100 * experiment.error:g} %"
    parts = []
    for which in (ALONE, JOINING):
        known = [learned for row in rows if (learned := getattr(row, which))]
        iterations = [learned.reached.iteration for learned in known if learned.reached]
        if not known:
            parts.append(f"{which}: not run")
        elif not iterations:
            final = 100 * fmean(learned.final for learned in known)
            parts.append(f"{which}: not reached, {final:.1f} % at the end on average")
        else:
            parts.append(
                f"{which}: {fmean(iterations):.0f} iterations on average ({len(iterations)} of {len(known)} "
                f"seed{'s' if len(known) > 1 else ''})"
            )
    text = f"To a training error of {mark} {task} needs, {'; '.join(parts)}."
    if ratio:
        text += f" Alone it needs {ratio.mean:.1f} times the iterations"
        text += f"; the paper says about {printed:g}." if printed else "."
        if ratio.low is not None and ratio.high is not None:
            asked = [1.0, printed] if printed else [1.0]
            holds = [f"{value:g}" for value in asked if ratio.low <= value <= ratio.high]
            text += (
                f" The 95 % interval, {ratio.low:.2f} to {ratio.high:.1f}, holds "
                f"{' and '.join(holds) if holds else 'neither ' + ' nor '.join(f'{value:g}' for value in asked)}."
            )
    else:
        text += " No seed gives a ratio."
    if any(row.joining and row.joining.at_once for row in rows):
        text += f" Joining is there with the first average over {experiment.smoothing_images} images, perhaps earlier."
    return text

"""How soon a task learns alone and joining a trained net (Fang 2017, section 4.4, Figure 6)."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

import pandas as pd

from taskshare.config import Convergence, Params, Run
from taskshare.evaluation.claims.entries import ConvergenceTest, Plan
from taskshare.evaluation.claims.judged import Judgement, enabled_experiment
from taskshare.evaluation.kinds import speed_ratio
from taskshare.evaluation.kinds.kind import Kind, Number, Part
from taskshare.evaluation.names import spoken
from taskshare.evaluation.published import Published, PublishedRatio
from taskshare.evaluation.results import Results
from taskshare.evaluation.thinning import thin_out
from taskshare.graph import METRICS
from taskshare.statistics.intervals import RatioInterval, ratio_interval
from taskshare.statistics.learning_curves import TOLERANCE, reach, smoothed

QUANTITIES = ("iteration", "images", "seconds")
ALONE, JOINING = "alone", "joining"
LEVELS = (0.3, 0.2, 0.15)


class Mark(Part):
    """Where an error was reached: the update, images trained on and seconds by then; None where not recorded."""

    iteration: int
    images: int
    seconds: Number


class Curve(Part):
    """A smoothed training error, 0 to 1, by iteration, of as many points as a picture shows."""

    iteration: list[int]
    error: list[float]


class Learned(Part):
    """How one seed of a run learned the task.

    Attributes:
        curve: the smoothed training error.
        reached: where the smoothed training error fell to the mark; None if it did not.
        trained: where training ended.
        at_once: whether it was there with the first average over enough images, and perhaps earlier.
        final: the last smoothed training error, 0 to 1.
        test_error: 1 - balanced accuracy on the test split; None where not evaluated.
    """

    curve: Curve
    reached: Mark | None
    trained: Mark
    at_once: bool
    final: float
    test_error: float | None


class SeedRow(Part):
    """One seed; None for a run that has not been run."""

    seed: int
    alone: Learned | None
    joining: Learned | None

    def ratio(self, quantity: str) -> float | None:
        """How many times less joining needs than alone; None unless both reached the error and recorded this."""
        if not (self.alone and self.joining and self.alone.reached and self.joining.reached):
            return None
        alone, joining = (getattr(own.reached, quantity) for own in (self.alone, self.joining))
        return None if alone is None or joining is None else float(alone / joining)


class Level(Part):
    """How much sooner a training error is reached, in iterations; None where no seed reached it in both runs."""

    error: float
    ratio: RatioInterval | None


class ConvergenceSummary(Part):
    """What is shown of a `convergence` experiment.

    Attributes:
        alone: run of the task alone.
        joining: run that adds the task to its parent.
        task: the task.
        error: the mark, 0 to 1.
        smoothing_images: images that an error is averaged over.
        means: the mean curve over seeds of each run that has been run.
        rows: by seed.
        ratios: of iterations, images and seconds; those without a seed are left out.
        levels: ratios of iterations to other errors, the largest first, the mark among them.
        published_ratio: the paper's; None if none is given.
        reading: what this says.
    """

    kind: Literal["convergence"] = "convergence"
    alone: str
    joining: str
    task: str
    error: float
    smoothing_images: int
    means: dict[str, Curve]
    rows: list[SeedRow]
    ratios: dict[str, RatioInterval]
    levels: list[Level]
    published_ratio: float | None
    reading: str


class ConvergenceKind(Kind):
    """Compares how soon a task alone, and one that joins, reaches a training error."""

    test = "convergence"

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Convergence, results: Results, published: Published | None
    ) -> ConvergenceSummary | None:
        """Compare how soon both runs reach the error; None where neither has been run.

        Reading fang2017-21: the ratio of iterations to a smoothed training error of 0.10; those of images and seconds
        are shown too.
        """
        curves, learned = {}, {}
        for which, run_name in ((ALONE, experiment.alone), (JOINING, experiment.incremental)):
            found = {job.seed: _learned(job, experiment, results) for job in _jobs(params, run_name, experiment.task)}
            curves[which] = {seed: item[0] for seed, item in found.items() if item}
            learned[which] = {seed: item[1] for seed, item in found.items() if item}
        seeds = sorted(learned[ALONE].keys() | learned[JOINING].keys())
        if not seeds:
            return None
        rows = [
            SeedRow(seed=seed, alone=learned[ALONE].get(seed), joining=learned[JOINING].get(seed)) for seed in seeds
        ]
        ratios = {
            quantity: ratio
            for quantity in QUANTITIES
            if (ratio := ratio_interval([value for row in rows if (value := row.ratio(quantity)) is not None]))
        }
        paper = published.ratio if isinstance(published, PublishedRatio) else None
        return ConvergenceSummary(
            alone=experiment.alone,
            joining=experiment.incremental,
            task=experiment.task,
            error=experiment.error,
            smoothing_images=experiment.smoothing_images,
            means={which: _mean(list(by_seed.values())) for which, by_seed in curves.items() if by_seed},
            rows=rows,
            ratios=ratios,
            levels=[_level(curves, error) for error in sorted({*LEVELS, experiment.error}, reverse=True)],
            published_ratio=paper,
            reading=_reading(experiment, rows, ratios.get("iteration"), paper),
        )

    @staticmethod
    def judge(params: Params, results: Results, test: ConvergenceTest, plan: Plan) -> Judgement:
        """Judge a claim by the ratio of what training alone and joining need, with its interval over seeds."""
        experiment = enabled_experiment(params, test.experiment, Convergence)
        summary = None
        if experiment is not None:
            summary = ConvergenceKind.summarise(params, test.experiment, experiment, results, None)
        pairs = [(row.alone, row.joining) for row in summary.rows if row.alone and row.joining] if summary else []
        times = [(_time(alone), _time(joining)) for alone, joining in pairs]
        return speed_ratio.judge(times, summary.error if summary else math.nan, test, plan)

    @staticmethod
    def files(params: Params, experiment: Convergence) -> list[str]:
        """Return what training records of both runs, and their test scores."""
        runs = [_jobs(params, run, experiment.task)[0].name for run in experiment.run_names]
        recorded = [f"training/{run}/seed*/{name}.parquet" for run in runs for name in ("history", "timing")]
        return recorded + [f"evaluation/{run}/seed*/{METRICS}" for run in runs]


def _learned(job: Run, experiment: Convergence, results: Results) -> tuple[pd.DataFrame, Learned] | None:
    """The smoothed error by iteration and what follows from it; None for a job that has not been run."""
    history, timing = results.history(job.name, job.seed), results.timing(job.name, job.seed)
    if history is None or timing is None:
        return None
    task, images = experiment.task, experiment.smoothing_images
    curve = smoothed(history, task, images)
    if curve.empty:
        return None
    metrics = (results.metrics(job.name, job.seed) or {}).get(task)
    last = history.iloc[-1]
    reached = reach(history, timing, task, experiment.error, images)
    return curve, Learned(
        curve=_thin(curve),
        reached=None if reached is None else Mark(**vars(reached)),
        trained=Mark(iteration=last["iteration"], images=last["images"], seconds=timing["seconds"].iloc[-1]),
        at_once=reached is not None and reached.iteration == curve["iteration"].iloc[0],
        final=float(curve["error"].iloc[-1]),
        test_error=None if metrics is None else 1 - metrics["balanced_accuracy"],
    )


def _time(learned: Learned) -> speed_ratio.Time:
    """What a net needed, or all that it was trained for."""
    mark = learned.reached or learned.trained
    seconds = math.nan if mark.seconds is None else mark.seconds
    return speed_ratio.Time((mark.iteration, mark.images, seconds), learned.reached is not None)


def _mean(curves: Sequence[pd.DataFrame]) -> Curve:
    return _thin(pd.concat(curves).groupby("iteration")["error"].mean().reset_index())


def _thin(curve: pd.DataFrame) -> Curve:
    thin = thin_out(curve)
    return Curve(iteration=thin["iteration"].tolist(), error=thin["error"].tolist())


def _level(curves: Mapping[str, Mapping[int, pd.DataFrame]], error: float) -> Level:
    """How much sooner the smoothed error falls to a level; seeds that reach it in both runs count."""

    def first(which: str) -> dict[int, int]:
        reached = {seed: curve[curve["error"] <= error + TOLERANCE] for seed, curve in curves[which].items()}
        return {seed: int(below["iteration"].iloc[0]) for seed, below in reached.items() if len(below)}

    alone, joining = first(ALONE), first(JOINING)
    ratios = [alone[seed] / joining[seed] for seed in sorted(alone.keys() & joining.keys())]
    return Level(error=error, ratio=ratio_interval(ratios))


def _jobs(params: Params, run_name: str, task: str) -> list[Run]:
    """The jobs of a run that train the task, one a seed."""
    jobs = [job for job in params.jobs(run_name) if task in job.trained_tasks]
    return [job for job in jobs if job.name == jobs[0].name]


def _reading(
    experiment: Convergence, rows: Sequence[SeedRow], ratio: RatioInterval | None, published: float | None
) -> str:
    task, mark = spoken(experiment.task), f"{100 * experiment.error:g} %"
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
        text += f"; the paper says about {published:g}." if published else "."
        if ratio.low is not None and ratio.high is not None:
            asked = [1.0, published] if published else [1.0]
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

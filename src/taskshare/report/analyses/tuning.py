"""Validation scores of some runs under the same grid of training settings."""

from dataclasses import dataclass
from statistics import fmean

from taskshare.config import Params, Tuning, trial_name
from taskshare.evaluation.disclosure import validation_score
from taskshare.evaluation.results import Results


@dataclass(frozen=True)
class Setting:
    """One setting in words, and the score of each row in percent; None where it has not been run."""

    optimiser: str
    learning_rate: float
    weight_decay: float
    loss_weights: str
    scores: dict[str, float | None]


@dataclass(frozen=True)
class ShownTuning:
    """What is shown of a `tuning` experiment.

    Attributes:
        rows: the runs by their labels.
        seed: of every trial.
        iterations: of every trial.
        settings: in the order of params.yaml.
        best: by row, the place of its best setting among `settings`; no entry where none has been run.
        chosen: by row, the setting that its run has in params.yaml.
    """

    rows: dict[str, str]
    seed: int
    iterations: int
    settings: list[Setting]
    best: dict[str, int]
    chosen: dict[str, str]


def shown_tuning(params: Params, experiment: Tuning, results: Results) -> ShownTuning | None:
    """Return the scores of every trial, or None where nothing has been run."""
    settings = []
    for name, entries in experiment.combinations().items():
        weights = ", ".join(f"{task} {factor:g}" for task, factor in entries.get("loss_weights", {}).items())
        scores = {label: _score(params, trial_name(run, name), results) for label, run in experiment.rows.items()}
        settings.append(
            Setting(entries["optimiser"], entries["learning_rate"], entries["weight_decay"], weights, scores)
        )
    if not any(score is not None for setting in settings for score in setting.scores.values()):
        return None
    best = {}
    for label in experiment.rows:
        known = [(score, -place) for place, item in enumerate(settings) if (score := item.scores[label]) is not None]
        if known:
            best[label] = -max(known)[1]
    first = next(params.jobs(next(iter(experiment.trials()))))
    return ShownTuning(
        rows=experiment.rows,
        seed=experiment.seed,
        iterations=first.training.iterations,
        settings=settings,
        best=best,
        chosen={label: _chosen(params, run) for label, run in experiment.rows.items()},
    )


def _score(params: Params, trial: str, results: Results) -> float | None:
    """Mean over the tasks of a run, whose nets may have one task each."""
    scores = [validation_score(results, job) for job in params.jobs(trial)]
    known = [score for score in scores if score is not None]
    return fmean(known) if len(known) == len(scores) else None


def _chosen(params: Params, run: str) -> str:
    training = next(params.jobs(run)).training
    weights = "".join(f", {task} {factor:g}" for task, factor in training.loss_weights.items())
    return f"{training.optimiser}, rate {training.learning_rate:g}, weight decay {training.weight_decay:g}{weights}"

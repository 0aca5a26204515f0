"""Validation scores of some runs under the same grid of training settings."""

from statistics import fmean
from typing import Literal

from taskshare.config import Params, Tuning, trial_name
from taskshare.evaluation.disclosure import validation_score
from taskshare.evaluation.kinds.kind import Kind, Part
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results


class TriedSetting(Part):
    """One setting in words, and the score of each row in percent; None where it has not been run."""

    optimiser: str
    learning_rate: float
    weight_decay: float
    loss_weights: str
    scores: dict[str, float | None]


class TuningSummary(Part):
    """What is shown of a `tuning` experiment.

    Attributes:
        rows: the runs by their labels.
        seed: of every trial.
        iterations: of every trial.
        settings: in the order of params.yaml.
        best: by row, the place of its best setting among `settings`; no entry where none has been run.
        chosen: by row, the setting that its run has in params.yaml.
    """

    kind: Literal["tuning"] = "tuning"
    rows: dict[str, str]
    seed: int
    iterations: int
    settings: list[TriedSetting]
    best: dict[str, int]
    chosen: dict[str, str]


class TuningKind(Kind):
    """Validation scores that training records; no test image is looked at."""

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Tuning, results: Results, published: Published | None
    ) -> TuningSummary | None:
        """Return the scores of every trial."""
        settings = [
            TriedSetting(
                optimiser=entries["optimiser"],
                learning_rate=entries["learning_rate"],
                weight_decay=entries["weight_decay"],
                loss_weights=", ".join(
                    f"{task} {factor:g}" for task, factor in entries.get("loss_weights", {}).items()
                ),
                scores={
                    label: _score(params, trial_name(run, setting), results) for label, run in experiment.rows.items()
                },
            )
            for setting, entries in experiment.combinations().items()
        ]
        if not any(score is not None for setting in settings for score in setting.scores.values()):
            return None
        first = next(params.jobs(next(iter(experiment.trials()))))
        return TuningSummary(
            rows=experiment.rows,
            seed=experiment.seed,
            iterations=first.training.iterations,
            settings=settings,
            best=_best(settings),
            chosen={label: _chosen(params, run) for label, run in experiment.rows.items()},
        )

    @staticmethod
    def files(params: Params, experiment: Tuning) -> list[str]:
        """Return the histories of the trials."""
        return [f"training/{run}*/seed{experiment.seed}/history.parquet" for run in experiment.rows.values()]


def _best(settings: list[TriedSetting]) -> dict[str, int]:
    """The place of each row's best setting, the first one of equals."""
    best = {}
    for label in settings[0].scores:
        known = [(score, -place) for place, item in enumerate(settings) if (score := item.scores[label]) is not None]
        if known:
            best[label] = -max(known)[1]
    return best


def _score(params: Params, trial: str, results: Results) -> float | None:
    """Mean over the tasks of a run, whose nets may have one task each."""
    scores = [validation_score(results, job) for job in params.jobs(trial)]
    known = [score for score in scores if score is not None]
    return fmean(known) if len(known) == len(scores) else None


def _chosen(params: Params, run: str) -> str:
    training = next(params.jobs(run)).training
    weights = "".join(f", {task} {factor:g}" for task, factor in training.loss_weights.items())
    return f"{training.optimiser}, rate {training.learning_rate:g}, weight decay {training.weight_decay:g}{weights}"

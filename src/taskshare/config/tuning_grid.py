"""Experiments that try training settings."""

import itertools
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from taskshare.config.base import Model
from taskshare.config.entry import Entry
from taskshare.config.run import Optimiser

if TYPE_CHECKING:
    from taskshare.config.params import Params


class Setting(Model):
    """Settings to try: every combination of the values."""

    optimiser: Optimiser
    momentum: float
    learning_rate: Annotated[list[float], Field(min_length=1)]
    weight_decay: Annotated[list[float], Field(min_length=1)]
    loss_weights: list[dict[str, float]] = Field(default=[], description="vgg: those of `training`; none: as they are")

    def combinations(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `training` of each combination, by a name of it."""
        found: dict[str, dict[str, Any]] = {}
        for rate, decay, factors in itertools.product(self.learning_rate, self.weight_decay, self.loss_weights or [{}]):
            entries: dict[str, Any] = {"optimiser": self.optimiser, "momentum": self.momentum}
            entries |= {"learning_rate": rate, "weight_decay": decay}
            if factors:
                entries["loss_weights"] = factors
            of_losses = "".join(f"-{task}{factor:g}" for task, factor in factors.items())
            found[f"{self.optimiser}-{rate:g}-{decay:g}{of_losses}"] = entries
        return found


class Tuning(Entry):
    """Validation scores of some runs under the same grid of training settings; no test image is looked at."""

    kind: Literal["tuning"]
    rows: dict[str, str] = Field(min_length=1, description="row label: name of a run; each gets the same settings")
    settings: list[Setting] = Field(min_length=1)
    training: dict[str, Any] = Field(default={}, description="entries of `training` of every trial, such as iterations")
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="of every trial")

    @property
    def run_names(self) -> list[str]:
        """Names of all runs whose training is tried."""
        return list(self.rows.values())

    def combinations(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `training` of each setting, by its name."""
        return {name: entries for setting in self.settings for name, entries in setting.combinations().items()}

    def trials(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the run that each trial is of, and its entries of `training`, by the trial's name."""
        return {
            trial_name(run, name): (run, {**entries, **self.training})
            for run in self.run_names
            for name, entries in self.combinations().items()
        }

    def check(self, params: "Params", where: str) -> None:
        """Check that trials have names of their own, and parents with the seed."""
        for name in self.trials():
            if name in params.runs:
                raise ValueError(f"{where}: a trial has the name of the run {name}; rename the run")
        for run_name in self.run_names:
            parent = params.spec(run_name).parent
            seeds = params.spec(parent.run).seeds or params.current.seeds if parent else [self.seed]
            if self.seed not in seeds:
                raise ValueError(f"{where}.seed: the parent of {run_name} is not trained with it; take {seeds[0]}")


def trial_name(run_name: str, setting: str) -> str:
    """Return the name of the run that tries a setting."""
    return f"{run_name}-{setting}"

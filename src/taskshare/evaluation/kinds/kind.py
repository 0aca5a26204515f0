"""What a kind of experiment answers for: its measurement, its summary, and the claims that are tested with it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from taskshare.config import Params, Run
from taskshare.config.base import Model
from taskshare.errors import TaskshareError
from taskshare.evaluation.claims.entries import Plan
from taskshare.evaluation.claims.judged import Judgement
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results


class Part(BaseModel):
    """A part of a summary: plain numbers, strings and lists, unchanged by a round trip through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Number = Annotated[float | None, BeforeValidator(lambda value: None if value != value else value)]
"""A number; None for what is not a number, as a mean of what a diverged net says."""


class Settings(Model):
    """What a measurement depends on beside the net; of most kinds, nothing."""


@dataclass(frozen=True)
class Net:
    """The net that is measured, and where.

    Attributes:
        checkpoint: weights.safetensors; None for kinds that measure a run's initial weights.
        run: its configuration; None with a checkpoint, which holds it.
        prepared: folder of the prepared images; None for kinds that need none.
        device: `auto`, `cpu` or `cuda`.
    """

    checkpoint: Path | None
    run: Run | None
    prepared: Path | None
    device: str = "auto"

    def need(self, *names: str) -> list[Any]:
        """Return some of these.

        Raises:
            TaskshareError: if one is not given.
        """
        found = [getattr(self, name) for name in names]
        for name, value in zip(names, found, strict=True):
            if value is None:
                raise TaskshareError(f"measure: this kind needs --{name}")
        return found


class Kind(ABC):
    """A kind of experiment; its spec in params.yaml is a class of the same name in config/experiments.py.

    Attributes:
        settings: what its measurement takes.
        test: of the plan's tests the one that its results decide, by its `kind`; empty for none.
        of_images: whether its numbers depend on the images.
    """

    settings: ClassVar[type[Settings]] = Settings
    test: ClassVar[str] = ""
    of_images: ClassVar[bool] = True

    @staticmethod
    def measure(net: Net, settings: Any, out: Path) -> None:
        """Measure a net and write the kind's file, `out`.

        Args:
            net: what is measured.
            settings: an instance of the kind's `settings`.
            out: the file to write.

        Raises:
            TaskshareError: if the net is none that this kind can measure.
        """
        raise TaskshareError("measure: this kind measures nothing of a net; it shows what others record")

    @staticmethod
    @abstractmethod
    def summarise(
        params: Params, name: str, experiment: Any, results: Results, published: Published | None
    ) -> Part | None:
        """Return the numbers and sentences that the report shows; None where nothing has been run.

        Args:
            params: the configuration.
            name: the experiment's key in params.yaml.
            experiment: its spec.
            results: what has been run, of any completeness.
            published: what the paper prints; None if nothing.
        """

    @staticmethod
    def judge(params: Params, results: Results, test: Any, plan: Plan) -> Judgement:
        """Judge a claim by the results of this kind.

        Args:
            params: the configuration.
            results: what has been run.
            test: how the claim is tested.
            plan: what holds for all claims.
        """
        raise NotImplementedError

    @staticmethod
    @abstractmethod
    def files(params: Params, experiment: Any) -> list[str]:
        """Return the results that an experiment is summarised from, below results/SCALE; * stands for any seed."""

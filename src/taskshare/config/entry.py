"""What every experiment of params.yaml has."""

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from taskshare.config.base import Model
from taskshare.config.data import Split
from taskshare.config.run import Run

if TYPE_CHECKING:
    from taskshare.config.params import Params


class Measurement(NamedTuple):
    """What a kind of experiment measures of a job, beside its scores, and writes into one file.

    Attributes:
        kind: of experiment that measures it, which is the name of the file too.
        ending: of the file.
        split: of the prepared images that are looked at; None for none.
        images: how many of them; None for all.
        weights: whether trained weights are needed, or the run's initial ones are meant.
        alone: whether the job has the machine to itself, since it measures times.
    """

    kind: str
    ending: str
    split: Split | None = None
    images: int | None = None
    weights: bool = True
    alone: bool = False

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.kind}.{self.ending}"


class Entry(Model):
    """What every experiment has.

    `measurement` says what it measures of nets, and `data_files` which prepared files are read when its results are
    summarised.
    """

    measurement: ClassVar[Measurement | None] = None
    data_files: ClassVar[tuple[str, ...]] = ()

    enabled: bool = True

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        raise NotImplementedError

    def measured_jobs(self, params: "Params") -> list[Run]:
        """Return the jobs that are measured: all of the runs, or none."""
        return [job for name in self.run_names for job in params.jobs(name)] if self.measurement else []

    def measured_with(self, params: "Params") -> dict[str, Any]:
        """Return what the measurement depends on beside the net, as plain JSON."""
        return {}

    def check(self, params: "Params", where: str) -> None:
        """Check the experiment against the runs that fill it.

        Raises:
            ValueError: with the key, below `where`, and what to do.
        """


Kind = TypeVar("Kind", bound=Entry)

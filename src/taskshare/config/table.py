"""Experiments that are tables."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from taskshare.config.entry import Entry
from taskshare.config.tasks import LANDMARK_POINTS, answers

if TYPE_CHECKING:
    from taskshare.config.params import Params

Metric = Literal["balanced_accuracy", "accuracy", "detection_rate"]


class Table(Entry):
    """Shares of right answers: a row for each sharing scheme, a column for each task, attribute or landmark."""

    kind: Literal["table"] = "table"
    metric: Metric = Field(
        default="balanced_accuracy",
        description="what the cells hold; detection_rate: share of faces whose landmark is found (Matsui 2019, eq 2)",
    )
    constant: bool = Field(
        default=False,
        description="whether a last row shows one answer for all faces: mean landmarks, or the commoner label",
    )
    rows: dict[str, str | Annotated[list[str], Field(min_length=1)]] = Field(
        min_length=1, description="row label: name of a run, or of several"
    )
    columns: list[str] = Field(
        default=[],
        description="TASK, or TASK/GROUP where several groups have the task, a landmark, or an attribute of the task "
        "attributes; none: every one of the rows",
    )

    @property
    def runs(self) -> dict[str, list[str]]:
        """Names of the runs that fill each row."""
        return {label: [run] if isinstance(run, str) else run for label, run in self.rows.items()}

    @property
    def run_names(self) -> list[str]:
        """Names of all runs that are needed."""
        return [name for names in self.runs.values() for name in names]

    def check(self, params: "Params", where: str) -> None:
        """Check that the rows hold the columns, and the columns what the metric is of."""
        specs = [params.spec(name) for name in self.run_names]
        held: set[str] = set()
        for spec in specs:
            labels = params.datasets[spec.dataset].labels
            for part, tasks in spec.jobs.items():
                names = [name for task in tasks for name in answers(task, labels)]
                held |= set(names) | ({f"{name}/{part}" for name in names} if spec.groups else set())
        for column in self.columns:
            if column not in held:
                raise ValueError(f"{where}.columns: no row has '{column}'; allowed: {', '.join(sorted(held))}")
            if (column in LANDMARK_POINTS) != (self.metric == "detection_rate"):
                raise ValueError(f"{where}.metric: detection_rate is for landmarks, and the others are for labels")
        if self.metric == "detection_rate" and not held & set(LANDMARK_POINTS):
            raise ValueError(f"{where}.metric: no row finds landmarks; take balanced_accuracy or accuracy")
        if self.constant and any(params.datasets[spec.dataset].layout == "classes" for spec in specs):
            raise ValueError(f"{where}.constant: is for data sets of the attributes layout; leave it out")
        if self.constant and len({(spec.dataset, spec.variant) for spec in specs}) > 1:
            raise ValueError(f"{where}.constant: the rows are of several data sets or variants; leave it out")

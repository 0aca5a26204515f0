"""Claims as they are written down: what a paper says, and the plan of how each is judged."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from taskshare.config import Metric, Selection
from taskshare.config.base import PositiveInt
from taskshare.errors import TaskshareError
from taskshare.evaluation.published import load_yaml


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableRow(NamedTuple):
    """A row of a table in a comparison, with columns of its own or those that the comparison gives it."""

    experiment: str
    row: str
    columns: Annotated[list[str], Field(min_length=1)] | None = None


class Comparison(_Model):
    """One difference: rows of tables, as [experiment, row] or [experiment, row, columns], added and subtracted.

    A row counts as the mean over its own columns, or over the columns of its table that all rows of that table without
    columns of their own have in this comparison.
    """

    label: str
    plus: list[TableRow] = Field(min_length=1)
    minus: list[TableRow] = Field(min_length=1)
    columns: list[str] | None = Field(default=None, min_length=1, description="instead of the table's columns")
    wants: Literal["better", "as_good"] = Field(
        default="better", description="an effect above 0, or above minus what counts as equally good"
    )


class _Test(_Model):
    seeds: PositiveInt | None = Field(default=None, description="seeds of what is compared, instead of the plan's")


class DifferenceTest(_Test):
    """Each comparison is above 0, or above minus what counts as equally good."""

    kind: Literal["difference"]
    cells: list[Comparison] = Field(min_length=1)


class RelationsTest(_Test):
    """Connections are stronger within an experiment's groups than between them, or increasingly so by layer.

    An effect below `least` counts as none.
    """

    kind: Literal["relations"]
    experiment: str
    statistic: Literal["contrast", "trend"]
    least: float = Field(gt=0, description="of alpha, or of alpha per layer")


class ConvergenceTest(_Test):
    """A task reaches a training error sooner when it joins a trained net, by a factor within bounds."""

    kind: Literal["convergence"]
    experiment: str
    bounds: tuple[Annotated[float, Field(gt=1)], float] = Field(description="ratios that agree with the published one")


class LimitsTest(_Test):
    """The dynamic net equals single-task nets and hard sharing at its two limits."""

    kind: Literal["limits"]
    experiment: str


class FeaturesTest(_Test):
    """Task columns of a separation net have other features than its shared column."""

    kind: Literal["features"]
    experiment: str


class CostsTest(_Test):
    """The nets of one label cost less than those of another, in each of some quantities."""

    kind: Literal["costs"]
    experiment: str
    row: str
    against: str
    quantities: list[str] = Field(min_length=1)


AnyTest = Annotated[
    DifferenceTest | RelationsTest | ConvergenceTest | LimitsTest | FeaturesTest | CostsTest,
    Field(discriminator="kind"),
]


class Claim(_Model):
    """One claim as it is written down."""

    id: str = Field(pattern=r"^[a-z0-9]+-claim[0-9]+$")
    claim: str = Field(description="one sentence in the paper's sense")
    says: str = Field(description="the paper's own words, with their place")
    reading: str = Field(description="what was taken as the test and why, and what it cannot tell")


class Plan(_Model):
    """How the claims are judged, as reports/plan.yaml says it before there are results."""

    selection: dict[str, Selection] = Field(description="of each paper's runs, by the paper's id")
    metrics: dict[str, Metric] = Field(description="of each table that comparisons name")
    significance: float = Field(gt=0, lt=1)
    seeds: PositiveInt = Field(description="of each compared row")
    least_seeds: PositiveInt = Field(description="with fewer, nothing is decided")
    as_good_as: dict[Metric, Annotated[float, Field(gt=0)]] = Field(
        description="points by which two rows may differ and count as equally good"
    )
    claims: dict[str, AnyTest] = Field(description="the test of each claim")


def load_plan(path: Path) -> Plan:
    """Return the plan.

    Raises:
        TaskshareError: a file that is not valid.
    """
    plan: Plan = load_yaml(path, TypeAdapter(Plan))
    return plan


def load_claims(folder: Path) -> list[Claim]:
    """Return the claims of every YAML file in `folder`, in their written order.

    Raises:
        TaskshareError: a file that is not valid, or an id that occurs twice.
    """
    claims: dict[str, Claim] = {}
    for path in sorted(folder.glob("*.yaml")):
        for claim in load_yaml(path, TypeAdapter(list[Claim])):
            if claim.id in claims:
                raise TaskshareError(f"{path}: the id {claim.id} occurs twice; give each claim its own")
            claims[claim.id] = claim
    return list(claims.values())

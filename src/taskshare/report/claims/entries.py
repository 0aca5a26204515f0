"""Claims as they are written down: what a paper says, and the test that judges it."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from taskshare.errors import TaskshareError
from taskshare.report.published import load_yaml


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
    margin: float = Field(default=0.0, ge=0, description="points by which the effect may fall short of 0")


class DifferenceTest(_Model):
    """Each comparison is above 0, or above minus its margin."""

    kind: Literal["difference"]
    cells: list[Comparison] = Field(min_length=1)


class RelationsTest(_Model):
    """Connections are stronger within an experiment's groups than between them, or increasingly so by layer."""

    kind: Literal["relations"]
    experiment: str
    statistic: Literal["contrast", "trend"]


class ConvergenceTest(_Model):
    """A task reaches a training error sooner when it joins a trained net, by the published factor."""

    kind: Literal["convergence"]
    experiment: str
    published: float = Field(gt=1)


class LimitsTest(_Model):
    """The dynamic net equals single-task nets and hard sharing at its two limits."""

    kind: Literal["limits"]
    experiment: str


class FeaturesTest(_Model):
    """Task columns of a separation net have other features than its shared column."""

    kind: Literal["features"]
    experiment: str


class CostsTest(_Model):
    """The nets of one label cost less than those of another, in each of some quantities."""

    kind: Literal["costs"]
    experiment: str
    row: str
    against: str
    quantities: list[str] = Field(min_length=1)


class Claim(_Model):
    """One claim as it is written down, with the test that judges it."""

    id: str = Field(pattern=r"^[a-z0-9]+-claim[0-9]+$")
    claim: str = Field(description="one sentence in the paper's sense")
    says: str = Field(description="the paper's own words, with their place")
    reading: str = Field(description="what was taken as the test and why, and what it cannot tell")
    test: Annotated[
        DifferenceTest | RelationsTest | ConvergenceTest | LimitsTest | FeaturesTest | CostsTest,
        Field(discriminator="kind"),
    ]


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

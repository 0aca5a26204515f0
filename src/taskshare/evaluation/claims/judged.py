"""What the runs say of a claim: numbers with their verdicts, and the verdict of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from taskshare.config import Connections, Convergence, Costs, FeatureMaps, Limits, Params, Table
from taskshare.statistics import verdicts

Verdict = verdicts.Verdict | Literal["not_run"]
CellVerdict = verdicts.Side | Literal["not_run", "shown"]
Unit = Literal["points", "alpha", "alpha per layer", "times", "difference", "similarity"]
AnyExperiment = TypeVar("AnyExperiment", Table, Connections, Convergence, Limits, FeatureMaps, Costs)


@dataclass(frozen=True)
class JudgedCell:
    """One number that a claim is judged by, or that is shown beside them.

    Attributes:
        label: What is compared.
        unit: Of effect, low and high.
        verdict: How the number stands to the claim; shown: it takes no part in the judgement.
        effect: None where it has no result.
        low: Lower end of the 95 % interval; None without one.
        high: Upper end.
        p_value: Of this number alone.
        adjusted: p-value after Holm's correction; of differences over all distinct ones of the report.
        seeds: How many seeds the number is from.
        margin: The claim wants the effect above minus this.
        note: What a reader has to know beside it.
    """

    label: str
    unit: Unit
    verdict: CellVerdict = "not_run"
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    adjusted: float | None = None
    seeds: int = 0
    margin: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Judgement:
    """The verdict of one test, in words, with its numbers and the experiments that they come from."""

    verdict: Verdict
    headline: str
    cells: list[JudgedCell]
    experiments: list[str]


def enabled_experiment(params: Params, name: str, kind: type[AnyExperiment]) -> AnyExperiment | None:
    """An enabled experiment of a kind, or None."""
    experiment = params.experiments.get(name)
    return experiment if isinstance(experiment, kind) and params.is_enabled(name) else None


def of_all(cells: Sequence[JudgedCell]) -> Verdict:
    """Return the verdict of a claim that holds only if every number that is not merely shown supports it."""
    if any(cell.verdict == "not_run" for cell in cells):
        return "not_run"
    return verdicts.conjunction([side for cell in cells if (side := cell.verdict) != "shown" and side != "not_run"])


def weakest(cells: Sequence[JudgedCell]) -> JudgedCell | None:
    """The cell that says most against the claim, or least for it; None if no cell has a result."""
    judged = [cell for cell in cells if cell.effect is not None and cell.verdict != "shown"]
    order = {"contradicts": 0, "undecided": 1, "as_good": 2, "supports": 2, "not_run": 1}

    def standing(cell: JudgedCell) -> tuple[int, float]:
        return order[cell.verdict], (cell.effect or 0.0) + cell.margin

    return min(judged, key=standing, default=None)


def signed(value: float | None, digits: int = 2) -> str:
    """A number with its sign and a true minus sign."""
    return f"{round(value or 0.0, digits) + 0.0:+.{digits}f}".replace("-", "−")

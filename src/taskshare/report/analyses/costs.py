"""What shared, separate and single nets cost, beside each other (Matsui 2019, section 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskshare.config import ALONE, SHARED, Costs
from taskshare.evaluation.results import Results

QUANTITIES = {
    "parameters": "parameters",
    "trained_parameters": "parameters trained in the last stage",
    "forward_flops": "FLOPs of one image, forward",
    "training_flops": "FLOPs of one image, training",
    "image_seconds": "time of one image, forward",
    "batch_seconds": "time of a batch, forward",
    "training_step_seconds": "time of a training step",
}


@dataclass(frozen=True)
class CostRow:
    """What the nets of a label cost together.

    Attributes:
        label: hard sharing, a separation net, or one net per task.
        nets: how many must run.
        values: by the keys of `QUANTITIES`: counts, and seconds.
        ratios: the same over those of one net per task.
    """

    label: str
    nets: int
    values: dict[str, float]
    ratios: dict[str, float]


@dataclass(frozen=True)
class ShownCosts:
    """What is shown of a `costs` experiment.

    Attributes:
        quantities: names of the columns by key.
        rows: hard sharing first, one net per task last.
        batch_size: images.
        size: height and width of an image in pixels.
        device: where times were taken.
        readings: what the numbers say.
    """

    quantities: dict[str, str]
    rows: list[CostRow]
    batch_size: int
    size: int
    device: str
    readings: list[str]


def shown_costs(name: str, experiment: Costs, results: Results) -> ShownCosts | None:
    """Set the costs of an experiment's nets against those of one net per task; None where nothing was measured."""
    measured = results.costs(name)
    if measured is None or ALONE not in measured["nets"]:
        return None
    nets = measured["nets"]
    labels = [label for label in (SHARED, *experiment.separation, ALONE) if label in nets]
    rows = [_row(label, nets[label], nets[ALONE]) for label in labels]
    return ShownCosts(
        quantities=QUANTITIES,
        rows=rows,
        batch_size=measured["batch_size"],
        size=measured["size"],
        device=timed_on(measured),
        readings=[in_words(row.label, row.ratios, ALONE) for row in rows[:-1]] + _stages(nets, labels),
    )


def timed_on(measured: Mapping[str, Any]) -> str:
    """Return in words where an experiment's times were taken."""
    if measured["device"] != "cpu":
        return str(measured["device"])
    threads = measured["threads"]
    return f"{threads} thread{'s' if threads > 1 else ''} of {measured['processor']}"


def _row(label: str, own: Mapping[str, Any], alone: Mapping[str, Any]) -> CostRow:
    values = {key: float(own[key]) for key in QUANTITIES}
    return CostRow(label, int(own["nets"]), values, {key: value / alone[key] for key, value in values.items()})


def in_words(label: str, shares: Mapping[str, float], against: str) -> str:
    """Return a sentence on what nets cost, from the smallest to the largest share of what others cost.

    Args:
        label: the nets.
        shares: by keys of `QUANTITIES`, what they cost over what the others do.
        against: the others.
    """
    least, most = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return (
        f"{label} costs {shares[least]:.2f} times ({QUANTITIES[least]}) to {shares[most]:.2f} times "
        f"({QUANTITIES[most]}) as much as {against[0].lower()}{against[1:]}."
    )


def _stages(nets: Mapping[str, Mapping[str, float]], labels: list[str]) -> list[str]:
    """Say what both stages of separation take: hard sharing is trained first."""
    separations = [label for label in labels if label not in (SHARED, ALONE)]
    if SHARED not in labels or not separations:
        return []
    flops = {label: nets[label]["training_flops"] for label in labels}
    both = [f"{label} {(flops[SHARED] + flops[label]) / flops[ALONE]:.2f}" for label in separations]
    return [
        "A separation net is trained after hard sharing. With as many iterations in both stages, its training takes, "
        f"stage 1 included, so many times the FLOPs of one net per task: {', '.join(both)}."
    ]

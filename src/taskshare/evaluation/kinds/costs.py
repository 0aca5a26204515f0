"""What shared, separate and single nets cost, beside each other (Matsui 2019, section 1)."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from taskshare.config import ALONE, SHARED, Costs, Params, Run
from taskshare.config.base import PositiveInt
from taskshare.evaluation.claims.entries import CostsTest, Plan
from taskshare.evaluation.claims.judged import CellVerdict, JudgedCell, Judgement, enabled_experiment, of_all
from taskshare.evaluation.kinds.kind import Kind, Net, Part, Settings
from taskshare.evaluation.published import Published
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
MARGIN = 1.05
"""Ratios of times nearer to 1 decide nothing: the same measurement, done again, may fall on the other side."""


class ComparedNets(Settings):
    """What is compared: by label the runs whose nets are needed together."""

    batch_size: PositiveInt
    nets: dict[str, Annotated[list[Run], Field(min_length=1)]]


class CostRow(Part):
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


class CostsSummary(Part):
    """What is shown of a `costs` experiment.

    Attributes:
        quantities: names of the columns by key.
        rows: hard sharing first, one net per task last.
        batch_size: images.
        size: height and width of an image in pixels.
        device: where times were taken.
        readings: what the numbers say.
    """

    kind: Literal["costs"] = "costs"
    quantities: dict[str, str]
    rows: list[CostRow]
    batch_size: int
    size: int
    device: str
    readings: list[str]


class CostsKind(Kind):
    """Measured of initial weights, all nets of an experiment at once."""

    settings = ComparedNets
    test = "costs"
    of_images = False

    @staticmethod
    def measure(net: Net, settings: ComparedNets, out: Path) -> None:
        """Measure parameters, FLOPs and times of untrained nets."""
        from taskshare.evaluation.kinds import network_timing

        network_timing.measure(settings.nets, settings.batch_size, out, net.device)

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Costs, results: Results, published: Published | None
    ) -> CostsSummary | None:
        """Set the costs of an experiment's nets against those of one net per task."""
        measured = _measured(params, experiment, results)
        if measured is None or ALONE not in measured["nets"]:
            return None
        nets = measured["nets"]
        labels = [label for label in (SHARED, *experiment.separation, ALONE) if label in nets]
        rows = [_row(label, nets[label], nets[ALONE]) for label in labels]
        return CostsSummary(
            quantities=QUANTITIES,
            rows=rows,
            batch_size=measured["batch_size"],
            size=measured["size"],
            device=_timed_on(measured),
            readings=[_in_words(row.label, row.ratios, ALONE) for row in rows[:-1]] + _stages(nets, labels),
        )

    @staticmethod
    def judge(params: Params, results: Results, test: CostsTest, plan: Plan) -> Judgement:
        """Judge a claim by how many times as much the nets it is set against cost; above 1 is for the claim.

        Parameters and FLOPs follow from the nets: they are exact, and any ratio above 1 supports the claim. Times
        were taken once, on one machine, as medians of repeated calls; there is no interval, and a ratio within 5 % of
        1 decides nothing. The other nets of the experiment are shown, and do not count.
        """
        experiment = enabled_experiment(params, test.experiment, Costs)
        cells = [JudgedCell(_label(test.against, test.row, quantity), "times") for quantity in test.quantities]
        measured = _measured(params, experiment, results) if experiment else None
        nets: Mapping[str, Mapping[str, float]] = measured["nets"] if measured else {}
        if experiment is None or measured is None or not {test.row, test.against} <= nets.keys():
            return Judgement("not_run", "Not run.", cells, [test.experiment])
        against = nets[test.against]
        judged = []
        for cell, quantity in zip(cells, test.quantities, strict=True):
            ratio, timed = against[quantity] / nets[test.row][quantity], quantity.endswith("_seconds")
            note = f"median time, taken once, on {_timed_on(measured)}" if timed else "exact"
            judged.append(replace(cell, verdict=_verdict(ratio, MARGIN if timed else 1.0), effect=ratio, note=note))
        labels = [label for label in (SHARED, *experiment.separation, ALONE) if label in nets]
        others = [label for label in labels if label not in (test.row, test.against)]
        shown = [
            JudgedCell(
                _label(test.against, label, quantity), "times", "shown", against[quantity] / nets[label][quantity]
            )
            for label in others
            for quantity in test.quantities
        ]
        sentences = []
        for label in (test.row, *others):
            shares = {quantity: nets[label][quantity] / against[quantity] for quantity in test.quantities}
            sentences.append(_in_words(label, shares, test.against))
        return Judgement(of_all(judged), " ".join(sentences), judged + shown, [test.experiment])

    @staticmethod
    def files(params: Params, experiment: Costs) -> list[str]:
        """Return the measured file."""
        (job,) = experiment.measured_jobs(params)
        return [f"evaluation/{job.key}/{Costs.measurement.file}"]


def _measured(params: Params, experiment: Costs, results: Results) -> Any | None:
    (job,) = experiment.measured_jobs(params)
    return results.measured(Costs, job.name, job.seed)


def _timed_on(measured: Mapping[str, Any]) -> str:
    """Return in words where an experiment's times were taken."""
    if measured["device"] != "cpu":
        return str(measured["device"])
    threads = measured["threads"]
    return f"{threads} thread{'s' if threads > 1 else ''} of {measured['processor']}"


def _row(label: str, own: Mapping[str, Any], alone: Mapping[str, Any]) -> CostRow:
    values = {key: float(own[key]) for key in QUANTITIES}
    ratios = {key: value / alone[key] for key, value in values.items()}
    return CostRow(label=label, nets=int(own["nets"]), values=values, ratios=ratios)


def _in_words(label: str, shares: Mapping[str, float], against: str) -> str:
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


def _label(against: str, row: str, quantity: str) -> str:
    return f"{against} / {row}: {QUANTITIES[quantity]}"


def _verdict(ratio: float, margin: float) -> CellVerdict:
    if ratio > margin:
        return "supports"
    return "contradicts" if ratio <= 1 / margin else "undecided"

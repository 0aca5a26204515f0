"""The claim that shared nets save cost against one net per task (Matsui 2019, section 1)."""

from collections.abc import Mapping
from dataclasses import replace

from taskshare.config import ALONE, SHARED, Costs, Params
from taskshare.evaluation.claims.entries import CostsTest
from taskshare.evaluation.claims.judged import CellVerdict, JudgedCell, Judgement, enabled_experiment, of_all
from taskshare.evaluation.results import Results
from taskshare.report.analyses.costs import QUANTITIES, in_words, timed_on

MARGIN = 1.05
"""Ratios of times nearer to 1 decide nothing: the same measurement, done again, may fall on the other side."""


def judge(params: Params, results: Results, test: CostsTest) -> Judgement:
    """Judge a claim by how many times as much the nets it is set against cost; above 1 is for the claim.

    Parameters and FLOPs follow from the nets: they are exact, and any ratio above 1 supports the claim. Times were
    taken once, on one machine, as medians of repeated calls; there is no interval, and a ratio within 5 % of 1 decides
    nothing. The other nets of the experiment are shown, and do not count.
    """
    experiment = enabled_experiment(params, test.experiment, Costs)
    cells = [JudgedCell(_label(test.against, test.row, quantity), "times") for quantity in test.quantities]
    measured = results.costs(test.experiment) if experiment else None
    nets: Mapping[str, Mapping[str, float]] = measured["nets"] if measured else {}
    if experiment is None or measured is None or not {test.row, test.against} <= nets.keys():
        return Judgement("not_run", "Not run.", cells, [test.experiment])
    against = nets[test.against]
    judged = []
    for cell, quantity in zip(cells, test.quantities, strict=True):
        ratio, timed = against[quantity] / nets[test.row][quantity], quantity.endswith("_seconds")
        note = f"median time, taken once, on {timed_on(measured)}" if timed else "exact"
        judged.append(replace(cell, verdict=_verdict(ratio, MARGIN if timed else 1.0), effect=ratio, note=note))
    labels = [label for label in (SHARED, *experiment.separation, ALONE) if label in nets]
    others = [label for label in labels if label not in (test.row, test.against)]
    shown = [
        JudgedCell(_label(test.against, label, quantity), "times", "shown", against[quantity] / nets[label][quantity])
        for label in others
        for quantity in test.quantities
    ]
    sentences = []
    for label in (test.row, *others):
        shares = {quantity: nets[label][quantity] / against[quantity] for quantity in test.quantities}
        sentences.append(in_words(label, shares, test.against))
    return Judgement(of_all(judged), " ".join(sentences), judged + shown, [test.experiment])


def _label(against: str, row: str, quantity: str) -> str:
    return f"{against} / {row}: {QUANTITIES[quantity]}"


def _verdict(ratio: float, margin: float) -> CellVerdict:
    if ratio > margin:
        return "supports"
    return "contradicts" if ratio <= 1 / margin else "undecided"

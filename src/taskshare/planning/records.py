"""What recorded jobs took, and how that compares with the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from taskshare import files
from taskshare.config import Run
from taskshare.planning.network_costs import network_costs, shapes
from taskshare.planning.rates import Kind, Precision, Rates

LEAST_SECONDS = 0.5
"""Of a job from which rates are taken: shorter ones hardly leave the first steps behind, which are slow."""
LEAST_JOBS = 5
MOST_NETS = 20
"""From which rates are taken, the ones that computed longest first: each takes a moment to count."""


@dataclass(frozen=True)
class Record:
    """What one training job took: seconds of computing, the most memory of its process, and where."""

    run: Run
    seconds: float
    memory_bytes: int
    kind: Kind
    machine: str
    precision: Precision
    validation: int


def configuration(run: Run) -> str:
    """Return all of a run but its seed."""
    return run.model_copy(update={"seed": 0}).model_dump_json()


def read(results: Path) -> list[Record]:
    """Return the records of the training jobs of one scale; one of another version of the code is left out."""
    records = []
    for path in sorted(results.glob("training/*/*/provenance.json")):
        content = files.read_json(path)
        try:
            run, memory_bytes = Run.model_validate(content["run"]), content["peak_memory_bytes"]
        except (ValidationError, KeyError):
            continue
        facts = results / "data" / run.dataset / run.variant_name / "facts.json"
        scored = "validation" in run.splits and facts.is_file()
        records.append(
            Record(
                run=run,
                seconds=content["seconds"],
                memory_bytes=memory_bytes,
                kind="cpu" if content["device"] == "cpu" else "cuda",
                machine=content["processor"] if content["device"] == "cpu" else content["device"],
                precision=content["precision"],
                validation=files.read_json(facts)["counts"]["validation"] if scored else 0,
            )
        )
    return records


@dataclass(frozen=True)
class Calibration:
    """How recorded jobs of one machine compare with the model.

    Attributes:
        factor: median of recorded over modelled seconds.
        spread: 10 and 90 % quantiles of recorded seconds over modelled ones times the factor.
        jobs: how many were compared.
        machine: on which they ran.
    """

    factor: float
    spread: tuple[float, float]
    jobs: int
    machine: str


def calibrate(records: Sequence[Record], kind: Kind, rates: Rates, here: str) -> Calibration | None:
    """Compare recorded jobs with the model; None if there are fewer than `LEAST_JOBS` of a machine of that kind.

    Of several machines, `here` goes first, then the one that computed longest.
    """
    long = [record for record in records if record.kind == kind and record.seconds >= LEAST_SECONDS]
    machines: dict[str, list[Record]] = {}
    for record in long:
        machines.setdefault(record.machine, []).append(record)
    machines = {machine: found for machine, found in machines.items() if len(found) >= LEAST_JOBS}
    if not machines:
        return None
    machine = max(machines, key=lambda name: (name == here, _seconds(machines[name])))
    ratios = np.array([record.seconds / _modelled(record, rates) for record in _longest(machines[machine])])
    low, factor, high = np.quantile(ratios, (0.1, 0.5, 0.9)).tolist()
    return Calibration(factor, (low / factor, high / factor), len(ratios), machine)


def _longest(records: Sequence[Record]) -> list[Record]:
    """Return the records of the nets that computed longest."""
    nets: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        nets.setdefault(shapes(record.run), []).append(record)
    chosen = sorted(nets.values(), key=_seconds, reverse=True)[:MOST_NETS]
    return [record for found in chosen for record in found]


def _modelled(record: Record, rates: Rates) -> float:
    threads = record.run.training.threads if record.kind == "cpu" else 1
    return rates.training_seconds(record.run, network_costs(record.run), record.validation, record.precision, threads)


def _seconds(records: Sequence[Record]) -> float:
    return sum(record.seconds for record in records)

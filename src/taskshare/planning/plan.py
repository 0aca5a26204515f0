"""The plan of a scale: its jobs, what they cost on a device, and how that is known."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from taskshare import device
from taskshare.config import Params, Training
from taskshare.devices import visible_devices
from taskshare.graph import Graph
from taskshare.planning import records
from taskshare.planning.disk import Space, space
from taskshare.planning.estimate import Estimator
from taskshare.planning.jobs import Job, all_jobs, longest_chain
from taskshare.planning.network_costs import network_costs
from taskshare.planning.rates import RATES, Kind, Rates
from taskshare.planning.records import Calibration
from taskshare.planning.sizes import Images, images


@dataclass(frozen=True)
class Plan:
    """What a scale asks for.

    Attributes:
        params: with the scale.
        kind: of the device that computes nets.
        images: by data set.
        rates: by which costs are modelled.
        calibration: with what the rates were compared; None if nothing suits.
        given: whether the user gave the rate.
        jobs: each behind those that it waits for.
        space: disk, by what lies there.
        free_bytes: on the disk of the working folder.
    """

    params: Params
    kind: Kind
    images: dict[str, Images]
    rates: Rates
    calibration: Calibration | None
    given: bool
    jobs: list[Job]
    space: list[Space]
    free_bytes: int

    def device_seconds(self, jobs: Sequence[Job], seconds: Callable[[Job], float]) -> float:
        """Return seconds of GPUs, or of CPU cores where there are none, that jobs take together."""
        if self.kind == "cuda":
            return sum(seconds(job) for job in jobs if job.on_device)
        return sum(seconds(job) * job.threads for job in jobs)

    def least_seconds(self, devices: int, seconds: Callable[[Job], float]) -> float:
        """Return what so many GPUs or cores need at least: their share of the work, or the longest chain of jobs."""
        return max(self.device_seconds(self.jobs, seconds) / devices, longest_chain(self.jobs, seconds))


def make(
    params: Params, folder: Path, wanted_device: Literal["auto", "cpu", "cuda"] = "auto", flops: float | None = None
) -> Plan:
    """Return the plan of a scale; nothing is run, and no data need be there.

    Args:
        params: validated params.yaml.
        folder: the working folder, with `results`.
        wanted_device: where nets will be computed; `auto` is what params.yaml says, and a GPU if there is one here.
        flops: FLOPs in a second of a core or GPU, instead of what is assumed and what records say.
    """
    graph = Graph(params, folder)
    wanted = params.device if wanted_device == "auto" else wanted_device
    kind: Kind = "cuda" if wanted == "cuda" or (wanted == "auto" and visible_devices()) else "cpu"
    found = {name: images(graph, name) for name in dict.fromkeys(run.dataset for run in graph.jobs.values())}
    rates, calibration = RATES[kind], None
    if flops:
        rates = rates.with_flops(flops)
    else:
        here = device.describe(torch.device("cpu"))["processor"]
        recorded = [record for results in sorted((folder / "results").glob("*")) for record in records.read(results)]
        calibration = records.calibrate(recorded, kind, rates, here)
        if calibration:
            rates = replace(rates, factor=calibration.factor)
    costs = {key: network_costs(run) for key, run in graph.jobs.items()}
    # A GPU that is planned for need not be here.
    bfloat16 = kind == "cuda" or device.computes_in_bfloat16(Training(), torch.device("cpu"))
    estimator = Estimator(costs, found, kind, rates, bfloat16, records.read(folder / graph.results))
    jobs = all_jobs(graph, estimator)
    free_bytes = shutil.disk_usage(folder).free
    return Plan(params, kind, found, rates, calibration, bool(flops), jobs, space(graph, costs, found), free_bytes)

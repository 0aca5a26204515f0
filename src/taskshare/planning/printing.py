"""A plan as tables for people, and as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from taskshare.planning.jobs import PHASES, Job, longest_chain
from taskshare.planning.plan import Plan
from taskshare.planning.rates import CPU_SPREAD

WIDTH = 118
DEVICES = (1, 2, 4, 8, 16)


def show(plan: Plan) -> None:
    """Print a plan on standard output."""
    console = Console(width=WIDTH, highlight=False, markup=False, emoji=False)
    console.print(f"Scale {plan.params.scale}, on {_where(plan)}. Nothing is run.")
    for name, found in plan.images.items():
        counts = ", ".join(f"{count:,} {split}" for split, count in found.counts.items())
        console.print(f"{name}: {plan.params.source(name)}; images: {counts} ({found.origin})")
    unit = _Unit(plan)
    console.print(_jobs(plan, unit), _runs(plan, unit), _times(plan, unit), _space(plan), sep="\n")
    largest = max(plan.jobs, key=lambda job: job.memory_bytes)
    console.print(f"Memory of the largest job: {_size(largest.memory_bytes)} ({largest.name}, {_known([largest])}).")
    for line in notes(plan):
        console.print(line)


def content(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON: seconds, bytes and FLOPs."""
    return {
        "scale": plan.params.scale,
        "device": plan.kind,
        "rates": asdict(plan.rates),
        "calibration": asdict(plan.calibration) if plan.calibration else None,
        "images": {name: asdict(found) for name, found in plan.images.items()},
        "jobs": [asdict(job) for job in plan.jobs],
        "device_seconds": plan.device_seconds(plan.jobs, _all),
        "device_seconds_left": plan.device_seconds(plan.jobs, _left),
        "longest_chain_seconds": longest_chain(plan.jobs, _all),
        "disk": [asdict(part) for part in plan.space],
    }


def notes(plan: Plan) -> list[str]:
    """Return in words what a plan rests on."""
    missing = sum(max(0, part.bytes - part.there) for part in plan.space)
    short = "" if missing < plan.free_bytes else f", LESS than the {_size(missing)} to come"
    lines = [
        f"Free on this disk: {_size(plan.free_bytes)}{short}.",
        "`dvc repro` keeps a copy of all, which takes as much again where the file system cannot share blocks.",
    ]
    if plan.kind == "cuda":
        beside = sum(job.seconds * job.threads for job in plan.jobs if not job.on_device)
        lines.append(f"Data, manifests and the report take the CPU beside: {beside / 3600:,.1f} core-hours.")
    rates, one = plan.rates, "a GPU" if plan.kind == "cuda" else "a core"
    model = (
        f"{rates.bfloat16 / 1e9:,.0f} GFLOP/s in bfloat16, {rates.float32 / 1e9:,.0f} in float32, "
        f"{rates.bytes / 1e9:,.0f} GB/s, {rates.kernel * 1e6:.0f} µs a kernel"
    )
    lines.append(
        "recorded: what the job itself took, or the same one of another seed. modelled: operations of its net, counted "
        f"without computing, at the rates of {one}: {model}. Only training is recorded."
    )
    if plan.calibration:
        found = plan.calibration
        lines.append(
            f"Times are {found.factor:.2f} times those of the model, as {found.jobs} recorded jobs on {found.machine} "
            f"say. It is a model: they took {_spread(found.spread)} times what it says then (10 to 90 %)."
        )
    elif plan.given:
        lines.append("The FLOPs of a second are as given; nothing was compared with recorded jobs.")
    elif plan.kind == "cuda":
        lines.append(
            "These rates are an ASSUMPTION: no GPU job has been recorded here. A GPU may be several times faster or "
            "slower; give --flops, or record some jobs and plan again."
        )
    else:
        lines.append(
            f"It is a model, fitted to 250 jobs on one machine: they took {_spread(CPU_SPREAD)} times what it says "
            "(10 to 90 %). Another machine may be several times faster or slower; record some jobs and plan again."
        )
    return lines


def _where(plan: Plan) -> str:
    if plan.kind == "cuda":
        return "GPUs"
    return "CPU cores" + ("" if plan.params.device == "cpu" else " (--device cuda plans for GPUs)")


class _Unit:
    """Time as a plan shows it: hours, or minutes where all is done in three hours."""

    def __init__(self, plan: Plan) -> None:
        total = plan.device_seconds(plan.jobs, _all)
        self.name, self.seconds = ("hours", 3600) if total > 3 * 3600 else ("minutes", 60)
        self.digits = 2 if 3 < total / 3600 < 100 else 1
        self.device = "GPU" if plan.kind == "cuda" else "core"

    def __call__(self, seconds: float) -> str:
        """Return a time as a number."""
        return f"{seconds / self.seconds:,.{self.digits}f}"


def _jobs(plan: Plan, unit: _Unit) -> Table:
    table = _table("Jobs", "phase", "jobs", "done", f"{unit.device}-{unit.name}", "left", "known")
    for phase in PHASES:
        jobs = [job for job in plan.jobs if job.phase == phase]
        if jobs:
            table.add_row(phase, *_counts(plan, unit, jobs), _known(jobs))
    table.add_section()
    table.add_row("all", *_counts(plan, unit, plan.jobs), "")
    return table


def _runs(plan: Plan, unit: _Unit) -> Table:
    table = _table("Training", "first needed by", "run", "jobs", "done", f"{unit.device}-{unit.name}", "left", "known")
    listed: set[str] = set()
    for name in plan.params.experiments:
        needed = plan.params.needed_runs(name) if plan.params.is_enabled(name) else []
        trials = plan.params.trials
        runs = [f"{trials[run][0]}, tuning" if run in trials else run for run in needed]
        label = name
        for run in dict.fromkeys(run for run in runs if run not in listed):
            jobs = [job for job in plan.jobs if job.run == run]
            table.add_row(label, run, *_counts(plan, unit, jobs), _known(jobs))
            label = ""
            listed.add(run)
    table.add_section()
    training = [job for job in plan.jobs if job.phase == "training"]
    table.add_row("all", "", *_counts(plan, unit, training), "")
    return table


def _times(plan: Plan, unit: _Unit) -> Table:
    title = f"{unit.name.capitalize()} from start to end, at least, with so many {unit.device}s"
    table = _table(title, "", *map(str, DEVICES), "longest chain of jobs")
    for label, seconds in (("all", _all), ("left", _left)):
        times = [unit(plan.least_seconds(count, seconds)) for count in DEVICES]
        table.add_row(label, *times, unit(longest_chain(plan.jobs, seconds)))
    return table


def _space(plan: Plan) -> Table:
    table = _table("Disk", "", "in the end", "there now")
    for part in plan.space:
        table.add_row(part.name, _size(part.bytes), _size(part.there))
    table.add_section()
    parts = [sum(part.bytes for part in plan.space), sum(part.there for part in plan.space)]
    table.add_row("all", *map(_size, parts))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        words = column in ("phase", "first needed by", "run", "known", "")
        table.add_column(column, justify="left" if words else "right")
    return table


def _counts(plan: Plan, unit: _Unit, jobs: Sequence[Job]) -> list[str]:
    done = sum(job.done for job in jobs)
    return [str(len(jobs)), str(done), *(unit(plan.device_seconds(jobs, seconds)) for seconds in (_all, _left))]


def _known(jobs: Iterable[Job]) -> str:
    recorded = [job.recorded for job in jobs]
    if all(recorded):
        return "recorded"
    return f"{sum(recorded)} recorded, the others modelled" if any(recorded) else "modelled"


def _all(job: Job) -> float:
    return job.seconds


def _left(job: Job) -> float:
    return job.left


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _spread(spread: tuple[float, float]) -> str:
    return f"{spread[0]:.1f} to {spread[1]:.1f}"

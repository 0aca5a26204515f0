"""What must hold between entries of params.yaml; each check raises ValueError with the key and what to do."""

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, cast

from taskshare.config.entry import Entry
from taskshare.config.network import AnyNetwork, Network, VggNetwork
from taskshare.config.run import Parent, RunSpec

if TYPE_CHECKING:
    from taskshare.config.params import Params


def check_child(params: "Params", where: str, run: RunSpec, parent: Parent) -> None:
    """Check a run against the parent that it starts from."""
    old = params.spec(parent.run)
    if run.dataset != old.dataset or run.variant != old.variant:
        raise ValueError(
            f"{where}: its parent {parent.run} was trained on {old.dataset}, {old.variant}, and it asks for "
            f"{run.dataset}, {run.variant}; leave dataset and variant out, or take another parent"
        )
    if list(old.jobs) != [""] or not can_start(parent.kind, run.network, old.network):
        raise ValueError(f"{where}.parent.run: {parent.run} must be {wanted_parent(parent.kind)}")
    missing = set(run.seeds or params.current.seeds) - set(old.seeds or params.current.seeds)
    if missing:
        raise ValueError(f"{where}.seeds: {parent.run} is not trained with seed {min(missing)}; add it there")
    if not parent.separate:
        _check_tasks(params, where, run, parent, old)


def _check_tasks(params: "Params", where: str, run: RunSpec, parent: Parent, old: RunSpec) -> None:
    """Check the tasks that leave or join a net."""
    if run.each_task_alone or run.groups:
        raise ValueError(f"{where}: a run with a parent is one net; leave each_task_alone and groups out")
    for task in parent.remove:
        if task not in old.tasks:
            raise ValueError(f"{where}.parent.remove: {parent.run} has no task '{task}'; it has {', '.join(old.tasks)}")
    for task in parent.add:
        if task in old.tasks:
            raise ValueError(f"{where}.parent.add: {parent.run} has the task '{task}' already")
    if parent.remove and params.generations(parent.run):
        raise ValueError(f"{where}.parent.remove: {parent.run} learned its tasks one after another; remove from one")
    transfer = cast(Network, run.network).transfer
    if parent.remove and (transfer.alpha != "learned" or not transfer.layers):
        raise ValueError(f"{where}.parent.remove: {parent.run} learns no connections, so there is nothing to retrain")
    if run.tasks != child_tasks(old.tasks, parent):
        raise ValueError(f"{where}.tasks: leave them out; they follow from the parent")


def can_start(kind: Literal["removal", "incremental", "separation"], child: AnyNetwork, parent: AnyNetwork) -> bool:
    """Return whether a net can start from another one's weights in this way.

    Removed and joining tasks: two dynamic nets that differ in nothing but the rate of beta. Separation: from a hard
    sharing net of the same convolutions that shares at least those of the frozen column.
    """
    if kind == "separation":
        if not isinstance(child, VggNetwork) or not isinstance(parent, VggNetwork):
            return False
        sizes = child.channels == parent.channels and child.convolutions == parent.convolutions
        schemes = (child.scheme, parent.scheme) == ("separation", "hard")
        return schemes and sizes and parent.shared_blocks >= child.shared_blocks
    if not isinstance(child, Network) or not isinstance(parent, Network) or parent.scheme != "dynamic":
        return False
    plain = [net.transfer.model_copy(update={"learning_rate_factor": 1.0}) for net in (child, parent)]
    return child.model_copy(update={"transfer": plain[0]}) == parent.model_copy(update={"transfer": plain[1]})


def wanted_parent(kind: Literal["removal", "incremental", "separation"]) -> str:
    """Return in words which nets `can_start` allows as a parent."""
    if kind == "separation":
        return "one vgg net with hard sharing that shares all convolutions of the separation net's frozen column"
    return "one dynamic net of the same network"


def child_tasks(tasks: list[str], parent: Parent) -> list[str]:
    """Return the tasks of a run whose parent has `tasks`, those that join last."""
    return [task for task in tasks if task not in parent.remove] + parent.add


def check_names(params: "Params") -> None:
    """Check that no two names of files differ by case alone, for many file systems take them for one."""
    places: dict[str, Iterable[str]] = {
        key: getattr(params, key) for key in ("scales", "datasets", "runs", "experiments")
    }
    specs = {name: params.spec(name) for name in params.runs}
    for name, dataset in params.datasets.items():
        places[f"datasets.{name}.variants"] = dataset.variants
        places[f"tasks of {name}"] = {
            task for spec in specs.values() if spec.dataset == name for task in itertools.chain(*spec.jobs.values())
        }
    places |= {f"runs.{name}.groups": spec.jobs for name, spec in specs.items()}
    for where, names in places.items():
        seen: dict[str, str] = {}
        for name in sorted(names):
            if seen.setdefault(name.casefold(), name) != name:
                raise ValueError(
                    f"{where}: {seen[name.casefold()]} and {name} differ by case alone, and many file systems take "
                    "their files for one; rename one"
                )


def check_measurements(params: "Params") -> None:
    """Check that what kinds of experiments measure of a job fits all experiments that ask for it."""
    measured: dict[tuple[str, str], dict[str, Any]] = {}
    for name, entry in params.enabled(Entry).items():
        settings = entry.measured_with(params)
        for job in entry.measured_jobs(params):
            kind = entry.measurement.kind if entry.measurement else ""
            if measured.setdefault((kind, job.name), settings) != settings:
                words = kind.replace("_", " "), " or ".join(settings)
                raise ValueError(
                    f"experiments.{name}: the {words[0]} of {job.name} are measured with one {words[1]}; take the same"
                )

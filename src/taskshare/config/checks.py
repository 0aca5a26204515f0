"""What must hold between entries of params.yaml; each check raises ValueError with the key and what to do."""

import itertools
from typing import TYPE_CHECKING

from taskshare.config.experiments import Connections, Convergence, Experiment, Limits, Removal, ResponseMaps, Table
from taskshare.config.network import Network
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
    if old.network.scheme != "dynamic" or not same_net(run.network, old.network) or list(old.jobs) != [""]:
        raise ValueError(f"{where}.parent.run: {parent.run} must be one dynamic net of the same network")
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
    if parent.remove and (run.network.transfer.alpha != "learned" or not run.network.transfer.layers):
        raise ValueError(f"{where}.parent.remove: {parent.run} learns no connections, so there is nothing to retrain")
    if run.tasks != child_tasks(old.tasks, parent):
        raise ValueError(f"{where}.tasks: leave them out; they follow from the parent")
    missing = set(run.seeds or params.current.seeds) - set(old.seeds or params.current.seeds)
    if missing:
        raise ValueError(f"{where}.seeds: {parent.run} is not trained with seed {min(missing)}; add it there")


def same_net(first: Network, second: Network) -> bool:
    """Return whether two nets differ in nothing but the rate of beta, in which a child may differ from its parent."""
    plain = [net.transfer.model_copy(update={"learning_rate_factor": 1.0}) for net in (first, second)]
    return first.model_copy(update={"transfer": plain[0]}) == second.model_copy(update={"transfer": plain[1]})


def child_tasks(tasks: list[str], parent: Parent) -> list[str]:
    """Return the tasks of a run whose parent has `tasks`, those that join last."""
    return [task for task in tasks if task not in parent.remove] + parent.add


def check_experiments(params: "Params") -> None:
    """Check every experiment against the runs that fill it."""
    layers: dict[str, int] = {}
    for name, experiment in params.experiments.items():
        where = f"experiments.{name}"
        _check_experiment(params, where, experiment)
        if isinstance(experiment, ResponseMaps) and layers.setdefault(experiment.run, experiment.layer) != (
            experiment.layer
        ):
            raise ValueError(f"{where}.layer: the maps of {experiment.run} are measured on one layer; take the same")


def _check_experiment(params: "Params", where: str, experiment: Experiment) -> None:
    specs = {name: params.spec(name) for name in experiment.run_names}
    match experiment:
        case Table():
            _check_columns(where, experiment, specs)
        case ResponseMaps(run=run):
            if specs[run].network.scheme != "hard":
                raise ValueError(f"{where}.run: {run} is no run with hard sharing")
            _check_groups(where, experiment, specs[run])
        case Connections(run=run):
            if specs[run].network.scheme != "dynamic" or params.generations(run):
                raise ValueError(f"{where}.run: {run} is no run of the dynamic scheme that learned its tasks at once")
            _check_groups(where, experiment, specs[run])
            if experiment.task not in (None, *specs[run].tasks):
                raise ValueError(f"{where}.task: {run} has no task '{experiment.task}'")
        case Limits(run=run):
            if specs[run].network.scheme != "dynamic":
                raise ValueError(f"{where}.run: {run} is no run with the dynamic scheme")
        case Removal(after=after):
            parent = specs[after].parent
            if parent is None or not parent.remove:
                raise ValueError(f"{where}.after: {after} has no parent that lost tasks")
        case Convergence(task=task):
            alone, joining = specs[experiment.alone], specs[experiment.incremental]
            if [task] not in alone.jobs.values():
                raise ValueError(f"{where}.alone: {experiment.alone} does not train {task} alone")
            if joining.parent is None or joining.parent.add != [task]:
                raise ValueError(f"{where}.incremental: {experiment.incremental} does not add {task} to a parent")


def _check_columns(where: str, table: Table, specs: dict[str, RunSpec]) -> None:
    held = {task for spec in specs.values() for task in itertools.chain(*spec.jobs.values())}
    held |= {f"{task}/{group}" for spec in specs.values() for group, tasks in spec.groups.items() for task in tasks}
    for column in table.columns:
        if column not in held:
            raise ValueError(f"{where}.columns: no row has '{column}'; allowed: {', '.join(sorted(held))}")


def _check_groups(where: str, experiment: ResponseMaps | Connections, spec: RunSpec) -> None:
    if list(spec.jobs) != [""]:
        raise ValueError(f"{where}.run: {experiment.run} must be one net that learns all of its tasks")
    seen: set[str] = set()
    for task in itertools.chain(*experiment.groups.values()):
        if task not in spec.tasks:
            raise ValueError(f"{where}.groups: {experiment.run} has no task '{task}'; it has {', '.join(spec.tasks)}")
        if task in seen:
            raise ValueError(f"{where}.groups: '{task}' is in two groups; leave it in one")
        seen.add(task)

"""What must hold between entries of params.yaml; each check raises ValueError with the key and what to do."""

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, cast

from taskshare.config.experiments import (
    ALONE,
    SHARED,
    Architecture,
    Connections,
    Convergence,
    Costs,
    Entry,
    Experiment,
    FeatureMaps,
    Landmarks,
    Limits,
    Removal,
    ResponseMaps,
    Table,
    Tuning,
)
from taskshare.config.network import AnyNetwork, Network, VggNetwork
from taskshare.config.run import Parent, RunSpec
from taskshare.config.tasks import LANDMARK_POINTS, LANDMARKS, answers

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


def check_experiments(params: "Params") -> None:
    """Check every experiment against the runs that fill it."""
    for name, experiment in params.experiments.items():
        _check_experiment(params, f"experiments.{name}", experiment)
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


def _check_experiment(params: "Params", where: str, experiment: Experiment) -> None:
    specs = {name: params.spec(name) for name in experiment.run_names}
    match experiment:
        case Table():
            _check_columns(params, where, experiment, specs)
        case ResponseMaps(run=run):
            if specs[run].network.scheme != "hard" or specs[run].network.backbone != "subnet":
                raise ValueError(f"{where}.run: {run} is no run with hard sharing of the subnet")
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
        case Tuning():
            for name in experiment.trials():
                if name in params.runs:
                    raise ValueError(f"{where}: a trial has the name of the run {name}; rename the run")
            for run_name, spec in specs.items():
                seeds = params.spec(spec.parent.run).seeds or params.current.seeds if spec.parent else [experiment.seed]
                if experiment.seed not in seeds:
                    raise ValueError(f"{where}.seed: the parent of {run_name} is not trained with it; take {seeds[0]}")
        case Landmarks(rows=rows):
            for run_name in rows.values():
                if LANDMARKS not in itertools.chain(*specs[run_name].jobs.values()):
                    raise ValueError(f"{where}.rows: {run_name} has no task {LANDMARKS}")
        case FeatureMaps(run=run, block=block):
            net = params.network(run)
            if list(specs[run].jobs) != [""]:
                raise ValueError(f"{where}.run: {run} must be one net that learns all of its tasks")
            if not isinstance(net, VggNetwork) or net.scheme != "separation" or net.branch_block:
                raise ValueError(f"{where}.run: {run} is no separation run whose task columns start at the image")
            if block > len(net.channels):
                raise ValueError(f"{where}.block: {run} has {len(net.channels)} blocks, not {block}")
        case Architecture(run=run):
            if specs[run].network.scheme != "separation" or list(specs[run].jobs) != [""]:
                raise ValueError(f"{where}.run: {run} is no run with the separation scheme and all tasks in one net")
        case Costs():
            net = params.network(experiment.shared)
            if not isinstance(net, VggNetwork) or net.scheme != "hard" or list(specs[experiment.shared].jobs) != [""]:
                raise ValueError(
                    f"{where}.shared: {experiment.shared} is no vgg run with hard sharing of all its tasks"
                )
            for run_name in experiment.separation.values():
                if specs[run_name].network.scheme != "separation":
                    raise ValueError(f"{where}.separation: {run_name} is no run with the separation scheme")
                if specs[run_name].variant != specs[experiment.shared].variant:
                    raise ValueError(f"{where}.separation: {run_name} has another variant than {experiment.shared}")
            if {SHARED, ALONE} & set(experiment.separation):
                raise ValueError(f"{where}.separation: '{SHARED}' and '{ALONE}' are labels of its own; take others")
        case Convergence(task=task):
            alone, joining = specs[experiment.alone], specs[experiment.incremental]
            if [task] not in alone.jobs.values():
                raise ValueError(f"{where}.alone: {experiment.alone} does not train {task} alone")
            if joining.parent is None or joining.parent.add != [task]:
                raise ValueError(f"{where}.incremental: {experiment.incremental} does not add {task} to a parent")


def _check_columns(params: "Params", where: str, table: Table, specs: dict[str, RunSpec]) -> None:
    held: set[str] = set()
    for spec in specs.values():
        labels = params.datasets[spec.dataset].labels
        for part, tasks in spec.jobs.items():
            names = [name for task in tasks for name in answers(task, labels)]
            held |= set(names) | ({f"{name}/{part}" for name in names} if spec.groups else set())
    for column in table.columns:
        if column not in held:
            raise ValueError(f"{where}.columns: no row has '{column}'; allowed: {', '.join(sorted(held))}")
        if (column in LANDMARK_POINTS) != (table.metric == "detection_rate"):
            raise ValueError(f"{where}.metric: detection_rate is for landmarks, and the others are for labels")
    if table.metric == "detection_rate" and not held & set(LANDMARK_POINTS):
        raise ValueError(f"{where}.metric: no row finds landmarks; take balanced_accuracy or accuracy")
    if table.constant and any(params.datasets[spec.dataset].layout == "classes" for spec in specs.values()):
        raise ValueError(f"{where}.constant: is for data sets of the attributes layout; leave it out")
    if table.constant and len({(spec.dataset, spec.variant) for spec in specs.values()}) > 1:
        raise ValueError(f"{where}.constant: the rows are of several data sets or variants; leave it out")


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

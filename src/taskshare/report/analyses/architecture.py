"""The layers of a separation net at the current scale, beside the paper's (Matsui 2019, Table 1)."""

import re
from dataclasses import dataclass
from typing import cast

from taskshare.config import Architecture, Params, VggNetwork
from taskshare.evaluation.published import PublishedArchitecture, PublishedConvolution
from taskshare.networks.plan import KERNEL, Convolution, head_inputs, layer_plan, output_count


@dataclass(frozen=True)
class LayerRow:
    """One convolution of every column.

    Attributes:
        name: such as `conv1-2`.
        ours: None where this scale has no such convolution.
        printed: None where the paper prints none.
        printed_size: height and width of the paper's maps in pixels.
        shared_parameters: of the shared column's convolution.
        task_parameters: of one task column's, with its 1x1 convolution; None where the column starts later.
    """

    name: str
    ours: Convolution | None
    printed: PublishedConvolution | None
    printed_size: int | None
    shared_parameters: int | None
    task_parameters: int | None


@dataclass(frozen=True)
class HeadRow:
    """A task's fully connected layer and its outputs; what the paper prints is None where it prints nothing."""

    task: str
    inputs: int
    units: int
    outputs: int
    printed_units: int | None
    printed_outputs: int | None
    parameters: int


@dataclass(frozen=True)
class ShownArchitecture:
    """What is shown of an `architecture` experiment.

    Attributes:
        run: the net.
        kernel: height and width of a convolution in pixels.
        size: height and width of the image in pixels.
        channels: of the image.
        printed_size: the paper's; None where it prints none.
        layers: from the image up.
        heads: task by task.
        tasks: number of task columns.
        shared_parameters: of the shared column.
        column_parameters: of one task column.
        parameters: of the whole net.
        channelwise: whether 1x1 convolutions follow the concatenations.
        branch_block: block after which the task columns start; 0: at the image.
        same: whether all that the paper prints is the same here; None where it prints nothing.
    """

    run: str
    kernel: int
    size: int
    channels: int
    printed_size: int | None
    layers: list[LayerRow]
    heads: list[HeadRow]
    tasks: int
    shared_parameters: int
    column_parameters: int
    parameters: int
    channelwise: bool
    branch_block: int
    same: bool | None


def shown_architecture(
    params: Params, experiment: Architecture, printed: PublishedArchitecture | None
) -> ShownArchitecture:
    """Set the plan of a run's net beside the printed one. It follows from params.yaml alone: no result is needed."""
    spec = params.spec(experiment.run)
    network = cast(VggNetwork, params.network(experiment.run))
    variant = params.variant(spec.dataset, spec.variant)
    layers = _layers(network, variant.size, variant.channels, printed)
    tasks = spec.tasks
    counts = [output_count(task, params.datasets[spec.dataset].labels) for task in tasks]
    heads = []
    for number, (task, outputs) in enumerate(zip(tasks, counts, strict=True)):
        inputs, units = head_inputs(network, variant.size), network.fully_connected
        printed_outputs = printed.outputs[number] if printed and number < len(printed.outputs) else None
        parameters = (inputs + 1) * units + (units + 1) * outputs
        printed_units = printed.fully_connected if printed else None
        heads.append(HeadRow(task, inputs, units, outputs, printed_units, printed_outputs, parameters))
    shared = sum(row.shared_parameters or 0 for row in layers)
    column = sum(row.task_parameters or 0 for row in layers)
    return ShownArchitecture(
        run=experiment.run,
        kernel=KERNEL,
        size=variant.size,
        channels=variant.channels,
        printed_size=printed.input.size if printed else None,
        layers=layers,
        heads=heads,
        tasks=len(tasks),
        shared_parameters=shared,
        column_parameters=column,
        parameters=shared + len(tasks) * column + sum(head.parameters for head in heads),
        channelwise=network.channelwise,
        branch_block=network.branch_block or 0,
        same=_same(variant.size, layers, heads, printed) if printed else None,
    )


def _layers(network: VggNetwork, size: int, channels: int, printed: PublishedArchitecture | None) -> list[LayerRow]:
    """The convolutions of both, in the order of their names."""
    ours = {layer.name: layer for layer in layer_plan(network, size)}
    shared, task = _parameters(network, list(ours.values()), channels)
    theirs: dict[str, tuple[PublishedConvolution, int]] = {}
    if printed:
        printed_size = printed.input.size
        for layer in printed.rows:
            theirs[layer.name.lower()] = (layer, printed_size)
            printed_size //= 2 if layer.pool else 1
    rows = []
    for name in sorted({**ours, **theirs}, key=_place):
        row, row_size = theirs.get(name, (None, None))
        rows.append(LayerRow(name, ours.get(name), row, row_size, shared.get(name), task.get(name)))
    return rows


def _place(name: str) -> list[int]:
    """Block and number of a convolution."""
    return [int(number) for number in re.findall(r"\d+", name)]


def _parameters(network: VggNetwork, plan: list[Convolution], channels: int) -> tuple[dict[str, int], dict[str, int]]:
    """Weights and biases by convolution: of the shared column, and of a task column with its 1x1 convolutions."""
    shared, task = {}, {}
    entering = own_entering = channels  # maps that enter a convolution of the shared column, and of a task's
    for layer in plan:
        shared[layer.name] = (KERNEL**2 * entering + 1) * layer.channels
        entering = layer.channels
        if layer.block <= (network.branch_block or 0):
            own_entering = layer.channels
            continue
        task[layer.name] = (KERNEL**2 * own_entering + 1) * layer.channels
        if network.channelwise:
            task[layer.name] += (2 * layer.channels + 1) * layer.channels
        own_entering = layer.channels if network.channelwise else 2 * layer.channels
    return shared, task


def _same(size: int, layers: list[LayerRow], heads: list[HeadRow], printed: PublishedArchitecture) -> bool:
    convolutions = all(
        row.ours is not None
        and row.printed is not None
        and (row.ours.channels, row.ours.pool, KERNEL) == (row.printed.channels, row.printed.pool, row.printed.kernel)
        for row in layers
    )
    fully_connected = all((head.units, head.outputs) == (head.printed_units, head.printed_outputs) for head in heads)
    return convolutions and fully_connected and size == printed.input.size

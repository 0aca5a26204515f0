"""The layers of a separation net at the current scale, and the paper's (Matsui 2019, Table 1)."""

import re
from typing import Literal, cast

from taskshare.config import Architecture, Params, VggNetwork
from taskshare.evaluation.kinds.kind import Kind, Part
from taskshare.evaluation.published import Published, PublishedArchitecture, PublishedConvolution
from taskshare.evaluation.results import Results
from taskshare.networks.shapes import KERNEL, Convolution, head_inputs, layer_plan, output_count


class LayerRow(Part):
    """One convolution of every column.

    Attributes:
        name: such as `conv1-2`.
        ours: None where this scale has no such convolution.
        published: None where the paper has none.
        published_size: height and width of the paper's maps in pixels.
        shared_parameters: of the shared column's convolution.
        task_parameters: of one task column's, with its 1x1 convolution; None where the column starts later.
    """

    name: str
    ours: Convolution | None
    published: PublishedConvolution | None
    published_size: int | None
    shared_parameters: int | None
    task_parameters: int | None


class HeadRow(Part):
    """A task's fully connected layer and its outputs; what the paper prints is None where it prints nothing."""

    task: str
    inputs: int
    units: int
    outputs: int
    published_units: int | None
    published_outputs: int | None
    parameters: int


class ArchitectureSummary(Part):
    """What is shown of an `architecture` experiment.

    Attributes:
        run: the net.
        kernel: height and width of a convolution in pixels.
        size: height and width of the image in pixels.
        channels: of the image.
        published_size: the paper's; None where it prints none.
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

    kind: Literal["architecture"] = "architecture"
    run: str
    kernel: int
    size: int
    channels: int
    published_size: int | None
    layers: list[LayerRow]
    heads: list[HeadRow]
    tasks: int
    shared_parameters: int
    column_parameters: int
    parameters: int
    channelwise: bool
    branch_block: int
    same: bool | None


class ArchitectureKind(Kind):
    """Follows from params.yaml alone: no result is needed."""

    of_images = False

    @staticmethod
    def summarise(
        params: Params, name: str, experiment: Architecture, results: Results, published: Published | None
    ) -> ArchitectureSummary:
        """Set the plan of a run's net beside the published one."""
        spec = params.spec(experiment.run)
        network = cast(VggNetwork, params.network(experiment.run))
        variant = params.variant(spec.dataset, spec.variant)
        paper = published if isinstance(published, PublishedArchitecture) else None
        layers = _layers(network, variant.size, variant.channels, paper)
        heads = _heads(network, variant.size, spec.tasks, params.datasets[spec.dataset].labels, paper)
        shared = sum(row.shared_parameters or 0 for row in layers)
        column = sum(row.task_parameters or 0 for row in layers)
        return ArchitectureSummary(
            run=experiment.run,
            kernel=KERNEL,
            size=variant.size,
            channels=variant.channels,
            published_size=paper.input.size if paper else None,
            layers=layers,
            heads=heads,
            tasks=len(heads),
            shared_parameters=shared,
            column_parameters=column,
            parameters=shared + len(heads) * column + sum(head.parameters for head in heads),
            channelwise=network.channelwise,
            branch_block=network.branch_block or 0,
            same=_same(variant.size, layers, heads, paper) if paper else None,
        )

    @staticmethod
    def files(params: Params, experiment: Architecture) -> list[str]:
        """Return none."""
        return []


def _heads(
    network: VggNetwork, size: int, tasks: list[str], labels: list[str], published: PublishedArchitecture | None
) -> list[HeadRow]:
    heads = []
    for number, task in enumerate(tasks):
        inputs, units, outputs = head_inputs(network, size), network.fully_connected, output_count(task, labels)
        known = published is not None and number < len(published.outputs)
        heads.append(
            HeadRow(
                task=task,
                inputs=inputs,
                units=units,
                outputs=outputs,
                published_units=published.fully_connected if published else None,
                published_outputs=published.outputs[number] if published and known else None,
                parameters=(inputs + 1) * units + (units + 1) * outputs,
            )
        )
    return heads


def _layers(network: VggNetwork, size: int, channels: int, published: PublishedArchitecture | None) -> list[LayerRow]:
    """The convolutions of both, in the order of their names."""
    ours = {layer.name: layer for layer in layer_plan(network, size)}
    shared, task = _parameters(network, list(ours.values()), channels)
    theirs: dict[str, tuple[PublishedConvolution, int]] = {}
    if published:
        published_size = published.input.size
        for layer in published.rows:
            theirs[layer.name.lower()] = (layer, published_size)
            published_size //= 2 if layer.pool else 1
    rows = []
    for name in sorted({**ours, **theirs}, key=_place):
        row, row_size = theirs.get(name, (None, None))
        rows.append(
            LayerRow(
                name=name,
                ours=ours.get(name),
                published=row,
                published_size=row_size,
                shared_parameters=shared.get(name),
                task_parameters=task.get(name),
            )
        )
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


def _same(size: int, layers: list[LayerRow], heads: list[HeadRow], published: PublishedArchitecture) -> bool:
    convolutions = all(
        row.ours is not None
        and row.published is not None
        and (row.ours.channels, row.ours.pool, KERNEL)
        == (row.published.channels, row.published.pool, row.published.kernel)
        for row in layers
    )
    fully_connected = all(
        (head.units, head.outputs) == (head.published_units, head.published_outputs) for head in heads
    )
    return convolutions and fully_connected and size == published.input.size

"""A params file for an own data set: look at the source, then write runs of a size that fits the machine."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import ValidationError

from taskshare import config, files
from taskshare.config import Dataset, Params
from taskshare.data import sources
from taskshare.data.catalogue import BadImageError, Catalogue
from taskshare.devices import visible_devices
from taskshare.errors import TaskshareError
from taskshare.planning import plan as planning

MOST_LOOKED_AT = 2000
"""Images that are decoded, evenly spread over the source."""
MOST_TASKS = 7
FEWEST_EXAMPLES = 10
"""Training images that an attribute must have of each value, and a class if images are held out for validation."""
MINUTES = 15.0
"""Time that the runs may take on this machine, as planned; with fewer iterations if need be."""
ITERATIONS = (2000, 1000, 500, 250, 120)
MOST_PASSES = 50
"""Times that a job goes through the training images at most, unless there are very few."""
BATCH = 16
_SMALL = "{channels: [16, 24, 32, 40, 56], fully_connected: 96}"


@dataclass(frozen=True)
class Look:
    """What a source holds.

    Attributes:
        name: of the data set.
        source: archive or folder.
        layout: of its files.
        labels: the attributes or classes.
        counts: images by label (rows: of an attribute, those that have it) and split (columns).
        splits: images by split.
        heights, widths: pixels of the images that were decoded.
        unreadable: images left out, each with the reason.
        looked_at: number of images that were decoded.
    """

    name: str
    source: Path
    layout: Literal["attributes", "classes"]
    labels: list[str]
    counts: pd.DataFrame
    splits: dict[str, int]
    heights: list[int]
    widths: list[int]
    unreadable: list[tuple[str, str]]
    looked_at: int

    @property
    def tasks(self) -> list[str]:
        """Tasks that the images can teach: pairs of classes, or the attributes nearest to balance."""
        if self.layout == "classes":
            return _pairs(self.labels)[:MOST_TASKS]
        others = pd.Series(self.splits) - self.counts
        fewest = others.where(others < self.counts, self.counts)
        taught = fewest[(fewest["train"] >= FEWEST_EXAMPLES) & (fewest["test"] >= 1)]
        chosen = set(taught["train"].nlargest(MOST_TASKS).index)
        return [label for label in self.labels if label in chosen]


def look(name: str, source: Path) -> Look:
    """Look at a folder or archive of images.

    Raises:
        TaskshareError: if it has no layout that is read, or its labels are wrong.
    """
    layout, labels = sources.recognise(source)
    try:
        dataset = Dataset.model_validate({"layout": layout, "labels": labels, "variants": {}})
    except ValidationError as error:
        raise TaskshareError(f"{source}: {config.explain(error)}") from None
    with sources.open_source(name, dataset, source) as catalogue:
        table = catalogue.table
        heights, widths, unreadable, looked_at = _decode(catalogue)
        by_split = table.groupby("split")
        if layout == "attributes":
            counts = by_split[labels].sum().T
        else:
            counts = table.groupby(["class", "split"]).size().unstack(fill_value=0)
            counts.index = pd.Index([labels[number] for number in counts.index])
        return Look(
            name=name,
            source=source,
            layout=layout,
            labels=labels,
            counts=counts.reindex(columns=["train", "validation", "test"], fill_value=0),
            splits={split: int((table["split"] == split).sum()) for split in config.SPLITS},
            heights=heights,
            widths=widths,
            unreadable=unreadable,
            looked_at=looked_at,
        )


def _decode(catalogue: Catalogue) -> tuple[list[int], list[int], list[tuple[str, str]], int]:
    """Return heights and widths of some images, and all that are known to be unreadable, with their reasons."""
    ids = catalogue.table["id"].to_numpy()
    chosen = ids[:: max(1, -(-len(ids) // MOST_LOOKED_AT))]
    heights, widths, unreadable = [], [], list(catalogue.bad)
    for id in chosen:
        try:
            height, width, _ = catalogue.load(id).shape
        except BadImageError as error:
            unreadable.append((error.id, error.reason))
        else:
            heights.append(height)
            widths.append(width)
    return heights, widths, unreadable, len(chosen)


def _pairs(classes: Sequence[str]) -> list[str]:
    """Return tasks FIRST.SECOND in which every class takes part."""
    second = [*classes[1::2], *classes[: len(classes) % 2]]
    return [".".join(pair) for pair in zip(classes[::2], second, strict=True)]


def describe(seen: Look) -> list[str]:
    """Return what was seen, line by line."""
    what = "classes" if seen.layout == "classes" else "attributes"
    lines = [
        f"{seen.source}: {seen.layout} layout, {sum(seen.splits.values()):,} images, {len(seen.labels)} {what}",
        f"images: {', '.join(f'{count:,} {split}' for split, count in seen.splits.items())}",
    ]
    if seen.heights:
        lines.append(
            f"pixels: {min(seen.widths)}x{min(seen.heights)} to {max(seen.widths)}x{max(seen.heights)} "
            f"({seen.looked_at:,} images looked at)"
        )
    lines += seen.counts.to_string().splitlines()
    if seen.unreadable:
        id, reason = seen.unreadable[0]
        lines.append(
            f"unreadable: {len(seen.unreadable):,} of the images, which are left out; the first: {id}: {reason}"
        )
    return lines


def write(seen: Look, out: Path, folder: Path) -> list[str]:
    """Write a params file with single-task, hard sharing and dynamic nets, and return lines that say how to run it.

    Args:
        seen: what the source holds.
        out: the file to write.
        folder: the working folder.

    Raises:
        TaskshareError: if the file is there, or the images cannot teach two tasks.
    """
    if out.exists():
        raise TaskshareError(f"{out}: is there already; remove it, or give another name")
    if len(seen.tasks) < 2:
        needed = (
            "three classes or more"
            if seen.layout == "classes"
            else f"two attributes or more with {FEWEST_EXAMPLES} training images of each value"
        )
        raise TaskshareError(f"{seen.source}: sharing needs two tasks: give {needed}")
    passes = seen.splits["train"] * MOST_PASSES // BATCH
    for iterations in [number for number in ITERATIONS if number <= passes] or ITERATIONS[-1:]:
        text = _params(seen, iterations)
        params = config.validate(yaml.safe_load(text), out.name)
        plan = planning.make(params, folder)
        devices = max(1, len(visible_devices())) if plan.kind == "cuda" else os.cpu_count() or 1
        minutes = plan.least_seconds(devices, lambda job: job.seconds) / 60
        if minutes <= MINUTES:
            break
    with files.atomic(out) as partial:
        partial.write_text(text, encoding="utf-8")
    where = "GPUs" if plan.kind == "cuda" else "CPU cores"
    return [
        f"{out}: {len(seen.tasks)} tasks at {_size(seen)}x{_size(seen)} pixels, {iterations} iterations; about "
        f"{minutes:.0f} minutes on {devices} {where}",
        f"next: snakemake --cores all --configfile {out}",
    ]


def _size(seen: Look) -> int:
    """Return the pixels of a prepared image: no more than the smaller images have, and what the machine bears."""
    most = 64 if visible_devices() else 32
    shortest = np.minimum(seen.heights, seen.widths)
    return most if not len(shortest) or np.median(shortest) >= most else 16


def _params(seen: Look, iterations: int) -> str:
    name = seen.name
    held_out = 0.1 if seen.counts["train"].min() >= FEWEST_EXAMPLES else 0.0
    validated = seen.splits["validation"] > 0 or (seen.layout == "classes" and held_out > 0)
    dataset = f"layout: {seen.layout}, variants: {{rgb: {{colour: rgb}}}}"
    if seen.layout == "classes":
        dataset += f", validation_fraction: {held_out}"
    training = {
        "iterations": iterations,
        "batch_size": BATCH,
        "validate_every": iterations // 5,
        "selection": "best" if validated else "last",
    }
    network = "" if visible_devices() else f"\n    network: {{subnet: {_SMALL}}}"
    skip = (
        f"data: {{on_bad_image: skip}}   # {len(seen.unreadable)} of the images cannot be read\n"
        if seen.unreadable
        else ""
    )
    return f"""\
# Made by `taskshare new {name}`. docs/configuration.md explains every key.
scale: {name}
{name}: {_flow(str(seen.source.resolve()))}
{skip}datasets:
  {name}:
    {{{dataset},
    labels: {_flow(seen.labels)}}}
scales:
  {name}:
    seeds: [1]
    image_sizes: {{{name}: {{rgb: {_size(seen)}}}}}{network}
    training: {{{name}: {_flow(training)}}}
runs:
  {name}-single: &run
    dataset: {name}
    variant: rgb
    tasks: {_flow(seen.tasks)}
    sampling: {"original" if seen.layout == "classes" else "resampled"}
    each_task_alone: true
    network: {{scheme: single}}
  {name}-hard: {{<<: *run, each_task_alone: false, network: {{scheme: hard}}}}
  {name}-dynamic: {{<<: *run, each_task_alone: false, network: {{scheme: dynamic}}}}
experiments:
  {name}: {{rows: {{ST: {name}-single, MT: {name}-hard, DMT: {name}-dynamic}}}}
"""


def _flow(content: object) -> str:
    """Return a value as YAML that continues a line, wrapped where it is long."""
    text = yaml.safe_dump(content, default_flow_style=True, sort_keys=False, allow_unicode=True, width=100)
    return text.removesuffix("\n...\n").strip().replace("\n", "\n    ")


def check_name(name: str) -> None:
    """Check the name of a data set, which becomes a key of the params file and the name of its runs.

    Raises:
        TaskshareError: if it is a key already.
    """
    if name in Params.model_fields:
        raise TaskshareError(f"{name}: is a key of params.yaml; give the data set another name")

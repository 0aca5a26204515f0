"""How many images a data set has, and how big its raw files are, known or assumed before they are there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskshare import files
from taskshare.config import SPLITS, Split
from taskshare.graph import Graph

OFFICIAL: dict[str, dict[Split, int]] = {
    "attributes": {"train": 162_770, "validation": 19_867, "test": 19_962},
    "classes": {"train": 50_000, "validation": 0, "test": 10_000},
}
"""Images of CelebA and CIFAR-10, by layout."""
OFFICIAL_BYTES = {"attributes": 1_490_000_000, "classes": 171_000_000}
"""Bytes of the files that are fetched."""
DIGITS: dict[Split, int] = {"train": 1438, "test": 359}
"""Digits that the demonstration draws from, once or several times each for training."""
GENERATED_BYTES = {"attributes": 11_000, "classes": 3_400}
"""Bytes of a generated image in its archive."""


@dataclass(frozen=True)
class Images:
    """A data set's images: how many each split has, where the numbers are from, and bytes of the raw files to come."""

    counts: dict[Split, int]
    origin: str
    raw_bytes: int

    @property
    def total(self) -> int:
        """Number of images of all splits."""
        return sum(self.counts.values())


def images(graph: Graph, dataset: str) -> Images:
    """Return the images of a data set: as prepared at this scale, as they will be generated, or the official ones."""
    kind, layout = graph.params.source_kind(dataset), graph.params.datasets[dataset].layout
    counts, origin = dict(OFFICIAL[layout]), "official counts"
    if kind == "synthetic":
        sizes = graph.params.current.synthetic
        counts = {"train": sizes.train, "validation": sizes.validation, "test": sizes.test}
        if layout == "classes":
            counts = {**DIGITS, "train": DIGITS["train"] * sizes.digit_copies, "validation": 0}
        origin = "generated"
    elif kind == "path":
        origin = "not prepared yet: official counts are assumed"
    if layout == "classes":
        counts["validation"] = int(counts["train"] * graph.params.datasets[dataset].validation_fraction)
        counts["train"] -= counts["validation"]
    for scale, facts in _prepared(graph, dataset):
        same_file = kind == "path" and Path(graph.params.source(dataset)).name in facts["files"]
        if facts["source"] == kind and (scale == graph.params.scale or same_file):
            counts, origin = (
                facts["counts"],
                "prepared" if scale == graph.params.scale else f"prepared at scale {scale}",
            )
    raw = {"synthetic": GENERATED_BYTES[layout] * sum(counts.values()), "download": OFFICIAL_BYTES[layout], "path": 0}
    return Images({split: counts[split] for split in SPLITS}, origin, raw[kind])


def _prepared(graph: Graph, dataset: str) -> list[tuple[str, Any]]:
    """Return each scale that the data set was prepared at, with its facts, the current scale last."""
    paths = sorted((graph.folder / "results").glob(f"*/data/{dataset}/*/facts.json"))
    found = [(path.parents[3].name, files.read_json(path)) for path in paths]
    return sorted(found, key=lambda item: item[0] == graph.params.scale)

"""How much disk a scale takes, by what lies there: computed, and what is there now."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskshare.config import Run, Split
from taskshare.config.tasks import LANDMARKS
from taskshare.graph import Graph
from taskshare.networks.outputs import label_names
from taskshare.planning.network_costs import NetworkCosts, most_states
from taskshare.planning.sizes import Images

# Bytes as they were measured: of the label table for an image, of a manifest for an image of the training split, of
# the score of an image and label, of an image's landmarks, of a job's records and logs, of an analysis, of a
# contact sheet, of the report.
TABLE = {"attributes": 90, "classes": 7}
MANIFEST, SCORE, POINTS, RECORDS, ANALYSIS, SHEET, REPORT = 6, 8, 110, 20_000, 300_000, 1_000_000, 5_000_000
TASK_IMAGES = 0.2
"""Share of the images that a task of two of ten classes has."""


@dataclass(frozen=True)
class Space:
    """Bytes of one kind of files: when all is done, and those that are there."""

    name: str
    bytes: int
    there: int


def space(graph: Graph, costs: Mapping[str, NetworkCosts], images: Mapping[str, Images]) -> list[Space]:
    """Return the disk space of a scale, without files of the user's own and what is unpacked for a while."""
    runs = list(graph.jobs.values())
    checkpoints = [most_states(run) * costs[run.key].state_bytes + costs[run.key].trained_bytes for run in runs]
    manifests = {path: _task_images(run, images[run.dataset], "train") for run in runs for path in graph.manifests(run)}
    downloads = [graph.source_path(name) for name in images if graph.params.source_kind(name) == "download"]
    results = graph.results
    return [
        Space(
            "raw data",
            sum(found.raw_bytes for found in images.values()),
            _there(graph, *(f"{folder}/*" for folder in downloads), f"{results}/data/*/synthetic.tar"),
        ),
        Space(
            "prepared images and labels",
            sum(_prepared_bytes(graph, folder, images) for folder in graph.variants()),
            _there(graph, f"{results}/data/*/*/*"),
        ),
        Space(
            "manifests",
            int(MANIFEST * sum(manifests.values())),
            _there(graph, f"{results}/data/*/*/manifests/*"),
        ),
        Space(
            "weights",
            sum(most_states(run) * costs[run.key].state_bytes for run in runs),
            _there(graph, f"{results}/training/*/*/*weights.safetensors"),
        ),
        Space(
            "records, scores and analyses",
            sum(RECORDS + _score_bytes(run, images[run.dataset]) for run in runs)
            + ANALYSIS * len([*graph.constants(), *graph.measured]),
            _there(graph, f"{results}/training/*/*/*.parquet", f"{results}/training/*/*/*.json")
            + _there(graph, f"{results}/evaluation/**/*", f"{results}/logs/**/*"),
        ),
        Space("report", REPORT, _there(graph, f"{results}/report/*", f"{results}/params.json")),
        Space("checkpoint of an unfinished job", max(checkpoints), _there(graph, f"{results}/training/*/*/work-*/*")),
    ]


def _there(graph: Graph, *patterns: str) -> int:
    found = {path for pattern in patterns for path in graph.folder.glob(pattern)}
    return sum(path.stat().st_size for path in found if path.is_file())


def _prepared_bytes(graph: Graph, folder: str, images: Mapping[str, Images]) -> int:
    dataset, variant_name = folder.split("/")[-2:]
    variant = graph.params.variant(dataset, variant_name)
    row = TABLE[graph.params.datasets[dataset].layout]
    return images[dataset].total * (variant.size**2 * variant.channels + row) + SHEET


def _score_bytes(run: Run, images: Images) -> int:
    points = POINTS * images.counts["test"] if LANDMARKS in run.tasks else 0
    return int(SCORE * len(label_names(run)) * _task_images(run, images, "test") + points)


def _task_images(run: Run, images: Images, split: Split) -> float:
    """Return how many images of a split have a label of a task."""
    return images.counts[split] * (TASK_IMAGES if run.layout == "classes" else 1.0)

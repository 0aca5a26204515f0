"""What the report says of the data: counts, minority rates, digests, images left out, pictures of examples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from taskshare.config import SPLITS, Entry, Params, Run
from taskshare.config.tasks import answers, pair_of
from taskshare.evaluation.names import by_paper
from taskshare.evaluation.published import KnownSource
from taskshare.evaluation.results import Results
from taskshare.pictures import address

LEFT_OUT_SHOWN = 200
RAREST_SHOWN = 4
SHEET_BYTES = 400_000
"""Most that one picture of examples may add to the page, before base64."""


@dataclass(frozen=True)
class TaskRate:
    """Counts of one task in the training split."""

    task: str
    positives: int
    negatives: int

    @property
    def minority(self) -> float:
        """Share of the rarer label, 0 to 0.5."""
        return min(self.positives, self.negatives) / max(1, self.positives + self.negatives)


@dataclass(frozen=True)
class DataFacts:
    """One data set in one variant, or the note that it has not been prepared.

    Attributes:
        users: the papers whose experiments are run on it, and the user's own experiments.
        landmarks: whether a net learns to find landmarks on it.
        known: what is known of its files.
    """

    dataset: str
    variant: str
    users: list[str]
    image: str
    landmarks: bool
    source: str
    prepared: bool
    official: bool
    synthetic: bool
    counts: dict[str, int]
    files: dict[str, dict[str, Any]]
    rates: list[TaskRate]
    rarest: list[tuple[str, float]]
    left_out: list[tuple[str, str]]
    left_out_count: int
    sheet: str | None
    known: list[KnownSource]


def data_facts(params: Params, results: Results, known: Sequence[KnownSource] = ()) -> list[DataFacts]:
    """Return the facts of each data set and variant that an enabled experiment uses, in the order of params.yaml.

    Args:
        params: The configuration.
        results: What has been run.
        known: What is known of some files.
    """
    users: dict[tuple[str, str], list[Run]] = {}
    for job in params.enabled_jobs().values():
        users.setdefault((job.dataset, job.variant_name), []).append(job)
    return [_facts(params, results, dataset, variant, runs, known) for (dataset, variant), runs in users.items()]


def minority_shares(facts: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of the rarer label, 0 to 0.5, of every attribute in the training split, the rarest first."""
    positives = facts.get("positives", {}).get("train", {})
    shares = {label: count / max(1, facts["counts"]["train"]) for label, count in positives.items()}
    return dict(sorted(((label, min(share, 1 - share)) for label, share in shares.items()), key=lambda item: item[1]))


def _facts(
    params: Params, results: Results, dataset: str, variant: str, runs: list[Run], known: Sequence[KnownSource]
) -> DataFacts:
    facts = results.facts(dataset, variant) or {}
    shape = runs[0].variant
    kind = "synthetic" if params.source(dataset) == "synthetic" else "path"
    counts = facts.get("counts", {})
    train = facts.get("positives", {}).get("train", {})
    attributes = runs[0].layout == "attributes"
    left_out = [(str(name), str(reason)) for name, reason in facts.get("left_out", [])]
    sheet = results.contact_sheet(dataset, variant) if params.report.example_images else None
    words = [f"{shape.size} × {shape.size} pixels", shape.colour]
    words += ["aligned"] if shape.align else ["centre square of the image as it is"] if attributes else []
    words += ["histogram-equalised"] if shape.equalise else []
    return DataFacts(
        dataset=dataset,
        variant=variant,
        users=_users(params, {run.name for run in runs}),
        image=", ".join(words),
        landmarks=any(run.finds_landmarks for run in runs),
        source=facts.get("source", kind),
        prepared=bool(facts),
        official=bool(facts.get("official", False)),
        synthetic=bool(facts.get("synthetic", kind == "synthetic")),
        counts={split: counts[split] for split in SPLITS if split in counts},
        files=facts.get("files", {}),
        rates=_rates(
            (name for run in runs for task in run.tasks for name in answers(task, run.labels)),
            train,
            counts.get("train", 0),
        ),
        rarest=list(minority_shares(facts).items())[:RAREST_SHOWN] if attributes else [],
        left_out=left_out[:LEFT_OUT_SHOWN],
        left_out_count=len(left_out),
        sheet=None if sheet is None else data_address(sheet),
        known=[
            source for source in known if source.sha256 in {file["sha256"] for file in facts.get("files", {}).values()}
        ],
    )


def _users(params: Params, jobs: set[str]) -> list[str]:
    enabled = list(params.enabled(Entry))
    using = [
        name
        for name in enabled
        if any(
            job in jobs
            for run_name in params.experiments[name].run_names
            for ancestor in params.lineage(run_name)
            for job in params.job_names(ancestor)
        )
    ]
    return [group.heading for group in by_paper(using, str)]


def _rates(tasks: Iterable[str], positives: dict[str, int], images: int) -> list[TaskRate]:
    rates = []
    for task in dict.fromkeys(tasks):
        if task in positives:
            rates.append(TaskRate(task, positives[task], images - positives[task]))
        elif pair := pair_of(task, list(positives)):
            first, second = pair
            rates.append(TaskRate(task, positives[second], positives[first]))
    return rates


def data_address(path: Path, limit: int = SHEET_BYTES) -> str:
    """Return a PNG as a data address; beyond `limit` bytes, as a JPEG that is halved until it is small enough."""
    content = path.read_bytes()
    if len(content) <= limit:
        return address(content, "png")
    picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR))
    while len(content) > limit:
        content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        picture = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return address(content, "jpeg")

"""The experiments that are no tables, each with what was published of it and the summary of its results."""

from collections.abc import Mapping
from typing import Any

from taskshare.config import Experiment, Params, Table
from taskshare.evaluation.kinds import KINDS, AnySummary
from taskshare.evaluation.kinds.kind import Part
from taskshare.evaluation.published import Published
from taskshare.evaluation.results import Results, generated


class Analysis(Part):
    """An experiment that is no table.

    Attributes:
        kind: as in params.yaml.
        id: the experiment's key in params.yaml.
        title: its heading, the experiment's key if nothing is published.
        question: what it asks; empty if nothing is published.
        note: what a reader has to know.
        source: the place in the paper.
        readings: ids of the deviation register that concern it.
        synthetic: whether its data are generated, and it depends on them.
        files: results that it was made from; * stands for any seed.
        summary: its numbers and sentences; None where it has not been run.
    """

    kind: str
    id: str
    title: str
    question: str
    note: str
    source: str
    readings: list[str]
    synthetic: bool
    files: list[str]
    summary: AnySummary | None


def analyses(params: Params, results: Results, published: Mapping[str, Published]) -> list[Analysis]:
    """Return every enabled experiment that is no table, in the order of params.yaml.

    Args:
        params: the configuration.
        results: what has been run, of any completeness.
        published: the paper's numbers by experiment.
    """
    return [
        _analysis(params, name, experiment, published.get(name), results)
        for name, experiment in params.experiments.items()
        if params.is_enabled(name) and not isinstance(experiment, Table)
    ]


def _analysis(
    params: Params, name: str, experiment: Experiment, published: Published | None, results: Results
) -> Analysis:
    kind, first = KINDS[experiment.kind], params.spec(experiment.run_names[0])
    summary: Any = kind.summarise(params, name, experiment, results, published)
    return Analysis(
        kind=experiment.kind,
        id=name,
        title=". ".join(filter(None, (published.label, published.title))) if published else name,
        question=published.question if published else "",
        note=published.note if published else "",
        source=published.source if published else "no published numbers",
        readings=published.readings if published else [],
        synthetic=kind.of_images and generated(params, results, first.dataset, first.variant),
        files=kind.files(params, experiment),
        summary=summary,
    )

"""What the nets of a scale answered for each test person, read from their recorded scores and landmarks."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from taskshare.config import Metric, Run
from taskshare.evaluation.landmark_errors import detected
from taskshare.evaluation.results import Results
from taskshare.statistics.contributions import Contributions, of_balanced_accuracy, of_mean, over_seeds
from taskshare.statistics.metrics import decide

UNKNOWN = -1
"""The identity of an image whose person is not known."""


class Answers:
    """Contributions of test persons to each net's metrics, by task, attribute or landmark.

    A file is read once, and what is kept grows with the test persons. An image whose person is not known, as every
    image of CIFAR-10, counts as a person of its own.

    Args:
        results: what has been run.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self._jobs: dict[tuple[str, Metric], dict[str, Contributions]] = {}
        self._persons: dict[tuple[str, str], pd.Series | None] = {}
        self._units: dict[tuple[str, str, str], tuple[np.ndarray, pd.Categorical]] = {}

    def contributions(self, jobs: Iterable[Run], column: str, metric: Metric) -> Contributions | None:
        """Return the contributions to a metric, 0 to 1, for the seeds that have it.

        Args:
            jobs: the jobs of one name, one a seed.
            column: a task, attribute or landmark.
            metric: what is measured.

        Returns:
            None if no job has recorded answers, or the metric is undefined: balanced accuracy, where all test images
            have one label.
        """
        found = [
            part[column]
            for job in sorted(jobs, key=lambda job: job.seed)
            if column in (part := self._of_job(job, metric))
        ]
        return over_seeds(found) if found else None

    def _of_job(self, job: Run, metric: Metric) -> dict[str, Contributions]:
        if (job.key, metric) not in self._jobs:
            self._jobs[job.key, metric] = dict(self._read(job, metric))
        return self._jobs[job.key, metric]

    def _read(self, job: Run, metric: Metric) -> Iterator[tuple[str, Contributions]]:
        seed: Sequence[int] = (job.seed,)
        if metric == "detection_rate":
            landmarks = self._results.landmarks(job.name, job.seed)
            for point, part in () if landmarks is None else landmarks.groupby("landmark", sort=False):
                found = detected(part["error"].to_numpy())
                yield str(point), of_mean(found[None], self._units_of(job, str(point), part["id"]), seed)
            return
        scores = self._results.scores(job.name, job.seed)
        for task, part in () if scores is None else scores.groupby("task", sort=False):
            units, labels = self._units_of(job, str(task), part["id"]), part["label"].to_numpy()
            decisions = decide(part["score"].to_numpy())[None]
            if metric == "accuracy":
                yield str(task), of_mean(decisions == (labels == 1), units, seed)
            elif labels.any() and not labels.all():
                yield str(task), of_balanced_accuracy(labels, decisions, units, seed)

    def _units_of(self, job: Run, column: str, ids: pd.Series) -> pd.Categorical:
        """Return the person of each image, remembered, since the nets of a data set answer for the same images."""
        place = (job.dataset, job.variant_name, column)
        names = ids.to_numpy()
        known = self._units.get(place)
        if known is None or not np.array_equal(known[0], names):
            persons = self._persons_of(job)
            units = names if persons is None else persons.reindex(names).to_numpy()
            known = names, pd.Categorical(units)
            self._units[place] = known
        return known[1]

    def _persons_of(self, job: Run) -> pd.Series | None:
        """Return a name for the person of each test image, by the image's; None where none is known."""
        place = (job.dataset, job.variant_name)
        if place not in self._persons:
            table = self._results.label_table(*place, "test")
            self._persons[place] = None if table is None or "identity" not in table else _names(table)
        return self._persons[place]


def _names(table: pd.DataFrame) -> pd.Series:
    images, identity = table["id"].astype(object), table["identity"]
    return images.where(identity == UNKNOWN, "person " + identity.astype(str)).set_axis(images)

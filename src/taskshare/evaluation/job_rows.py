"""How each number was made: one row per training job, and the parts that all jobs have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taskshare.config import Params, Run, Table
from taskshare.config.tasks import answers
from taskshare.evaluation.names import POINTS
from taskshare.evaluation.results import Results, jobs_of_columns


@dataclass(frozen=True)
class JobRow:
    """One training job and, where it has been run, how."""

    job: Run
    provenance: dict[str, Any] | None
    speed: float | None
    other_versions: dict[str, str]

    @property
    def start(self) -> str:
        """The parent that a job starts from, and whether what it froze is still as it was; empty without a parent."""
        if self.job.start is None:
            return ""
        frozen = ((self.provenance or {}).get("start") or {}).get("frozen")
        if frozen is None:
            return self.job.start.job
        return f"{self.job.start.job}, frozen part {'untouched' if frozen['before'] == frozen['after'] else 'CHANGED'}"

    @property
    def state(self) -> str:
        """Git commit, shortened, with a mark for changes that were not committed."""
        commit = (self.provenance or {}).get("git_commit")
        if commit is None:
            return "no commit"
        return f"{commit[:10]}{' + changes' if self.provenance and self.provenance.get('git_dirty') else ''}"


@dataclass(frozen=True)
class RunSummary:
    """One row of a table: its nets' size, budget and which weights were kept.

    `jobs` are those that fill its columns, seed by seed.
    """

    row: str
    runs: list[str]
    jobs: list[Run]
    parameters: int | None
    done: int
    first_selected: int | None
    last_selected: int | None

    @property
    def nets(self) -> int:
        """Nets that one seed of the row needs."""
        return len({job.name for job in self.jobs})

    def settings(self, name: str) -> list[Any]:
        """Return the values that an entry of `training`, or of the job itself, has in the row's jobs."""
        values = [
            getattr(job.training, name) if hasattr(job.training, name) else getattr(job, name) for job in self.jobs
        ]
        return list(dict.fromkeys(values))


@dataclass(frozen=True)
class TestCounts:
    """Test images of one task, attribute or landmark; a landmark has no positives and negatives."""

    task: str
    images: int
    positives: int | None
    negatives: int | None


def job_rows(params: Params, results: Results) -> tuple[list[JobRow], dict[str, str]]:
    """Return one row per job of the enabled experiments, and the package versions that all finished jobs share."""
    found = {key: results.provenance(job.name, job.seed) for key, job in params.enabled_jobs().items()}
    versions = [entry["versions"] for entry in found.values() if entry]
    common = (
        {name: version for name, version in versions[0].items() if all(v.get(name) == version for v in versions)}
        if versions
        else {}
    )
    rows = []
    for key, job in params.enabled_jobs().items():
        entry = found[key]
        others = {k: v for k, v in entry["versions"].items() if k not in common} if entry else {}
        rows.append(JobRow(job, entry, _speed(results, job, entry), others))
    return rows, dict(sorted(common.items()))


def run_summaries(params: Params, experiment: Table, columns: Sequence[str], results: Results) -> list[RunSummary]:
    """Return one entry per row of a table with these columns."""
    summaries = []
    for row, runs in experiment.runs.items():
        found = jobs_of_columns(params, runs, columns).values()
        jobs = list({job.key: job for seeds in found for job in seeds}.values())
        entries = {job.key: results.provenance(job.name, job.seed) for job in jobs}
        by_net = {job.name: entry["parameters"] for job in jobs if (entry := entries[job.key])}
        selected = [entry["selected_iteration"] for entry in entries.values() if entry]
        complete = len(by_net) == len({job.name for job in jobs})
        summaries.append(
            RunSummary(
                row=row,
                runs=runs,
                jobs=jobs,
                parameters=sum(by_net.values()) if complete else None,
                done=len(selected),
                first_selected=min(selected, default=None),
                last_selected=max(selected, default=None),
            )
        )
    return summaries


def test_counts(params: Params, results: Results) -> dict[str, list[TestCounts]]:
    """Return the test images of each task, attribute and landmark of enabled tables, by data set; empty if not run."""
    counts: dict[str, dict[str, TestCounts]] = {}
    for experiment in params.enabled(Table).values():
        for job in (job for run_name in experiment.run_names for job in params.jobs(run_name)):
            of_dataset = counts.setdefault(job.dataset, {})
            if {name for task in job.tasks for name in answers(task, job.labels)} <= of_dataset.keys():
                continue
            for name, found in (results.metrics(job.name, job.seed) or {}).items():
                of_dataset.setdefault(name, _counts(name, found))
    return {dataset: list(names.values()) for dataset, names in counts.items()}


def _counts(name: str, found: dict[str, float]) -> TestCounts:
    if "images" in found:
        return TestCounts(POINTS.get(name, name), int(found["images"]), None, None)
    positives, negatives = int(found["positives"]), int(found["negatives"])
    return TestCounts(name, positives + negatives, positives, negatives)


def _speed(results: Results, job: Run, entry: dict[str, Any] | None) -> float | None:
    """Images per second: the median of what was timed, else the mean over the whole job."""
    timing = results.timing(job.name, job.seed)
    if timing is not None and len(timing):
        return float(timing["images_per_second"].median())
    return entry["images"] / entry["seconds"] if entry and entry["seconds"] else None

"""How each number was made: one row per training job, and the parts that all jobs have in common."""

from dataclasses import dataclass
from typing import Any

from taskshare.config import Params, Run
from taskshare.report.results import Results, task_metrics


@dataclass(frozen=True)
class JobRow:
    """One training job and, where it has been run, how."""

    job: Run
    provenance: dict[str, Any] | None
    speed: float | None
    other_versions: dict[str, str]

    @property
    def state(self) -> str:
        """Git commit, shortened, with a mark for changes that were not committed."""
        commit = (self.provenance or {}).get("git_commit")
        if commit is None:
            return "no commit"
        return f"{commit[:10]}{' + changes' if self.provenance and self.provenance.get('git_dirty') else ''}"


@dataclass(frozen=True)
class RunSummary:
    """One entry of `runs`: size, budget and which weights were kept."""

    row: str
    name: str
    nets: int
    parameters: int | None
    done: int
    wanted: int
    job: Run
    first_selected: int | None
    last_selected: int | None


@dataclass(frozen=True)
class TestCounts:
    """Test images of one task."""

    task: str
    positives: int
    negatives: int


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


def run_summaries(params: Params, experiment: str, results: Results) -> list[RunSummary]:
    """Return one entry per row of an experiment."""
    summaries = []
    for row, name in params.experiments[experiment].rows.items():
        jobs = list(params.jobs(name))
        entries = {job.key: results.provenance(job.name, job.seed) for job in jobs}
        done = [entry for entry in entries.values() if entry]
        by_job = {job.name: entries[job.key]["parameters"] for job in jobs if entries[job.key]}  # type: ignore[index]
        nets = len(params.job_names(name))
        selected = [entry["selected_iteration"] for entry in done]
        summaries.append(
            RunSummary(
                row=row,
                name=name,
                nets=nets,
                parameters=sum(by_job.values()) if len(by_job) == nets else None,
                done=len(done),
                wanted=len(jobs),
                job=jobs[0],
                first_selected=min(selected, default=None),
                last_selected=max(selected, default=None),
            )
        )
    return summaries


def test_counts(params: Params, experiment: str, results: Results) -> list[TestCounts]:
    """Return the number of test images of each task, from whichever row has been run."""
    counts: dict[str, TestCounts] = {}
    for run_name in params.experiments[experiment].rows.values():
        for task, seeds in task_metrics(params, results, run_name).items():
            measured = next(iter(seeds.values()))
            counts.setdefault(task, TestCounts(task, int(measured["positives"]), int(measured["negatives"])))
    return list(counts.values())


def _speed(results: Results, job: Run, entry: dict[str, Any] | None) -> float | None:
    """Images per second: the median of what was timed, else the mean over the whole job."""
    timing = results.timing(job.name, job.seed)
    if timing is not None and len(timing):
        return float(timing["images_per_second"].median())
    return entry["images"] / entry["seconds"] if entry and entry["seconds"] else None

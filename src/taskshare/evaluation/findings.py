"""The one file in which evaluation ends: all that the report shows, and nothing that it would have to compute."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from taskshare import files
from taskshare.config import GENERATED_OR_OFFICIAL, Params, Table, explain
from taskshare.errors import TaskshareError
from taskshare.evaluation import claims, tables
from taskshare.evaluation.answers import Answers
from taskshare.evaluation.claims import JudgedClaim, Plan
from taskshare.evaluation.data_facts import DataFacts, data_facts
from taskshare.evaluation.disclosure import Disclosure, disclosures
from taskshare.evaluation.job_rows import JobRow, RunSummary, TestCounts, job_rows, run_summaries, test_counts
from taskshare.evaluation.names import Paper
from taskshare.evaluation.plan_history import PlanHistory, plan_history
from taskshare.evaluation.published import (
    Contradiction,
    Deviation,
    load_contradictions,
    load_deviations,
    load_known_sources,
    load_published,
    published_tables,
)
from taskshare.evaluation.results import Results
from taskshare.evaluation.sections import Section, sections
from taskshare.statistics.intervals import LEVEL


class Findings(BaseModel):
    """Every number, interval, verdict, sentence and piece of provenance of one scale; null for what was not run.

    Attributes:
        scale: its name in params.yaml.
        level: of the intervals, such as 0.95.
        example_images: whether the report may show single images.
        data: of each prepared variant.
        claims: with their verdicts.
        sections: tables, training curves and analyses by paper; the user's own experiments stand last.
        summaries: how each row of a table was trained, by experiment.
        disclosures: what each row of a table cost, and its mean under other selections, by experiment.
        plan: how claims are judged.
        history: when the plan was last changed; None outside a repository.
        ages: number of jobs by their age against the plan.
        departures: what at this scale is not as planned.
        test_counts: test images and positives by task, by data set.
        deviations: readings where a paper leaves something open.
        contradictions: what the papers say against themselves.
        jobs: every training job with its provenance.
        versions: of packages, as most jobs had them.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings", extra="forbid")

    scale: str
    level: float
    example_images: bool
    data: list[DataFacts]
    claims: list[JudgedClaim]
    sections: list[Section]
    summaries: dict[str, list[RunSummary]]
    disclosures: dict[str, list[Disclosure]]
    plan: Plan
    history: PlanHistory | None
    ages: dict[str, int]
    departures: list[str]
    test_counts: dict[str, list[TestCounts]]
    deviations: list[Deviation]
    contradictions: list[Contradiction]
    jobs: list[JobRow]
    versions: dict[str, str]

    @property
    def demonstration(self) -> bool:
        """Whether this is no evidence about the papers."""
        return self.scale == "demo" or any(facts.synthetic for facts in self.data)

    @property
    def unofficial(self) -> list[DataFacts]:
        """Data sets that have the name of an official one, with other files."""
        return [
            facts
            for facts in self.data
            if facts.dataset in GENERATED_OR_OFFICIAL and facts.prepared and not facts.synthetic and not facts.official
        ]

    @property
    def estimated_landmarks(self) -> list[str]:
        """Data sets whose landmarks were estimated by another program."""
        return [
            facts.dataset
            for facts in self.data
            if facts.landmarks and any(item.estimated_landmarks for item in facts.known)
        ]

    @property
    def tables(self) -> dict[str, tables.ComparisonTable]:
        """Every table by its experiment."""
        return {table.id: table for section in self.sections for table in section.tables}

    @property
    def papers(self) -> list[Paper]:
        """The papers that have a section."""
        return [section.group.paper for section in self.sections if section.group.paper]


def find(params: Params, root: Path, reports: Path) -> Findings:
    """Return the findings of whatever results there are.

    Args:
        params: The configuration.
        root: The scale's folder of results, results/SCALE; of any completeness.
        reports: The folder with published/, claims/, plan.yaml, sources.yaml, deviations.yaml and contradictions.yaml.

    Raises:
        TaskshareError: a result, a published number, a claim or a register entry that cannot be read.
    """
    results, published = Results(root), load_published(reports / "published")
    data = data_facts(params, results, load_known_sources(reports / "sources.yaml"))
    generated = {facts.dataset for facts in data if facts.synthetic}
    jobs, versions = job_rows(params, results)
    printed, shown = published_tables(published), params.enabled(Table)
    plan, history = claims.load_plan(reports / "plan.yaml"), plan_history(reports / "plan.yaml")
    answers = Answers(results)
    compared = {
        name: tables.comparison_table(
            params,
            name,
            item,
            printed.get(name),
            results,
            any(params.spec(run).dataset in generated for run in item.run_names),
            answers,
            plan.as_good_as,
        )
        for name, item in shown.items()
    }
    ages: dict[str, int] = {}
    for row in jobs if history else ():
        if history and row.provenance:
            age = history.age(row.provenance)
            ages[age] = ages.get(age, 0) + 1
    columns = {name: list(table.columns) for name, table in compared.items()}
    return Findings(
        scale=params.scale,
        level=LEVEL,
        example_images=params.report.example_images,
        data=data,
        claims=claims.judge_claims(params, results, reports, answers),
        sections=sections(params, results, published, compared),
        summaries={name: run_summaries(params, item, columns[name], results) for name, item in shown.items()},
        disclosures={name: disclosures(params, item, columns[name], results) for name, item in shown.items()},
        plan=plan,
        history=history,
        ages=ages,
        departures=claims.departures(params, plan),
        test_counts=test_counts(params, results),
        deviations=load_deviations(reports / "deviations.yaml"),
        contradictions=load_contradictions(reports / "contradictions.yaml"),
        jobs=jobs,
        versions=versions,
    )


def json_schema() -> str:
    """Return the JSON schema of findings.json as indented JSON, made from the models."""
    return json.dumps(Findings.model_json_schema(mode="serialization"), indent=1) + "\n"


def write(findings: Findings, path: Path) -> None:
    """Write findings.json, whole or not at all."""
    files.write_text(path, findings.model_dump_json(indent=1) + "\n")


def read(path: Path) -> Findings:
    """Return what `write` wrote.

    Raises:
        TaskshareError: if there is no such file, or it is none of this version's.
    """
    try:
        return Findings.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TaskshareError(f"{path}: no such file; call `taskshare findings` first") from None
    except ValidationError as error:
        raise TaskshareError(
            f"{path}: not of this version ({explain(error)}); call `taskshare findings` again"
        ) from None

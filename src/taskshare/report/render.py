"""The report: one HTML file from whatever results stand there."""

import math
import os
from collections import Counter
from pathlib import Path

import jinja2
from markupsafe import Markup

from taskshare import files
from taskshare.config import GENERATED_OR_OFFICIAL, Params, Table
from taskshare.evaluation import claims, data_facts, disclosure, provenance, rows, tables
from taskshare.evaluation.answers import Answers
from taskshare.evaluation.plan_history import plan_history
from taskshare.evaluation.published import (
    load_contradictions,
    load_deviations,
    load_known_sources,
    load_published,
    published_tables,
)
from taskshare.evaluation.results import Results
from taskshare.report import figures, sections
from taskshare.report.analyses import draw
from taskshare.statistics.intervals import LEVEL

MINUS = "−"


def render(params: Params, results: Path, templates: Path, out: Path) -> None:
    """Write the report.

    The file is self-contained, and the same inputs give the same bytes. Results may be incomplete or absent: what is
    missing is shown as not run.

    Args:
        params: The configuration.
        results: The scale's folder of results, results/SCALE.
        templates: The folder with templates/, published/, claims/, plan.yaml, sources.yaml, deviations.yaml and
            contradictions.yaml.
        out: The HTML file to write.

    Raises:
        TaskshareError: a result, a published number, a claim or a register entry that cannot be read.
    """
    stored = Results(results)
    published = load_published(templates / "published")
    register = load_deviations(templates / "deviations.yaml")
    data = data_facts.data_facts(params, stored, load_known_sources(templates / "sources.yaml"))
    generated = {facts.dataset for facts in data if facts.synthetic}
    jobs, versions = provenance.job_rows(params, stored)
    printed = published_tables(published)
    shown = params.enabled(Table)
    plan, history = claims.load_plan(templates / "plan.yaml"), plan_history(templates / "plan.yaml")
    answers = Answers(stored)
    compared = {
        name: tables.comparison_table(
            params,
            name,
            item,
            printed.get(name),
            stored,
            _uses(params, item, generated),
            answers,
            plan.as_good_as,
        )
        for name, item in shown.items()
    }
    shown_sections = sections.sections(params, stored, published, compared)
    context = {
        "params": params,
        "scale": params.scale,
        "level": LEVEL,
        "data": data,
        "demonstration": params.scale == "demo" or bool(generated),
        "unofficial": [
            facts
            for facts in data
            if facts.dataset in GENERATED_OR_OFFICIAL and facts.prepared and not facts.synthetic and not facts.official
        ],
        "estimated_landmarks": [
            facts.dataset for facts in data if facts.landmarks and any(item.estimated_landmarks for item in facts.known)
        ],
        "claims": claims.judge_claims(params, stored, templates, answers),
        "sections": shown_sections,
        "papers": [section.group.paper for section in shown_sections if section.group.paper],
        "metrics": {table.metric for table in compared.values()},
        "titles": {name: table.label or table.title for name, table in compared.items()},
        "summaries": {
            name: provenance.run_summaries(params, item, list(compared[name].columns), stored)
            for name, item in shown.items()
        },
        "disclosures": {
            name: disclosure.disclosures(params, item, list(compared[name].columns), stored)
            for name, item in shown.items()
        },
        "plan": plan,
        "history": history,
        "ages": Counter(history.age(row.provenance) for row in jobs if row.provenance) if history else {},
        "departures": claims.departures(params, plan),
        "test_counts": provenance.test_counts(params, stored),
        "register": register,
        "entries": {entry.id: entry for entry in register},
        "contradictions": load_contradictions(templates / "contradictions.yaml"),
        "jobs": jobs,
        "versions": versions,
        # A report that is kept elsewhere, as an example, has no results to link to.
        "linked": out.resolve().is_relative_to(results.resolve()),
        "base": Path(os.path.relpath(results.resolve(), out.resolve().parent)).as_posix(),
    }
    files.write_text(out, _environment(templates / "templates").get_template("page.html.j2").render(context))


def _uses(params: Params, table: Table, datasets: set[str]) -> bool:
    return any(params.spec(run).dataset in datasets for run in table.run_names)


def _environment(folder: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        fixed=fixed,
        signed=signed,
        grouped=grouped,
        exact=exact,
        mebibytes=mebibytes,
        key=figures.key,
        svg=Markup,
        draw=draw,
    )
    environment.filters["standard_errors"] = rows.standard_errors
    environment.globals["constant_name"] = tables.CONSTANT
    return environment


def fixed(value: float, digits: int = 1) -> str:
    """Format a number with a true minus sign; a rounded zero has no sign, and a half is rounded away from zero."""
    text = f"{value + math.copysign(1e-9, value):.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def signed(value: float, digits: int = 1) -> str:
    """Format a difference with its sign."""
    text = fixed(value, digits)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def grouped(value: float) -> str:
    """Format a count with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")


def exact(value: float) -> str:
    """Format a number for a data attribute: plain, with four digits."""
    return f"{value:.4f}"


def mebibytes(value: float) -> str:
    """Format bytes as MiB."""
    return grouped(value / 2**20)

"""The report: one HTML file, drawn from the findings."""

import math
import os
from pathlib import Path

import jinja2
from markupsafe import Markup

from taskshare import files
from taskshare.evaluation import rows, tables
from taskshare.evaluation.findings import Findings
from taskshare.report import figures
from taskshare.report.analyses import draw

MINUS = "−"


def render(findings: Findings, results: Path, templates: Path, out: Path) -> None:
    """Write the report.

    The file is self-contained, and the same findings give the same bytes. What is missing in them is shown as not run.

    Args:
        findings: All that is shown.
        results: The scale's folder of results, results/SCALE, to which the page links if it lies in it.
        templates: The folder of the templates.
        out: The HTML file to write.
    """
    context = {
        **{name: getattr(findings, name) for name in type(findings).model_fields},
        "demonstration": findings.demonstration,
        "unofficial": findings.unofficial,
        "estimated_landmarks": findings.estimated_landmarks,
        "papers": findings.papers,
        "metrics": {table.metric for table in findings.tables.values()},
        "titles": {name: table.label or table.title for name, table in findings.tables.items()},
        "register": findings.deviations,
        "entries": {entry.id: entry for entry in findings.deviations},
        # A report that is kept elsewhere, as an example, has no results to link to.
        "linked": out.resolve().is_relative_to(results.resolve()),
        "base": Path(os.path.relpath(results.resolve(), out.resolve().parent)).as_posix(),
    }
    files.write_text(out, _environment(templates).get_template("page.html.j2").render(context))


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
        legend=figures.legend,
        curve_pictures=figures.curve_pictures,
        transfer_pictures=figures.transfer_pictures,
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

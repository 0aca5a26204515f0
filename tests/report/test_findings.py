"""The one file between evaluation and the report: valid JSON, whole, and all that the page shows."""

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from taskshare.errors import TaskshareError
from taskshare.evaluation import findings
from taskshare.evaluation.findings import Findings

from .conftest import REPORTS, load_params


@pytest.fixture(scope="module")
def found(full_results: Path) -> Findings:
    return findings.find(load_params(), full_results, REPORTS)


@pytest.fixture(scope="module")
def path(found: Findings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("findings") / "findings.json"
    findings.write(found, file)
    return file


def numbers(content: object) -> Iterator[float]:
    """Every number of a JSON value; shares in percent too, the ends of intervals, and simple differences."""
    if isinstance(content, dict):
        mean, half_width = content.get("mean"), content.get("half_width")
        if isinstance(mean, float) and isinstance(half_width, float):
            yield from (mean - half_width, mean + half_width)
        if isinstance(content.get("ours"), dict) and content.get("paper") is not None:
            yield content["ours"]["mean"] - content["paper"]
        if isinstance(content.get("within"), float) and isinstance(content.get("between"), float):
            yield content["within"] - content["between"]
        if isinstance(content.get("negatives"), int) and content.get("positives") is not None:
            counts = content["positives"], content["negatives"]
            yield 100 * min(counts) / max(sum(counts), 1)
        for value in content.values():
            yield from numbers(value)
    elif isinstance(content, list):
        for value in content:
            yield from numbers(value)
    elif isinstance(content, int | float):
        yield from (content, 100 * content)


def test_what_is_written_is_read_again(found: Findings, path: Path) -> None:
    assert findings.read(path) == found


def test_it_is_json_without_a_place_or_time_of_this_machine(path: Path, full_results: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = path.read_text(encoding="utf-8")
    json.loads(text, parse_constant=refuse)
    assert str(full_results) not in text
    assert str(REPORTS.resolve()) not in text


def test_what_is_undefined_is_json_too_and_read_again(found: Findings, tmp_path: Path) -> None:
    findings.write(found.model_copy(update={"level": math.inf}), tmp_path / "findings.json")
    assert json.loads((tmp_path / "findings.json").read_text())["level"] == "Infinity", "not a word that JSON lacks"
    assert findings.read(tmp_path / "findings.json").level == math.inf


def test_training_curves_are_in_percent_but_for_the_loss(found: Findings, full_results: Path) -> None:
    history = pd.read_parquet(full_results / "training" / "celeba-hard" / "seed1" / "history.parquet")
    history = history[history["task"] == "Goatee"].sort_values("iteration")
    curves = next(item for section in found.sections for item in section.curves if "MT" in item.rows)
    column = next(item for item in curves.columns if item.column == "Goatee")
    for words, factor, quantity in (
        ("training loss", 1, "training_loss"),
        ("training error (%)", 100, "training_error"),
        ("validation (%)", 100, "validation_balanced_accuracy"),
    ):
        [lines] = [lines for lines in column.curves[words] if lines.row == "MT"]
        first = lines.seeds[0] if lines.seeds else lines.mean
        assert first.values[-1] == pytest.approx(factor * history[quantity].dropna().iloc[-1])


def test_the_same_results_give_the_same_bytes(path: Path, full_results: Path, tmp_path: Path) -> None:
    findings.write(findings.find(load_params(), full_results, REPORTS), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_every_number_of_the_page_is_in_the_file(path: Path, full_page: Path) -> None:
    known = {plain(value) for value in numbers(json.loads(path.read_text()))}
    # But a ratio of two numbers of one seed.
    marks = re.findall(r'data-row="([^"]*)"[^>]* data-value="([^"]+)"', full_page.read_text(encoding="utf-8"))
    shown = {plain(value) for row, value in marks if not row.endswith("-ratio")}
    assert len(shown) > 2000
    assert sorted(shown - known) == []


def plain(value: float | str) -> str:
    return f"{float(value) + 0.0:.4f}".replace("-0.0000", "0.0000")


def test_the_schema_is_that_of_the_models() -> None:
    kept = (REPORTS.parent / "workflow" / "findings.schema.json").read_text(encoding="utf-8")
    assert kept == findings.json_schema(), "taskshare schema --findings > workflow/findings.schema.json"


def test_rows_with_the_same_answers_differ_by_nothing_for_certain(
    found: Findings, full_results: Path, tmp_path: Path
) -> None:
    """What both rows have in common, easy persons and hard ones, drops out of the interval of their difference."""
    evaluation = tmp_path / "evaluation"
    for seed in (1, 2):
        for run in ("celeba-hard", "celeba-dynamic"):
            shutil.copytree(
                full_results / "evaluation" / "celeba-hard" / f"seed{seed}", evaluation / run / f"seed{seed}"
            )
    shutil.copytree(full_results / "data", tmp_path / "data")
    table = findings.find(load_params(), tmp_path, REPORTS).tables["fang2017-table4"]
    [difference] = [item for item in table.differences if (item.minuend, item.subtrahend) == ("DMT", "MT")]
    row = next(row for row in table.rows if row.label == "MT")
    assert difference.ours is not None
    assert (difference.ours.mean, difference.ours.half_width) == (0.0, 0.0)
    assert all(cell.ours.half_width > 0 for cell in row.cells if cell.ours)


def test_each_job_has_one_age_against_the_plan(found: Findings) -> None:
    assert sum(found.ages.values()) == len(found.jobs) == sum(row.provenance is not None for row in found.jobs)


def test_a_missing_file_and_one_of_another_version_are_told(path: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskshareError, match=r"gone\.json: no such file; call `taskshare findings` first"):
        findings.read(tmp_path / "gone.json")
    content = json.loads(path.read_text())
    del content["claims"]
    (tmp_path / "old.json").write_text(json.dumps(content))
    with pytest.raises(
        TaskshareError, match=r"old\.json: not of this version \(claims: .*call `taskshare findings` again"
    ):
        findings.read(tmp_path / "old.json")

"""What DVC shows of the results: numbers, completeness, and bytes that do not change by themselves."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from taskshare import config
from taskshare.graph import Graph, row_files
from taskshare.report import summary

from .conftest import REPORTS, fill, load_params


def summarise(params, results, out):
    """Write the summary; return the rows' means by path below metrics/, the curves and the pairs."""
    summary.write(params, results, REPORTS / "published", out)
    means = {
        path.relative_to(out / "metrics").as_posix(): json.loads(path.read_text(encoding="utf-8"))
        for path in out.glob("metrics/*/*.json")
    }
    tables = [
        list(csv.DictReader((out / name).read_text(encoding="utf-8").splitlines()))
        for name in ("learning_curves.csv", "published.csv")
    ]
    return means, *tables


def column(results, job, task, metric="balanced_accuracy"):
    """Mean of a metric over the seeds of a job, in percent."""
    paths = results.glob(f"evaluation/{job}/seed*/metrics.json")
    return 100 * np.mean([json.loads(path.read_text())["tasks"][task][metric] for path in paths])


@pytest.fixture(scope="module")
def full_summary(tmp_path_factory):
    """The folder of the summary of `full_results`; `full` fills it."""
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def full(full_results, full_summary):
    return full_results, *summarise(load_params(), full_results, full_summary)


def test_a_row_is_the_mean_over_columns_and_seeds_beside_the_papers(full):
    results, means, *_ = full
    tasks = ["cat.dog", "deer.horse", "bird.frog", "airplane.ship", "automobile.truck"]
    expected = np.mean([column(results, f"cifar10-single.{task}", task) for task in tasks])
    assert means["fang2017-table5/ST.json"] == {"ours": pytest.approx(expected, abs=0.005), "paper": 86.02}


def test_a_row_that_lacks_columns_is_the_mean_of_those_it_has(full):
    results, means, *_ = full
    tasks = ["Goatee", "Heavy_Makeup", "High_Cheekbones", "No_Beard", "Smiling"]
    expected = np.mean([column(results, "celeba-dynamic-removed", task) for task in tasks])
    found = means["fang2017-table4/DMT-after-removal.json"]
    assert found == {"ours": pytest.approx(expected, abs=0.005), "paper": 90.18}
    assert "paper" not in means["fang2017-table4/after-removal-β-reset.json"]


def test_every_row_has_its_file_as_the_workflow_expects_it(full):
    results, means, *_ = full
    files = [path for path in Graph(load_params(), results).summary_files() if path.endswith(".json")]
    assert sorted(means) == sorted(path.split("/metrics/")[1] for path in files)
    assert all("ours" in row for row in means.values())


def test_labels_that_differ_in_signs_or_case_only_have_files_of_their_own():
    table = config.Table(rows={"A, B": "x", "A B": "x", "…": "x", "a b": "x"})
    assert list(row_files("own", table).values()) == [
        "metrics/own/A-B.json",
        "metrics/own/A-B_.json",
        "metrics/own/row.json",
        "metrics/own/a-b__.json",
    ]


def test_a_curve_is_the_validation_error_or_without_validation_the_training_error(full):
    results, _, curves, _ = full

    def errors(table, row):
        lines = [line for line in curves if (line["table"], line["row"]) == (table, row)]
        return {line["split"] for line in lines}, {int(line["iteration"]): float(line["error"]) for line in lines}

    paths = list(results.glob("training/celeba-hard/seed*/history.parquet"))
    assert len(paths) == 2
    history = pd.concat([pd.read_parquet(path) for path in paths])
    expected = 100 * (1 - history.groupby("iteration")["validation_balanced_accuracy"].mean())
    assert errors("fang2017-table4", "MT") == ({"validation"}, pytest.approx(expected.to_dict(), abs=0.005))
    splits, found = errors("fang2017-table5", "ST")
    assert splits == {"validation"}
    assert sorted(found) == list(range(20, 81, 20))


def test_pairs_are_the_cells_that_are_printed(full):
    results, _, _, pairs = full
    rows = {(line["table"], line["row"], line["column"]): line for line in pairs}
    found = rows["fang2017-table4", "MT", "Goatee"]
    assert (found["published"], found["comparable"]) == ("93.9", "yes")
    assert float(found["ours"]) == pytest.approx(column(results, "celeba-hard", "Goatee"), abs=0.005)
    assert ("fang2017-table4", "MT", "mean") not in rows
    assert rows["matsui2019-aligned", "Baseline", "nose"]["comparable"] == "no"


def test_equal_results_give_equal_bytes(full, full_results, full_summary, tmp_path):
    summarise(load_params(), full_results, tmp_path)
    again = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(again) == len(Graph(load_params(), tmp_path).summary_files())
    assert all((full_summary / path).read_bytes() == content for path, content in again.items())


def test_what_is_not_run_is_left_out_and_what_is_gone_removed(tmp_path, params):
    results, out = tmp_path / "demo", tmp_path / "report"
    gone = out / "metrics" / "fang2017-table5" / "old-row.json"
    gone.parent.mkdir(parents=True)
    gone.write_text("{}")
    assert summarise(params, results, out) == ({}, [], [])
    assert not gone.exists()
    fill(results, params, "cifar10-hard")
    means, curves, pairs = summarise(params, results, out)
    assert list(means) == ["fang2017-table5/MT.json"]
    assert {line["row"] for line in (*curves, *pairs)} == {"MT"}


def test_a_row_without_a_number_says_what_the_paper_has(tmp_path, params):
    fill(tmp_path, params, "cifar10-hard")
    for path in tmp_path.glob("evaluation/cifar10-hard/*/metrics.json"):
        content = json.loads(path.read_text())
        content["tasks"]["cat.dog"]["balanced_accuracy"] = float("nan")
        path.write_text(json.dumps(content))
    means, *_ = summarise(params, tmp_path, tmp_path / "report")
    assert means == {"fang2017-table5/MT.json": {"paper": 86.6}}

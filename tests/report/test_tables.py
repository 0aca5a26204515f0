import pytest

from taskshare.report import tables
from taskshare.report.published import load_published
from taskshare.report.results import Results

from .conftest import REPORTS, load_params, write_json

TABLE = "fang2017-table5"


def build(results, **changes):
    params = load_params(**changes)
    published = load_published(REPORTS / "published")[TABLE]
    return tables.comparison_table(params, TABLE, params.experiments[TABLE], published, Results(results), True)


def write_metrics(results, run, seed, **accuracies):
    """Metrics with a balanced accuracy in percent per task; `cat_dog` stands for `cat.dog`."""
    tasks = {
        name.replace("_", "."): {
            "balanced_accuracy": value / 100,
            "accuracy_positives": value / 100 + 0.01,
            "accuracy_negatives": value / 100 - 0.01,
            "positives": 1000,
            "negatives": 1000,
            "standard_error": 0.008 + 0.002 * seed,
        }
        for name, value in accuracies.items()
    }
    write_json(
        results / "evaluation" / run / f"seed{seed}" / "metrics.json", {"run": run, "seed": seed, "tasks": tasks}
    )


def cell(table, label, task):
    row = next(row for row in table.rows if row.label == label)
    return next(cell for cell in row.cells if cell.task == task)


def test_mean_interval_difference_and_verdict_of_known_numbers(tmp_path):
    write_metrics(tmp_path, "cifar10-hard", 1, cat_dog=72.0)
    write_metrics(tmp_path, "cifar10-hard", 2, cat_dog=72.2)
    found = cell(build(tmp_path), "MT", "cat.dog")
    assert found.paper == 73.9
    assert found.ours.mean == pytest.approx(72.1)
    assert found.ours.half_width == pytest.approx(12.7062 * 0.1, abs=1e-4)
    assert found.difference == pytest.approx(-1.8)
    assert found.verdict == "below"
    assert found.standard_error == pytest.approx(1.1)


def test_single_task_rows_are_collected_from_their_jobs(tmp_path):
    write_metrics(tmp_path, "cifar10-single.cat.dog", 1, cat_dog=70.0)
    write_metrics(tmp_path, "cifar10-single.deer.horse", 1, deer_horse=80.0)
    table = build(tmp_path)
    assert cell(table, "ST", "cat.dog").ours.mean == pytest.approx(70.0)
    assert cell(table, "ST", "deer.horse").ours.mean == pytest.approx(80.0)
    assert cell(table, "ST", "cat.dog").verdict == "single"
    assert cell(table, "ST", "bird.frog").verdict == "not_run"
    assert cell(table, "ST", tables.MEAN).ours is None, "the mean needs every task"


ALL = dict.fromkeys(["cat_dog", "deer_horse", "bird_frog", "airplane_ship", "automobile_truck"], 80.0)


def test_mean_over_tasks_is_taken_by_seed_first(tmp_path):
    write_metrics(tmp_path, "cifar10-hard", 1, **ALL)
    write_metrics(tmp_path, "cifar10-hard", 2, **{**ALL, "cat_dog": 85.0})
    found = cell(build(tmp_path), "MT", tables.MEAN)
    assert found.ours.mean == pytest.approx(80.5)
    assert found.ours.half_width == pytest.approx(12.7062 * 0.5, abs=1e-3)
    assert found.paper == pytest.approx((73.9 + 89.1 + 89.6 + 90.4 + 90.0) / 5)


def test_differences_are_paired_by_seed(tmp_path):
    for seed, hard, dynamic in ((1, 80.0, 82.0), (2, 70.0, 72.2)):
        write_metrics(tmp_path, "cifar10-hard", seed, **dict.fromkeys(ALL, hard))
        write_metrics(tmp_path, "cifar10-dynamic", seed, **dict.fromkeys(ALL, dynamic))
    sharing, dynamic = build(tmp_path).differences
    assert (sharing.minuend, sharing.subtrahend, sharing.ours) == ("MT", "ST", None)
    assert sharing.sentence == "Not run."
    assert dynamic.ours.mean == pytest.approx(2.1)
    assert dynamic.ours.half_width == pytest.approx(12.7062 * 0.1, abs=1e-3), "pairing takes the seeds' common part out"
    assert dynamic.paper == pytest.approx(0.44)
    assert dynamic.sentence == "DMT is above MT by 2.1 points; the interval leaves out zero."


def test_no_visible_difference_is_said_so(tmp_path):
    for seed, dynamic in ((1, 81.0), (2, 79.5)):
        write_metrics(tmp_path, "cifar10-hard", seed, **ALL)
        write_metrics(tmp_path, "cifar10-dynamic", seed, **dict.fromkeys(ALL, dynamic))
    assert build(tmp_path).differences[1].sentence == "No difference visible: the interval holds zero."


def test_one_seed_decides_nothing(tmp_path):
    write_metrics(tmp_path, "cifar10-hard", 1, **ALL)
    write_metrics(tmp_path, "cifar10-dynamic", 1, **dict.fromkeys(ALL, 79.0))
    expected = "DMT is 1.0 points below MT with one seed; that decides nothing."
    assert build(tmp_path).differences[1].sentence == expected


def test_results_of_seeds_that_params_do_not_name_are_left_out(tmp_path):
    write_metrics(tmp_path, "cifar10-hard", 7, **ALL)
    assert cell(build(tmp_path), "MT", "cat.dog").ours is None


def test_undefined_accuracy_counts_as_absent(tmp_path):
    write_metrics(tmp_path, "cifar10-hard", 1, cat_dog=float("nan"))
    assert cell(build(tmp_path), "MT", "cat.dog").verdict == "not_run"


def test_an_experiment_without_published_numbers_shows_ours_alone(tmp_path):
    write_metrics(tmp_path, "cifar10-hard", 1, cat_dog=72.0)
    params = load_params()
    table = tables.comparison_table(params, "own", params.experiments[TABLE], None, Results(tmp_path), False)
    assert cell(table, "MT", "cat.dog").verdict == "unpublished"
    assert table.headline == "The paper gives no number for these rows."

import math

import pytest

from taskshare import config
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.evaluation import tables
from taskshare.evaluation.published import load_published
from taskshare.evaluation.results import Results
from taskshare.files import write_json

from .conftest import REPORTS, load_params, write_data

TABLE = "fang2017-table5"


def build(results, name=TABLE):
    params = load_params()
    published = load_published(REPORTS / "published")[name]
    return tables.comparison_table(params, name, params.experiments[name], published, Results(results), True)


def write_metrics(results, run, seed, **accuracies):
    """Metrics with a balanced accuracy in percent per task; for pairs of classes `cat_dog` stands for `cat.dog`."""
    tasks = {
        name.replace("_", ".") if run.startswith("cifar10") else name: {
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


def row(table, label):
    return next(row for row in table.rows if row.label == label)


def cell(table, label, column):
    return next(cell for cell in row(table, label).cells if cell.column == column)


def difference(table, minuend, subtrahend):
    return next(item for item in table.differences if (item.minuend, item.subtrahend) == (minuend, subtrahend))


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
    sharing, dynamic, *_ = build(tmp_path).differences
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


def test_an_experiment_without_published_numbers_shows_ours_alone(tmp_path):
    write_metrics(tmp_path, "cifar10-hard", 1, cat_dog=72.0)
    params = load_params()
    table = tables.comparison_table(params, "own", params.experiments[TABLE], None, Results(tmp_path), False)
    assert cell(table, "MT", "cat.dog").verdict == "unpublished"
    assert table.headline == "The paper gives no number for these rows."
    assert not table.printed
    assert [(item.minuend, item.subtrahend) for item in table.differences][:2] == [("MT", "ST"), ("DMT", "MT")]


def test_a_row_of_several_runs_takes_each_column_from_the_run_that_has_it(tmp_path):
    write_metrics(tmp_path, "celeba-single.Goatee", 1, Goatee=80.0)
    write_metrics(tmp_path, "celeba-single-rare.Bald", 1, Bald=70.0)
    table = build(tmp_path, "fang2017-table3")
    assert cell(table, "ST, resampled", "Goatee").ours.mean == pytest.approx(80.0)
    assert cell(table, "ST, resampled", "Bald").ours.mean == pytest.approx(70.0)
    assert cell(table, "ST, original", "Goatee").ours is None
    assert row(table, "ST, resampled").runs == ["celeba-single-rare", "celeba-single"]


def test_a_task_of_several_groups_has_a_column_for_each(tmp_path):
    write_metrics(tmp_path, "celeba-hard-cooccurrence.smiling", 1, No_Beard=71.0, Smiling=72.0)
    write_metrics(tmp_path, "celeba-hard-cooccurrence.young", 1, No_Beard=73.0, Young=74.0)
    write_metrics(tmp_path, "celeba-single.No_Beard", 1, No_Beard=75.0)
    table = build(tmp_path, "fang2017-table2")
    assert list(table.columns.values())[:2] == ["NoBeard (with Smiling)", "Smiling (with NoBeard)"]
    hard = [cell(table, "MT, resampled", f"No_Beard/{group}") for group in ("smiling", "lipstick", "young")]
    assert [found.ours and found.ours.mean for found in hard] == [pytest.approx(71.0), None, pytest.approx(73.0)]
    assert [found.paper for found in hard] == [91.6, 92.2, 91.4]
    single = [cell(table, "ST, resampled", f"No_Beard/{group}").ours.mean for group in ("smiling", "lipstick", "young")]
    assert single == [pytest.approx(75.0)] * 3, "the net of one task stands in every column of its task"


def test_columns_are_found_and_named_where_nobody_gives_them():
    params = load_params()
    experiment = params.experiments["fang2017-table2"].model_copy(update={"columns": []})
    table = tables.comparison_table(params, "own", experiment, None, Results(REPORTS / "nothing"), False)
    assert table.columns["No_Beard/young"] == "No_Beard (group young)"
    assert table.columns["Goatee"] == "Goatee"


SEVEN = ["Goatee", "Heavy_Makeup", "High_Cheekbones", "No_Beard", "Sideburns", "Smiling", "Wearing_Lipstick"]
FIVE = [task for task in SEVEN if task not in ("Sideburns", "Wearing_Lipstick")]


def test_rows_after_removal_are_compared_over_the_tasks_that_are_left(tmp_path):
    for seed in (1, 2):
        accuracies = {**dict.fromkeys(SEVEN, 80.0 + seed), "Sideburns": 10.0}
        write_metrics(tmp_path, "celeba-dynamic", seed, **accuracies)
    write_metrics(tmp_path, "celeba-dynamic-removed", 1, **dict.fromkeys(FIVE, 79.0))
    table = build(tmp_path, "fang2017-table4")
    found = difference(table, "DMT after removal", "DMT")
    assert found.count == 5
    assert found.ours.mean == pytest.approx(79.0 - 81.0)
    assert found.paper == pytest.approx((93.1 + 89.1 + 85.8 + 91.2 + 91.7) / 5 - (94.9 + 89.8 + 86.5 + 92.6 + 92.1) / 5)
    removed = row(table, "DMT after removal")
    assert removed.absent == ["Sideburns", "Wear.Lipstick"]
    assert cell(table, "DMT after removal", "Sideburns").verdict == "absent"
    mean = cell(table, "DMT after removal", tables.MEAN)
    assert mean.ours is None, "a mean over five tasks stands beside no mean over seven"
    assert mean.paper is None
    assert difference(table, "DMT", "MT").count == 7


def test_table_3_is_compared_within_each_sampling_and_between_them():
    pairs = [(item.minuend, item.subtrahend) for item in build(REPORTS / "nothing", "fang2017-table3").differences]
    assert ("DMT, original", "MT, original") in pairs
    assert ("ST, resampled", "ST, original") in pairs
    assert ("ST, resampled", "DMT, original") not in pairs


def test_table_3_shows_minority_proportions_and_ranks(tmp_path):
    params = load_params()
    # 40 labels of 2400 images; a label that almost all images have is rare by its negatives.
    positives = dict.fromkeys(params.datasets["celeba"].labels, 1000)
    positives |= {"Bald": 48, "Young": 2400 - 60, "Mustache": 72, "Blurry": 96, "Goatee": 120, "Wearing_Hat": 144}
    write_data(tmp_path, params, "celeba", "grey", positives={"train": positives})
    table = build(tmp_path, "fang2017-table3")
    assert [(item.column, item.paper, item.ours) for item in table.minority] == [
        ("Bald", 0.02, pytest.approx(0.02)),
        ("Wearing_Hat", 0.05, pytest.approx(0.06)),
        ("Mustache", 0.04, pytest.approx(0.03)),
        ("Goatee", 0.06, pytest.approx(0.05)),
    ]
    assert table.imbalance == (
        "These are not the 4 most imbalanced of the 40 attributes in our training images; those are Bald, Young, "
        "Mustache, Blurry. Ranks of the columns, the rarest label first: Bald 1, Wear.Hat 6, Mustache 3, Goatee 5."
    )
    positives |= {"Young": 1000, "Blurry": 1000}
    write_data(tmp_path, params, "celeba", "grey", positives={"train": positives})
    agreed = "These are the 4 most imbalanced of the 40 attributes in our training images."
    assert build(tmp_path, "fang2017-table3").imbalance == agreed


def test_minority_proportions_wait_for_the_data(tmp_path):
    table = build(tmp_path, "fang2017-table3")
    assert [item.ours for item in table.minority] == [None] * 4
    assert table.imbalance == ""


LABELS = load_params().datasets["celeba"].labels


def write_joint(results, run, seed, rate=0.9, accuracy=0.8, **others):
    """Metrics of a net that finds landmarks and tells attributes; `others` differ from `rate` and `accuracy`."""
    tasks = {
        point: {
            "detection_rate": others.get(point, rate),
            "standard_error": 0.01 * seed,
            "normalised_error": 0.05,
            "images": 400,
        }
        for point in LANDMARK_POINTS
    } | {
        label: {
            "balanced_accuracy": 0.6,
            "accuracy_positives": 0.3,
            "accuracy_negatives": 0.9,
            "accuracy": others.get(label, accuracy),
            "positives": 100,
            "negatives": 300,
            "standard_error": 0.03,
            "accuracy_standard_error": 0.02 * seed,
        }
        for label in LABELS
    }
    folder = "constant/celeba/rgb-unaligned" if run == "constant" else f"{run}/seed{seed}"
    write_json(results / "evaluation" / folder / "metrics.json", {"run": run, "seed": seed, "tasks": tasks})


def test_landmarks_stand_in_their_table_by_detection_rate(tmp_path):
    write_joint(tmp_path, "celeba-separation", 1, nose=0.5)
    table = build(tmp_path, "matsui2019-table2")
    nose = cell(table, "Separation", "nose")
    assert (nose.ours.mean, nose.paper) == (pytest.approx(50), 87.5)
    assert nose.standard_error == pytest.approx(1)
    assert cell(table, "Separation", tables.MEAN).ours.mean == pytest.approx((4 * 90 + 50) / 5)
    assert cell(table, "Baseline", "nose").verdict == "not_run"
    assert table.columns["leftmouth"] == "Left mouth corner"
    assert table.metric_name == "Detection rate"
    assert (table.tall, table.balanced, table.accuracies) == (False, None, [])


def test_attributes_stand_in_their_table_by_accuracy_with_balanced_accuracy_beside(tmp_path):
    write_joint(tmp_path, "celeba-columns", 1, Bald=0.98)
    table = build(tmp_path, "matsui2019-table3")
    bald = cell(table, "Baseline", "Bald")
    assert (bald.ours.mean, bald.paper) == (pytest.approx(98), 98)
    assert bald.standard_error == pytest.approx(2), "that of accuracy, not of balanced accuracy"
    assert list(table.columns) == LABELS
    assert table.tall
    balanced = next(row for row in table.balanced.rows if row.label == "Baseline")
    assert balanced.cells[LABELS.index("Bald")].ours.mean == pytest.approx(60)
    assert balanced.cells[LABELS.index("Bald")].standard_error == pytest.approx(3)
    assert not balanced.printed


def test_the_paper_mean_is_computed_anew_from_its_columns(tmp_path):
    table = build(tmp_path, "matsui2019-table3")
    means = {label: round(cell(table, label, tables.MEAN).paper, 2) for label in ("Separation", "Baseline")}
    assert means == {"Separation": 89.22, "Baseline": 89.4}, "printed: 89 and 89"
    assert difference(table, "Separation", "Baseline").paper == pytest.approx(-7 / 40)


def test_a_printed_mean_stands_where_no_column_is_printed(tmp_path):
    write_joint(tmp_path, "celeba-columns-branch1", 1, rate=0.9)
    table = build(tmp_path, "matsui2019-table4-landmarks")
    assert cell(table, "Baseline, Conv1-2", "nose").paper is None
    mean = cell(table, "Baseline, Conv1-2", tables.MEAN)
    assert (mean.paper, mean.difference, mean.verdict) == (92.9, pytest.approx(-2.9), "single")
    assert table.headline == "6 comparisons with the paper's means: 1 with one seed and so undecided, 5 not run."
    assert difference(table, "Changed Ours, Conv1-2", "Baseline, Conv1-2").paper == pytest.approx(80.4 - 92.9)


def test_a_printed_mean_says_nothing_of_fewer_columns(tmp_path):
    params = load_params()
    published = load_published(REPORTS / "published")["matsui2019-table4-attributes"]
    published = published.model_copy(update={"differences": []})
    experiment = config.Table(
        metric="accuracy", rows={"Baseline, Conv1-2": "celeba-columns-branch1", "Baseline, Conv2-2": "celeba-hard"}
    )
    table = tables.comparison_table(params, "own", experiment, published, Results(tmp_path), True)
    assert [cell(table, label, tables.MEAN).paper for label in experiment.rows] == [89.9, 89.8]
    [found] = table.differences
    assert (found.count, found.paper) == (7, None)
    assert cell(table, "Baseline, Conv2-2", tables.MEAN).verdict == "absent"


def test_the_constant_predictor_closes_the_table(tmp_path):
    assert [found.value for found in build(tmp_path, "matsui2019-table2").constant] == [None] * 6
    write_joint(tmp_path, "constant", 1, rate=0.2, nose=0.7, accuracy=0.75)
    constant = build(tmp_path, "matsui2019-table2").constant
    assert [found.column for found in constant] == [*LANDMARK_POINTS, tables.MEAN]
    assert [found.value for found in constant] == pytest.approx([20, 20, 70, 20, 20, 30])
    attributes = build(tmp_path, "matsui2019-table3")
    assert attributes.constant[-1].value == pytest.approx(75)
    assert attributes.constant[0].standard_error == pytest.approx(2)
    assert attributes.balanced.constant[-1].value == pytest.approx(60)
    assert build(tmp_path, "matsui2019-table4-landmarks").constant == [], "not asked for"


def test_columns_follow_the_metric_where_nobody_gives_them():
    params = load_params()
    found = [
        tables.column_names(params, config.Table(metric=metric, rows={"Baseline": "celeba-columns"}), None)
        for metric in ("detection_rate", "accuracy", "balanced_accuracy")
    ]
    assert found == [list(LANDMARK_POINTS), LABELS, LABELS]


def test_own_tables_are_tall_beyond_twelve_columns(tmp_path):
    params = load_params()

    def own(**changes):
        experiment = config.Table(rows={"Baseline": "celeba-columns"}, **changes)
        return tables.comparison_table(params, "own", experiment, None, Results(tmp_path), False)

    assert [own(columns=LABELS[:count]).tall for count in (12, 13)] == [False, True]
    points = own(metric="detection_rate")
    assert points.columns["rightmouth"] == "right mouth corner"
    assert points.measure == "Detection rate."


def test_the_means_of_many_columns_differ_by_hundredths(tmp_path):
    write_joint(tmp_path, "celeba-columns", 1)
    write_joint(tmp_path, "celeba-separation", 1, Bald=0.82)
    found = difference(build(tmp_path, "matsui2019-table3"), "Separation", "Baseline")
    assert found.sentence == "Separation is 0.05 points above Baseline with one seed; that decides nothing."


def test_a_metric_that_is_undefined_is_not_shown_as_not_run(tmp_path):
    write_metrics(tmp_path, "cifar10-dynamic", 1, cat_dog=math.nan, deer_horse=80)
    assert "NaN" not in (tmp_path / "evaluation" / "cifar10-dynamic" / "seed1" / "metrics.json").read_text()
    table = build(tmp_path)
    verdicts = [cell(table, "DMT", column).verdict for column in ("cat.dog", "deer.horse", "bird.frog")]
    assert verdicts == ["undefined", "single", "not_run"]

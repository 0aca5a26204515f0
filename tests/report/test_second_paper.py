"""The second paper in the page: tall tables, joint tasks, weights that were not selected, and pages without it."""

import re

import numpy as np
import pytest

from taskshare import config
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.evaluation import job_rows, training_curves
from taskshare.evaluation.results import Results
from taskshare.report import figures

from .conftest import fill, load_params, make_report

DETECTION = "matsui2019-table2"
ACCURACY = "matsui2019-table3"


def only(params, keep):
    """The same configuration with the experiments whose names start with one of `keep`."""
    experiments = {name: item for name, item in params.experiments.items() if name.startswith(keep)}
    return params.model_copy(update={"experiments": experiments})


def part(page, name):
    """One table's section of the chapter of tables."""
    start = page.index(f'<section aria-labelledby="{name}-title">')
    return page[start : page.index("</section>", start)]


def values(page, **marks):
    """Numbers in the page's data attributes."""
    words = "".join(f' data-{name}="{value}"' for name, value in marks.items())
    return [float(value) for value in re.findall(f'<td{words} data-value="([^"]+)"', page)]


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """Results of the baseline and of plain separation."""
    results = tmp_path_factory.mktemp("joint")
    fill(results, load_params(), "celeba-columns", "celeba-separation")
    return results


@pytest.fixture(scope="module")
def joint_page(joint):
    out = joint / "report" / "report.html"
    make_report(only(load_params(), "matsui2019"), joint, out)
    return out.read_text(encoding="utf-8")


def test_the_tall_table_has_a_line_per_attribute_and_rows_side_by_side(joint_page):
    table = part(joint_page, ACCURACY)
    lines = table[table.index('class="tall"') :].partition("</table>")[0]
    assert lines.count('<th scope="row">') == 40 + 1, "forty attributes and their mean"
    line = re.search(r'<tr><th scope="row">Bald</th>(.*?)</tr>', table, re.DOTALL)[1]
    assert re.findall(r'data-row="([^"]+)" data-task="Bald" data-quantity="paper"', line) == [
        "Separation",
        "Separation, 1×1",
        "Separation, 1×1, fine-tuned",
        "Baseline",
        "FaceTracer",
        "PANDA-w",
        "PANDA-l",
        "LNets+ANet",
    ]
    assert values(line, table=ACCURACY, row="PANDA-l", task="Bald", quantity="paper") == [96]
    assert len(values(line, table=ACCURACY, row="Baseline", task="Bald", quantity="ours")) == 1
    assert "celeba-separation-channelwise, not run" in table


def test_the_tall_table_says_where_ours_lies(joint_page):
    table = part(joint_page, ACCURACY)
    place = 'data-row="([^"]*)" data-task="Bald" data-quantity="verdict"><span class="verdict (\\w+)"'
    assert re.findall(place, table) == [
        ("Separation", "single"),
        ("Separation, 1×1", "not_run"),
        ("Separation, 1×1, fine-tuned", "not_run"),
        ("Baseline", "single"),
    ]


def test_means_stand_above_a_tall_table_with_all_that_is_said_of_them(joint, joint_page):
    metrics = Results(joint).metrics("celeba-columns", 1)
    mean = np.mean([100 * found["accuracy"] for name, found in metrics.items() if name not in LANDMARK_POINTS])
    table = part(joint_page, ACCURACY)
    found = {
        quantity: values(table, table=ACCURACY, row="Baseline", task="mean", quantity=quantity)
        for quantity in ("ours", "paper", "difference", "seeds")
    }
    assert found == {
        "ours": [pytest.approx(mean, abs=1e-3)],
        "paper": [89.4],
        "difference": [pytest.approx(mean - 89.4, abs=1e-3)],
        "seeds": [1],
    }


def test_balanced_accuracies_and_the_constant_predictor_stand_beside_accuracies(joint, joint_page):
    table = part(joint_page, ACCURACY)
    metrics = Results(joint).metrics("celeba-columns", 1)["Bald"]
    balanced = values(table, table=f"{ACCURACY}-balanced", row="Baseline", task="Bald", quantity="ours")
    assert balanced == [pytest.approx(100 * metrics["balanced_accuracy"], abs=1e-3)]
    constant = Results(joint).constant("celeba", "rgb-unaligned")["Bald"]
    known = values(table, table=ACCURACY, row="Constant predictor", task="Bald", quantity="ours")
    assert known == [pytest.approx(100 * constant["accuracy"], abs=1e-3)]
    assert values(table, table=f"{ACCURACY}-balanced", row="Constant predictor", task="mean", quantity="ours") == [50]


def test_the_constant_predictor_has_neither_seeds_nor_a_paper_number(joint_page):
    table = part(joint_page, DETECTION)
    quantities = re.findall(r'data-row="Constant predictor" data-task="nose" data-quantity="(\w+)"', table)
    assert quantities == ["ours", "standard_error"]


def test_a_table_of_which_means_alone_are_printed_is_folded(joint_page):
    table = part(joint_page, "matsui2019-table4-attributes")
    assert table.index("<details>") < table.index('class="tall"')
    shown = table[: table.index("<details>")]
    name = "matsui2019-table4-attributes"
    assert values(shown, table=name, row="Baseline, Conv1-2", task="mean", quantity="paper") == [89.9]
    assert "s means: 6 not run." in table


def test_words_follow_the_metric(joint_page):
    assert "Detection rate in percent on the test split" in part(joint_page, DETECTION)
    assert "alanced accuracy" not in part(joint_page, DETECTION)
    assert "Accuracy in percent on the test split" in part(joint_page, ACCURACY)
    assert "√((x − x′)² + (y − y′)²) / L ≤ α" in joint_page


def test_curves_are_those_of_the_joint_tasks(joint, params):
    shown = {name: params.experiments[name] for name in (DETECTION, ACCURACY)}
    columns = {name: {column: column for column in experiment.columns} for name, experiment in shown.items()}
    columns[ACCURACY] = {"Bald": "Bald", "Young": "Young"}
    landmarks, attributes = training_curves.all_curves(params, shown, columns, Results(joint), set())
    for drawn, task, validation in (
        (landmarks, "landmarks", "Detection rate"),
        (attributes, "attributes", "Mean accuracy"),
    ):
        [picture] = figures.curve_pictures(drawn)
        assert f"Training curves of {task}: training loss, training error (%), validation (%)" in picture
        assert "for Separation, Baseline" in picture, "a separation net does not go on with a trained one"
        assert (drawn.validation, drawn.left_out) == (validation, [])


def test_tables_with_the_same_curves_share_them(joint, params):
    twice = {"first": params.experiments[DETECTION], "second": params.experiments[DETECTION]}
    columns = {"first": {"nose": "Nose"}, "second": {"lefteye": "Left eye"}}
    [drawn] = training_curves.all_curves(params, twice, columns, Results(joint), set())
    assert drawn.experiments == ["first", "second"]


def test_landmarks_have_test_images_but_no_positives(joint, params):
    counts = {item.task: item for item in job_rows.test_counts(params, Results(joint))["celeba"]}
    assert (counts["left eye"].images, counts["left eye"].positives) == (400, None)
    assert counts["Bald"].positives + counts["Bald"].negatives == counts["Bald"].images == 400


def test_each_paper_has_its_part_of_every_chapter(full_page):
    page = full_page.read_text(encoding="utf-8")
    for chapter in ("tables", "training", "evaluation"):
        assert page.index(f'id="{chapter}-fang2017"') < page.index(f'id="{chapter}-matsui2019"')
    assert "<dt>Used by</dt><dd>Matsui et al. 2019</dd>" in page
    assert "A rerun of Fang et al. 2017 and Matsui et al. 2019</title>" in page


def test_a_page_without_the_second_paper_says_nothing_of_it(params, tmp_path, make_page):
    fill(tmp_path, params, "celeba-hard")
    page = make_page(only(params, "fang2017"), tmp_path)
    assert "A rerun of Fang et al. 2017</title>" in page
    header = page[: page.index("</header>")]
    assert "Matsui" not in header
    assert "Detection rate" not in page[page.index('id="summary"') : page.index('id="register"')]


def test_own_experiments_stand_last_and_belong_to_no_paper(params, tmp_path, make_page):
    fill(tmp_path, params, "celeba-columns")
    own = config.Table(metric="accuracy", rows={"Ours": "celeba-columns"}, columns=["Bald", "Young"])
    experiments = {"own": own, "matsui2019-table2": params.experiments["matsui2019-table2"]}
    page = make_page(params.model_copy(update={"experiments": experiments}), tmp_path)
    assert page.index('id="tables-matsui2019"') < page.index('id="tables-own"') < page.index('id="data"')
    assert "Accuracy in percent" in part(page, "own")
    assert len(values(part(page, "own"), table="own", row="Ours", task="mean", quantity="ours")) == 1
    alone = make_page(params.model_copy(update={"experiments": {"own": own}}), tmp_path)
    assert "A rerun of published experiments</title>" in alone


@pytest.mark.parametrize(
    "missing", ["evaluation", "training", "data", "evaluation/constant", "evaluation/celeba-columns"]
)
def test_any_part_of_the_results_may_be_missing(joint, tmp_path, params, make_page, missing):
    (tmp_path / "results").mkdir()
    for path in sorted(joint.rglob("*")):
        relative = path.relative_to(joint)
        if path.is_file() and not relative.is_relative_to(missing):
            target = tmp_path / "results" / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    page = make_page(only(params, "matsui2019"), tmp_path / "results")
    assert 'data-table="matsui2019-table2"' in page

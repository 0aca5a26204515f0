"""Claims as they are written down, and their verdicts on results whose outcome is known."""

import copy
import functools
import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from taskshare import config
from taskshare.config import Table
from taskshare.config.tasks import LANDMARK_POINTS
from taskshare.errors import TaskshareError
from taskshare.evaluation import claims as judging
from taskshare.evaluation.results import Results, jobs_of_columns
from taskshare.report.render import _environment

from .conftest import REPORTS, REPOSITORY, load_params
from .writing import write_json, write_parquet

CLAIMS = REPORTS / "claims"
PLAN = judging.load_plan(REPORTS / "plan.yaml")
DISABLED = [f"own-claim{number}" for number in (5, 6, 7)]
"""Claims whose experiments are not enabled at scale demo."""
PAIRS = ["cat.dog", "deer.horse", "bird.frog", "airplane.ship", "automobile.truck"]
SEVEN = [
    "Goatee", "Heavy_Makeup", "High_Cheekbones", "No_Beard", "Sideburns", "Smiling", "Wearing_Lipstick",
]  # fmt: skip
IMAGES = 400


@pytest.fixture(scope="module")
def demo(full_results):
    """The claims, judged from results of every run at scale demo."""
    return judging.judge_claims(load_params(), Results(full_results), REPORTS)


@pytest.fixture
def folder(tmp_path):
    """A folder for a claim and a plan of a test's own."""
    path = tmp_path / "reports"
    (path / "claims").mkdir(parents=True)
    return path


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def mini(**changes):
    """Two seeds; three with `seeds=[1, 2, 3]`."""
    content = copy.deepcopy(yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8")))
    content["scales"]["mini"]["seeds"] = changes.pop("seeds", [1, 2])
    for scale in content["scales"].values():
        scale["enable"] = changes.get("enable", scale.get("enable", []))
    changes.pop("enable", None)
    return config.validate({**content, "scale": "mini", **changes})


def judge(results, folder, test, params=None, **plan):
    """The verdict on one claim with a test of its own, planned with two seeds."""
    claim = {"id": "own-claim1", "claim": "It is so.", "says": "So (section 1).", "reading": "So."}
    (folder / "claims" / "own.yaml").write_text(yaml.safe_dump([claim]), encoding="utf-8")
    content = {**PLAN.model_dump(mode="json"), "seeds": 2, "least_seeds": 2, **plan, "claims": {"own-claim1": test}}
    (folder / "plan.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    [judged] = judging.judge_claims(params or mini(), Results(results), folder)
    return judged


def write_scores(results, job, seed, **accuracies):
    """Scores of 200 positives and 200 negatives a task, so many percent of both right; `cat_dog` is `cat.dog`."""
    label = np.tile([1, 0], IMAGES // 2)
    parts = []
    for name, percent in accuracies.items():
        right = np.arange(IMAGES) < IMAGES * percent / 100
        score = np.where(right == (label == 1), 0.9, 0.1).astype(np.float32)
        task = name if name in SEVEN else name.replace("_", ".")
        ids = [f"{task if '.' in task else ''}{number:05}" for number in range(IMAGES)]
        parts.append(pd.DataFrame({"id": ids, "task": task, "label": label.astype(np.int8), "score": score}))
    write_parquet(results / "evaluation" / job / f"seed{seed}" / "scores.parquet", pd.concat(parts, ignore_index=True))


def write_landmarks(results, job, seed, **found):
    """Errors of 400 test images, so many percent of each point within 0.1."""
    points = np.tile(LANDMARK_POINTS, IMAGES)
    image = np.repeat(np.arange(IMAGES), len(LANDMARK_POINTS))
    percent = np.array([found[point] for point in points])
    error = np.where(image < IMAGES * percent / 100, 0.1, 0.11).astype(np.float32)
    table = pd.DataFrame({"id": [f"{number:05}" for number in image], "landmark": points, "error": error})
    write_parquet(results / "evaluation" / job / f"seed{seed}" / "landmarks.parquet", table)


def all_pairs(percent, **changes):
    return {task.replace(".", "_"): percent for task in PAIRS} | changes


def compare(plus, minus, **more):
    """A comparison of two rows of Table 5."""
    return {
        "label": f"{plus} − {minus}",
        "plus": [["fang2017-table5", plus]],
        "minus": [["fang2017-table5", minus]],
        **more,
    }


def differences(*cells):
    return {"kind": "difference", "cells": list(cells)}


def write_alpha(results, run, seed, tasks, alpha):
    """Connections whose alpha is `alpha(layer, source, target)`, and 1 to themselves."""
    rows = [
        (layer, source, target, 1.0 if source == target else alpha(layer, source, target))
        for layer in range(1, 7)
        for source in tasks
        for target in tasks
    ]
    table = pd.DataFrame(rows, columns=["layer", "source", "target", "alpha"]).astype({"alpha": "float32"})
    write_parquet(results / "evaluation" / run / f"seed{seed}" / "connections.parquet", table)


GROUPS = [{"Sideburns", "Goatee", "No_Beard"}, {"Heavy_Makeup", "Wearing_Lipstick"}, {"Smiling", "High_Cheekbones"}]


def together(source, target, groups=GROUPS):
    return any({source, target} <= group for group in groups)


def write_curve(results, run, seed, task, reached):
    """A training error of 0.5 that falls to 0.05 at an iteration; rows of 640 images, so nothing is smoothed."""
    iterations = np.arange(10, 210, 10)
    error = np.where(iterations >= reached, 0.05, 0.5)
    history = pd.DataFrame({"iteration": iterations, "images": iterations * 64, "task": task, "training_error": error})
    write_parquet(results / "training" / run / f"seed{seed}" / "history.parquet", history)
    timing = pd.DataFrame({"iteration": iterations, "seconds": iterations * 0.5, "images_per_second": 128.0})
    write_parquet(results / "training" / run / f"seed{seed}" / "timing.parquet", timing)


def race(results, iterations):
    """Smiling reaches the error after so many iterations joining and alone, seed by seed."""
    for seed, (joining, alone) in enumerate(iterations, 1):
        write_curve(results, "celeba-incremental", seed, "Smiling", joining)
        write_curve(results, "celeba-single-recorded.Smiling", seed, "Smiling", alone)


FIGURE6 = {"kind": "convergence", "experiment": "fang2017-figure6", "bounds": [3, 4.8]}


def test_the_files_hold_the_claims_of_both_papers():
    counts = {"fang2017": 11, "matsui2019": 6, "own": 7}
    expected = [f"{name}-claim{n}" for name, count in counts.items() for n in range(1, count + 1)]
    assert [claim.id for claim in judging.load_claims(CLAIMS)] == expected
    assert set(PLAN.claims) == set(expected)


def test_the_plan_names_only_experiments_rows_and_columns_that_params_have():
    params = load_params()
    for claim, test in PLAN.claims.items():
        if not isinstance(test, judging.DifferenceTest):
            assert test.experiment in params.experiments
            continue
        for cell in test.cells:
            for name, row, own in (*cell.plus, *cell.minus):
                table = params.experiments[name]
                assert isinstance(table, Table)
                for column in own or cell.columns or table.columns:
                    assert jobs_of_columns(params, table.runs[row], [column]), f"{claim}: {name}, {row}, {column}"


def test_every_claim_has_a_verdict_where_everything_is_run(demo):
    assert [claim.id for claim in demo if claim.verdict == "not_run"] == DISABLED
    judged = [claim for claim in demo if claim.id not in DISABLED]
    judged = [claim for claim in judged if claim.kind not in ("convergence", "features")]  # these want several seeds
    assert all(cell.effect is not None for claim in judged for cell in claim.cells)
    assert [claim.id for claim in demo if not claim.synthetic] == ["matsui2019-claim6"], "costs ask for no images"


def test_without_results_nothing_is_run(results):
    for claim in judging.judge_claims(load_params(), Results(results), REPORTS):
        assert (claim.verdict, claim.headline, claim.deciding) == ("not_run", "Not run.", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "holds"}, r"own\.yaml: 0\.verdict: Extra inputs are not permitted"),
        ({"id": "first"}, r"own\.yaml: 0\.id: String should match"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(folder, change, message):
    entry = judging.load_claims(CLAIMS)[0].model_dump() | change
    (folder / "own.yaml").write_text(yaml.safe_dump([entry]), encoding="utf-8")
    with pytest.raises(TaskshareError, match=message) as caught:
        judging.load_claims(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ({"kind": "limits"}, r"plan\.yaml: claims\.own-claim1\.limits\.experiment: Field required"),
        ({"kind": "guess"}, r"plan\.yaml: claims\.own-claim1: Input tag 'guess'"),
    ],
)
def test_a_mistake_in_the_plan_is_one_line(results, folder, test, message):
    with pytest.raises(TaskshareError, match=message) as caught:
        judge(results, folder, test)
    assert "\n" not in str(caught.value)


def test_a_claim_without_a_plan_is_an_error(results, folder):
    judge(results, folder, LIMITS)
    (folder / "claims" / "own.yaml").write_text("[]", encoding="utf-8")
    with pytest.raises(TaskshareError, match=r"plan\.yaml: own-claim1 stands here or in .*claims, not in both"):
        judging.judge_claims(mini(), Results(results), folder)


def test_an_id_stands_once(folder):
    entry = judging.load_claims(CLAIMS)[0].model_dump()
    (folder / "own.yaml").write_text(yaml.safe_dump([entry, entry]), encoding="utf-8")
    with pytest.raises(TaskshareError, match="the id fang2017-claim1 occurs twice; give each claim its own"):
        judging.load_claims(folder)


def test_a_clear_difference_holds_and_its_opposite_does_not(results, folder):
    for seed in (1, 2):
        write_scores(results, "cifar10-hard", seed, **all_pairs(80))
        write_scores(results, "cifar10-dynamic", seed, **all_pairs(85, cat_dog=90))
    judged = judge(results, folder, differences(compare("DMT", "MT")))
    assert judged.verdict == "holds"
    assert judged.deciding.effect == pytest.approx(6.0)
    assert judged.deciding.low < 6.0 < judged.deciding.high
    assert judged.headline.startswith(
        "Comparisons for it: 1 of 1, against it: 0; the weakest is DMT − MT, with +6.00 points (95 % interval +"
    )
    assert judge(results, folder, differences(compare("MT", "DMT"))).verdict == "does_not_hold"


def test_no_difference_is_undecided(results, folder):
    for seed in (1, 2):
        write_scores(results, "cifar10-hard", seed, **all_pairs(80))
        write_scores(results, "cifar10-dynamic", seed, **all_pairs(80))
    judged = judge(results, folder, differences(compare("DMT", "MT")))
    assert (judged.verdict, judged.cells[0].p_value) == ("undecided", 1.0)


def test_a_margin_asks_for_not_much_worse(results, folder):
    for seed in (1, 2):
        write_scores(results, "cifar10-hard", seed, **all_pairs(80))
        write_scores(results, "cifar10-dynamic", seed, **all_pairs(79.5))
    cells = [compare("DMT", "MT", wants=wants, label=wants) for wants in ("better", "as_good")]
    bound = PLAN.as_good_as | {"balanced_accuracy": 5.0}
    strict, lenient = judge(results, folder, differences(*cells), as_good_as=bound).cells
    assert strict.effect == lenient.effect == pytest.approx(-0.5)
    assert strict.verdict != "supports"
    assert lenient.verdict == "as_good"
    assert lenient.note == "as good: within ±5 points"


def test_a_part_holds_by_its_own_p_value_and_speaks_against_its_claim_by_the_corrected_one(results, folder):
    """Holm by hand: the smallest times 3, the next one times 2, the last as it is, never falling."""
    for seed in (1, 2):
        write_scores(results, "cifar10-hard", seed, **all_pairs(80))
        write_scores(results, "cifar10-dynamic", seed, **all_pairs(80, cat_dog=81, deer_horse=82, bird_frog=95))
    cells = [compare("DMT", "MT", columns=[task], label=task) for task in PAIRS[:3]]
    twice = [*cells, cells[0] | {"label": "cat.dog once more"}]
    *found, again = judge(results, folder, differences(*twice)).cells
    assert (again.p_value, again.adjusted) == (found[0].p_value, found[0].adjusted), "judged once"
    ordered = sorted(cell.p_value for cell in found)
    expected = list(itertools.accumulate((min(1, p * (3 - i)) for i, p in enumerate(ordered)), max))
    assert sorted(cell.adjusted for cell in found) == pytest.approx(expected)
    for cell in found:
        assert cell.verdict == ("supports" if cell.p_value < 0.05 else "undecided")
    turned = [compare("MT", "DMT", columns=[task], label=task) for task in PAIRS[:3]]
    for cell in judge(results, folder, differences(*turned)).cells:
        assert cell.verdict == ("contradicts" if cell.adjusted < 0.05 else "undecided")


def test_one_contradiction_is_enough(results, folder):
    for seed in (1, 2):
        write_scores(results, "cifar10-hard", seed, **all_pairs(80))
        write_scores(results, "cifar10-dynamic", seed, **all_pairs(80, cat_dog=95, deer_horse=65))
    cells = [compare("DMT", "MT", columns=[task], label=task) for task in PAIRS[:2]]
    judged = judge(results, folder, differences(*cells))
    assert [cell.verdict for cell in judged.cells] == ["supports", "contradicts"]
    assert (judged.verdict, judged.deciding.label) == ("does_not_hold", "deer.horse")


def test_a_comparison_without_results_leaves_the_claim_open_and_the_others_shown(results, folder):
    for run in ("cifar10-hard", "cifar10-dynamic"):
        write_scores(results, run, 1, **all_pairs(80))
    judged = judge(results, folder, differences(compare("DMT", "MT"), compare("MT", "ST")))
    assert judged.verdict == "not_run"
    assert [cell.verdict for cell in judged.cells] == ["undecided", "not_run"]
    assert "not run: 1;" in judged.headline


def test_one_seed_is_said_to_be_one(results, folder):
    for run, percent in (("cifar10-hard", 80), ("cifar10-dynamic", 90)):
        write_scores(results, run, 1, **all_pairs(percent))
    [cell] = judge(results, folder, differences(compare("DMT", "MT"))).cells
    assert (cell.seeds, cell.verdict) == (1, "undecided")
    assert cell.note == "fewer than 2 seeds decide nothing; the interval is that of the test persons alone"


def test_nets_of_two_precisions_are_not_compared(results, folder):
    for run, precision in (("cifar10-hard", "float32"), ("cifar10-dynamic", "bfloat16")):
        write_scores(results, run, 1, **all_pairs(80))
        write_json(results / "training" / run / "seed1" / "provenance.json", {"precision": precision})
    message = "own-claim1: 'DMT − MT' compares cifar10-hard/seed1, trained in float32, with cifar10-dynamic/seed1, tr"
    with pytest.raises(TaskshareError, match=message):
        judge(results, folder, differences(compare("DMT", "MT")))


def test_rows_are_compared_over_the_columns_that_all_of_them_have(results, folder):
    """Two tasks are gone after the removal, so they do not count before it."""
    for seed in (1, 2):
        write_scores(results, "celeba-dynamic", seed, **dict.fromkeys(SEVEN, 90) | {"Sideburns": 50})
        kept = [task for task in SEVEN if task not in ("Sideburns", "Wearing_Lipstick")]
        write_scores(results, "celeba-dynamic-removed", seed, **dict.fromkeys(kept, 85))
    rows = [[["fang2017-table4", row]] for row in ("DMT", "DMT after removal")]
    judged = judge(results, folder, differences({"label": "before − after", "plus": rows[0], "minus": rows[1]}))
    assert judged.cells[0].effect == pytest.approx(5.0)


def test_gains_of_two_tables_are_compared_each_over_its_own_columns(results, folder):
    """Claim 2: seven columns gain 3 points in Table 1, six gain 1 point in Table 2."""
    params = mini()
    for seed in (1, 2):
        for run in ("celeba-single", "celeba-single-young"):
            for name in params.job_names(run):
                write_scores(results, name, seed, **{name.partition(".")[2]: 80})
        for run, percent in (("celeba-hard-response", 83), ("celeba-hard-cooccurrence", 81)):
            for job in params.jobs(run):
                write_scores(results, job.name, seed, **dict.fromkeys(job.tasks, percent))
    judged = judge(results, folder, claim_of("fang2017-claim2"), params)
    assert judged.cells[0].effect == pytest.approx(2.0)
    assert judged.cells[1].verdict == "not_run"


def write_columns(results, baseline, separation, seeds=(1, 2)):
    """Landmarks of hard sharing and of separation, percent found by point."""
    for seed in seeds:
        write_landmarks(results, "celeba-columns", seed, **baseline)
        write_landmarks(results, "celeba-separation", seed, **separation)


def claim_of(name):
    return PLAN.claims[name].model_dump(mode="json")


def test_the_nose_gains_most(results, folder):
    """Claim 1 of Matsui 2019, with the numbers of Table 2, rounded to quarters of a percent."""
    printed = {"lefteye": (96.25, 97.75), "righteye": (96.5, 98), "nose": (54, 87.5), "leftmouth": (92, 95)}
    printed["rightmouth"] = (92, 94.75)
    write_columns(results, *({point: pair[side] for point, pair in printed.items()} for side in (0, 1)))
    judged = judge(results, folder, claim_of("matsui2019-claim1"))
    gains = [printed[point][1] - printed[point][0] for point in LANDMARK_POINTS]
    more = gains[2] - (gains[0] + gains[1] + gains[3] + gains[4]) / 4
    assert [cell.effect for cell in judged.cells] == pytest.approx([*gains, more])
    assert (judged.verdict, judged.cells[-1].unit) == ("holds", "points")


def test_a_gain_that_is_the_same_everywhere_is_not_largest_on_the_nose(results, folder):
    points = dict.fromkeys(LANDMARK_POINTS, 60)
    write_columns(results, points, dict.fromkeys(points, 90))
    judged = judge(results, folder, claim_of("matsui2019-claim1"))
    assert [cell.verdict for cell in judged.cells] == ["supports"] * 5 + ["undecided"]
    assert judged.verdict == "undecided"


def test_accuracy_counts_images_and_not_classes(results, folder):
    """Whoever always says no is right in half of these images, and in all that are negative."""
    params = functools.partial(mini, enable=[])
    experiments = {"own": {"metric": "accuracy", "rows": {"A": "celeba-hard", "B": "celeba-dynamic"}}}
    label = (np.arange(IMAGES) % 10 == 0).astype(np.int8)  # one in ten
    for run, said in (
        ("celeba-hard", np.zeros(IMAGES)),
        ("celeba-dynamic", np.where(np.arange(IMAGES) % 20, label, 0)),
    ):
        for seed in (1, 2):
            table = {"id": [f"{n:05}" for n in range(IMAGES)], "task": "Smiling", "label": label, "score": said * 0.9}
            write_parquet(results / "evaluation" / run / f"seed{seed}" / "scores.parquet", pd.DataFrame(table))
    cell = {"label": "B − A", "plus": [["own", "B"]], "minus": [["own", "A"]], "columns": ["Smiling"]}
    plain = judge(results, folder, differences(cell), params(experiments=experiments)).cells[0].effect
    experiments["own"]["metric"] = "balanced_accuracy"
    balanced = judge(results, folder, differences(cell), params(experiments=experiments)).cells[0].effect
    assert (plain, balanced) == pytest.approx((5, 25)), (
        "half of the positives more: 5 % of all, 25 of balanced accuracy"
    )


def test_effects_are_those_of_the_metrics(full_results, demo):
    """Claim 2 of Matsui 2019: the mean over 40 attributes, from metrics.json."""
    means = []
    for run in ("celeba-separation", "celeba-columns"):
        measured = Results(full_results).metrics(run, 1)
        means.append(100 * np.mean([found["accuracy"] for name, found in measured.items() if "accuracy" in found]))
    judged = next(claim for claim in demo if claim.id == "matsui2019-claim2")
    assert judged.cells[0].effect == pytest.approx(means[0] - means[1])


def test_rows_of_two_metrics_are_not_compared(results, folder):
    cell = {
        "label": "across",
        "plus": [["matsui2019-table2", "Baseline"]],
        "minus": [["matsui2019-table3", "Baseline"]],
    }
    with pytest.raises(TaskshareError, match="'across' compares rows of accuracy and detection_rate; take one metric"):
        judge(results, folder, differences(cell))


def test_a_row_without_one_of_its_own_columns_is_not_run(results, folder):
    """Sideburns is gone after the removal; as columns of the comparison it would be left out on both sides."""
    for seed in (1, 2):
        write_scores(results, "celeba-dynamic", seed, **dict.fromkeys(SEVEN, 90))
        write_scores(results, "celeba-dynamic-removed", seed, Goatee=80)
    columns = ["Goatee", "Sideburns"]
    rows = [["fang2017-table4", row] for row in ("DMT", "DMT after removal")]
    common = {"label": "common", "plus": [rows[0]], "minus": [rows[1]], "columns": columns}
    own = {"label": "own", "plus": [rows[0]], "minus": [[*rows[1], columns]]}
    found = judge(results, folder, differences(common, own)).cells
    assert [cell.verdict for cell in found] == ["supports", "not_run"]


def test_an_experiment_that_is_not_enabled_is_not_run(full_results):
    experiments = copy.deepcopy(yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8")))["experiments"]
    experiments["fang2017-table3"]["enabled"] = False
    del experiments["fang2017-limits"]
    judged = judging.judge_claims(load_params(experiments=experiments), Results(full_results), REPORTS)
    assert [claim.id for claim in judged if claim.verdict == "not_run"] == [
        "fang2017-claim1", "fang2017-claim3", "fang2017-claim11", *DISABLED,
    ]  # fmt: skip


def test_two_data_sets_share_no_test_image_so_they_are_not_compared(results, folder):
    cell = compare("DMT", "MT") | {"minus": [["fang2017-table4", "MT"]], "label": "across"}
    with pytest.raises(TaskshareError, match="own-claim1: 'across' compares rows of celeba and cifar10"):
        judge(results, folder, differences(cell))


FIGURES4_5 = {"kind": "relations", "experiment": "fang2017-figures4-5", "statistic": "contrast", "least": 0.01}


def test_groups_that_fit_best_of_all_hold(results, folder):
    for seed, within in ((1, 0.69), (2, 0.71)):
        write_alpha(results, "celeba-dynamic", seed, SEVEN, lambda _, i, j, a=within: a if together(i, j) else 0.4)
    judged = judge(results, folder, FIGURES4_5)
    [cell] = judged.cells
    assert judged.verdict == "holds"
    assert cell.effect == pytest.approx(0.3)
    assert (cell.low, cell.high) == pytest.approx((0.3 - 12.7062 * 0.01, 0.3 + 12.7062 * 0.01), abs=1e-3)
    assert cell.p_value == pytest.approx(2 * stats.t.sf(0.3 / 0.01, 1), rel=1e-3)
    assert cell.note == "permutation test: p = 0.010; it cannot be below 1 of 105 groupings", "7! / (3! 2! 2! 2!)"
    assert "α within the groups less α between them is +0.300 on average over 2 seeds (p = 0.021)" in judged.headline


def test_a_contrast_smaller_than_the_least_that_counts_decides_nothing(results, folder):
    for seed, within in ((1, 0.4080), (2, 0.4081)):
        write_alpha(results, "celeba-dynamic", seed, SEVEN, lambda _, i, j, a=within: a if together(i, j) else 0.4)
    judged = judge(results, folder, FIGURES4_5)
    assert judged.cells[0].p_value < 0.05
    assert judged.verdict == "undecided"
    assert judged.cells[0].note.endswith("; smaller than 0.01, the least that counts")


def test_connections_against_the_groups_do_not_hold(results, folder):
    write_alpha(results, "celeba-dynamic", 1, SEVEN, lambda _, i, j: 0.3 if together(i, j) else 0.7)
    assert judge(results, folder, FIGURES4_5).verdict == "undecided", "one seed decides nothing"
    write_alpha(results, "celeba-dynamic", 2, SEVEN, lambda _, i, j: 0.3 if together(i, j) else 0.69)
    assert judge(results, folder, FIGURES4_5).verdict == "does_not_hold"


def test_connections_that_ignore_the_groups_are_undecided(results, folder):
    generator = np.random.default_rng(1)
    write_alpha(results, "celeba-dynamic", 1, SEVEN, lambda *_: generator.random())
    assert judge(results, folder, FIGURES4_5).verdict == "undecided"


def test_a_rise_from_layer_to_layer_is_the_slope_of_the_difference(results, folder):
    gaps = [0.0, 0.05, 0.02, 0.1, 0.2, 0.15]
    for seed in (1, 2):
        write_alpha(results, "celeba-dynamic", seed, SEVEN, lambda layer, i, j: 0.4 + gaps[layer - 1] * together(i, j))
    [cell] = judge(results, folder, {**FIGURES4_5, "statistic": "trend"}).cells
    assert cell.effect == pytest.approx(stats.linregress(range(1, 7), gaps).slope, abs=1e-6)
    assert (cell.verdict, cell.unit) == ("supports", "alpha per layer")


def test_the_permutation_test_of_few_tasks_says_how_small_its_p_can_be(results, folder):
    groups = [set(PAIRS[:3]), set(PAIRS[3:])]
    write_alpha(results, "cifar10-dynamic", 1, PAIRS, lambda _, i, j: 0.9 if together(i, j, groups) else 0.1)
    judged = judge(results, folder, {**FIGURES4_5, "experiment": "fang2017-cifar10-relations"})
    assert judged.verdict == "undecided"
    assert judged.headline.endswith("among 10 groupings, exact p = 0.100."), "5! / (3! 2!) groupings"
    assert judged.cells[0].note == (
        "permutation test: p = 0.100; it cannot be below 1 of 10 groupings; fewer than 2 seeds decide nothing"
    )


def test_convergence_four_times_faster_holds(results, folder):
    race(results, [(20, 80), (40, 170), (40, 150)])
    judged = judge(results, folder, FIGURE6, mini(seeds=[1, 2, 3]))
    iterations, images, seconds = judged.cells
    logarithms = np.log([4, 4.25, 3.75])
    low, high = stats.t.interval(0.95, 2, logarithms.mean(), stats.sem(logarithms))
    assert judged.verdict == "holds"
    assert iterations.effect == pytest.approx(math.exp(logarithms.mean()))
    assert (iterations.low, iterations.high) == pytest.approx((math.exp(low), math.exp(high)))
    assert iterations.p_value == pytest.approx(stats.ttest_1samp(logarithms, 0).pvalue)
    assert images.effect == seconds.effect == pytest.approx(iterations.effect), "speed is the same in both"
    assert (images.verdict, seconds.verdict) == ("shown", "shown")


@pytest.mark.parametrize(
    ("iterations", "verdict", "words"),
    [
        ([80, 90, 80], "does_not_hold", "Faster, but not 3 times"),
        ([20, 20, 20], "does_not_hold", "Slower"),
        ([40, 50, 40], "does_not_hold", "Perhaps not faster, and not 3 times"),
        ([40, 190, 80], "undecided", "The interval is not within 3 to 4.8 times"),
        ([200, 200, 200], "does_not_hold", "Faster by more than 4.8 times"),
    ],
)
def test_convergence_says_how_it_fails(results, folder, iterations, verdict, words):
    race(results, [(40, alone) for alone in iterations])
    judged = judge(results, folder, FIGURE6, mini(seeds=[1, 2, 3]))
    assert (judged.verdict, judged.headline.split(":")[0]) == (verdict, words)


def test_convergence_of_one_seed_decides_nothing(results, folder):
    race(results, [(20, 80)])
    judged = judge(results, folder, FIGURE6)
    assert (judged.verdict, judged.cells[0].effect, judged.cells[0].low) == ("undecided", pytest.approx(4), None)
    assert judged.headline.startswith("With one seed, which decides nothing, training alone takes 4.0 times as many ")


def test_a_net_that_never_gets_there_counts_as_a_bound(results, folder):
    race(results, [(20, 80), (20, 84)])
    without = judge(results, folder, FIGURE6).cells[0]
    race(results, [(20, 80), (20, 84), (20, 1000)])
    with_bound = judge(results, folder, FIGURE6).cells[0]
    assert with_bound.effect > without.effect, "the slow net is not left out"
    assert (without.note, with_bound.note) == ("", "1 of 3 ratios are bounds")


def test_nets_of_which_none_gets_there_tell_nothing(results, folder):
    race(results, [(1000, 1000), (1000, 1000)])
    judged = judge(results, folder, FIGURE6)
    assert judged.verdict == "undecided"
    assert judged.cells[0].note == "no pair of nets that both reached the error"
    assert "Of 2 nets each, 0 that joined and 0 alone reached it" in judged.headline


def test_half_a_race_is_not_run(results, folder):
    write_curve(results, "celeba-incremental", 1, "Smiling", 20)
    assert judge(results, folder, FIGURE6).verdict == "not_run"


LIMITS = {"kind": "limits", "experiment": "fang2017-limits"}


@pytest.mark.parametrize(
    ("identity", "equal", "verdict"),
    [(0.0, 3e-11, "holds"), (1e-9, 3e-11, "does_not_hold"), (0.0, 3e-7, "does_not_hold")],
)
def test_limits_are_judged_by_the_worst_seed(results, folder, identity, equal, verdict):
    for seed, values in ((1, (0.0, 1e-12)), (2, (identity, equal))):
        content = {
            "identity": {"maximum_difference": values[0], "maximum_difference_with_joined_first_layers": 4e-7},
            # The sum alone is right for any α whose columns sum to 1.
            "equal": {
                "maximum_relative_differences": {"of_the_sum": 1e-13, "of_each_subnet": values[1]},
                "bound": 1e-8,
            },
        }
        write_json(results / "evaluation" / "celeba-dynamic" / f"seed{seed}" / "limits.json", content)
    judged = judge(results, folder, LIMITS)
    assert (judged.verdict, judged.cells[1].effect, judged.cells[1].seeds) == (verdict, equal, 2)
    assert judged.cells[1].p_value is None


def page(judged, demonstration=False):
    template = _environment(REPORTS / "templates").get_template("claims.html.j2")
    planned = {"plan": PLAN, "history": None, "ages": {}, "departures": []}
    return template.render(claims=judged, demonstration=demonstration, **planned)


def test_numbers_stand_in_data_attributes_and_verdicts_in_words(results, folder):
    for seed in (1, 2):
        write_scores(results, "cifar10-hard", seed, **all_pairs(80))
        write_scores(results, "cifar10-dynamic", seed, **all_pairs(85))
    text = page([judge(results, folder, differences(compare("DMT", "MT"), compare("MT", "ST")))])
    marks = 'data-table="claims" data-row="own-claim1" data-task="DMT − MT" data-quantity="effect"'
    found = re.search(marks + ' data-value="([^"]+)">([^<]+)<', text)
    assert (float(found[1]), found[2]) == (5.0, "+5.00")
    for words in ("for it", "not run", "It is so.", "So (section 1)."):
        assert words in text


def test_all_kinds_of_tests_can_be_shown(demo):
    text = page(demo, demonstration=True)
    assert "its judgements are no evidence" in text
    assert "crossed design" in text
    assert {claim.kind for claim in demo} == {
        "difference", "relations", "convergence", "limits", "features", "costs",
    }  # fmt: skip
    assert [text.count(f'<details id="{claim.id}">') for claim in demo] == [1] * 24
    assert "nan" not in re.findall(r'data-value="([^"]+)"', text)


def test_small_differences_are_not_rounded_away(demo):
    assert 'data-quantity="effect" data-value="2e-12">2.0e-12<' in page(demo)


def test_each_paper_has_its_own_numbers(demo):
    text = page(demo)
    parts = re.split(r'<h3 class="paper" id="claims-(\w+)">([^<]+)</h3>', text)[1:]
    assert parts[::3] == ["fang2017", "matsui2019", "own"]
    assert parts[1::3] == ["Fang et al. 2017", "Matsui et al. 2019", "Own claims"]
    numbers = [
        [int(n) for n in re.findall(r'<th scope="row"><a href="#[^"]+">(\d+)</a>', part)] for part in parts[2::3]
    ]
    assert numbers == [[*range(1, 12)], [*range(1, 7)], [*range(1, 8)]]
    labels = re.findall(r'aria-label="([^"]+)"', text)
    assert len(set(labels)) == len(labels)


def test_a_claim_of_no_paper_stands_under_its_own_heading(results, folder):
    text = page([judge(results, folder, LIMITS)])
    assert '<h3 class="paper" id="claims-own">Own claims</h3>' in text


def test_a_page_without_claims_says_so():
    assert "No claims are written down" in page([])


def test_real_data_are_not_called_generated(results, folder):
    for run in ("cifar10-hard", "cifar10-dynamic"):
        write_scores(results, run, 1, **all_pairs(80))
    assert judge(results, folder, differences(compare("DMT", "MT"))).synthetic
    write_json(results / "data" / "cifar10" / "rgb" / "facts.json", {"synthetic": False})
    assert not judge(results, folder, differences(compare("DMT", "MT"))).synthetic

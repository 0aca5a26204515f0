"""Matsui 2019 beside its tables: the layers, the feature maps, the costs, and the claims that rest on them."""

import base64
import copy
import json
import math
import re

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import stats

from taskshare.config import FeatureMaps
from taskshare.evaluation.claims.entries import CostsTest, FeaturesTest, load_plan
from taskshare.evaluation.kinds import column_similarity
from taskshare.evaluation.kinds.analysis import analyses
from taskshare.evaluation.kinds.costs import CostsKind
from taskshare.evaluation.kinds.feature_maps import FeatureMapsKind
from taskshare.evaluation.published import load_published
from taskshare.evaluation.results import Results
from taskshare.networks.build import build_for, count_parameters
from taskshare.report import render

from .conftest import REPORTS, load_params
from .writing import write_json

RUN, FIGURE6, COSTS, TABLE1 = "celeba-separation", "matsui2019-figure6", "matsui2019-costs", "matsui2019-table1"
SOURCES = ("shared", "landmarks", "attributes")
CHANNELS, PLACES = 10, 400
PLAN = load_plan(REPORTS / "plan.yaml")
CLAIM5 = FeaturesTest(kind="features", experiment=FIGURE6)
CLAIM6 = CostsTest(
    kind="costs",
    experiment=COSTS,
    row="Hard sharing",
    against="One net per task",
    quantities=["parameters", "training_flops", "batch_seconds"],
)


def with_seeds(*seeds, **changes):
    """params.yaml with seeds of the separation net and its parent."""
    content = copy.deepcopy(load_params().scales["demo"].model_dump(exclude_unset=True))
    content["runs"] |= {"celeba-columns": {"seeds": [*seeds]}, RUN: {"seeds": [*seeds]}}
    scales = {name: scale.model_dump(exclude_unset=True) for name, scale in load_params().scales.items()}
    return load_params(scales={**scales, "demo": content}, **changes)


def build(results, name, params=None, published=True):
    """One experiment that is no table, as the report has it."""
    params = params or load_params()
    params = params.model_copy(update={"experiments": {name: params.experiments[name]}})
    printed = load_published(REPORTS / "published") if published else {}
    return analyses(params, Results(results), printed)[0]


def page_of(item):
    return (
        render._environment(REPORTS / "templates")
        .get_template("analyses.html.j2")
        .render(analyses=[item], estimated_landmarks=[])
    )


def numbers(page, table):
    """Marked numbers of a table: (row, task): value."""
    found = re.findall(rf'data-table="{table}" data-row="([^"]+)" data-task="([^"]+)" data-value="([^"]+)"', page)
    return {(row, task): float(value) for row, task, value in found}


def write_maps(results, seed, samples, size=6):
    """feature_maps.safetensors of features (S, C) by source."""
    generator = np.random.default_rng(seed)
    tensors = {"image": generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)}
    for source, values in samples.items():
        tensors[f"sample.{source}"] = values.astype(np.float32)
        for kind in ("mean", "example"):
            maps = generator.random((values.shape[1], size, size)).astype(np.float32)
            tensors[f"{kind}.{source}"] = maps * np.arange(1, values.shape[1] + 1, dtype=np.float32)[:, None, None]
    folder = results / "evaluation" / RUN / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"id": "000123.jpg", "block": 1, "name": "conv1-2"}
    save_file(tensors, folder / "feature_maps.safetensors", {"taskshare": json.dumps(facts)})


def features(seed, alike, common=0.9):
    """Columns whose channels are mixtures of what all nets have and of noise; a share `alike` of the shared column."""
    generator = np.random.default_rng(100 + seed)
    everyone = np.random.default_rng(0).normal(size=(PLACES, CHANNELS))
    shared = common * everyone + math.sqrt(1 - common**2) * generator.normal(size=(PLACES, CHANNELS))
    found = {"shared": shared}
    for source, share in zip(SOURCES[1:], alike, strict=True):
        found[source] = share * shared + math.sqrt(1 - share**2) * generator.normal(size=(PLACES, CHANNELS))
    return found


def picture(uri):
    """Pixels of a data URI."""
    data = np.frombuffer(base64.b64decode(uri.removeprefix("data:image/png;base64,")), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def test_maps_of_the_most_varying_channels_are_drawn_from_black_to_white(tmp_path):
    samples = features(1, (0.5, 0.5))
    samples["landmarks"] *= np.array([1, 1, 9, 1, 1, 1, 7, 1, 1, 1])
    write_maps(tmp_path, 1, samples)
    summary = build(tmp_path, FIGURE6).summary
    assert (summary.layer, summary.size, summary.seed, summary.seeds, summary.places) == (
        "conv1-2",
        (6, 6),
        1,
        [1],
        PLACES,
    )
    assert [column.source for column in summary.columns] == [*SOURCES]
    column = summary.columns[1]
    assert (column.channels[:2], len(column.channels), column.total) == ([3, 7], 8, CHANNELS)
    strip = picture(column.mean)
    assert strip.shape == (6, 8 * 6 + 7 * 2)
    mean = Results(tmp_path).measured(FeatureMaps, RUN, 1)["mean.landmarks"][2]
    expected = 255 * (mean - mean.min()) / (mean.max() - mean.min())
    np.testing.assert_allclose(strip[:, :6], expected, atol=0.51)


def test_large_maps_are_drawn_coarser(tmp_path):
    write_maps(tmp_path, 1, features(1, (0.5, 0.5)), size=128)
    assert picture(build(tmp_path, FIGURE6).summary.columns[0].mean).shape == (64, 8 * 64 + 7 * 2)


def test_without_example_images_the_means_stay(tmp_path):
    write_maps(tmp_path, 1, features(1, (0.5, 0.5)))
    with_images, without = (
        build(tmp_path, FIGURE6, load_params(report={"example_images": wanted})) for wanted in (True, False)
    )
    assert page_of(with_images).count("data:image/png") == 7
    image = Results(tmp_path).measured(FeatureMaps, RUN, 1)["image"]
    assert np.array_equal(picture(with_images.summary.image)[..., ::-1], image)
    page = page_of(without)
    assert page.count("data:image/png") == 3
    assert "000123" not in page
    assert "left out by <code>report.example_images: false" in page


def test_columns_are_compared_within_nets_and_between_seeds(tmp_path):
    by_seed = {seed: features(seed, (0.3, 0.95)) for seed in (1, 2)}
    for seed, samples in by_seed.items():
        write_maps(tmp_path, seed, samples)
    item = build(tmp_path, FIGURE6, with_seeds(1, 2))
    pairs = {"shared, landmarks": 2, "shared, attributes": 2, "landmarks, attributes": 2}
    pairs |= {f"{source}, {source}": 1 for source in SOURCES}
    assert {row.label: row.count for row in item.summary.similarities} == pairs
    rows = {row.label: row for row in item.summary.similarities}
    assert rows["shared, landmarks"].cka < rows["shared, shared"].cka < rows["shared, attributes"].cka
    # A share of the shared column and independent noise: R squared is the share's square.
    assert rows["shared, attributes"].forward == pytest.approx(0.95**2, abs=0.02)
    assert rows["shared, landmarks"].low < rows["shared, landmarks"].high
    marked = numbers(page_of(item), f"{FIGURE6}-similarities")
    assert marked["shared, shared", "cka"] == pytest.approx(rows["shared, shared"].cka, abs=1e-4)
    assert "less alike than those: landmarks." in item.summary.reading


def test_with_one_seed_nothing_is_said_of_another_start(tmp_path):
    write_maps(tmp_path, 1, features(1, (0.5, 0.5)))
    summary = build(tmp_path, FIGURE6).summary
    assert {row.between for row in summary.similarities} == {"columns"}
    assert "With one seed it is not known" in summary.reading


def test_a_dead_column_has_no_similarity(tmp_path):
    samples = features(1, (0.5, 0.5)) | {"landmarks": np.zeros((PLACES, CHANNELS))}
    write_maps(tmp_path, 1, samples)
    item = build(tmp_path, FIGURE6)
    assert item.summary.similarities[0].cka is None
    assert "landmarks –" in item.summary.reading
    assert "nan" not in page_of(item)


def judge_features(results, params):
    return FeatureMapsKind.judge(params, Results(results), CLAIM5, PLAN)


@pytest.mark.parametrize(
    ("alike", "verdict"),
    [((0.2, 0.3), "holds"), ((0.99, 0.99), "does_not_hold"), ((0.2, 0.99), "does_not_hold")],
)
def test_task_columns_must_be_less_like_their_shared_column_than_another_start(tmp_path, alike, verdict):
    for seed in (1, 2, 3, 4):
        write_maps(tmp_path, seed, features(seed, alike))
    judged = judge_features(tmp_path, with_seeds(1, 2, 3, 4))
    assert judged.verdict == verdict
    assert [cell.effect > 0 for cell in judged.cells] == [share < 0.9 for share in alike]
    assert all(cell.low < cell.effect < cell.high and cell.seeds == 4 for cell in judged.cells)


def test_one_and_two_seeds_decide_nothing(tmp_path):
    params = with_seeds(1, 2)
    write_maps(tmp_path, 1, features(1, (0.2, 0.3)))
    judged = judge_features(tmp_path, params)
    assert (judged.verdict, judged.cells[0].effect) == ("undecided", None)
    assert "one seed" in judged.cells[0].note
    write_maps(tmp_path, 2, features(2, (0.2, 0.3)))
    judged = judge_features(tmp_path, params)
    assert (judged.verdict, judged.cells[0].low, judged.cells[0].p_value) == ("undecided", None, None)
    assert judged.cells[0].effect > 0.3
    assert "one pair" in judged.cells[0].note


def test_features_that_were_not_measured_are_not_run(tmp_path):
    judged = judge_features(tmp_path, load_params())
    assert (judged.verdict, len(judged.cells)) == ("not_run", 2)
    gone = load_params().model_copy(update={"experiments": {}})
    assert judge_features(tmp_path, gone).verdict == "not_run"


def test_the_jackknife_gives_a_mean_over_pairs_its_spread():
    # The mean over pairs of x_i + x_j is twice the mean of x: the jackknife must find the parts 2 x_i - own_i.
    x, own = np.array([0.1, 0.4, 0.2, 0.7, 0.35]), np.array([0.3, 0.1, 0.2, 0.25, 0.4])
    parts = column_similarity.jackknife(x[:, None] + x[None, :], own)
    np.testing.assert_allclose(parts, 2 * x - own)


def test_p_values_are_student_t_over_seeds_corrected_for_two_tasks(tmp_path):
    for seed in (1, 2, 3):
        write_maps(tmp_path, seed, features(seed, (0.85, 0.86)))
    first, second = judge_features(tmp_path, with_seeds(1, 2, 3)).cells
    half = (first.high - first.low) / 2
    assert first.p_value == pytest.approx(2 * stats.t.sf(abs(first.effect) / (half / stats.t.ppf(0.975, 2)), 2))
    assert min(first.adjusted, second.adjusted) == pytest.approx(min(1, 2 * min(first.p_value, second.p_value)))


def write_costs(results, hard, separation):
    """Costs of two nets as factors on those of one net per task, by quantity; `all` for the others."""
    alone = {
        "parameters": 2_000_000,
        "trained_parameters": 2_000_000,
        "forward_flops": 4e9,
        "training_flops": 12e9,
        "image_seconds": 0.01,
        "batch_seconds": 0.2,
        "training_step_seconds": 0.5,
    }
    nets = {"One net per task": {"nets": 2, **alone}}
    for label, factors in (("Hard sharing", hard), ("Separation", separation)):
        own = {key: value * factors.get(key, factors["all"]) for key, value in alone.items()}
        nets[label] = {"nets": 1, **own}
    facts = {"device": "cpu", "processor": "A processor", "threads": 1, "batch_size": 32, "size": 32}
    write_json(results / "evaluation" / "celeba-columns" / "seed1" / "costs.json", {**facts, "nets": nets})


def test_costs_stand_beside_those_of_one_net_per_task(tmp_path):
    hard = {"all": 0.5, "parameters": 0.4, "batch_seconds": 0.6}
    write_costs(tmp_path, hard, separation={"all": 1.5, "trained_parameters": 0.8, "parameters": 1.6})
    item = build(tmp_path, COSTS)
    assert [row.label for row in item.summary.rows] == ["Hard sharing", "Separation", "One net per task"]
    page = page_of(item)
    assert numbers(page, COSTS)["Hard sharing", "parameters"] == 800_000
    ratios = numbers(page, f"{COSTS}-ratios")
    assert (ratios["Hard sharing", "batch_seconds"], ratios["Separation", "training_flops"]) == (0.6, 1.5)
    for words in ("120 ms", "6 G", "float32 on 1 thread of A processor"):
        assert words in page
    hard_sharing, separation, stages = item.summary.readings
    assert "costs 0.40 times (parameters) to 0.60 times (time of a batch, forward) as much as one net" in hard_sharing
    assert "0.80 times (parameters trained in the last stage) to 1.60 times (parameters)" in separation
    assert stages.endswith("Separation 2.00.")


def test_costs_of_untrained_nets_are_not_called_generated(tmp_path):
    write_costs(tmp_path, hard={"all": 1}, separation={"all": 1})
    assert "Generated data" not in page_of(build(tmp_path, COSTS))


@pytest.mark.parametrize(
    ("hard", "verdict", "sides"),
    [
        ({"all": 0.5}, "holds", ["supports"] * 3),
        ({"all": 0.5, "batch_seconds": 1.2}, "does_not_hold", ["supports", "supports", "contradicts"]),
        ({"all": 0.5, "batch_seconds": 0.97}, "undecided", ["supports", "supports", "undecided"]),
        ({"all": 0.5, "parameters": 1}, "does_not_hold", ["contradicts", "supports", "supports"]),
    ],
)
def test_sharing_must_cost_less_in_every_quantity(tmp_path, hard, verdict, sides):
    write_costs(tmp_path, hard=hard, separation={"all": 1.5})
    judged = CostsKind.judge(load_params(), Results(tmp_path), CLAIM6, PLAN)
    assert judged.verdict == verdict
    assert [cell.verdict for cell in judged.cells] == [*sides, "shown", "shown", "shown"]
    assert judged.cells[1].effect == 2
    assert [cell.note for cell in judged.cells[:3]] == [
        "exact",
        "exact",
        "median time, taken once, on 1 thread of A processor",
    ]
    assert "Separation costs 1.50 times (parameters) to 1.50 times" in judged.headline


def test_costs_that_were_not_measured_are_not_run(tmp_path):
    judged = CostsKind.judge(load_params(), Results(tmp_path), CLAIM6, PLAN)
    assert (judged.verdict, len(judged.cells)) == ("not_run", 3)
    assert build(tmp_path, COSTS).summary is None


def test_at_scale_paper_the_layers_are_table_1(tmp_path):
    item = build(tmp_path, TABLE1, load_params(scale="paper"))
    page = page_of(item)
    assert item.summary.same
    assert "These are the paper's layers and sizes." in page
    pairs = re.findall(
        r'data-task="(?:kernel|channels|size|units|outputs)" data-value="(\d+)" data-paper="(\d+)"', page
    )
    assert len(pairs) == 3 * 10 + 2 * 2
    assert all(ours == printed for ours, printed in pairs)
    # By hand: VGG's first ten convolutions, and 2 x 512 x 8 x 8 inputs of the first task's head.
    assert item.summary.shared_parameters == 7_635_264
    assert item.summary.heads[0].parameters == (2 * 512 * 64 + 1) * 2048 + (2048 + 1) * 10
    assert [row.published_size for row in item.summary.layers][::3] == [128, 64, 32, 16]


@pytest.mark.parametrize("run", [RUN, "celeba-separation-channelwise", "celeba-separation-branch2"])
def test_parameters_of_the_plan_are_those_of_the_net(tmp_path, run):
    params = load_params()
    experiment = params.experiments[TABLE1].model_copy(update={"run": run})
    summary = build(tmp_path, TABLE1, params.model_copy(update={"experiments": {TABLE1: experiment}})).summary
    network = build_for(next(params.jobs(run)))
    assert summary.parameters == count_parameters(network)
    assert summary.shared_parameters == count_parameters(network.shared)
    assert summary.column_parameters == count_parameters(network.columns[0])


def test_at_other_scales_the_page_says_what_is_smaller(tmp_path):
    network = load_params().network(RUN)
    item = build(tmp_path, TABLE1)
    page = page_of(item)
    assert item.summary.same is False
    assert "are scaled here" in page
    assert page.count("not at this scale") == 10 - sum(network.convolutions)
    marks = f'data-row="conv1-1" data-task="channels" data-value="{network.channels[0]}" data-paper="64"'
    assert marks in page


def test_layers_need_neither_results_nor_published_numbers(tmp_path):
    item = build(tmp_path, TABLE1, published=False)
    assert (item.summary.same, item.files) == (None, [])
    page = page_of(item)
    assert "data-paper" not in page
    assert "Behind this: <code>params.yaml</code>" in page

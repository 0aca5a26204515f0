import base64
import itertools
import re
import shutil
from collections import Counter

import cv2
import numpy as np
import pandas as pd
import pytest

from taskshare.evaluation.kinds.analysis import analyses
from taskshare.evaluation.kinds.convergence import Curve, Learned, Mark, SeedRow
from taskshare.evaluation.published import load_published
from taskshare.evaluation.results import Results
from taskshare.report import render
from taskshare.report.analyses import draw, drawing

from .conftest import REPORTS, load_params, write_json, write_parquet

CIFAR10 = ["cat.dog", "deer.horse", "bird.frog", "airplane.ship", "automobile.truck"]
SEVEN = ["Goatee", "Heavy_Makeup", "High_Cheekbones", "No_Beard", "Sideburns", "Smiling", "Wearing_Lipstick"]
KEPT = ["Goatee", "Heavy_Makeup", "High_Cheekbones", "No_Beard", "Smiling"]
PRINTED = [["Sideburns", "Goatee", "No_Beard"], ["Heavy_Makeup", "Wearing_Lipstick"], ["Smiling", "High_Cheekbones"]]


def build(results, *names):
    """The analyses by name: of some experiments, or of all."""
    params = load_params()
    chosen = {name: item for name, item in params.experiments.items() if not names or name in names}
    params = params.model_copy(update={"experiments": chosen})
    return {item.id: item for item in analyses(params, Results(results), load_published(REPORTS / "published"))}


def summary_of(results, name):
    """The summary of one experiment."""
    return build(results, name)[name].summary


def page_of(found):
    """Analyses as the report shows them."""
    template = render._environment(REPORTS / "templates").get_template("analyses.html.j2")
    return template.render(analyses=list(found.values()), estimated_landmarks=[])


def alpha_rows(tasks, alpha, **columns):
    """Rows source, target, alpha of a matrix (from, to), with further columns."""
    pairs = [(source, target, alpha[i, j]) for i, source in enumerate(tasks) for j, target in enumerate(tasks)]
    return pd.DataFrame(pairs, columns=["source", "target", "alpha"]).assign(**columns)


def write_connections(results, run, seed, tasks, alphas, magnitudes=None):
    """connections.parquet of alpha (from, to) by layer."""
    magnitudes = magnitudes or [1.0] * len(tasks)
    tables = []
    for layer, alpha in alphas.items():
        table = alpha_rows(tasks, alpha, layer=layer)
        table["share"] = (alpha / alpha.sum(axis=0)).ravel()
        table["magnitude"] = np.repeat(magnitudes, len(tasks))
        weight = alpha * np.array(magnitudes)[:, None]
        table["influence"] = (weight / weight.sum(axis=0)).ravel()
        tables.append(table)
    write_parquet(results / "evaluation" / run / f"seed{seed}" / "connections.parquet", pd.concat(tables))


def write_transfer(results, run, seed, tasks, alphas):
    """transfer.parquet of alpha (from, to) by (iteration, layer)."""
    tables = [alpha_rows(tasks, alpha, iteration=at, layer=layer) for (at, layer), alpha in alphas.items()]
    write_parquet(results / "training" / run / f"seed{seed}" / "transfer.parquet", pd.concat(tables))


def write_maps(results, seed, maps, pixels=None):
    """response_maps.parquet of (rows, columns) by attribute: of layer 5, and of the pixels, by default the same."""
    rows = [
        (layer, attribute, row, column, value)
        for layer, of_layer in ((0, pixels or maps), (5, maps))
        for attribute, values in of_layer.items()
        for (row, column), value in np.ndenumerate(values)
    ]
    table = pd.DataFrame(rows, columns=["layer", "attribute", "row", "column", "contrast"])
    write_parquet(results / "evaluation" / "celeba-hard" / f"seed{seed}" / "response_maps.parquet", table)


def write_learning(results, run, error, seconds_per_iteration=0.1, accuracy=0.9):
    """History (10 images an iteration), timing and metrics of a run of Smiling, seed 1."""
    iterations = np.arange(1, len(error) + 1)
    folder = results / "training" / run / "seed1"
    history = {"iteration": iterations, "images": 10 * iterations, "task": "Smiling", "training_error": error}
    write_parquet(folder / "history.parquet", pd.DataFrame(history))
    seconds = seconds_per_iteration * iterations
    write_parquet(folder / "timing.parquet", pd.DataFrame({"iteration": iterations, "seconds": seconds}))
    metrics = {"tasks": {"Smiling": {"balanced_accuracy": accuracy}}}
    write_json(results / "evaluation" / run / "seed1" / "metrics.json", metrics)


def smiling_runs():
    """Job names of Figure 6's two runs."""
    params = load_params()
    return [
        next(job.name for job in params.jobs(run) if "Smiling" in job.trained_tasks)
        for run in params.experiments["fang2017-figure6"].run_names
    ]


def random_alpha(count, seed):
    alpha = np.random.default_rng(seed).uniform(0.4, 0.6, (count, count))
    np.fill_diagonal(alpha, 1)
    return alpha


def test_nothing_run_is_said_of_every_experiment_that_is_no_table(tmp_path):
    found = build(tmp_path)
    assert list(found) == [
        name for name, item in load_params().experiments.items() if item.enabled and item.kind != "table"
    ]
    measured = [item for item in found.values() if item.kind != "architecture"]  # which params.yaml alone gives
    assert all(item.summary is None for item in measured)
    assert page_of(found).count("not run") == len(measured)


def test_shares_over_training_leave_the_task_itself_out(tmp_path):
    by_seed = {seed: random_alpha(5, seed) for seed in (1, 2)}
    for seed, alpha in by_seed.items():
        start = np.where(np.eye(5, dtype=bool), 1, 0.5)
        alphas = {(10, 6): start, (20, 6): alpha, (20, 5): start}
        write_transfer(tmp_path, "cifar10-dynamic", seed, CIFAR10, alphas)
    summary = summary_of(tmp_path, "fang2017-cifar10-relations")
    assert (summary.iteration, summary.training_seeds, summary.layers) == (20, [1, 2], [])
    expected = np.mean([100 * alpha / (alpha.sum(axis=0) - 1) for alpha in by_seed.values()], axis=0)
    for i, j in itertools.product(range(5), range(5)):
        assert summary.shares[i][j] == (None if i == j else pytest.approx(expected[i, j], rel=1e-5))
    most, least = expected[1:, 0].argmax() + 1, expected[1:, 0].argmin() + 1
    assert f"takes most from {CIFAR10[most]} ({expected[most, 0]:.1f} %)" in summary.training[0].reading
    assert f"least from {CIFAR10[least]} ({expected[least, 0]:.1f} %)" in summary.training[0].reading
    assert "equal shares would be 25.0 %" in summary.training[0].reading
    assert "Layer by layer: not run." in page_of(build(tmp_path, "fang2017-cifar10-relations"))


def test_the_task_of_the_experiment_comes_first_and_its_group_stands_out(tmp_path):
    write_transfer(tmp_path, "celeba-dynamic", 1, SEVEN, {(5, 6): random_alpha(7, 1), (9, 6): random_alpha(7, 2)})
    item = build(tmp_path, "fang2017-figures4-5")["fang2017-figures4-5"]
    assert [part.task for part in item.summary.training] == [
        "No_Beard",
        *(task for task in SEVEN if task != "No_Beard"),
    ]
    first = draw(item)["training"][0][0]
    bold = re.findall(r"<text style=\"[^\"]*(?:700|bold)[^\"]*\"[^>]*>([^<]+)</text>", first)
    assert {"Sideburns", "Goatee"} <= set(bold)
    assert not {"Smiling", "Heavy Makeup"} & set(bold)


def test_influence_weighs_alpha_by_feature_magnitude(tmp_path):
    alpha, magnitudes = random_alpha(5, 3), [1.0, 2.0, 3.0, 4.0, 5.0]
    write_connections(tmp_path, "cifar10-dynamic", 1, CIFAR10, {5: alpha, 6: alpha}, magnitudes)
    summary = summary_of(tmp_path, "fang2017-cifar10-relations")
    weight = (alpha * np.array(magnitudes)[:, None])[1:, 0]
    found = [summary.layers[0].lines["influence"][task][1] for task in CIFAR10[1:]]
    assert found == pytest.approx(100 * weight / weight.sum(), rel=1e-5)
    assert summary.layers[0].x == [5, 6]
    assert f"({100 * weight.max() / weight.sum():.1f} %)" in summary.layers[0].reading


def test_five_tasks_in_two_groups_can_never_be_significant(tmp_path):
    animal = np.array([True, True, True, False, False])
    alpha = np.where(animal[:, None] == animal[None, :], 0.7, 0.4)
    np.fill_diagonal(alpha, 1)
    write_connections(tmp_path, "cifar10-dynamic", 1, CIFAR10, {1: np.full((5, 5), 0.5), 6: alpha})
    relations = summary_of(tmp_path, "fang2017-cifar10-relations").relations
    assert [(row.layer, row.within, row.between) for row in relations.layers] == [
        (1, pytest.approx(0.5), pytest.approx(0.5)),
        (6, pytest.approx(0.7), pytest.approx(0.4)),
    ]
    assert relations.test.statistic == pytest.approx(0.3)
    assert (relations.test.p_value, relations.test.partitions) == (pytest.approx(0.1), 10)
    assert relations.seeds == {1: pytest.approx(0.3)}
    assert "nothing can be significant here" in relations.reading
    assert "largest at layer 6" in relations.reading


def grouped_maps(strengths):
    """A map for each of the seven: one bright place per printed group, of the given strength."""
    maps = {}
    for place, members in enumerate(PRINTED):
        for task in members:
            maps[task] = np.full((3, 3), 0.01)
            maps[task][place, 1] = strengths.get(task, 1.0)
    return maps


def test_groups_of_maps_with_the_same_bright_places_are_the_printed_ones(tmp_path):
    for seed in (1, 2):
        maps = {**grouped_maps({"Goatee": 1.0 + 0.1 * seed}), "Young": np.full((3, 3), 0.2)}
        write_maps(tmp_path, seed, maps, pixels=grouped_maps({"Sideburns": 9.0, "Smiling": 9.5, "Heavy_Makeup": 5.0}))
    summary = summary_of(tmp_path, "fang2017-figure2")
    raw, normalised, without_net = summary.groupings
    assert without_net.groups != PRINTED
    assert raw.groups == summary.published == PRINTED
    assert raw.agreement.statistic == 1
    assert raw.agreement.p_value == raw.agreement.smallest_p == pytest.approx(1 / 105)  # 7! / (3! 2! 2! 2!)
    assert raw.seeds == normalised.seeds == {1: True, 2: True}
    places = {task: index for index, task in enumerate(summary.tasks)}
    assert summary.distances.numbers[places["Goatee"]][places["Smiling"]] == pytest.approx(0.99 + 1.14)
    assert summary.limit == pytest.approx(1.15)
    assert [item.attribute for item in summary.others] == ["Young"]
    assert "upper half for Sideburns, Goatee and No Beard" in summary.reading
    assert "lower half for Smiling and High Cheekbones" in summary.reading
    assert summary.frequencies is None


def test_strength_moves_groups_of_raw_maps_and_not_of_scaled_ones(tmp_path):
    write_maps(tmp_path, 1, grouped_maps({"Sideburns": 9.0, "Smiling": 9.5, "Heavy_Makeup": 5.0}))
    summary = summary_of(tmp_path, "fang2017-figure2")
    raw, normalised, _ = summary.groupings
    assert raw.groups != PRINTED
    assert normalised.groups == PRINTED
    assert "The paper's groups come out of: L1 distance of maps scaled to sum 1." in summary.verdict


def test_cooccurrence_gives_groups_of_its_own(tmp_path):
    write_maps(tmp_path, 1, grouped_maps({}))
    together = np.repeat([*np.eye(3, dtype=int), [0, 0, 0]], [40, 40, 30, 90], axis=0)
    members = [
        ["Goatee", "Smiling"],
        ["No_Beard", "Sideburns"],
        ["Heavy_Makeup", "High_Cheekbones", "Wearing_Lipstick"],
    ]
    table = {task: 2 * together[:, place] - 1 for place, tasks in enumerate(members) for task in tasks}
    write_parquet(tmp_path / "data" / "celeba" / "grey" / "train.parquet", pd.DataFrame(table))
    summary = summary_of(tmp_path, "fang2017-figure2")
    assert summary.images == 200
    assert summary.frequencies.numbers[0] == pytest.approx([20.0, 0.0, 20.0, 0.0, 0.0, 0.0, 0.0])  # Sideburns first
    assert "Sideburns and No Beard, in 20.0 %" in summary.frequencies.reading
    assert ["Sideburns", "No_Beard"] in summary.groupings[3].groups
    assert "Other groups come out of: co-occurrence." in summary.verdict


def test_removal_without_learning_shares_out_what_the_removed_tasks_gave(tmp_path):
    before, after = np.full((7, 7), 0.5), np.full((5, 5), 0.5)
    np.fill_diagonal(before, 1)
    np.fill_diagonal(after, 1)
    write_connections(tmp_path, "celeba-dynamic", 1, SEVEN, {6: before})
    assert summary_of(tmp_path, "fang2017-table6") is None
    write_connections(tmp_path, "celeba-dynamic-removed", 1, KEPT, {6: after})
    summary = summary_of(tmp_path, "fang2017-table6")
    assert (summary.tasks, summary.removed, summary.seeds) == (KEPT, ["Sideburns", "Wearing_Lipstick"], [1])
    assert summary.changes[0][:2] == pytest.approx([100 / 3 - 25, 100 / 6 - 12.5])
    assert summary.sums == pytest.approx([25.0] * 5)
    assert summary.former == pytest.approx([25.0] * 5)
    assert summary.relearned == pytest.approx(0, abs=1e-9)
    assert summary.correlation is None, "changes that are all equal have no rank"
    assert summary.frozen == []


def test_changes_stand_beside_the_printed_ones(tmp_path):
    printed = load_published(REPORTS / "published")["fang2017-table6"].rows
    paper = np.array([[printed[source][target] for target in KEPT] for source in KEPT])
    before = pd.DataFrame(0.1, SEVEN, SEVEN)
    after = before.loc[KEPT, KEPT] + paper / 100
    for run, share in (("celeba-dynamic", before), ("celeba-dynamic-removed", after)):
        rows = alpha_rows(list(share.index), share.to_numpy(), layer=6).rename(columns={"alpha": "share"})
        write_parquet(tmp_path / "evaluation" / run / "seed1" / "connections.parquet", rows)
    start = {"job": "celeba-dynamic", "kind": "removal", "frozen": {"before": "ab" * 32, "after": "cd" * 32}}
    write_json(tmp_path / "training" / "celeba-dynamic-removed" / "seed1" / "provenance.json", {"start": start})
    summary = summary_of(tmp_path, "fang2017-table6")
    assert np.array(summary.changes) == pytest.approx(paper)
    assert summary.correlation == pytest.approx(1)
    assert summary.paper_sums == [19, 34, 17, 20, 13]
    page = page_of(build(tmp_path, "fang2017-table6"))
    assert (
        'data-row="No_Beard" data-task="Goatee" data-quantity="ours" data-value="-2.0000" data-paper="-2.0000"' in page
    )
    assert "No: a digest differs." in page


def test_cost_to_the_error_alone_and_joining(tmp_path):
    alone, joining = smiling_runs()
    steps = np.arange(1, 401)
    write_learning(tmp_path, alone, np.where(steps <= 336, 0.5, 0.0), seconds_per_iteration=0.1, accuracy=0.92)
    write_learning(tmp_path, joining, np.where(steps <= 36, 0.5, 0.0), seconds_per_iteration=0.5, accuracy=0.9)
    summary = summary_of(tmp_path, "fang2017-figure6")
    (row,) = summary.rows
    # The window of 640 images is 64 rows; an error of 0.1 leaves 12 rows of 0.5 in it.
    assert (row.alone.reached.iteration, row.joining.reached.iteration) == (388, 88)
    assert row.ratio("iteration") == row.ratio("images") == pytest.approx(388 / 88)
    assert row.ratio("seconds") == pytest.approx(38.8 / 44)
    assert row.alone.test_error == pytest.approx(0.08)
    assert (row.alone.final, row.joining.at_once) == (pytest.approx(0, abs=1e-9), False)
    assert list(summary.ratios) == ["iteration", "images", "seconds"]
    assert {(ratio.count, ratio.low) for ratio in summary.ratios.values()} == {(1, None)}
    assert "Alone it needs 4.4 times the iterations; the paper says about 4." in summary.reading


def test_an_error_that_is_never_reached_is_said_so(tmp_path):
    alone, joining = smiling_runs()
    write_learning(tmp_path, alone, np.full(100, 0.3))
    write_learning(tmp_path, joining, np.full(100, 0.05))
    summary = summary_of(tmp_path, "fang2017-figure6")
    assert summary.rows[0].alone.reached is None
    assert summary.rows[0].ratio("iteration") is None
    assert summary.ratios == {}
    assert summary.levels[-1].ratio is None
    assert "alone: not reached, 30.0 % at the end on average" in summary.reading
    assert "with the first average over 640 images, perhaps earlier" in summary.reading
    assert re.search(
        r'<td class="say">alone</td>\s*<td colspan="3" class="none">not reached</td>',
        page_of(build(tmp_path, "fang2017-figure6")),
    )


def test_one_of_both_runs_alone_is_shown(tmp_path):
    write_learning(tmp_path, smiling_runs()[0], np.full(100, 0.05))
    assert "joining: not run" in summary_of(tmp_path, "fang2017-figure6").reading


def test_a_ratio_needs_both_runs_and_a_time(tmp_path):
    def learned(iteration):
        mark = Mark(iteration=iteration, images=10 * iteration, seconds=None)
        curve = Curve(iteration=[iteration], error=[0.1])
        return Learned(curve=curve, reached=mark, trained=mark, at_once=False, final=0.1, test_error=None)

    assert SeedRow(seed=1, alone=learned(200), joining=learned(100)).ratio("iteration") == 2
    assert SeedRow(seed=1, alone=learned(200), joining=learned(100)).ratio("seconds") is None
    assert SeedRow(seed=3, alone=None, joining=learned(5)).ratio("iteration") is None


def test_other_errors_have_their_own_ratios(tmp_path):
    alone, joining = smiling_runs()
    write_learning(tmp_path, alone, np.repeat([0.5, 0.25, 0.05], 200))
    write_learning(tmp_path, joining, np.repeat([0.25, 0.05, 0.05], 200))
    levels = {level.error: level.ratio for level in summary_of(tmp_path, "fang2017-figure6").levels}
    assert list(levels) == [0.3, 0.2, 0.15, 0.1]
    # 64 iterations make a window: alone falls below 0.3 after 51 of 64 at 0.25, joining is there with the first window.
    assert levels[0.3].mean == pytest.approx(252 / 64)
    assert levels[0.1].mean == pytest.approx(448 / 248)
    assert levels[0.1].low is None


def test_limits_are_told_by_seed(tmp_path):
    content = {
        "identity": {"maximum_difference": 0.0, "maximum_difference_with_joined_first_layers": 4e-7},
        "equal": {"maximum_relative_differences": {"of_the_sum": 3e-7}, "bound": 1e-8},
    }
    write_json(tmp_path / "evaluation" / "celeba-dynamic" / "seed2" / "limits.json", content)
    found = build(tmp_path, "fang2017-limits")
    (row,) = found["fang2017-limits"].summary.rows
    assert (row.seed, row.identity, row.joined, row.equal) == (2, 0.0, 4e-7, 3e-7)
    assert re.search(r'data-row="2" data-task="equal" data-value="3e-07">[^<]*3e-07', page_of(found))


def pixels_of(address):
    """Red, green and blue of a PNG in a data address."""
    content = np.frombuffer(base64.b64decode(address.removeprefix("data:image/png;base64,")), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]


def test_a_map_has_a_coloured_cell_per_place_and_is_drawn_coarser_when_large(tmp_path):
    write_maps(tmp_path, 1, {task: np.arange(6).reshape(2, 3) / 5 for task in SEVEN})
    cells = pixels_of(summary_of(tmp_path, "fang2017-figure2").maps[0].picture)
    assert cells.shape == (2, 3, 3)
    np.testing.assert_allclose(cells[0, 0], [0x44, 0x01, 0x54], atol=2)  # viridis' first colour is the lowest value's
    np.testing.assert_allclose(cells[1, 2], [0xFD, 0xE7, 0x25], atol=2)  # the last one is the limit's
    write_maps(tmp_path, 1, {task: np.ones((80, 80)) for task in SEVEN})
    assert pixels_of(summary_of(tmp_path, "fang2017-figure2").maps[0].picture).shape == (64, 64, 3)


def test_labels_keep_their_distance_and_their_order():
    values = np.array([5.0, 1.0, 1.1, 1.05])
    places = drawing.spread(values, 0.5)
    assert np.diff(np.sort(places)).min() >= 0.5 - 1e-9
    assert places.argsort().tolist() == values.argsort().tolist()
    assert drawing.spread(np.array([3.0, 1.0]), 0.5).tolist() == [3.0, 1.0]


def test_every_task_has_its_own_look():
    looks = drawing.group_looks(SEVEN, {"beard": PRINTED[0], "makeup": PRINTED[1]})
    assert set(looks) == set(SEVEN)
    assert len(set(looks.values())) == 7
    assert looks["Sideburns"][0] == looks["Goatee"][0] != looks["Heavy_Makeup"][0]
    assert looks["Smiling"][0] == drawing.GREY


def test_the_whole_section_is_small_sound_and_the_same_each_time(full_results):
    page = page_of(build(full_results))
    assert len(page.encode()) < 1_300_000  # half of it pictures of noise, which no format makes small
    assert page == page_of(build(full_results))
    assert "not run" not in page
    assert re.findall(r">[^<]*\bnan\b[^<]*<", page) == []
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    used = re.findall(r'(?<!<a )href="#([^"]+)"|url\(#([^)]+)\)', page)
    assert {first or second for first, second in used} <= set(ids)
    assert all('aria-label="' in opening for opening in re.findall(r'<svg[^>]*role="img"[^>]*>', page))


@pytest.mark.parametrize(("phase", "seed"), [("training", 1), ("evaluation", 2)])
def test_results_of_any_phase_and_seed_can_be_missing(full_results, tmp_path, phase, seed):
    results = tmp_path / "demo"
    shutil.copytree(full_results, results, ignore=shutil.ignore_patterns("report", "scores.parquet"))
    for folder in (results / phase).glob(f"*/seed{seed}"):
        shutil.rmtree(folder)
    found = build(results)
    summary = found["fang2017-figures4-5"].summary
    assert (summary.training_seeds if phase == "training" else summary.layers_seeds) == [3 - seed]
    assert "Connections on CIFAR-10" in page_of(found)

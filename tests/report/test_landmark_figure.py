"""Figure 4 of Matsui 2019: which faces are shown, where their points are drawn, and the numbers beside them."""

import base64
import re
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taskshare.data.arrays import ImageArray
from taskshare.evaluation import landmark_errors
from taskshare.evaluation.kinds.analysis import analyses
from taskshare.evaluation.kinds.landmarks import cumulative
from taskshare.evaluation.results import Results
from taskshare.evaluation.tables import CONSTANT
from taskshare.report import render
from taskshare.report.analyses import draw

from .conftest import REPORTS, load_params
from .joint_results import IDS, landmarks_of, write_prepared
from .writing import write_parquet

FIGURE4 = "matsui2019-figure4"
TRUTH = landmarks_of("celeba").astype(float)
EYES = np.linalg.norm(TRUTH[:, 1] - TRUTH[:, 0], axis=1)
TURNED = np.abs(((TRUTH[:, 2] - TRUTH[:, :2].mean(1)) * (TRUTH[:, 1] - TRUTH[:, 0])).sum(1)) / EYES**2
ORDER = np.argsort(-TURNED)
PROFILE = np.isin(np.arange(len(TRUTH)), ORDER[:40])
ROWS = {"Baseline": "celeba-columns", "Separation": "celeba-separation"}


def at_seeds(*seeds, **changes):
    """params.yaml with seeds of the two nets."""
    scales = {name: scale.model_dump(exclude_unset=True) for name, scale in load_params().scales.items()}
    scales["demo"]["runs"] |= {run: {"seeds": [*seeds]} for run in ROWS.values()}
    return load_params(scales=scales, **changes)


def write_net(results, label, seed, profile, others):
    """A net whose points all lie so many distances of the eyes to the right, on profile faces and on the others."""
    predicted = TRUTH.copy()
    predicted[..., 0] += (np.where(PROFILE, profile, others) * EYES)[:, None]
    table = landmark_errors.table(IDS, TRUTH, predicted, landmark_errors.errors(TRUTH, predicted))
    write_parquet(results / "evaluation" / ROWS[label] / f"seed{seed}" / "landmarks.parquet", table)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The test images of the demo, and training images with other faces."""
    results = tmp_path_factory.mktemp("prepared") / "demo"
    write_prepared(results, load_params(), "celeba", "rgb-unaligned")
    folder = results / "data" / "celeba" / "rgb-unaligned"
    pd.read_parquet(folder / "test.parquet").iloc[::2].to_parquet(folder / "train.parquet")
    return results


@pytest.fixture
def results(prepared, tmp_path):
    """Two seeds of two nets: the baseline misses profile faces, and in seed 2 all faces."""
    shutil.copytree(prepared, tmp_path / "demo")
    write_net(tmp_path / "demo", "Baseline", 1, 0.2, 0.05)
    write_net(tmp_path / "demo", "Baseline", 2, 0.2, 0.15)
    for seed in (1, 2):
        write_net(tmp_path / "demo", "Separation", seed, 0.08, 0.02)
    return tmp_path / "demo"


def build(results, params=None):
    params = params or at_seeds(1, 2)
    params = params.model_copy(update={"experiments": {FIGURE4: params.experiments[FIGURE4]}})
    return analyses(params, Results(results), {})[0]


def page_of(item):
    return (
        render._environment(REPORTS / "templates")
        .get_template("analyses.html.j2")
        .render(analyses=[item], estimated_landmarks=[])
    )


def test_half_of_the_examples_are_turned_most_and_the_others_evenly_spaced(results):
    summary = build(results).summary
    expected = [*ORDER[:4], *ORDER[4:][[49, 148, 247, 346]]]  # the middles of four parts of 396
    assert [example.id for example in summary.examples] == [IDS[place] for place in expected]
    assert [example.profile for example in summary.examples] == [True] * 4 + [False] * 4
    assert (summary.images, summary.profile_faces) == (400, 40)
    assert summary.profile_turn == pytest.approx(TURNED[ORDER[39]])


def test_points_are_drawn_where_the_image_shows_them(results):
    """The prepared images are the centre squares of files that are 178 wide and 218 high; a face is 100 units wide."""
    item = build(results)
    face = IDS.index(item.summary.examples[0].id)
    first = re.findall(r"<svg x=.*?</svg>", draw(item)["strips"][0])[0]
    found = np.array(re.findall(r'cx="([-\d.]+)" cy="([-\d.]+)" r="([\d.]+)"', first), float)
    rings, dots, unit = found[:5], found[5:], 100 / 178
    np.testing.assert_allclose(rings[:, :2], (TRUTH[face] - [0, 20] + 0.5) * unit, atol=0.06)
    np.testing.assert_allclose(rings[:, 2], 0.1 * EYES[face] * unit, atol=0.006)
    np.testing.assert_allclose(dots[:, :2] - rings[:, :2], [[0.2 * EYES[face] * unit, 0]] * 5, atol=0.11)


def test_the_picture_holds_the_prepared_images(results):
    item = build(results)
    png = base64.b64decode(item.summary.strips[1].picture.removeprefix("data:image/png;base64,"))
    strip = cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    images = ImageArray(results / "data" / "celeba" / "rgb-unaligned" / "test.npy")
    wanted = images.read(np.array([IDS.index(example.id) for example in item.summary.examples]))
    np.testing.assert_array_equal(strip, np.hstack(list(wanted)))
    assert [(strip.label, strip.found, strip.count) for strip in item.summary.strips] == [
        ("Baseline", 20, 40),
        ("Separation", 40, 40),
    ]


def test_errors_are_means_over_faces_with_an_interval_over_seeds(results):
    baseline, separation, constant = build(results).summary.rows
    means = [100 * (0.1 * 0.2 + 0.9 * others) for others in (0.05, 0.15)]
    half_width = stats.t.ppf(0.975, 1) * stats.sem(means)
    for point in (*build(results).summary.points, "mean"):
        assert (baseline.errors[point].mean, baseline.errors[point].half_width) == pytest.approx(
            (np.mean(means), half_width)
        )
        assert separation.errors[point].mean == pytest.approx(100 * (0.1 * 0.08 + 0.9 * 0.02), rel=1e-5)
    assert (baseline.seeds, constant.label, constant.seeds) == ([1, 2], CONSTANT, [])
    assert constant.errors["nose"].half_width is None


def test_profile_faces_stand_apart_and_gains_are_paired_by_seed(results):
    baseline, separation, _ = build(results).summary.rows
    assert (baseline.profile.mean, baseline.others.mean) == (0, 50)
    assert (separation.profile.mean, separation.others.mean) == (100, 100)
    assert (separation.gain_profile.mean, separation.gain_profile.half_width) == (100, 0)
    assert separation.gain_others.mean == 50
    assert separation.gain_others.half_width == pytest.approx(stats.t.ppf(0.975, 1) * 50)
    assert baseline.gain_profile is None
    shutil.rmtree(results / "evaluation" / "celeba-columns" / "seed2")
    assert build(results).summary.rows[1].gain_others.mean == 0, "seed 2 has no baseline to be paired with"


def test_one_answer_for_all_faces_is_the_mean_of_the_training_faces(results):
    """All images are cut alike, so the mean in original pixels is that of the prepared ones."""
    constant = build(results).summary.rows[-1]
    distance = np.linalg.norm(TRUTH[:, 2] - TRUTH[::2, 2].mean(0), axis=1) / EYES
    assert constant.errors["nose"].mean == pytest.approx(100 * distance.mean(), rel=1e-4)
    (results / "data" / "celeba" / "rgb-unaligned" / "train.parquet").unlink()
    assert [row.label for row in build(results).summary.rows] == list(ROWS)


def test_the_curve_is_the_cumulative_distribution_of_the_errors():
    errors = np.random.default_rng(1).gamma(2, 0.05, (70, 5))
    x = np.linspace(0, 0.3, 31)
    assert cumulative(errors, x) == pytest.approx(100 * stats.ecdf(errors.ravel()).cdf.evaluate(x))


def test_numbers_stand_in_data_attributes(results):
    page = page_of(build(results))
    values = dict(
        re.findall(r'data-table="matsui2019-figure4-profile" data-row="([^"]+)" [^>]*data-value="([^"]+)"', page)
    )
    assert values == {"Baseline": "50.0000", "Separation": "50.0000", CONSTANT: values[CONSTANT]}
    assert 'data-row="Baseline" data-task="mean" data-value="11.0000">11.0' in page
    assert "From Baseline to Separation the rate changes by +100.0 points on profile faces and by +50.0" in page
    assert page == page_of(build(results))


def test_without_leave_no_face_is_shown(results):
    page = page_of(build(results, at_seeds(1, 2, report={"example_images": False})))
    assert "left out by <code>report.example_images: false</code>" in page
    assert "data:image" not in page
    assert not any(name in page for name in IDS)
    assert "Points with at most this error" in page


def test_without_the_images_there_are_numbers(results):
    shutil.rmtree(results / "data")
    page = page_of(build(results))
    assert "the prepared test images are not there" in page
    assert "Points with at most this error" in page


@pytest.mark.parametrize(("absent", "label"), [("Baseline", "Separation"), ("Separation", "Baseline")])
def test_one_row_alone_is_shown_and_the_other_is_said_to_be_absent(results, absent, label):
    shutil.rmtree(results / "evaluation" / ROWS[absent])
    item = build(results)
    assert [row.label for row in item.summary.rows] == [label, CONSTANT]
    assert f"Not run: {absent}." in page_of(item)


def test_nothing_is_shown_where_nothing_is_run(prepared):
    assert build(prepared).summary is None


def test_a_point_that_is_no_number_is_not_drawn_and_not_found(results):
    """A net that diverged."""
    path = results / "evaluation" / "celeba-separation" / "seed1" / "landmarks.parquet"
    table = pd.read_parquet(path)
    table[["predicted_x", "predicted_y", "error"]] = np.float32(np.nan)
    table.to_parquet(path)
    item = build(results, at_seeds(1))
    assert item.summary.strips[1].found == 0
    assert draw(item)["strips"][1].count("<circle") == 40
    assert (item.summary.rows[1].profile.mean, item.summary.rows[1].others.mean) == (0, 0)
    page = page_of(item)
    assert page.count("no number") == 6
    assert not re.search(r">[^<]*\bnan\b|data-value=.nan", page)

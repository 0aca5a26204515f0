import base64
import json
import re
from collections import Counter

import cv2
import numpy as np
import pandas as pd
import pytest

from taskshare import config
from taskshare.errors import TaskshareError
from taskshare.evaluation import data_facts, job_rows, training_curves
from taskshare.evaluation.results import Results
from taskshare.report import figures, render

from .conftest import fill, load_params, make_report, write_data, write_json, write_parquet


def test_full_report_is_small_and_needs_nothing_outside(full_page):
    page = full_page.read_text(encoding="utf-8")
    assert len(page.encode()) < 4_000_000
    addresses = re.findall(r'(?:src|href|xlink:href|action|poster|data)="([^"]*)"', page)
    assert [address for address in addresses if re.match(r"(https?:)?//|file:|/", address)] == []
    assert re.findall(r"@import|<script|<link|<iframe|url\((?!#)", page) == []


def test_no_id_occurs_twice_and_references_have_targets(full_page):
    page = full_page.read_text(encoding="utf-8")
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    references = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)
    assert {first or second for first, second in references} <= set(ids)
    assert len(references) > 50, "figures refer to their clip paths"


def test_same_inputs_give_the_same_bytes(full_results, full_page):
    again = full_page.with_name("again.html")
    make_report(load_params(), full_results, again)
    assert again.read_bytes() == full_page.read_bytes()


def test_claims_open_the_report_then_tables_and_phases(params, tmp_path, make_page):
    page = make_page(params, tmp_path / "nothing")
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert titles == ["Claims", "Tables", "Data", "Training", "Evaluation", "Report"]


def test_tables_stand_in_the_papers_order(params, tmp_path, make_page):
    page = make_page(params, tmp_path / "nothing")
    chapter = page[page.index('id="summary"') : page.index('id="data"')]
    papers = re.split(r'<h3 class="paper"[^>]*>([^<]+)</h3>', chapter)
    assert papers[1::2] == ["Fang et al. 2017", "Matsui et al. 2019"]
    fang, matsui = [re.findall(r"<h4[^>]*>(Table \d)[.,] [^<]+</h4>", part) for part in papers[2::2]]
    assert fang == ["Table 1", "Table 2", "Table 3", "Table 4", "Table 5"]
    assert matsui == ["Table 2", "Table 2", "Table 3", "Table 4", "Table 4"]


def test_nothing_run_shows_the_papers_numbers_and_not_run(params, tmp_path, make_page):
    page = make_page(params, tmp_path / "nothing")
    assert 'data-row="DMT" data-task="Goatee" data-quantity="paper" data-value="94.9000"' in page
    assert 'data-row="ST, original" data-task="Young/young" data-quantity="paper" data-value="81.1000"' in page
    assert re.search(r'data-row="DMT" data-task="Goatee" data-quantity="ours">.*not run', page)
    assert re.search(r'data-row="DMT" data-task="Goatee" data-quantity="verdict">.*not run', page)
    assert "No training curve: not run." in page
    assert "Not prepared yet." in page


def test_partial_results_show_what_is_there(params, tmp_path, make_page):
    fill(tmp_path, params, "celeba-dynamic")
    page = make_page(params, tmp_path)
    assert re.search(r'data-row="DMT" data-task="Goatee" data-quantity="ours" data-value="\d', page)
    assert re.search(r'data-row="MT" data-task="Goatee" data-quantity="ours">.*not run', page)
    assert "Alpha of celeba-dynamic on layer 6" in page
    assert "Alpha of cifar10-dynamic" not in page


def test_rows_after_removal_say_which_tasks_they_lack(params, tmp_path, make_page):
    fill(tmp_path, params, "celeba-dynamic", "celeba-dynamic-removed")
    page = make_page(params, tmp_path)
    assert "celeba-dynamic-removed, seed 1; without Sideburns and Wear.Lipstick" in page
    assert re.search(r'data-row="DMT after removal" data-task="Sideburns" data-quantity="ours"><span[^>]*>–<', page)
    assert re.search(r'data-row="DMT after removal" data-task="Goatee" data-quantity="ours" data-value', page)
    assert "Not drawn, since they start from a trained net: DMT after removal;" in page


def test_provenance_names_parents_and_whether_their_weights_are_untouched(params, tmp_path, make_page):
    fill(tmp_path, params, "celeba-dynamic-removed", "celeba-incremental")
    path = tmp_path / "training" / "celeba-incremental" / "seed1" / "provenance.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["start"]["frozen"]["after"] = "0" * 64
    write_json(path, content)
    page = make_page(params, tmp_path)
    assert "<td>celeba-dynamic, frozen part untouched</td>" in page
    assert "<td>celeba-dynamic-six, frozen part CHANGED</td>" in page


def test_a_rows_nets_are_those_that_fill_its_columns(params, tmp_path):
    fill(tmp_path, params, "celeba-single", "celeba-single-young")
    second = params.experiments["fang2017-table2"]
    row = job_rows.run_summaries(params, second, second.columns, Results(tmp_path))[0]
    assert row.runs == ["celeba-single", "celeba-single-young"]
    assert row.nets == 4, "NoBeard's net stands in three columns; Goatee's in none"
    assert row.parameters == 4 * 123456
    assert row.settings("iterations") == [120]


def test_test_images_are_counted_once_a_task(params, tmp_path):
    fill(tmp_path, params, "celeba-hard-pairs", "celeba-hard-pairs-original")
    counts = job_rows.test_counts(params, Results(tmp_path))
    assert [item.task for item in counts["celeba"]] == ["Bald", "Wearing_Hat", "Mustache", "Goatee"]
    assert {item.positives + item.negatives for item in counts["celeba"]} == {400}
    assert counts["cifar10"] == []


def test_table_3_shows_both_accuracies_openly(full_page):
    page = full_page.read_text(encoding="utf-8")
    third = page[page.index('id="fang2017-table3-title"') : page.index('id="fang2017-table4-title"')]
    assert re.search(r'data-table="fang2017-table3-accuracies" data-row="MT, original" data-task="Bald" data-p', third)
    assert "<details>" not in third[: third.index("What each row cost")].removesuffix("<details><summary>")
    assert 'data-table="fang2017-table3-minority" data-row="paper" data-task="Bald" data-value="0.0200"' in third


def test_the_ablations_read_well_without_published_numbers(tmp_path, make_page):
    params = load_params()
    ablations = params.experiments["fang2017-ablations"].model_copy(update={"enabled": True})
    params = params.model_copy(update={"experiments": {**params.experiments, "fang2017-ablations": ablations}})
    page = make_page(params, tmp_path / "nothing")
    part = page[page.index('id="fang2017-ablations-title"') : page.index('id="tables-matsui2019"')]
    assert "The readings that change results most" in part
    assert "the paper gives no number" not in part
    assert "beside ours" not in part
    assert "DMT, β from 2 − DMT" in part


def test_curves_of_rows_recorded_at_other_steps_stand_in_one_picture(params, tmp_path):
    fill(tmp_path, params, "celeba-single-recorded", "celeba-hard")
    table = config.Table(rows={"ST": "celeba-single-recorded", "MT": "celeba-hard"}, columns=["Smiling"])
    found = training_curves.curves(params, "own", table, {"Smiling": "Smiling"}, Results(tmp_path))
    [picture] = figures.curve_pictures(found)
    assert "for ST, MT" in picture
    assert [entry.label for entry in figures.legend(found)] == ["ST", "MT"]


def test_two_dozen_rows_look_different():
    assert len({str(look) for look in figures.LOOKS}) == 25


def test_one_seed_has_the_interval_of_the_test_persons_alone(params, tmp_path, make_page):
    fill(tmp_path, params, "celeba-hard-pairs")
    page = make_page(params, tmp_path)
    place = 'data-row="MT, resampled" data-task="Goatee" data-quantity='
    assert re.search(f'{place}"verdict"><span class="verdict single">.*1 seed, test persons alone', page)
    assert re.search(f'{place}"half_width" data-value', page)


def test_generated_data_are_marked_in_the_heading(params, tmp_path, make_page):
    heading = make_page(params, tmp_path / "nothing").partition("</header>")[0]
    assert "Demonstration on generated data: no evidence about the papers." in heading


def test_unofficial_images_are_marked_with_their_counts(tmp_path, make_page):
    (tmp_path / "images").mkdir()
    source = str(tmp_path / "images")
    params = load_params(scale="mini", celeba=source, cifar10=source)
    for dataset, variant in (("celeba", "grey"), ("cifar10", "rgb")):
        official = dataset == "cifar10"
        write_data(tmp_path, params, dataset, variant, source="path", synthetic=False, official=official)
    heading = make_page(params, tmp_path).partition("</header>")[0]
    assert "Demonstration" not in heading
    assert re.search(r"celeba</code>: real images, but not the official data.*2\u202f400 train", heading)
    assert "<code>cifar10</code>" not in heading


def test_images_left_out_are_listed_up_to_two_hundred(params, tmp_path, make_page):
    left_out = [[f"{number:06}.jpg", "not <an> image"] for number in range(250)]
    write_data(tmp_path, params, "celeba", "grey", left_out=left_out)
    page = make_page(params, tmp_path)
    assert "250 images" in page
    assert page.count("not &lt;an&gt; image") == 200


def test_example_pictures_can_be_left_out(params, tmp_path, make_page):
    write_data(tmp_path, params, "celeba", "grey")
    assert "data:image/png;base64," in make_page(params, tmp_path)
    page = make_page(load_params(report={"example_images": False}), tmp_path)
    assert "data:image" not in page
    assert "report.example_images: false" in page


def test_a_large_contact_sheet_is_made_smaller(tmp_path):
    path = tmp_path / "sheet.png"
    noise = np.random.default_rng(1).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise)
    address = data_facts.data_address(path, limit=50_000)
    kind, _, content = address.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert len(base64.b64decode(content)) <= 50_000


def test_curves_without_finite_numbers_are_named_and_not_drawn_empty(params, tmp_path, make_page):
    fill(tmp_path, params, "cifar10-hard")
    for seed in (1, 2):
        path = tmp_path / "training" / "cifar10-hard" / f"seed{seed}" / "history.parquet"
        history = pd.read_parquet(path)
        undefined = dict.fromkeys(("training_loss", "training_error", "validation_balanced_accuracy"), np.nan)
        write_parquet(path, history.assign(**undefined))
    page = make_page(params, tmp_path)
    assert re.search(r"not recorded as a finite number.*cifar10-hard/seed1.*cifar10-hard/seed2", page)
    assert 'aria-label="Training curves' not in page


def test_a_disabled_experiment_is_not_shown(tmp_path, make_page):
    params = load_params()
    fourth = params.experiments["fang2017-table4"].model_copy(update={"enabled": False})
    params = params.model_copy(update={"experiments": {**params.experiments, "fang2017-table4": fourth}})
    page = make_page(params, tmp_path / "nothing")
    assert 'data-table="fang2017-table4"' not in page
    assert 'data-table="fang2017-table5"' in page


def test_a_broken_result_is_named(params, tmp_path, make_page):
    path = tmp_path / "evaluation" / "celeba-hard" / "seed1" / "metrics.json"
    write_json(path, {})
    path.write_text("{broken", encoding="utf-8")
    with pytest.raises(TaskshareError, match=r"metrics.json: cannot be read .*; remove it and run its job again"):
        make_page(params, tmp_path)


def test_links_to_results_are_relative_to_the_report(full_page):
    links = re.findall(r'href="([^"#]+provenance\.json)"', full_page.read_text(encoding="utf-8"))
    assert links
    assert all(link.startswith("../") and (full_page.parent / link).is_file() for link in links)


def test_numbers_have_true_minus_signs_and_no_negative_zero():
    assert render.signed(-1.24) == "−1.2"
    assert render.signed(1.26) == "+1.3"
    assert render.signed(-0.04) == "0.0"
    assert render.grouped(1234567) == "1\u202f234\u202f567"


@pytest.mark.parametrize(("value", "text"), [(89.225, "89.23"), (-89.225, "−89.23"), (-0.004, "0.00"), (1.0, "1.00")])
def test_a_half_is_rounded_away_from_zero(value, text):
    assert render.fixed(value, 2) == text

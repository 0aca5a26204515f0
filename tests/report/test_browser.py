"""The report in a real Chromium."""

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def test_report_in_a_browser(full_results, full_page):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    complaints, requests = [], []
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme="light")
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(full_page.as_uri())

        assert complaints == []
        assert [url for url in requests if not url.startswith("data:")] == [full_page.as_uri()]
        missing = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.hash))"
        assert page.evaluate(f"{missing}.length") == 0
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")

        assert_numbers_are_those_of_the_scores(page, full_results)
        assert_landmarks_are_those_of_the_evaluation(page, full_results)

        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.emulate_media(color_scheme="dark")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert np.mean(channels(light)) > 200
        assert np.mean(channels(dark)) < 60
        tick = "getComputedStyle(document.querySelector('.pictures svg text')).fill"
        assert np.mean(channels(page.evaluate(tick))) > 180, "text in figures is light in dark mode"

        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.evaluate("document.querySelector('#fang2017-table4').parentElement.scrollLeft = 200")
        first = page.locator("#fang2017-table4 tr.ours th").first.bounding_box()
        assert 0 <= first["x"] < 40, "the first column stays in view"
        scrolled = "const box = document.querySelector('#matsui2019-table3').parentElement; box.scrollLeft = 400; "
        assert page.evaluate(f"() => {{ {scrolled} return box.scrollLeft }}") == 400, "a tall table scrolls sideways"
        names = page.locator("#matsui2019-table3 tbody th")
        assert names.count() == 41
        assert 0 <= names.nth(30).bounding_box()["x"] < 40, "the attributes stay in view"

        page.emulate_media(media="print", color_scheme="light")
        page.set_viewport_size({"width": 1040, "height": 740})
        hidden = page.locator("details:not([open]) table").first
        assert hidden.bounding_box()["height"] > 20, "details are open in print"
        assert page.evaluate("document.documentElement.scrollWidth") <= 1040, "no table is cut"
        assert page.pdf().startswith(b"%PDF")
        browser.close()


def channels(colour: str) -> list[float]:
    """Red, green and blue of `rgb(r, g, b)`."""
    return [float(part) for part in colour.strip("rgba()").split(",")[:3]]


def assert_numbers_are_those_of_the_scores(page, results):
    """Mean and interval of DMT, computed anew from the scores, equal the page's text and data attributes."""
    for task in ("Goatee", "Smiling"):
        means, parts = [], []
        for seed in (1, 2):
            scores = pd.read_parquet(results / "evaluation" / "celeba-dynamic" / f"seed{seed}" / "scores.parquet")
            scores = scores[scores["task"] == task]
            right = ((scores["score"] > 0.5) == (scores["label"] == 1)).astype(float)
            classes = right.groupby(scores["label"])
            means.append(100 * classes.mean().mean())
            # What each image, here a person of its own, adds to the mean: its deviation, by its class's share.
            parts.append(100 * len(right) * (right - classes.transform("mean")) / classes.transform("size") / 2)
        values = np.array(parts) + np.array(means)[:, None]
        seeds, persons = values.shape
        of_seeds, of_persons = (
            persons * values.mean(axis=1).var(ddof=1),
            seeds * values.mean(axis=0).var(ddof=1),
        )
        left = values - values.mean(axis=1)[:, None] - values.mean(axis=0) + values.mean()
        excess = max(of_persons - (left**2).sum() / ((seeds - 1) * (persons - 1)), 0)
        df = min((of_seeds + excess) ** 2 / (of_seeds**2 / (seeds - 1)), persons - 1)
        half_width = stats.t.ppf(0.975, df) * np.sqrt((of_seeds + excess) / (seeds * persons))
        for quantity, expected in (("ours", np.mean(means)), ("half_width", half_width)):
            place = f'[data-table="fang2017-table4"][data-row="DMT"][data-task="{task}"][data-quantity="{quantity}"]'
            assert float(page.locator(place).get_attribute("data-value")) == pytest.approx(expected, abs=1e-3)
            assert page.locator(place).inner_text() == f"{expected:.1f}"


def assert_landmarks_are_those_of_the_evaluation(page, results):
    """The detection rate of the nose, computed anew from the points, equals the page's text and data attributes."""
    found = pd.read_parquet(results / "evaluation" / "celeba-columns" / "seed1" / "landmarks.parquet")
    points = found.pivot(index="id", columns="landmark", values=["x", "y", "predicted_x", "predicted_y"])
    miss = np.hypot(*(points["predicted_" + axis, "nose"] - points[axis, "nose"] for axis in "xy"))
    eyes = np.hypot(*(points[axis, "lefteye"] - points[axis, "righteye"] for axis in "xy"))
    rate = 100 * np.mean(miss / eyes <= 0.1)
    place = '[data-table="matsui2019-table2"][data-row="Baseline"][data-task="nose"][data-quantity="ours"]'
    assert float(page.locator(place).get_attribute("data-value")) == pytest.approx(rate, abs=1e-3)
    assert page.locator(place).inner_text() == f"{rate:.1f}"

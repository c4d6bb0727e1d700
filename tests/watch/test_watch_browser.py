"""The page as a reader has it: it grows with the study, and outlives its server."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest
from growing_study import add, at, hold, served, write_run

from seqexp.runs import png

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

pytestmark = pytest.mark.full


@pytest.fixture
def page():
    driver = pytest.importorskip(
        "playwright.sync_api", reason="no browser driver: install seqexp with its extra, dev"
    )
    if CHROMIUM is None:
        pytest.skip("no browser: install chromium")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(30_000)  # other tests may keep the machine busy
        yield page
        browser.close()


def show(folder, step, shade):
    """A picture of one shade, and a text."""
    path = f"pictures/roll-{step}.png"
    png.write(folder / path, np.full((4, 8), shade))
    shown = {"step": step, "texts": [f"text of {step}"], "pictures": {"roll": path}}
    shown["legends"] = {"roll": "high keys above"}
    add(folder, shown, file="samples.jsonl")


def waits(page, expression):
    """Until it holds. Playwright's own way is refused by the page's policy, as it should be."""
    end = time.monotonic() + 60
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression} is {page.evaluate(expression)}"
        page.wait_for_timeout(100)


SHADE = """() => {
    const image = document.querySelector("#chosen img");
    if (!image?.complete || !image.naturalWidth) return null;
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.drawImage(image, 0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data[0];
}"""
POINTS = "document.querySelector('#plot path.curve')?.getAttribute('d').split(/[ML]/).length - 1"
CELL = "document.querySelector('#runs tbody tr:not([hidden]) td:nth-child({})')?.textContent"


def test_the_page_follows_a_study_as_it_grows(page, tmp_path):
    study = tmp_path / "<study>"
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url))
    with served(study) as server:
        address, port = server.address, server.server_address[1]
        page.goto(address)
        waits(page, "document.querySelector('#waiting').textContent.includes('not there yet')")
        folder = write_run(study, "a", name="lstm <b>adding</b> seed 0")
        hold(study, "a")
        add(folder, at(10, 0.5, 0.4), at(20, 0.4, 0.3))
        show(folder, 20, 0.0)
        waits(page, f"{POINTS} === 2")
        waits(page, f"({SHADE})() === 255")
        assert page.locator("#study").inner_text() == "<study>"
        assert page.locator("#runs td button").inner_text() == "lstm <b>adding</b> seed 0"
        assert page.locator("#chosen pre").inner_text() == "text of 20"
        assert page.locator("#chosen figcaption").inner_text() == "roll: high keys above"
        assert page.evaluate(CELL.format(3)) == "running"
        assert page.evaluate(CELL.format(4)) == "20 / 100"
        assert "20 of 100 steps" in page.locator("#progress").inner_text()

        add(folder, at(30, 0.3, 0.2))
        show(folder, 30, 1.0)
        warning = "hidden state saturated at step 30: 93 % of units"
        add(folder, {"step": 30, "warnings": [warning]}, file="inspection.jsonl")
        waits(page, f"{POINTS} === 3")
        waits(page, f"({SHADE})() === 0")
        assert page.locator("#chosen pre").inner_text() == "text of 30"
        assert page.locator("#chosen li").inner_text() == warning
        assert page.evaluate(CELL.format(5)) == "mse 0.2"

        write_run(study, "b", status="failed", error="no <memory>", model="gru", name="gru seed 1")
        waits(page, "document.querySelectorAll('#runs tbody tr').length === 2")
        page.get_by_role("button", name="gru seed 1").click()
        waits(page, "document.querySelector('#chosen pre')?.textContent === 'no <memory>'")
        page.get_by_label("Filter").fill("lstm")
        assert page.locator("#runs tbody tr:visible").count() == 1
        page.get_by_label("draw lstm").uncheck()
        waits(page, "!document.querySelector('#plot svg')")
        page.get_by_label("draw lstm").check()
        waits(page, f"{POINTS} === 3")
        page.get_by_label("log axis").uncheck()
        assert not page.get_by_label("log axis").is_checked()
        drawn = page.locator("#plot path.curve")
        assert drawn.count() == 2
        page.get_by_label("training, dotted").uncheck()
        assert drawn.count() == 1
    lost = page.locator("#lost")
    lost.wait_for(state="visible")
    assert f"--port {port}" in lost.inner_text()
    assert page.locator("#runs tbody tr").count() == 2  # what it knew stays
    add(folder, at(40, 0.2, 0.1))
    with served(study, port):
        lost.wait_for(state="hidden")
        waits(page, f"{POINTS} === 4")
        # What is chosen lasts, though it is another server.
        assert page.locator("#chosen h2").inner_text() == "gru seed 1"
        page.set_viewport_size({"width": 360, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.goto("about:blank")
    assert [each for each in wrong if not each.startswith((address, "data:,", "about:"))] == []

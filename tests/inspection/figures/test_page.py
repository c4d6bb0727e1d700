"""The page of a run holds all of its inspections and needs nothing else; so does the animation."""

from __future__ import annotations

import base64
import re
import shutil
from html import unescape

import numpy as np
import pytest
from PIL import Image

from seqexp.inspection.figures import animate, write_page
from seqexp.runs import png
from seqexp.runs.inspection_writing import write_inspection
from seqexp.runs.inspections import read_arrays, read_inspections
from seqexp.runs.store import append
from seqexp.types import SeqexpError
from tests.inspection.figures import recorded

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
FEW = ("activation", "histogram", "jacobian", "lyapunov", "time_constants", "saliency", "attention")


def test_the_page_has_each_step_its_warnings_and_what_is_not_defined(tmp_path):
    run = recorded.write(tmp_path, (0, 1500), *FEW, "hidden", "perturbation")
    (first, last) = read_inspections(run)
    infinite = {"half_life/layer_2/forward": None, "no_decay": ["layer_2/forward"]}
    for line in ({**first, **infinite}, {**last, "half_life/layer_2/forward": None}):
        write_inspection(run, line, read_arrays(run, line["step"]))
    path = write_page(run)
    assert path == tmp_path / "inspection" / "index.html"
    markup = path.read_text(encoding="utf-8")
    assert re.findall(r'<section data-step="([^"]*)"', markup) == ["0", "1,500"]
    ids = re.findall(r'\bid="([^"]+)"', markup)
    assert len(ids) == len(set(ids))
    assert "layer_1 saturated: 93\N{NO-BREAK SPACE}% of units" in markup
    assert "it has &lt;no&gt; attention" in markup and "<no>" not in markup
    for part in ("Gradients", "Memory", "Outputs"):
        assert markup.count(f"<h3>{part}</h3>") == 2
    assert not re.search(r'(src|href)="(?!data:|#)', markup)
    # The numbers over training: of the half-life 1 and 16 steps.
    row = re.search(r"<td>Half-life of the gradient</td><td>layer 1</td>(.*)</tr>", markup)
    assert row and re.findall(r">([\d.]+)</td>", row[1]) == ["1.00", "16.0"]
    row = re.search(r"<td>Half-life of the gradient</td><td>layer 2/forward</td>(.*)</tr>", markup)
    assert row and re.findall(r">([^<>]+)</td>", row[1]) == ["no decay", "\N{EN DASH}"]


def test_the_page_shows_what_the_run_showed_and_how_often_it_clipped(tmp_path):
    run = recorded.write(tmp_path, (0,), *FEW, "hidden", "perturbation", "memory")
    png.write(run / "pictures" / "forecasts-10.png", np.eye(4))
    pictures = {"forecasts": "pictures/forecasts-10.png", "attention": "pictures/lost.png"}
    legends = {"forecasts": "grey < black", "lost": "of no picture"}
    line = {"step": 10, "texts": ["a <b> & c"], "pictures": pictures, "legends": legends}
    append(run / "samples.jsonl", line)
    for step in range(2000, 18000, 2000):
        append(run / "samples.jsonl", {"step": step, "texts": [f"text of {step}"]})
    for step, norm in ((1, 1.0), (2, 1.0), (3, None), (4, 1.0)):
        append(run / "metrics.jsonl", {"step": step, "train/grad_norm": norm})
    markup = write_page(run).read_text(encoding="utf-8")
    _, samples = markup.split("<h2>Samples</h2>")
    assert re.findall(r"<h3>Training step ([\d,]+)</h3>", samples) == [
        *("10", "4,000", "8,000", "12,000", "16,000")
    ]
    assert "a &lt;b&gt; &amp; c</pre>" in samples and "5 of 9 steps are shown" in samples
    [data] = re.findall(r'<img src="data:image/png;base64,([^"]+)"', samples)
    assert base64.b64decode(data) == (run / "pictures" / "forecasts-10.png").read_bytes()
    caption = "<figcaption>Forecasts, training step 10. grey &lt; black</figcaption>"
    assert caption in samples and "of no picture" not in samples
    assert "Attention, training step 10: pictures/lost.png can't be read" in unescape(samples)
    told = "or not finite, in 25\N{NO-BREAK SPACE}% before and 25\N{NO-BREAK SPACE}% after clipping"
    assert "4 intervals" in markup and told in markup


def test_of_many_inspections_some_are_on_the_page(tmp_path):
    steps = range(0, 130, 10)
    none = "hidden", "perturbation", "memory", "gradient_by_lag", "confusion", "outputs"
    path = write_page(recorded.write(tmp_path, steps, *FEW, *none))
    shown = re.findall(r'<section data-step="([^"]*)"', path.read_text(encoding="utf-8"))
    assert len(shown) == 10 and shown[0] == "0" and shown[-1] == "120"
    assert "10 of the inspections are drawn" in path.read_text(encoding="utf-8")


def test_the_animation_has_a_frame_a_step(tmp_path):
    with Image.open(animate(recorded.write(tmp_path))) as film:
        assert film.n_frames == 3 and film.size == (1200, 300)  # type: ignore[attr-defined]
        frames = []
        for i in range(3):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB")))
            assert film.info["duration"] == (600, 600, 2000)[i]
    assert all((frames[i] != frames[i + 1]).any() for i in range(2))


def test_nothing_to_animate_and_no_inspection_are_told(tmp_path):
    with pytest.raises(SeqexpError, match="neither hidden states nor gradients"):
        animate(recorded.write(tmp_path / "light", (0,), "hidden", "gradient_by_lag"))
    with pytest.raises(SeqexpError, match="no inspection to draw"):
        write_page(tmp_path)


@pytest.mark.full
def test_the_slider_shows_one_step_at_a_time_and_asks_for_nothing(tmp_path):
    driver = pytest.importorskip(
        "playwright.sync_api", reason="no browser driver: install seqexp with its extra, dev"
    )
    if CHROMIUM is None:
        pytest.skip("no browser: install chromium")
    path = write_page(recorded.write(tmp_path, (0, 100, 200), *FEW))
    asked: list[str] = []
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: asked.append(message.text))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.goto(path.as_uri())
        slider = page.locator("#slider input")
        sections = page.locator("section[data-step]")

        def visible() -> list[str]:
            shown = [one for one in sections.all() if one.is_visible()]
            return [one.get_attribute("data-step") for one in shown]

        assert visible() == ["200"]
        slider.press("ArrowLeft")
        assert visible() == ["100"]
        assert page.locator("#slider output").text_content() == "100"
        page.set_viewport_size({"width": 400, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 400
        browser.close()
    assert asked == [path.as_uri()]

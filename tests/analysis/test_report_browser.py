"""The page as a reader has it: in a browser, by mouse and keyboard, with scripts and without."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from synthetic_records import (
    cost,
    known_scores,
    score,
    write_growth,
    write_json,
    write_run,
    write_study,
)

from seqexp.analysis import load, report
from seqexp.analysis.explorer import payload
from seqexp.analysis.findings import findings
from seqexp.analysis.plots import plots
from seqexp.analysis.table import tabulate

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def browser():
    driver = pytest.importorskip(
        "playwright.sync_api", reason="no browser driver: install seqexp with its extra, dev"
    )
    if CHROMIUM is None:
        pytest.skip("no browser: install chromium")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """lstm beats gru beats rnn on both tasks, with more parameters and with faster steps."""
    study = write_study(tmp_path_factory.mktemp("runs") / "<study>", known_scores())
    for folder in study.iterdir():
        model = folder.name.partition("-")[0]
        steps = {"lstm": 0.001, "gru": 0.002, "rnn": 0.003}
        write_json(folder / "cost.json", cost(model) | {"step_seconds": steps[model]})
    for seed, (rate, valid) in enumerate([(0.1, 0.5), (0.1, None), (0.2, 0.6)]):
        folder = write_run(
            *(study, "rnn", "adding", seed),
            id=f"irnn-{seed}",
            group=f"irnn {rate}",
            status="diverged" if valid is None else "finished",
            config={"optimizer": {"learning_rate": rate}, "task": {"length": 10}},
            score=score("adding", valid, 0.7) if valid else None,
            test={"mse": 0.7, "loss": 0.7 + seed, "speed": 3.0},
        )
        run = json.loads((folder / "run.json").read_text())
        write_json(folder / "run.json", run | {"model": "irnn"})
        write_json(folder / "cost.json", cost("rnn") | {"parameters": 9_000})
    write_growth(study, "one", {"gru": (1, 2), "lstm": (0.5, 1)})
    report(study)
    return study


@pytest.fixture(scope="module")
def opened(browser, study):
    """The page, one for all tests, which asked for nothing and complained of nothing in the end."""
    page = browser.new_page()
    page.set_default_timeout(20_000)
    page.set_default_navigation_timeout(60_000)  # other tests may keep the machine busy
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.goto((study / "report" / "index.html").as_uri())
    yield page
    assert asked[1:] == [] and asked[0].endswith("/report/index.html")
    page.close()


def plot(page, draws, task=""):
    return page.locator(f'.panel[data-draws="{draws}"][data-task="{task}"]')


def comparison(page):
    """The plot of scores against costs, as it is when the page opens."""
    panel = plot(page, "comparison")
    panel.locator("select[name=task]").select_option("adding")
    panel.locator("select[name=metric]").select_option("test")
    panel.locator("select[name=cost]").select_option("parameters")
    return panel


def traces(panel):
    """What plotly.js was given to draw, and its axes."""
    return panel.locator(".plot").evaluate(
        """place => ({
            lines: place.data.map(({name, x, y, text, mode, marker}) => ({
                name, x, y, text, mode, symbol: marker?.symbol, colour: marker?.color})),
            x: place.layout.xaxis, y: place.layout.yaxis, paper: place.layout.paper_bgcolor})"""
    )


def front(panel):
    return [line for line in traces(panel)["lines"] if line["name"] == "Pareto front"]


def test_the_front_is_drawn_and_follows_the_cost(opened):
    panel = comparison(opened)
    scores = known_scores()
    means = {model: scores[model, "adding"][:, 1].mean() for model in ("rnn", "gru", "lstm")}
    [line] = front(panel)
    assert line["x"] == [1_000, 3_000, 4_000, 9_000]  # to the right end
    assert line["y"] == pytest.approx([*means.values(), means["lstm"]], rel=1e-6)
    assert panel.locator(".scatterlayer path.js-line").count() == 1  # it is drawn, not only given
    panel.locator("select[name=cost]").select_option(label="training step time")
    [line] = front(panel)
    # irnn takes as long: it can not be told apart from lstm, but the line is that of the best.
    far = 3 * np.exp(1.96 * 0.13)  # the right end of the bar of rnn
    assert line["x"] == pytest.approx([1, 1, far], rel=1e-6)
    assert line["y"] == pytest.approx([means["lstm"]] * 3, rel=1e-6)
    said = panel.locator(".said").inner_text()
    assert "against training step time: lstm, irnn" in said and "gru" not in said


def test_a_mark_tells_its_run(opened):
    lines = traces(comparison(opened))["lines"]
    told = [text for line in lines for text in line["text"] or []]
    sure = "<br>on the front in 100 % of resamples"  # they are 0.1 apart, and vary by 0.01
    assert {f"{model}, mean of n=3{sure}" for model in ("rnn", "gru", "lstm")} <= set(told)
    seeds = [text for text in told if "mean" not in text]
    assert len(seeds) == 10 and "gru, seed 1<br>&lt;study&gt;/gru-adding-1" in seeds


def test_choices_can_be_made_by_keyboard(opened):
    panel = comparison(opened)
    panel.locator("select[name=task]").focus()
    opened.keyboard.type("digits")
    assert panel.locator("select[name=task]").input_value() == "digits"
    [line] = front(panel)
    assert line["y"] == sorted(line["y"])  # higher is better here
    for name in ("metric", "goal", "cost", "log-score", "log-cost"):
        opened.keyboard.press("Tab")
        assert opened.evaluate("document.activeElement.name") == name
    assert traces(panel)["x"]["type"] == "linear"
    opened.keyboard.press("Space")
    assert traces(panel)["x"]["type"] == "log"


def test_every_test_metric_can_be_seen_and_no_direction_is_guessed(opened):
    panel = comparison(opened)
    metric = panel.locator("select[name=metric]")
    assert metric.locator("option").all_inner_texts() == ["test mse", "test loss", "test speed"]
    metric.select_option(label="test loss")
    [line] = front(panel)
    assert line["x"] == [9_000, 9_000] and line["y"] == [2.7, 2.7]  # the rate that lost no seed
    metric.select_option(label="test speed")
    assert front(panel) == []
    assert "is not recorded: no front" in panel.locator(".said").inner_text()
    panel.locator("select[name=goal]").select_option("max")
    assert len(front(panel)) == 1


def test_tables_sort_by_their_numbers(opened):
    table = opened.locator("table.models").first

    def names():
        return [text.strip()[2:].strip() for text in table.locator("td.name").all_inner_texts()]

    before = names()
    heading = table.locator("th", has_text="Parameters")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    cells = table.locator("tbody tr td:nth-child(5)").all_inner_texts()
    numbers = [int(cell.strip("• ").replace(",", "")) for cell in cells]
    assert numbers == sorted(numbers) and len(set(numbers)) == 4
    heading.get_by_role("button").focus()
    opened.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending" and names() != before
    seconds = table.locator("th", has_text="Seeds")
    seconds.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    assert seconds.get_attribute("aria-sort") == "ascending"


def test_learning_curves_change_what_they_are_drawn_over(opened):
    panel = plot(opened, "learning", "adding")
    over = panel.locator("select")
    labels = ["training steps", "training examples", "training FLOPs", "training time, s"]
    assert over.locator("option").all_inner_texts() == labels
    flops = {"gru": 400 * 6 * 3_000, "rnn": 400 * 6 * 1_000}
    for label, x in [
        ("training steps", dict.fromkeys(flops, [10, 20])),
        ("training examples", dict.fromkeys(flops, [40, 80])),
        ("training FLOPs", {model: [count, 2 * count] for model, count in flops.items()}),
        ("training time, s", {"gru": [0.02, 0.04], "rnn": [0.03, 0.06]}),
    ]:
        over.select_option(label=label)
        means = {line["name"]: line for line in traces(panel)["lines"] if not line["text"]}
        for model in flops:
            assert means[model]["x"] == pytest.approx(x[model])
            assert means[model]["y"] == [0.1, 0.05]  # of validation: 1 / step


def test_learning_rates_are_shown_where_several_ran(opened):
    panel = plot(opened, "rates", "adding")
    lines = traces(panel)["lines"]
    [mean] = [line for line in lines if line["mode"] == "lines+markers"]
    assert (mean["x"], mean["y"]) == ([0.1, 0.2], [0.5, 0.6])
    [lost] = [line for line in lines if line["symbol"] == "x-thin"]
    assert lost["x"] == [0.1] and lost["text"][0].endswith("diverged")
    assert plot(opened, "rates", "digits").count() == 0


def test_the_best_of_several_runs_is_drawn_over_what_they_take(opened):
    panel = plot(opened, "trials", "adding")
    [line] = traces(panel)["lines"]
    assert line["name"] == "irnn" and line["x"] == [1, 2, 3]
    # One of three runs was lost and counts as the worst: 0.5, 0.6, 0.6.
    best = [(0.5 + 0.6 + 0.6) / 3, 0.5 * 5 / 9 + 0.6 * 4 / 9, 0.5 * 19 / 27 + 0.6 * 8 / 27]
    assert line["y"] == pytest.approx(best)
    panel.locator("select").select_option(label="training FLOPs")
    flops = 20 * 240 * 1_000  # steps of a run, FLOPs of each
    assert traces(panel)["lines"][0]["x"] == [flops, 2 * flops, 3 * flops]
    assert plot(opened, "trials", "digits").count() == 0


def test_growth_is_drawn_over_lengths_and_widths(opened):
    panel = plot(opened, "growth")
    said = panel.locator(".said")
    assert said.inner_text() == "Exponents: gru 1.00 ± 0.00 (n = 4); lstm 0.50 ± 0.00 (n = 4)."
    assert not panel.locator("select[name=task]").is_visible()  # there is one
    panel.locator("select[name=over]").select_option(label="width H, units")
    assert said.inner_text() == "Exponents: gru 2.00 ± 0.00 (n = 4); lstm 1.00 ± 0.00 (n = 4)."
    drawn = traces(panel)
    assert drawn["x"]["type"] == drawn["y"]["type"] == "log"
    gru, law = drawn["lines"][:2]
    assert gru["x"] == [32, 64, 128, 256]
    assert gru["y"] == pytest.approx([1e-3 * size**2 for size in gru["x"]])  # ms
    assert law["x"] == [32, 256] and law["y"] == pytest.approx([gru["y"][0], gru["y"][-1]])
    colours = {line["name"]: line["colour"] for line in traces(comparison(opened))["lines"]}
    assert gru["colour"] == colours["gru"] and drawn["lines"][2]["colour"] == colours["lstm"]


def test_a_model_has_one_colour(opened):
    colours: dict[str, set[str]] = {}
    panel = comparison(opened)
    for task in ("adding", "digits"):
        panel.locator("select[name=task]").select_option(task)
        for line in traces(panel)["lines"]:
            if line["colour"]:
                colours.setdefault(line["name"].split()[0], set()).add(line["colour"])
    assert set(colours) == {"rnn", "gru", "lstm", "irnn"}
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 4


def test_the_plots_follow_the_readers_light(opened):
    panel = comparison(opened)
    opened.emulate_media(color_scheme="light")
    light = traces(panel)["paper"]
    opened.emulate_media(color_scheme="dark")
    assert light == "#ffffff" and traces(panel)["paper"] == "#15171a"


def test_a_narrow_screen_needs_no_scrolling_aside(opened):
    before = opened.viewport_size
    opened.set_viewport_size({"width": 360, "height": 700})
    opened.wait_for_timeout(500)  # the plots follow when the window has come to rest
    assert opened.evaluate("document.documentElement.scrollWidth") == 360
    opened.set_viewport_size(before)


def test_nothing_offers_to_upload(opened):
    buttons = comparison(opened).locator(".modebar-btn")
    names = [buttons.nth(i).get_attribute("data-title") for i in range(buttons.count())]
    assert names == ["Download plot as a PNG", "Zoom", "Pan", "Reset axes"]


def test_without_scripts_the_page_is_whole(browser, study):
    page = browser.new_page(java_script_enabled=False)
    page.goto((study / "report" / "index.html").as_uri())
    assert page.locator(".panel:visible").count() == 0
    assert page.locator("table.models:visible").count() == 2
    shown = page.locator("figure svg:visible")
    # three of learning and five of cost a task; one of learning rates, of tuning, and of growth
    assert shown.count() == 2 * 8 + 3
    assert page.locator("th button").count() == 0
    # Of each task, of its learning curves, and of growth.
    assert page.locator(".legend:visible").count() == 2 * 2 + 1
    assert page.locator(".legend:visible").last.inner_text().split() == ["●gru", "▲lstm"]
    page.close()


def test_wandb_has_the_plots_of_the_page(opened, study):
    """Two programs draw the same numbers: the page's script, and `plots` for those in wandb."""
    records = load(study)
    figures = plots(payload(findings(records, tabulate(records))))
    panel = comparison(opened)
    seen = set()
    for task in ("adding", "digits"):
        panel.locator("select[name=task]").select_option(task)
        panel.locator("select[name=metric]").select_option("test")
        costs = panel.locator("select[name=cost] option").evaluate_all(
            "all => all.map(o => o.value)"
        )
        for cost_axis in costs:
            panel.locator("select[name=cost]").select_option(cost_axis)
            seen.add(name := f"front/{task}/{cost_axis}")
            assert _drawn(traces(panel)) == _drawn_by_plotly(figures[name]), name
        learning = plot(opened, "learning", task)
        for time in learning.locator("option").evaluate_all("all => all.map(o => o.value)"):
            learning.locator("select").select_option(time)
            seen.add(name := f"learning/{task}/{time}")
            assert _drawn(traces(learning)) == _drawn_by_plotly(figures[name]), name
    seen.add(name := "learning_rate/adding")
    assert _drawn(traces(plot(opened, "rates", "adding"))) == _drawn_by_plotly(figures[name])
    assert seen == figures.keys()


def _drawn(panel):
    """Of each trace its name and points, and the axes' kinds."""
    lines = [(line["name"], line["x"], line["y"], line["mode"]) for line in panel["lines"]]
    return lines, panel["x"]["type"], panel["y"]["type"]


def _drawn_by_plotly(figure):
    drawn = json.loads(figure.to_json())
    lines = [(line["name"], line["x"], line["y"], line["mode"]) for line in drawn["data"]]
    return lines, drawn["layout"]["xaxis"]["type"], drawn["layout"]["yaxis"]["type"]

"""Figures: scales, baselines, what is drawn, and the same bytes every time."""

from __future__ import annotations

import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from synthetic_records import (
    PARAMETERS,
    known_scores,
    score,
    write_json,
    write_lines,
    write_run,
    write_study,
)

from seqexp.analysis import canvas, load
from seqexp.analysis.axes import COMPARED
from seqexp.analysis.figures import cost_figures, learning_figures, rate_figures, trial_figures
from seqexp.analysis.findings import findings
from seqexp.analysis.looks import COLOURS, LINES, looks
from seqexp.analysis.table import tabulate


def found_in(study, task="adding"):
    records = load(study)
    return findings(records, tabulate(records)).of(task)


def learning(study):
    """The SVG of the figures of the adding problem's learning curves, by name."""
    found = found_in(study)
    figures = learning_figures(found.curves, found.table, {}, found.looks)
    return {figure.name: figure.svg for figure in figures}


def costs(study, baselines=None):
    """The same of its scores against costs."""
    found = found_in(study)
    figures = cost_figures(found.table, baselines or {}, found.looks)
    return {figure.name: figure.svg for figure in figures}


def parameters_figure(study):
    """The figure of scores against parameters alone."""
    found = found_in(study)
    rows = found.table.assign(**{axis.key: np.nan for axis in COMPARED[1:]})
    [figure] = cost_figures(rows, {}, found.looks)
    return figure


def rates(study):
    """Its figures of learning rates."""
    found = found_in(study)
    return rate_figures(found.rates, found.table, found.looks)


def looks_of(*runs):
    """The looks of runs: of each its kind, its model, and what its label adds on its training."""
    rows = [(model, label, f"{label} {setting}".strip()) for model, label, setting in runs]
    return looks(pd.DataFrame(rows, columns=pd.Index(["model", "model_label", "label"])))


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        ([1, 2, 9], False),
        ([1, 2, 11], True),
        ([0, 1, 100], False),
        ([-1, 1, 100], False),
        ([3], False),
        ([0], False),
        ([], False),
        ([np.nan, 1, 100, np.inf], True),
    ],
)
def test_axes_are_logarithmic_where_positive_data_span_more_than_a_decade(values, logarithmic):
    _, ax = canvas.draw(3, 3)
    canvas.fit_y(ax, values, within=[-5, 5])
    canvas.fit_x(ax, values)
    assert ax.get_yscale() == ax.get_xscale() == ("log" if logarithmic else "linear")
    low, high = ax.get_ylim()
    for value in filter(np.isfinite, values):
        assert low < value < high


def test_a_near_baseline_is_a_line_and_a_far_one_an_arrow():
    _, ax = canvas.draw(3, 3)
    canvas.fit_y(ax, [1.0, 2.0])
    canvas.mark_baselines(ax, {"near": 2.5, "far": 9.0, "below": -9.0})
    assert [set(np.asarray(line.get_ydata())) for line in ax.get_lines()] == [{2.5}]
    assert [text.get_text() for text in ax.texts] == ["near", "far 9.00 ↑", "below -9.00 ↓"]
    assert 2.5 < ax.get_ylim()[1] < 3


def test_a_baseline_that_is_not_positive_does_not_spoil_a_logarithmic_axis():
    _, ax = canvas.draw(3, 3)
    canvas.fit_y(ax, [0.001, 1.0])
    canvas.mark_baselines(ax, {"nothing": 0.0})
    assert [text.get_text() for text in ax.texts] == ["nothing 0 ↓"]
    assert 0 < ax.get_ylim()[0] < 0.001


def test_variants_of_one_kind_alone_have_a_colour_each():
    names = ["gru", "gru units=8", "gru units=16"]
    found = looks_of(*[("gru", name, "") for name in reversed(names)])
    assert list(found) == names  # numbers by their size
    assert [look.colour for look in found.values()] == list(COLOURS[:3])


def test_a_kind_has_a_colour_and_its_variants_differ_in_markers_and_lines():
    runs = [(kind, f"{kind} params={n}", "") for kind in ("gru", "lstm", "rnn") for n in (9, 10)]
    found = looks_of(*runs)
    for kind, colour in zip(("gru", "lstm", "rnn"), COLOURS, strict=False):
        small, large = found[f"{kind} params=9"], found[f"{kind} params=10"]
        assert small.colour == large.colour == colour
        assert small.marker != large.marker and small.line != large.line


def test_what_is_added_takes_no_look_and_has_the_colour_of_its_kind():
    columns = pd.Index(["model", "model_label", "label"])
    runs = pd.DataFrame([("rnn", "rnn", "rnn"), ("lstm", "lstm a=1", "lstm a=1")], columns=columns)
    more = pd.DataFrame([("lstm", "lstm", "lstm"), ("gru", "gru", "gru")], columns=columns)
    alone, found = looks(runs), looks(runs, more)
    assert {label: found[label] for label in alone} == alone
    assert found["lstm"].colour == found["lstm a=1"].colour != found["gru"].colour


def test_a_model_keeps_its_colour_and_marker_on_every_task_and_however_it_is_trained():
    """On one task two rates were tried, on another one, so that the labels differ."""
    found = looks_of(
        ("lstm", "lstm", "lr=0.001"),
        ("lstm", "lstm", "lr=0.01"),
        ("lstm", "lstm", ""),
        ("gru", "gru", "lr=0.01"),
        ("gru", "gru", ""),
    )
    lstm = [look for label, look in found.items() if label.startswith("lstm")]
    assert {(look.colour, look.marker, look.line) for look in lstm} == {(COLOURS[1], "s", LINES[0])}
    assert found["gru"].colour == found["gru lr=0.01"].colour == COLOURS[0]


def test_looks_of_many_models_share_the_colour_of_their_kind():
    runs = [(kind, f"{kind} units={n}", "") for kind in "abcdefg" for n in (1, 2, 4, 8, 16, 32, 64)]
    found = looks_of(*runs)
    assert len(set(found.values())) == 49
    for kind, label, _ in runs:
        assert found[label].colour == COLOURS["abcdefg".index(kind)]


def test_looks_of_many_kinds_differ():
    assert len(set(looks_of(*[(f"{i}", f"{i}", "") for i in range(28)]).values())) == 28


@pytest.mark.full
def test_a_legend_does_not_shrink_the_plot(tmp_path):
    study = write_study(tmp_path, known_scores())
    small = parameters_figure(study)
    for i in range(9):
        write_run(
            *(study, "gru", "adding", 0),
            id=f"size {i}",
            group=f"group {i}",
            config={"task": {"length": 10}, "model": {"a_long_name_of_a_setting": i}},
        )
        write_json(study / f"size {i}" / "cost.json", {"parameters": 2_000 + i})
    large = parameters_figure(study)
    plots = [re.search(r'id="patch_2">\s*<path d="([^"]*)"', f.svg) for f in (small, large)]
    heights = [re.findall(r"[ML] [\d.]+ ([\d.]+)", plot.group(1)) for plot in plots if plot]
    assert heights[0] == heights[1] and max(map(float, heights[0])) < small.height == large.height


def test_each_task_has_its_figures_and_unknown_costs_have_none(tmp_path):
    study = write_study(tmp_path, known_scores())
    figures = costs(study, {"predict 1": 1 / 6})
    assert all(">predict 1" in svg for svg in figures.values())
    figures |= learning(study)
    assert set(figures) == {
        "adding-learning-examples",
        "adding-learning-flops",
        "adding-learning-seconds",
        "adding-cost-parameters",
        "adding-cost-carry-bytes",
        "adding-cost-training-flops-per-token",
        "adding-cost-inference-flops-per-token",
        "adding-cost-step-seconds",
    }
    for svg in figures.values():
        assert all(f">{text}</text>" in svg for text in PARAMETERS)


@pytest.mark.full
def test_bytes_are_the_same_and_ids_differ_between_figures(tmp_path):
    study = write_study(tmp_path, known_scores())
    first, second = parameters_figure(study), parameters_figure(study)
    assert first == second
    assert "<metadata" not in first.svg and "<dc:date" not in first.svg


def test_members_of_the_front_are_filled_and_others_are_not(tmp_path):
    write_run(tmp_path, "rnn", "adding", 0, score=score("adding", 0.1, 0.1))
    write_run(tmp_path, "gru", "adding", 0, score=score("adding", 0.5, 0.5))  # costs more, is worse
    svg = parameters_figure(tmp_path).svg
    gru, rnn = COLOURS[:2]
    assert f"fill: {rnn}" in svg and f"fill: {gru}" not in svg and f"stroke: {gru}" in svg


def test_what_diverged_is_marked_and_does_not_set_the_scale(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    before = learning(tmp_path)["adding-learning-examples"]
    folder = write_run(tmp_path, "gru", "adding", 1, status="diverged", diverged_step=30)
    write_lines(folder / "metrics.jsonl", [{"step": 10, "examples": 40, "valid/mse": 1e30}])
    after = learning(tmp_path)["adding-learning-examples"]
    assert re.findall(r">([^<]*)</text>", before) == re.findall(r">([^<]*)</text>", after)
    assert after.count("<use") > before.count("<use")


def test_a_single_evaluation_is_a_point(tmp_path):
    """A line of one point shows nothing."""
    folder = write_run(tmp_path, "gru", "adding", 0)
    line = learning(tmp_path)["adding-learning-examples"]
    write_lines(folder / "metrics.jsonl", [{"step": 10, "examples": 40, "valid/mse": 0.1}])
    point = learning(tmp_path)["adding-learning-examples"]
    assert point.count("<use") > line.count("<use")


def test_a_study_of_which_nothing_finished_has_no_cost_figures(tmp_path):
    write_run(tmp_path, "gru", "adding", 0, status="diverged", score=score("adding", None, None))
    assert costs(tmp_path) == {}
    assert set(learning(tmp_path)) == {
        f"adding-learning-{time}" for time in ("examples", "flops", "seconds")
    }
    assert matplotlib.rcParams["svg.hashsalt"] is None  # nothing leaks into the user's settings


def test_a_name_is_not_taken_for_mathematics(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    assert ">$x_{</text>" in costs(tmp_path, {"$x_{": 0.5})["adding-cost-parameters"]


def write_rates(study):
    """Two rates; at the higher one a seed finished, one diverged and one failed."""
    ends = [(0.01, 0.2, "finished"), (0.01, 0.4, "finished"), (0.1, 0.1, "finished")]
    ends += [(0.1, None, "diverged"), (0.1, None, "failed")]
    for seed, (rate, valid, status) in enumerate(ends):
        write_run(
            *(study, "gru", "adding", seed),
            group=f"rate {rate}",
            status=status,
            config={"optimizer": {"learning_rate": rate}, "task": {"length": 10}},
            score=score("adding", valid, 0.9) if valid else None,
        )


def test_what_was_lost_at_a_learning_rate_is_at_the_worse_edge(tmp_path):
    write_rates(tmp_path)
    [figure] = rates(tmp_path)
    assert figure.name == "adding-learning-rate"
    crosses = re.findall(r'<path id="(m\w+)" d="M -3 3 *L 3 -3', figure.svg.replace("\n", " "))
    marks = [
        (float(x), float(y))
        for cross in crosses
        for x, y in re.findall(rf'href="#{cross}" x="([\d.]+)" y="([\d.]+)"', figure.svg)
    ]
    assert len(marks) == 2 and marks[0] == marks[1]  # one rate, and both at the edge
    [box] = re.findall(r'id="patch_2">\s*<path d="([^"]*)"', figure.svg)
    corners = np.array(re.findall(r"[ML] ([\d.]+) ([\d.]+)", box), dtype=float)
    assert marks[0][1] == pytest.approx(corners[:, 1].min())  # the top: lower is better
    assert ">0.01</text>" in figure.svg and ">0.1</text>" in figure.svg


def test_one_learning_rate_has_no_figure(tmp_path):
    write_run(tmp_path, "gru", "adding", 0, config={"optimizer": {"learning_rate": 0.1}})
    assert rates(tmp_path) == []


def test_pdfs_embed_their_font_and_tell_no_date(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    file = parameters_figure(tmp_path).pdf
    assert file.startswith(b"%PDF") and b"/FontFile2" in file
    assert b"/Type3" not in file and b"Date" not in file


def test_the_best_of_several_runs_is_drawn_for_whatever_was_tuned(tmp_path):
    write_rates(tmp_path)
    write_run(tmp_path, "lstm", "adding", 0)  # trained in one way
    found = found_in(tmp_path)
    [figure] = trial_figures(found.trials, found.table, found.looks)
    assert figure.name == "adding-best-of-runs"
    assert ">gru</text>" in figure.svg and ">lstm</text>" not in figure.svg
    assert trial_figures(found.trials.iloc[:0], found.table, found.looks) == []


def test_figures_call_a_model_without_its_training(tmp_path):
    write_rates(tmp_path)
    for figures in (costs(tmp_path), learning(tmp_path)):
        assert all(">gru</text>" in svg and "lr=" not in svg for svg in figures.values())

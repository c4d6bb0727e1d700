"""The figures of Plotly: what they hold is what the page is given to draw."""

from __future__ import annotations

import json

import pytest
from synthetic_records import known_scores, score, write_lines, write_run, write_study

from seqexp.analysis import load
from seqexp.analysis.explorer import payload
from seqexp.analysis.findings import findings
from seqexp.analysis.headlines import headlines
from seqexp.analysis.looks import COLOURS
from seqexp.analysis.plots import plots
from seqexp.analysis.table import tabulate


def _found(study):
    records = load(study)
    return findings(records, tabulate(records))


def _drawn(study):
    figures = {
        name: figure.to_plotly_json() for name, figure in plots(payload(_found(study))).items()
    }
    json.dumps(figures, allow_nan=False)
    return figures


def _shown(figure):
    return {
        trace["name"]: trace for trace in figure["data"] if trace.get("showlegend") is not False
    }


def test_a_model_has_one_colour_and_symbol_in_every_figure(tmp_path):
    figures = _drawn(write_study(tmp_path, known_scores()))
    costs = ("parameters", "carry_bytes", "training_flops_per_token", "inference_flops_per_token")
    assert figures.keys() == {
        *(f"front/{task}/{cost}" for task in ("adding", "digits") for cost in costs),
        *(f"front/{task}/step_seconds" for task in ("adding", "digits")),
        *(
            f"learning/{task}/{time}"
            for task in ("adding", "digits")
            for time in ("step", "examples", "flops", "seconds")
        ),
    }
    colours: dict[str, set[str]] = {}
    for name, figure in figures.items():
        traces = _shown(figure)
        for model in ("rnn", "gru", "lstm"):
            part = "marker" if name.startswith("front") else "line"
            colours.setdefault(model, set()).add(traces[model][part]["color"])
    found = [colour for of_model in colours.values() for colour in of_model]
    assert len(found) == len(set(found)) == 3 and set(found) <= set(COLOURS)


@pytest.mark.parametrize(("evaluations", "mode"), [(1, "markers"), (2, "lines")])
def test_a_single_evaluation_is_a_point(tmp_path, evaluations, mode):
    folder = write_run(tmp_path, "gru", "adding", 0)
    records = [{"step": n, "examples": n, "valid/mse": 0.1} for n in range(1, evaluations + 1)]
    write_lines(folder / "metrics.jsonl", records)
    assert _shown(_drawn(tmp_path)["learning/adding/step"])["gru"]["mode"] == mode


def test_the_front_is_a_staircase_through_the_best_means_and_open_marks_are_off_it(tmp_path):
    """The rnn costs least and is best, so it alone is on the front: for less is better of mse."""
    best = {"rnn": 0.1, "gru": 0.2, "lstm": 0.3}
    for model, value in best.items():
        for seed, off in enumerate((-0.01, 0.01)):
            write_run(tmp_path, model, "adding", seed, score=score("adding", value, value + off))
    traces = _shown(_drawn(tmp_path)["front/adding/parameters"])
    assert traces["Pareto front"]["x"] == [1000, 4000]
    assert traces["Pareto front"]["y"] == pytest.approx([0.1, 0.1])
    assert traces["Pareto front"]["line"]["shape"] == "hv"
    for model, value in best.items():
        assert traces[model]["y"] == pytest.approx([value])
        assert traces[model]["marker"]["symbol"].endswith("-open") == (model != "rnn")
        half = 12.706204736174694 * 0.01  # Student's 97.5 % quantile for n = 2, times s / sqrt(2)
        for end in ("array", "arrayminus"):
            assert traces[model]["error_y"][end] == pytest.approx([half], rel=1e-4)


def test_what_diverged_is_a_cross_that_does_not_scale_the_plot(tmp_path):
    """The only seed of a rate that is lost; the others' validation scores span from 0.5 to 0.9."""
    for seed, (rate, valid) in enumerate([(0.1, 0.5), (0.2, 0.9), (0.3, None)]):
        folder = write_run(
            *(tmp_path, "gru", "adding", seed),
            group=f"rate {rate}",
            status="finished" if valid else "diverged",
            config={"optimizer": {"learning_rate": rate}, "task": {"length": 10}},
            score=score("adding", valid, valid) if valid else None,
        )
        lines = [{"step": s, "examples": s, "tokens": s, "valid/mse": 0.5} for s in (10, 20)]
        write_lines(folder / "metrics.jsonl", lines)
    figure = _drawn(tmp_path)["learning_rate/adding"]
    [mean] = _shown(figure).values()
    assert (mean["x"], mean["y"]) == ([0.1, 0.2], [0.5, 0.9])
    [cross] = [trace for trace in figure["data"] if trace.get("yaxis") == "y2"]
    assert (cross["x"], cross["y"]) == ([0.3], [1]) and cross["marker"]["symbol"] == "x-thin"
    assert figure["layout"]["xaxis"]["tickvals"] == [0.1, 0.2, 0.3]
    assert figure["layout"]["yaxis2"]["range"] == [0, 1]


def test_a_seed_that_blew_up_lies_at_the_edge_of_the_learning_curves(tmp_path):
    for seed, (status, last) in enumerate([("finished", 0.4), ("diverged", 1e9)]):
        folder = write_run(
            *(tmp_path, "gru", "adding", seed),
            status=status,
            score=score("adding", *([0.4, 0.4] if status == "finished" else [None, None])),
        )
        lines = [{"step": 10, "examples": 40, "tokens": 400, "valid/mse": 0.5}]
        lines += [{"step": 20, "examples": 80, "tokens": 800, "valid/mse": last}]
        write_lines(folder / "metrics.jsonl", lines)
    figure = _drawn(tmp_path)["learning/adding/step"]
    bottom, top = figure["layout"]["yaxis"]["range"]
    assert bottom < 0.4 and 0.5 < top < 1
    [cross] = [t for t in figure["data"] if t.get("marker", {}).get("symbol") == "x-thin"]
    assert cross["x"] == [20] and cross["y"] == pytest.approx([top])
    [mean] = _shown(figure).values()
    assert mean["y"] == [0.5, 0.4]


def test_without_scores_there_is_nothing_to_draw(tmp_path):
    write_run(tmp_path, "gru", "adding", 0, status="failed", score=None, config={})
    (tmp_path / "gru-adding-0" / "metrics.jsonl").unlink()
    assert _drawn(tmp_path) == {}
    said = headlines(_found(tmp_path))
    assert list(said.answer) == [] and list(said.tasks.values()) == [["No run has finished."]]

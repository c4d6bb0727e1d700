"""What the page draws itself: every number from the records, validation and test kept apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthetic_records import known_scores, score, write_json, write_lines, write_run, write_study

from seqexp.analysis import load
from seqexp.analysis.curves import POINTS
from seqexp.analysis.explorer import payload
from seqexp.analysis.findings import findings
from seqexp.analysis.table import tabulate

T_975_2 = 4.302652729749464  # Student's quantile for two degrees of freedom


def drawn(study):
    records = load(study)
    data = payload(findings(records, tabulate(records)))
    json.dumps(data, allow_nan=False)
    return data


def test_scores_costs_and_fronts_are_those_of_the_records(tmp_path):
    scores = known_scores()
    study = write_study(tmp_path, scores)
    for (model, task), values in scores.items():
        for seed, (_, test) in enumerate(values):
            run = json.loads((study / f"{model}-{task}-{seed}" / "run.json").read_text())
            run["test"] |= {"loss": 1 - test}
            write_json(study / f"{model}-{task}-{seed}" / "run.json", run)
    data = drawn(study)
    for task in ("adding", "digits"):
        found = data["tasks"][task]
        for model in found["models"]:
            tests = scores[model["label"], task][:, 1]
            half = T_975_2 * tests.std(ddof=1) / np.sqrt(3)
            expected = [tests.mean(), tests.mean() - half, tests.mean() + half]
            assert model["metric"]["test"] == pytest.approx(expected, rel=1e-6)
            assert model["metric"]["test/loss"][0] == pytest.approx(1 - tests.mean(), rel=1e-6)
            assert model["runs"]["metric"]["test"] == pytest.approx(list(tests), rel=1e-6)
            assert model["runs"]["cost"]["parameters"] == [model["cost"]["parameters"]] * 3
        label = [model["label"] for model in found["models"]]
        front = found["fronts"]["test"]
        assert [label[i] for i in front[found["goal"]]["parameters"]] == ["rnn", "gru", "lstm"]
        worst = "max" if found["goal"] == "min" else "min"
        assert [label[i] for i in front[worst]["parameters"]] == ["rnn"]
    assert data["tasks"]["digits"]["metrics"] == {
        "test": {"label": "test accuracy", "goal": "max"},
        "test/loss": {"label": "test loss", "goal": "min"},
    }
    assert "decode_seconds_per_token" not in data["tasks"]["digits"]["fronts"]["test"]["max"]


def test_curves_are_of_validation_and_over_what_training_took(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    other = write_run(tmp_path, "gru", "adding", 1)
    lines = [
        {
            "step": 10,
            "examples": 40,
            "tokens": 500,
            "valid/mse": 0.3,
            "test/mse": 9,
            "train/mse": 8,
        },
        {
            "step": 20,
            "examples": 80,
            "tokens": 1000,
            "valid/mse": 0.1,
            "test/mse": 9,
            "train/mse": 8,
        },
        {"step": 30, "examples": 120, "tokens": 1500, "valid/mse": 0.0, "test/mse": 9},
    ]
    write_lines(other / "metrics.jsonl", lines)
    [curve] = drawn(tmp_path)["tasks"]["adding"]["curves"]
    assert [seed["valid"] for seed in curve["seeds"]] == [[0.1, 0.05], [0.3, 0.1, 0.0]]
    assert curve["seeds"][1]["flops"] == [720_000 * step for step in (10, 20, 30)]
    assert curve["seeds"][1]["seconds"] == [0.03, 0.06, 0.09]  # steps of 3 ms
    mean = curve["mean"]  # at the steps that both have reached
    assert mean["step"] == [10, 20] and mean["flops"] == [7_200_000, 14_400_000]
    assert mean["mean"] == pytest.approx([0.2, 0.075])
    assert (mean["low"], mean["high"]) == ([0.1, 0.05], [0.3, 0.1])


def test_long_curves_are_thinned_and_keep_their_ends(tmp_path):
    folder = write_run(tmp_path, "gru", "adding", 0)
    lines = [{"step": s, "examples": s, "tokens": s, "valid/mse": 1 / s} for s in range(1, 1001)]
    write_lines(folder / "metrics.jsonl", lines)
    [curve] = drawn(tmp_path)["tasks"]["adding"]["curves"]
    for steps in (curve["mean"]["step"], curve["seeds"][0]["step"]):
        assert len(steps) == POINTS and (steps[0], steps[-1]) == (1, 1000)
        assert max(np.diff(steps)) <= 11
    assert curve["seeds"][0]["valid"][-1] == 0.001


def test_learning_rates_are_judged_on_validation(tmp_path):
    """The rate that wins on validation is the worst on test, and one that lost its seed is told."""
    tried = [(0.1, 0.2, 0.9), (0.2, 0.3, 0.1), (0.2, 0.5, 0.1), (0.3, None, None)]
    for seed, (rate, valid, test) in enumerate(tried):
        write_run(
            *(tmp_path, "gru", "adding", seed),
            group=f"rate {rate}",
            status="finished" if valid else "failed",
            config={"optimizer": {"learning_rate": rate}, "task": {"length": 10}},
            score=score("adding", valid, test) if valid else None,
        )
    data = drawn(tmp_path)["tasks"]["adding"]
    [rates] = data["rates"]
    assert rates["name"] == "gru"
    assert rates["mean"] == {"learning_rate": [0.1, 0.2], "mean": [0.2, 0.4], "n": [1, 2]}
    assert rates["runs"]["valid"] == [0.2, 0.3, 0.5]
    assert rates["lost"]["learning_rate"] == [0.3]
    assert rates["lost"]["told"][0].split("\n") == [
        "gru lr=0.3, seed 3",
        f"{tmp_path.name}/gru-adding-3",
        "failed",
    ]
    assert [(model["label"], model["name"]) for model in data["models"]] == [("gru lr=0.1", "gru")]
    [best] = data["trials"]  # of four runs, of which the lost one counts as the worst, 0.5
    assert best["name"] == "gru" and best["trials"] == [1, 2, 3, 4]
    assert best["expected_best"][0] == pytest.approx((0.2 + 0.3 + 0.5 + 0.5) / 4)
    assert best["seconds"] == pytest.approx([0.06, 0.12, 0.18, 0.24])  # 20 steps of 3 ms each


def test_a_study_without_scores_has_nothing_to_draw(tmp_path):
    write_run(tmp_path, "gru", "adding", 0, status="failed", score=None, config={})
    (tmp_path / "gru-adding-0" / "metrics.jsonl").unlink()
    found = drawn(tmp_path)["tasks"]["adding"]
    assert (found["models"], found["curves"], found["rates"]) == ([], [], [])

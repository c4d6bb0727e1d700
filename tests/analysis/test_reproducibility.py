"""Measured costs are known but for what repeated measurements vary by, and statements say so."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthetic_records import cost, known_scores, score, write_json, write_run, write_study

from seqexp.analysis import load
from seqexp.analysis.axes import COMPARED
from seqexp.analysis.contenders import field
from seqexp.analysis.findings import findings
from seqexp.analysis.headlines import headlines
from seqexp.analysis.pareto import areas, front, hypervolume
from seqexp.analysis.reproducibility import Spread, spreads
from seqexp.analysis.table import tabulate

QUARTILES = {0: (3.10e-3, 3.15e-3, 3.27e-3), 1: (3.31e-3, 3.38e-3, 3.45e-3)}
QUARTILES |= {2: (3.15e-3, 3.22e-3, 3.30e-3)}


def timed(study, bias, seed, test, quartiles):
    """A run of one and the same program, but for a constant, with its own measurement of a step."""
    run = {
        "id": f"lstm-{bias}-{seed}",
        "group": f"lstm-{bias}",
    }
    config = {"seed": seed, "task": {"length": 10}, "model": {"forget_bias": bias}}
    folder = write_run(
        study, "lstm", "adding", seed, config=config, **run, score=score("adding", 0.5, test)
    )
    low, middle, high = quartiles
    step = {"step_seconds_q25": low, "step_seconds": middle, "step_seconds_q75": high}
    write_json(folder / "cost.json", cost("lstm") | step)


def test_nothing_ranks_programs_that_are_the_same(tmp_path):
    """Quartiles of 3.10 to 3.27, 3.31 to 3.45 and 3.15 to 3.30 ms, and the same scores."""
    for bias, quartiles in QUARTILES.items():
        for seed, test in enumerate((0.1, 0.11, 0.12)):
            timed(tmp_path / "study", bias, seed, test, quartiles)
    study = load(tmp_path / "study")
    table = tabulate(study)
    assert table["front/step_seconds"].tolist() == [True] * 3
    chances = table["front_probability/step_seconds"].to_numpy(float)
    assert chances.max() - chances.min() < 0.3 and 0.3 < chances.min() < chances.max() < 0.9
    found = findings(study, table)
    [dominance] = [text for text in headlines(found).tasks["adding"] if "resamples" in text]
    assert "no model dominates another on any cost" in dominance
    pairs = found.fronts["adding"].dominates
    assert pairs.loc[pairs["axis"] == "step_seconds", "probability"].max() < 0.6


def test_the_spread_is_that_between_measurements_of_one_program(tmp_path):
    rng = np.random.default_rng(0)
    logs = 0.2 * rng.standard_normal(12)
    for seed, log in enumerate(logs):
        timed(tmp_path, 0, seed, 0.1, (1, 3e-3 * np.exp(log), 1))
    study = load(tmp_path)
    found = spreads(study)
    assert found["step_seconds"] == pytest.approx((np.std(logs, ddof=1), 11))
    # What was not repeated often enough varies by what is stated.
    assert found["decode_seconds_per_token"] == Spread(0.47, 0)
    [one] = field(study, tabulate(study))["adding"]
    errors = dict(zip((axis.key for axis in COMPARED), one.errors, strict=True))
    assert errors["step_seconds"] == pytest.approx(np.std(logs, ddof=1) / np.sqrt(12))
    assert errors["parameters"] == errors["training_flops_per_token"] == 0


def test_seeds_that_share_a_measurement_are_one(tmp_path):
    study = load(write_study(tmp_path / "study", known_scores()))
    assert spreads(study)["step_seconds"] == Spread(0.13, 0)
    [one, *_] = field(study, tabulate(study))["adding"]
    assert max(one.errors) == 0.47 and 0.13 in one.errors


def test_programs_that_differ_in_what_is_counted_are_not_one(tmp_path):
    for seed in range(12):
        timed(tmp_path, 0, seed, 0.1, (1, 3e-3 * 1.1**seed, 1))
        path = tmp_path / f"lstm-0-{seed}" / "cost.json"
        write_json(path, json.loads(path.read_text()) | {"program_bytes": seed})
    assert spreads(load(tmp_path))["step_seconds"] == Spread(0.13, 0)


def test_a_front_with_noise():
    """A cost counts as less only beyond 1.96 standard errors of the logarithm of the ratio."""
    limit = np.exp(1.96 * np.hypot(0.1, 0.1))
    for ratio, expected in ((1.001 * limit, [True, False]), (0.999 * limit, [True, True])):
        assert front([1.0, ratio], [1.0, 2.0], "min", [0.1, 0.1]).tolist() == expected
    assert front(np.array([[1, 1], [1, 1.1]]), [1, 1], "min", np.array([[0, 0.1]] * 2)).all()
    assert front([1.0, 1.0], [1.0, 2.0], "min", [0.1, 0.1]).all()
    assert front([1.0, 1.0], [1.0, 2.0], "min", [0.0, 0.0]).tolist() == [True, False]


def test_areas_are_hypervolumes_of_each_resample():
    rng = np.random.default_rng(0)
    costs, losses = rng.lognormal(size=(20, 5)), rng.random((20, 5))
    ends = 2 * costs.max(axis=1)
    expected = [
        hypervolume(c, x, "min", (end, 0.8), log_cost=True)
        for c, x, end in zip(costs, losses, ends, strict=True)
    ]
    np.testing.assert_allclose(areas(costs, losses, ends, 0.8), expected)

"""Tuning: windows of rates by hand, the expected best against chance, and planted records."""

from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic_records import score, write_json, write_lines, write_run

from seqexp.analysis import load
from seqexp.analysis.contenders import baseline_losses
from seqexp.analysis.table import tabulate
from seqexp.analysis.tuning import (
    expected_best,
    sensitivity,
    trials,
    tuning_cost,
    window,
    windows,
)

RATES = [1e-4, 1e-3, 1e-2, 1e-1]


@pytest.mark.parametrize(
    ("losses", "lost", "worst", "expected"),
    [
        # a lead of 1 over the baseline: up to 0.1 may be lost
        ([0.9, 0.05, 0.0, 0.5], [0] * 4, 1, (1e-2, 1e-3, 1e-2, 1, True)),
        ([0.9, 0.9, 0.0, 0.5], [0] * 4, 1, (1e-2, 1e-2, 1e-2, 0, True)),
        ([0.0, 0.1, 0.05, 0.09], [0] * 4, 1, (1e-4, 1e-4, 1e-1, 3, False)),
        ([0.0, 0.9, 0.05, 0.0], [0] * 4, 1, (1e-4, 1e-4, 1e-4, 0, False)),  # a gap ends it
        ([0.9, 0.05, 0.0, 0.0], [0] * 4, 1, (1e-2, 1e-3, 1e-1, 2, False)),
        # a rate that lost seeds does not work, however good its survivors
        ([0.9, 0.05, 0.02, -9], [0, 0, 0, 0.5], 1, (1e-2, 1e-3, 1e-2, 1, True)),
        ([math.nan, 0.0, 0.05, math.nan], [1, 0, 0, 1], 1, (1e-3, 1e-3, 1e-2, 1, True)),
        # without a baseline that is worse than the best, the worst rate counts
        ([10.0, 1.0, 0.0, 2.0], [0] * 4, -math.inf, (1e-2, 1e-3, 1e-2, 1, True)),
        ([0.5] * 4, [0] * 4, -math.inf, (1e-4, 1e-4, 1e-1, 3, False)),
    ],
)
def test_windows_by_hand(losses, lost, worst, expected):
    order = [2, 0, 3, 1]  # any order
    rates, losses, lost = ([values[i] for i in order] for values in (RATES, losses, lost))
    found = window(rates, losses, lost, worst)
    assert found == pytest.approx(expected)


def test_a_wider_tolerance_lets_more_rates_work():
    assert window(RATES, [0.9, 0.4, 0.0, 0.3], [0] * 4, 1, tolerance=0.5).decades == pytest.approx(
        2
    )


def test_where_nothing_finished_there_is_no_window():
    assert all(math.isnan(value) for value in window(RATES, [math.nan] * 4, [1] * 4, 1)[:4])


@pytest.mark.parametrize("goal", ["min", "max"])
def test_expected_best_against_chance(goal):
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(6)
    drawn = rng.choice(scores, (60_000, 6))
    best = np.maximum if goal == "max" else np.minimum
    found = expected_best(scores, goal)
    np.testing.assert_allclose(found, best.accumulate(drawn, axis=1).mean(axis=0), atol=0.02)


def test_expected_best_of_a_uniform():
    """The greatest of n draws from 1/N ... 1 is 1 - sum_i (i / N)^n / N, about n / (n + 1)."""
    N = 500
    found = expected_best(np.arange(1, N + 1) / N, "max")
    for n in (1, 2, 3, 10):
        assert found[n - 1] == pytest.approx(1 - np.sum((np.arange(N) / N) ** n) / N)
        assert found[n - 1] == pytest.approx(n / (n + 1), abs=1.5 / N)


def test_expected_best_of_one_trial_is_the_mean_and_of_constants_the_constant():
    assert expected_best([0.1, 0.5, 0.9], "min")[0] == pytest.approx(0.5)
    np.testing.assert_allclose(expected_best([0.3] * 4, "max"), 0.3)
    assert len(expected_best([], "min")) == 0


def write_rate(folder, rate, valids, model="gru", task="adding", lost=(), **more):
    """Runs of a rate that scored `valids`, and some that were `lost`, by their status."""
    ends = [("finished", score(task, valid, 0.5)) for valid in valids]
    ends += [(status, score(task, None, None)) for status in lost]
    config = {"optimizer": {"learning_rate": rate} | more, "task": {"length": 10}}
    group = f"{model}-{task}-{rate}-{more}"
    for seed, (status, scored) in enumerate(ends):
        write_run(
            *(folder, model, task, seed),
            id=f"{group}-{seed}",
            group=group,
            status=status,
            config=config,
            score=scored,
        )


def tabled(folder):
    study = load(folder)
    return study, tabulate(study)


def test_sensitivity_is_the_validation_score_by_rate(tmp_path):
    write_rate(tmp_path, 0.01, [0.1, 0.3], lost=["diverged", "running"])
    write_rate(tmp_path, 0.001, [0.3, 0.4, 0.5])
    write_rate(tmp_path, 1.0, [], lost=["diverged", "failed"])
    found = sensitivity(*tabled(tmp_path))
    assert list(found["learning_rate"]) == [0.001, 0.01, 1.0]
    assert set(found["label"]) == {"gru lr=0.001"}  # that lost no seed
    assert list(found["setting"]) == ["gru lr=0.001", "gru lr=0.01", "gru lr=1.0"]
    np.testing.assert_allclose(found["valid"], [0.4, 0.2, np.nan])
    np.testing.assert_allclose(found["lost"], [0, 1 / 3, 1])
    assert list(found["n"]) == [3, 2, 0] and list(found["running"]) == [0, 1, 0]


def test_a_rate_stands_with_its_best_other_setting(tmp_path):
    write_rate(tmp_path, 0.1, [0.3, 0.3], weight_decay=0)
    write_rate(tmp_path, 0.1, [0.2, 0.2], weight_decay=1)
    write_rate(tmp_path, 0.2, [0.4, 0.4], weight_decay=0)
    found = sensitivity(*tabled(tmp_path))
    assert list(found["learning_rate"]) == [0.1, 0.2]
    np.testing.assert_allclose(found["valid"], [0.2, 0.4])


def test_windows_of_records(tmp_path):
    """The baseline is 1/6 on adding: the best leads by 0.1567, of which a tenth may be lost."""
    for rate, valid in [(1e-4, 0.16), (1e-3, 0.02), (1e-2, 0.01), (1e-1, 0.03)]:
        write_rate(tmp_path, rate, [valid, valid])
    study, table = tabled(tmp_path)
    [row] = windows(sensitivity(study, table), baseline_losses(study)).to_dict("records")
    assert (row["label"], row["rates"], row["best"]) == ("gru lr=0.01", 4, 0.01)
    assert (row["low"], row["high"], row["bounded"]) == (1e-3, 1e-2, True)
    assert row["decades"] == pytest.approx(1)


def test_windows_where_more_is_better(tmp_path):
    for rate, valid in [(1e-3, 0.2), (1e-2, 0.9), (1e-1, 0.88)]:
        write_rate(tmp_path, rate, [valid, valid], task="digits")
    study, table = tabled(tmp_path)
    [row] = windows(sensitivity(study, table), baseline_losses(study)).to_dict("records")
    assert (row["best"], row["low"], row["high"], row["bounded"]) == (1e-2, 1e-2, 1e-1, False)


def test_records_without_rates_have_no_sensitivity(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    study, table = tabled(tmp_path)
    assert sensitivity(study, table).empty and windows(sensitivity(study, table), {}).empty


def test_trials_count_lost_runs_as_the_worst(tmp_path):
    write_rate(tmp_path, 0.1, [0.1, 0.2], lost=["running"])
    write_rate(tmp_path, 0.2, [0.05], lost=["diverged", "failed"])
    study, table = tabled(tmp_path)
    found = trials(study, table, {"adding": 0.15})
    assert list(found["trials"]) == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(
        found["expected_best"], expected_best([0.1, 0.2, 0.05, 0.2, 0.2], "min")
    )
    with_baseline = trials(study, table, baseline_losses(study) | {"adding": 1.0})
    assert with_baseline["expected_best"].iloc[0] == pytest.approx((0.1 + 0.2 + 0.05 + 1 + 1) / 5)


def test_tuning_costs_what_all_settings_cost(tmp_path):
    """A run took 20 steps of 3 ms, 800 tokens at 18,000 FLOPs, but the diverged one 5 and 100."""
    write_rate(tmp_path, 0.1, [0.1, 0.2])
    write_rate(tmp_path, 0.2, [0.3], lost=["diverged", "failed"])
    [diverged] = tmp_path.glob("*0.2*-1")
    write_lines(diverged / "metrics.jsonl", [{"step": 5, "tokens": 100, "valid/mse": 1.0}])
    [failed] = tmp_path.glob("*0.2*-2")
    (failed / "metrics.jsonl").unlink()
    write_json(failed / "cost.json", {"parameters": 3000})
    [row] = tuning_cost(*tabled(tmp_path)).to_dict("records")
    assert row["label"] == "gru lr=0.1" and (row["settings"], row["runs"]) == (2, 5)
    assert (row["diverged"], row["failed"], row["unmeasured"]) == (1, 1, 1)
    assert row["seconds"] == pytest.approx(0.003 * (3 * 20 + 5))
    assert row["flops"] == pytest.approx(720_000 * (3 * 20 + 5))

"""Sample efficiency: planted curves, targets read off by hand, and censoring."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_records import cost, score, write_json, write_lines, write_run

from seqexp.analysis import load
from seqexp.analysis.efficiency import (
    common_targets,
    evaluations,
    over_seeds,
    spent,
    to_target,
)
from seqexp.analysis.table import tabulate


def write_curve(folder, model, seed, valids, task="adding", **changes):
    """A run evaluated every 10 steps; a step is 4 examples, 40 tokens and 0.01 s."""
    metric = "mse" if task == "adding" else "accuracy"
    changes = {"score": score(task, 0.1, 0.1)} | changes
    run = write_run(folder, model, task, seed, **changes)
    steps = [10 * (i + 1) for i in range(len(valids))]
    write_lines(
        run / "metrics.jsonl",
        [
            {"step": s, "examples": 4 * s, "tokens": 40 * s, f"valid/{metric}": v, "train/loss": 0}
            for s, v in zip(steps, valids, strict=True)
        ],
    )
    # What the clock said with others at work does not count.
    write_lines(run / "timing.jsonl", [{"step": s, "seconds": 7.0 * s} for s in steps])
    write_json(run / "cost.json", cost(model) | {"step_seconds": 0.01})


@pytest.fixture
def tabled(tmp_path):
    """The GRU needs 20 and 30 steps to 0.3; of the RNN one seed of three does, in 40."""
    write_curve(tmp_path, "gru", 0, [0.5, 0.3, 0.1])
    write_curve(tmp_path, "gru", 1, [0.5, 0.4, 0.2])
    write_curve(tmp_path, "rnn", 0, [0.9, 0.8, 0.7, 0.3])
    write_curve(tmp_path, "rnn", 1, [0.9, 0.6, 0.7, 0.5])
    write_curve(tmp_path, "rnn", 2, [0.9], status="diverged")
    study = load(tmp_path)
    return study, tabulate(study)


def test_the_common_target_is_what_every_finished_run_reached(tabled):
    assert common_targets(evaluations(*tabled)) == {"adding": 0.5}


def test_time_to_a_target_by_hand(tabled):
    found = to_target(*tabled, targets={"adding": 0.3}).set_index(["label", "seed"])
    assert found["step"].to_dict() == {
        ("gru", 0): 20, ("gru", 1): 30, ("rnn", 0): 40, ("rnn", 1): np.inf, ("rnn", 2): np.inf
    }  # fmt: skip
    first = found.loc[("gru", 0)]
    assert (first["examples"], first["tokens"], first["seconds"]) == (80, 800, 0.2)
    assert first["flops"] == 800 * 6.0 * 3_000
    assert list(found["reached"]) == [True, True, True, False, False]
    assert np.isinf(
        found.loc[("rnn", 1), ["examples", "tokens", "flops", "seconds"]].astype(float)
    ).all()


def test_over_seeds_it_is_the_median_with_what_was_censored(tabled):
    gru, rnn = over_seeds(to_target(*tabled, targets={"adding": 0.3})).to_dict("records")
    assert [gru[k] for k in ("n", "reached", "censored", "left_out", "step")] == [2, 2, 0, 0, 30]
    assert [rnn[k] for k in ("n", "reached", "censored", "left_out")] == [3, 1, 2, 0]
    assert np.isinf(rnn["step"]) and np.isinf(rnn["seconds"])


def test_by_default_every_finished_run_reaches_the_target(tabled):
    found = to_target(*tabled)
    assert set(found["target"]) == {0.5}
    assert list(found.loc[found["status"] == "finished", "reached"]) == [True] * 4
    assert found.loc[found["status"] == "diverged", "step"].tolist() == [np.inf]


def test_more_may_be_better_and_other_tasks_have_no_target(tmp_path):
    write_curve(tmp_path, "gru", 0, [0.2, 0.6, 0.9], task="digits")
    write_curve(tmp_path, "gru", 0, [0.2, 0.1])
    study = load(tmp_path)
    [row] = to_target(study, tabulate(study), {"digits": 0.6}).to_dict("records")
    assert (row["task"], row["step"]) == ("digits", 20)
    assert common_targets(evaluations(study, tabulate(study))) == {"digits": 0.9, "adding": 0.1}


def test_runs_without_an_evaluation_are_counted(tmp_path):
    write_curve(tmp_path, "gru", 0, [0.2])
    write_curve(tmp_path, "gru", 1, [], status="diverged")
    write_curve(tmp_path, "gru", 2, [], status="failed")
    write_curve(tmp_path, "gru", 3, [0.9], status="running")
    study = load(tmp_path)
    found = to_target(study, tabulate(study))
    assert len(found) == 4
    np.testing.assert_array_equal(found["step"], [10, np.inf, np.nan, np.nan])
    [gru] = over_seeds(found).to_dict("records")
    assert [gru[k] for k in ("n", "reached", "censored", "left_out")] == [2, 1, 1, 2]


def test_the_test_split_is_not_read(tmp_path):
    write_curve(tmp_path / "a", "gru", 0, [0.5, 0.3], score=score("adding", 0.3, 0.1))
    write_curve(tmp_path / "b", "gru", 0, [0.5, 0.3], score=score("adding", 0.3, 0.9))
    first, second = (to_target(s, tabulate(s)) for s in map(load, (tmp_path / "a", tmp_path / "b")))
    assert first.equals(second)


def test_what_is_not_recorded_is_not_known(tmp_path):
    write_curve(tmp_path, "gru", 0, [0.5, 0.3])
    (tmp_path / "gru-adding-0" / "timing.jsonl").unlink()
    (tmp_path / "gru-adding-0" / "cost.json").unlink()
    study = load(tmp_path)
    [row] = to_target(study, tabulate(study)).to_dict("records")
    assert row["reached"] and row["step"] == 20 and np.isnan([row["seconds"], row["flops"]]).all()
    assert spent(study)[["seconds", "flops"]].isna().to_numpy().all()


def test_spent_is_what_the_last_record_says(tabled):
    found = spent(tabled[0]).set_index("run")
    assert found.loc["gru-adding-0"].to_dict() == {"seconds": 0.3, "flops": 40 * 30 * 18_000.0}
    assert found.loc["rnn-adding-2", "seconds"] == 0.1

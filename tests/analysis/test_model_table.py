"""The table: every number against numpy, choosing on validation only, the text for a terminal."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_records import (
    PARAMETERS,
    SEEDS,
    TASKS,
    known_scores,
    score,
    write_json,
    write_run,
    write_study,
)

from seqexp.analysis import load
from seqexp.analysis.table import ON_FRONT, tabulate, to_text

T_975_2 = 4.302652729749464  # Student's quantile for two degrees of freedom


def test_numbers_are_those_computed_by_hand(tmp_path):
    scores = known_scores()
    table = tabulate(load(write_study(tmp_path, scores)))
    assert list(zip(table["task"], table["label"], strict=True)) == [
        (task, model) for task in TASKS for model in ("lstm", "gru", "rnn")
    ]
    for row in table.to_dict("records"):
        valid, test = scores[row["model"], row["task"]].T
        half = T_975_2 * np.std(test, ddof=1) / np.sqrt(3)
        np.testing.assert_allclose(
            [row["test"], row["test_half"], row["valid"]], [test.mean(), half, valid.mean()]
        )
        assert [row[k] for k in ("n", "finished", "diverged", "failed", "running")] == [
            3,
            3,
            0,
            0,
            0,
        ]
        assert row["step_seconds"] == pytest.approx(PARAMETERS[row["model"]] * 1e-6)
        # Each model scores better than all that are smaller, so that all are on the front.
        assert row["chosen"] and row["front/parameters"] and row["front/step_seconds"]
        assert not row["front/decode_seconds_per_token"]


def test_only_finished_runs_count(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    write_run(tmp_path, "gru", "adding", 1, status="diverged", score=score("adding", 9, 9))
    write_run(tmp_path, "gru", "adding", 2, status="failed", score=None, error="out of memory")
    write_run(tmp_path, "gru", "adding", 3, status="running", score=score("adding", None, None))
    write_run(tmp_path, "lstm", "adding", 0, status="failed", score=None)
    gru, lstm = tabulate(load(tmp_path)).to_dict("records")
    assert [gru[k] for k in ("n", "finished", "diverged", "failed", "running")] == [1, 1, 1, 1, 1]
    assert gru["test"] == 0.5 and np.isnan(gru["test_half"]) and gru["front/parameters"]
    assert lstm["n"] == 0 and np.isnan(lstm["test"]) and not lstm["front/parameters"]


def write_setting(study, rate, valid, test, parameters=3_000):
    config = {"optimizer": {"learning_rate": rate}, "task": {"length": 10}}
    for seed in SEEDS:
        folder = write_run(
            study,
            "gru",
            "adding",
            seed,
            id=f"{rate}-{seed}",
            group=f"group of {rate}",
            config=config | {"seed": seed},
            score=score("adding", valid, test),
        )
        write_json(folder / "cost.json", {"parameters": parameters})


def test_settings_are_chosen_on_validation_and_never_on_test(tmp_path):
    write_setting(tmp_path, 0.1, valid=0.2, test=0.9)  # the best on validation, the worst on test
    write_setting(tmp_path, 0.2, valid=0.3, test=0.1)
    write_setting(tmp_path, 0.3, valid=0.4, test=0.2)
    table = tabulate(load(tmp_path)).set_index("label")
    chosen = table.loc[table["chosen"]]
    assert list(chosen.index) == ["gru lr=0.1"] and list(chosen["test"]) == [0.9]
    assert list(table.loc[table["front/parameters"]].index) == ["gru lr=0.1"]


def test_the_score_is_the_records_own(tmp_path):
    """The curve says something else: validation chose once, and the table does not choose again."""
    folder = write_run(tmp_path, "gru", "adding", 0, score=score("adding", 0.2, 0.9))
    (folder / "metrics.jsonl").write_text('{"step": 20, "valid/mse": 0.2, "test/mse": 0.0}\n')
    [row] = tabulate(load(tmp_path)).to_dict("records")
    assert (row["valid"], row["test"]) == (0.2, 0.9)


def test_sizes_of_a_model_stand_side_by_side(tmp_path):
    write_setting(tmp_path, 0.1, valid=0.2, test=0.2, parameters=4_000)
    write_setting(tmp_path, 0.2, valid=0.3, test=0.3, parameters=3_000)
    table = tabulate(load(tmp_path))
    assert list(table["chosen"]) == list(table["front/parameters"]) == [True, True]


def test_architectures_of_a_model_stand_side_by_side(tmp_path):
    """Equal sizes, another pooling: not two ways to train one model."""
    for pooling, valid in (("last", 0.2), ("mean", 0.3)):
        write_run(
            *(tmp_path, "gru", "adding", 0),
            id=pooling,
            group=pooling,
            config={"task": {"length": 10}, "model": {"units": 8, "pooling": pooling}},
            score=score("adding", valid, valid),
        )
    assert list(tabulate(load(tmp_path))["chosen"]) == [True, True]


def test_a_lucky_survivor_is_not_chosen(tmp_path):
    """One seed of two lived and did better than both of the setting that lost none."""
    write_setting(tmp_path, 0.1, valid=0.3, test=0.3)
    write_setting(tmp_path, 0.9, valid=0.1, test=0.1)
    config = {"optimizer": {"learning_rate": 0.9}, "task": {"length": 10}}
    write_run(
        *(tmp_path, "gru", "adding", 9),
        group="group of 0.9",
        status="diverged",
        diverged_step=3,
        config=config,
    )
    rows = tabulate(load(tmp_path)).to_dict("records")
    assert sum(row["diverged"] for row in rows) == 1
    assert [row["label"] for row in rows if row["chosen"]] == ["gru lr=0.1"]


def test_a_setting_without_a_score_is_not_chosen(tmp_path):
    """It lost no seed yet, for all of them still run."""
    write_setting(tmp_path, 0.1, valid=0.3, test=0.3)
    for seed, status in enumerate(("running", "running")):
        config = {"optimizer": {"learning_rate": 0.2}, "task": {"length": 10}}
        write_run(
            *(tmp_path, "gru", "adding", seed),
            id=f"running-{seed}",
            group="group of 0.2",
            status=status,
            config=config,
            score=score("adding", None, None),
        )
    write_run(
        *(tmp_path, "gru", "adding", 8),
        group="group of 0.1",
        status="diverged",
        config={"optimizer": {"learning_rate": 0.1}, "task": {"length": 10}},
        score=None,
    )
    rows = tabulate(load(tmp_path)).to_dict("records")
    assert [row["label"] for row in rows if row["chosen"]] == ["gru lr=0.1"]


def test_a_setting_of_which_no_run_lived_is_one_of_its_model(tmp_path):
    """Nothing says how many parameters it has, and it must not stand beside its model for that."""
    write_setting(tmp_path, 0.1, valid=0.3, test=0.3)
    folder = write_run(
        *(tmp_path, "gru", "adding", 8),
        group="group of 9",
        status="failed",
        config={"optimizer": {"learning_rate": 9.0}, "task": {"length": 10}},
        score=None,
    )
    (folder / "cost.json").unlink()
    table = tabulate(load(tmp_path))
    assert list(table["chosen"]) == [True, False] and list(table["failed"]) == [0, 1]


def test_ties_on_validation_are_settled_by_name(tmp_path):
    write_setting(tmp_path, 0.2, valid=0.3, test=0.1)
    write_setting(tmp_path, 0.1, valid=0.3, test=0.9)
    table = tabulate(load(tmp_path))
    assert list(table.loc[table["chosen"], "label"]) == ["gru lr=0.1"]


def test_how_sure_the_front_is_and_the_interquartile_mean(tmp_path):
    """The dearer GRU is better in two of three seeds; the LSTM is worse in all."""
    tests = {"rnn": [0.3, 0.3, 0.3], "gru": [0.1, 0.2, 0.5], "lstm": [0.9, 0.8, 0.7]}
    for model, values in tests.items():
        for seed, test in enumerate(values):
            write_run(tmp_path, model, "adding", seed, score=score("adding", 0.5, test))
    table = tabulate(load(tmp_path)).set_index("label")
    found = table["front_probability/parameters"].to_dict()
    assert found["rnn"] == 1 and found["lstm"] == 0 and 0.5 < found["gru"] < 0.9
    assert np.isnan(table["front_probability/decode_seconds_per_token"].to_numpy()).all()
    row = table.loc["gru"].to_dict()
    assert row["test_iqm"] == pytest.approx(row["test"])  # of three none is trimmed
    assert row["test_iqm_high"] - row["test_iqm_low"] == pytest.approx(2 * row["test_half"])
    rnn = table.loc["rnn"].to_dict()
    assert rnn["test_iqm_low"] == rnn["test_iqm_high"] == 0.3


def test_text_is_plain_and_fits_a_terminal(tmp_path):
    write_study(tmp_path, known_scores())
    write_run(
        *(tmp_path, "rnn", "adding", 7),
        group="other",
        config={
            "task": {"length": 10},
            "model": {"units": 8},
            "trainer": {"a_long_name" * 5: "x" * 80},
        },
        score=score("adding", 3.0, 3.0),
    )
    table = tabulate(load(tmp_path))
    assert "x" * 80 in to_text(table), "nothing is cut where the output is no terminal"
    assert "x" * 80 in to_text(table, 300)
    lines = to_text(table, 100).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "adding (mse, lower is better)"
    assert lines[2].split()[:2] == ["lstm", "3/3"]
    half = f"{table['test_half'].iloc[0]:.4f}"
    assert lines[2].split()[-7:] == ["±", half, "4,000*", "400*", "24.0", "k*", "4.00*"]
    assert lines[5].startswith("  (rnn a_") and lines[5].split()[-5:-4] == ["1,000"]
    assert lines[-2:] == [
        f"* {ON_FRONT}",
        "( ) another training setting of the same model was better on validation",
    ]


def test_baselines_stand_below_the_models(tmp_path):
    write_run(tmp_path, "rnn", "adding", 0, baselines={"always 1": 1 / 6, "chance": 12.0})
    study = load(tmp_path)
    lines = to_text(tabulate(study), baselines=study.baselines).splitlines()
    assert [line.split() for line in lines[3:5]] == [
        ["baseline:", "always", "1", "0.1667"],
        ["baseline:", "chance", "12.00"],
    ]


def test_text_leaves_out_what_was_not_chosen_where_there_is_much(tmp_path):
    for rate in range(1, 14):
        write_run(
            *(tmp_path, "rnn", "adding", 0),
            id=f"rnn-{rate}",
            group=f"rate {rate}",
            config={"optimizer": {"learning_rate": rate / 100}, "task": {"length": 10}},
            score=score("adding", 1 / rate, 0.5),
        )
    *_, named, _, front, hidden = to_text(tabulate(load(tmp_path))).splitlines()
    assert named.startswith("  rnn") and front.startswith("* on the Pareto front")
    assert hidden == "12 training settings that validation did not choose are in the report"

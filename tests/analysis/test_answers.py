"""The answers in sentences: planted winners, what is not settled, and what no one asked."""

from __future__ import annotations

import pandas as pd
from synthetic_records import score, write_growth, write_run

from seqexp.analysis import load
from seqexp.analysis.answers import answer, growing, tuning
from seqexp.analysis.findings import findings
from seqexp.analysis.table import tabulate


def found_in(folder):
    study = load(folder)
    return findings(study, tabulate(study))


def volumes(*rows):
    """Of each task, cost and model the share that it covers, and how likely it covers the most."""
    columns = pd.Index(["task", "axis", "model", "share", "most"])
    return pd.DataFrame(rows, columns=columns)


def test_who_gives_the_most_on_each_task():
    """gru on all costs of one task; on the other lstm, but for one cost."""
    rows = []
    for axis in ("parameters", "carry_bytes", "step_seconds", "decode_seconds_per_token"):
        rows += [("adding", axis, "gru", 1.0, 1.0), ("adding", axis, "lstm", 0.8, 0.0)]
        first = axis == "step_seconds"
        rows += [("digits", axis, "gru", 1.0 if first else 0.5, 0.7 if first else 0.0)]
        rows += [("digits", axis, "lstm", 0.96 if first else 0.9, 0.3 if first else 1.0)]
    rows += [("digits", "all", "gru", 1.0, 1.0), ("digits", "all", "lstm", 0.1, 0.0)]
    assert answer(volumes(*rows)) == [
        "Most performance for its cost: gru on adding; lstm on digits.",
        "adding: gru against every cost (the next covers 80 % as much).",
        "digits: lstm against every cost but training step time (the next covers 56 % as much); "
        "gru against training step time (the next covers 96 % as much, not settled).",
    ]


def test_no_winner_is_named_where_each_wins_as_many_costs():
    rows = [("adding", "parameters", "gru", 1.0, 1.0), ("adding", "parameters", "rnn", 0.5, 0.0)]
    rows += [("adding", "carry_bytes", "rnn", 1.0, 1.0), ("adding", "carry_bytes", "gru", 0.5, 0.0)]
    first = answer(volumes(*rows))[0]
    assert first == "Most performance for its cost: gru or rnn (it depends on the cost)."
    rows += [("digits", "parameters", "rnn", 1.0, 1.0), ("digits", "parameters", "gru", 0.2, 0.0)]
    first = answer(volumes(*rows))[0]
    assert first.endswith(": gru or rnn (it depends on the cost) on adding; rnn on digits.")


def test_one_task_and_one_winner_everywhere():
    one = [("adding", "parameters", "gru", 1.0, 1.0), ("adding", "parameters", "rnn", 0.0, 0.0)]
    other = [("digits", "parameters", "gru", 1.0, 1.0), ("digits", "parameters", "rnn", 0.2, 0.0)]
    assert answer(volumes(*one))[0] == "Most performance for its cost: gru."
    assert answer(volumes(*one, *other))[0] == "Most performance for its cost: gru on both tasks."


def test_one_kind_of_model_is_no_question():
    assert answer(volumes(("adding", "parameters", "gru", 1.0, 1.0))) == []
    assert answer(volumes()) == []


def test_nobody_wins_who_is_no_better_than_nothing():
    nan = float("nan")
    lost = [("adding", "parameters", "gru", nan, nan), ("adding", "parameters", "rnn", nan, nan)]
    assert answer(volumes(*lost)) == ["No model is better than what needs none."]
    won = [("digits", "parameters", "gru", 1.0, 1.0), ("digits", "parameters", "rnn", 0.2, 0.0)]
    found = answer(volumes(*lost, *won))
    assert found[0] == "Most performance for its cost: gru on digits."
    assert found[1] == "adding: none; no model is better than what needs none."


def test_tuning_tells_the_best_of_one_and_of_all(tmp_path):
    """Of one run rnn is expected to be better, its mean being 0.2 against 0.3; of two gru."""
    for model, valids in (("gru", (0.0, 0.6)), ("rnn", (0.19, 0.21))):
        for rate, valid in zip((0.1, 0.2), valids, strict=True):
            write_run(
                *(tmp_path, model, "adding", 0),
                id=f"{model}-{rate}",
                group=f"{model}-{rate}",
                config={"optimizer": {"learning_rate": rate}, "task": {"length": 10}},
                score=score("adding", valid, 0.9),
            )
    found = found_in(tmp_path)
    # Runs took 0.2 s and 800 tokens each; of two trials the better is expected at a quarter of 0.6.
    assert tuning(found.trials, found.table, found.tuning) == (
        "The best validation mse to expect of one run 0.2000 by rnn, of 2 runs 0.1500 by gru. All "
        "4 runs took 0.00267 min and 38.4 MFLOPs of training together."
    )


def test_growth_is_told_from_the_least_exponent_to_the_greatest(tmp_path):
    write_run(tmp_path, "gru", "adding", 0)
    write_growth(tmp_path, "one", {"gru": (1, 2), "rnn": (0.5, 1.5), "lstm": (0.75, 1.75)})
    found = found_in(tmp_path).growth
    said = "T^0.50 (rnn) to T^1.00 (gru), and as H^1.50 (rnn) to H^2.00 (gru)."
    assert growing(found) == [f"Training step time grows as {said}"]
    assert growing(found.iloc[:0]) == []

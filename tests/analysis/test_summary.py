"""The sentences: planted winners, ties and losses, and that nothing is claimed without seeds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from synthetic_records import known_scores, score, write_json, write_run, write_study

from seqexp.analysis import load
from seqexp.analysis.axes import COMPARED
from seqexp.analysis.contenders import baseline_losses, field
from seqexp.analysis.ranks import rank
from seqexp.analysis.summary import overview, ranking, verdict
from seqexp.analysis.table import tabulate


def sentences(folder, scores, baselines=None, seeds=None):
    """The verdict on runs of the adding problem; `scores` are a model's test scores, by seed."""
    for model, tests in scores.items():
        numbers = (seeds or {}).get(model, range(len(tests)))
        for seed, test in zip(numbers, tests, strict=True):
            write_run(folder, model, "adding", seed, score=score("adding", test, test))
    study = load(folder)
    table = tabulate(study)
    return " ".join(verdict(table, baselines or {}, field(study, table)["adding"]))


def test_a_sure_winner(tmp_path):
    text = sentences(tmp_path, {"gru": [0.10, 0.11, 0.12], "lstm": [0.5, 0.51, 0.52]})
    assert text == (
        "gru has the lowest test mse, 0.110 ± 0.025 (n = 3); next is lstm, 0.510 ± 0.025. Over "
        "the 3 seeds that both finished it is ahead by 0.4000 ± 0 (p = 0.25; 3 pairs can give no "
        "less). On the Pareto front: gru against every cost; lstm against training step time. Of "
        "2,000 resamples of seeds and measured costs, gru dominates lstm on every cost in 94 %."
    )


def test_intervals_that_overlap_and_a_split_front(tmp_path):
    """The dearer one is better in most resamples and never dominates; nor does the cheaper one."""
    text = sentences(tmp_path, {"rnn": [0.30, 0.50], "gru": [0.20, 0.45]})
    assert "next is rnn, 0.40 ± 1.27. Over the 2 seeds that both finished" in text
    assert "it is ahead by 0.075 ± 0.318 (p = 0.5; 2 pairs can give no less)." in text
    assert "On the Pareto front: gru and rnn against every cost." in text
    assert text.endswith("no model dominates another on any cost in 90 %.")


def test_comparisons_are_corrected_and_named(tmp_path):
    scores = {"gru": [0.1] * 6, "lstm": [0.2] * 6, "rnn": [0.3] * 6}
    text = sentences(tmp_path, scores)
    # 2 / 2^6 = 0.03125, times 3
    assert "(p = 0.031, 0.094 corrected for 3 comparisons; 6 pairs can give no less)." in text
    assert "gru dominates lstm on every cost in 94 %" in text


def test_an_exact_tie(tmp_path):
    text = sentences(tmp_path, {"lstm": [0.2, 0.3], "gru": [0.2, 0.3]})
    assert "gru and lstm are tied for the lowest" in text and "both finished they are tied." in text


def test_single_seeds_claim_nothing(tmp_path):
    text = sentences(tmp_path, {"gru": [0.2], "lstm": [0.3]})
    assert text == (
        "gru has the lowest test mse, 0.2000 (n = 1); next is lstm, 0.3000. They have one seed in "
        "common, too few to compare by. On the Pareto front: gru against every cost; lstm "
        "against training step time."
    )


def test_seeds_that_are_not_shared(tmp_path):
    text = sentences(
        tmp_path, {"gru": [0.2, 0.2], "lstm": [0.3, 0.3]}, seeds={"gru": [0, 1], "lstm": [2, 3]}
    )
    assert "They have no seed in common, too few to compare by." in text


def test_the_best_mean_may_be_behind_on_the_seeds_that_both_finished(tmp_path):
    text = sentences(
        tmp_path, {"gru": [0.3, 0.3, 0.0, 0.0], "lstm": [0.2, 0.2]}, seeds={"gru": [0, 1, 2, 3]}
    )
    assert text.startswith("gru has the lowest")
    assert "Over the 2 seeds that both finished it is behind by 0.1000 ± 0" in text


def test_what_is_not_beaten_and_not_counted_is_named(tmp_path):
    write_run(tmp_path, "gru", "adding", 9, status="diverged", score=None)
    text = sentences(tmp_path, {"gru": [0.2]}, {"predict 1": 1 / 6, "guess": 9.0})
    assert text == (
        "gru has the lowest test mse, 0.2000 (n = 1) (not in the mean: 1 diverged). It does not "
        "beat predict 1 (0.1667). There is no other model to compare its cost with."
    )


def test_models_are_called_by_their_name_and_fronts_are_told_in_short(tmp_path):
    """Five sizes, the larger the better; of each one cost is known, against which it is alone."""
    for i, size in enumerate((8, 16, 32, 64, 128)):
        for seed in range(2):
            folder = write_run(
                *(tmp_path, "gru", "adding", seed),
                id=f"{size}-{seed}",
                group=f"{size}",
                config={"task": {"length": 10}, "model": {"features": size}},
                match={"by": "params", "budget": 1000 * size},
                score=score("adding", 0.5 - 0.1 * i, 0.5 - 0.1 * i),
            )
            write_json(folder / "cost.json", {COMPARED[i].key: 1.0})
    study = load(tmp_path)
    table = tabulate(study)
    text = " ".join(verdict(table, {}, field(study, table)["adding"]))
    assert text.startswith("gru params=128000 has the lowest test mse, 0.1000 ± 0 (n = 2)")
    assert "next is gru params=64000," in text
    assert "gru params=64000 against inference FLOPs; " in text and "; 2 more against some." in text


def test_best_is_the_highest_where_more_is_better(tmp_path):
    study = load(write_study(tmp_path, known_scores()))
    rows = tabulate(study)
    of_task = rows.loc[rows["task"] == "digits"]
    text = " ".join(verdict(of_task, {}, field(study, rows)["digits"]))
    best = np.mean([test for _, test in known_scores()["lstm", "digits"]])
    assert text.startswith(f"lstm has the highest test accuracy, {best:.4f} ± ")
    gru = np.mean([test for _, test in known_scores()["gru", "digits"]])
    assert f"Over the 3 seeds that both finished it is ahead by {best - gru:.3f} ± " in text
    assert overview(study) == "18 runs of 3 models on 2 tasks: 18 finished."


def test_without_a_finished_run(tmp_path):
    write_run(tmp_path, "gru", "adding", 0, status="failed", score=None)
    study = load(tmp_path)
    table = tabulate(study)
    assert verdict(table, {}, field(study, table)["adding"]) == ["No run has finished."]


def test_ranking_over_tasks(tmp_path):
    study = load(write_study(tmp_path, known_scores()))
    tasks = field(study, tabulate(study))
    assert ranking(rank(tasks, baseline_losses(study))) == (
        "Over 2 tasks lstm has the best mean rank, 1.0 (1.0 to 1.0), and the best in 100 % of "
        "resamples of the seeds; then gru, 2.0 (2.0 to 2.0); rnn, 3.0 (3.0 to 3.0)."
    )


def test_ranking_names_who_is_not_ranked_and_says_nothing_of_one_task(tmp_path):
    write_study(tmp_path, known_scores())
    for run in tmp_path.glob("gru-digits-*"):
        for file in run.iterdir():
            file.unlink()
    write_run(tmp_path / "more", "gru", "digits", 9, status="diverged", score=None)
    study = load(tmp_path, tmp_path / "more")
    table = tabulate(study)
    tasks = field(study, table)
    assert "Not on every task, so without a rank: gru." in ranking(rank(tasks, {}))
    assert ranking(rank({"adding": tasks["adding"]}, {})) == ""
    assert ranking(pd.DataFrame(columns=pd.Index(["tasks", "rank"]))) == ""


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_text_never_says_nan(tmp_path, seeds):
    rng = np.random.default_rng(seeds)
    scores = {model: list(rng.random(seeds)) for model in ("gru", "lstm")} | {"rnn": [0.5]}
    assert not re.search(r"\bnan\b|None", sentences(tmp_path, scores))

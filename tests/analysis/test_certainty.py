"""What is equal is called tied, and equal seeds are not called certain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic_records import score, write_run

from seqexp.analysis import load, report
from seqexp.analysis.answers import answer
from seqexp.analysis.contenders import field
from seqexp.analysis.evidence import comparison_table
from seqexp.analysis.findings import findings
from seqexp.analysis.headlines import headlines
from seqexp.analysis.statistics import sampling_half
from seqexp.analysis.summary import ranking
from seqexp.analysis.table import tabulate, to_text
from tests.full import full


def written(study, scores, task="adding", **changes):
    for model, values in scores.items():
        for seed, value in enumerate(values):
            write_run(study, model, task, seed, score=score(task, 0.5, value), **changes)
    return load(study)


def test_models_that_tie_are_tied(tmp_path):
    study = written(tmp_path, {"gru": [0.1] * 3, "lstm": [0.1] * 3, "rnn": [0.4] * 3})
    table = tabulate(study)
    first, *_ = headlines(findings(study, table)).tasks["adding"]
    assert first == (
        "gru and lstm are tied for the lowest test mse, 0.1000 ± 0 (n = 3). Over the 3 seeds that "
        "both finished they are tied."
    )
    [markup] = comparison_table(field(study, table)["adding"])
    assert ">tied</td>" in markup and markup.count("tied") == 1
    # Both are marked as the best.
    assert report(tmp_path).read_text().count('class="number best"') == 2


@pytest.mark.full
def test_means_that_tie_by_chance_are_tied_but_seeds_differ(tmp_path):
    study = written(tmp_path, {"gru": [0.125, 0.375], "lstm": [0.375, 0.125]})
    [text, *_] = headlines(findings(study, tabulate(study))).tasks["adding"]
    assert text.startswith("gru and lstm are tied for the lowest test mse, 0.25 ± 1.59 (n = 2)")
    assert "Over the 2 seeds that both finished they are tied: 0.0 ± 3.2 (p = 1)." in text


def test_no_tied_model_alone_has_the_best_rank_or_gives_the_most():
    ranks = pd.DataFrame({"contender": ["a", "b", "c"], "rank": [1.5, 1.5, 3.0], "tasks": 2})
    ranks = ranks.assign(rank_low=np.nan, rank_high=np.nan, best_probability=0.5)
    assert ranking(ranks) == (
        "Over 2 tasks a, 1.5, and b, 1.5, are tied for the best mean rank; then c, 3.0."
    )
    volumes = pd.DataFrame({"model": ["a", "b", "c"], "share": [1.0, 1.0, 0.5], "most": 0.5})
    volumes = volumes.assign(task="t", axis="parameters", hypervolume=1.0)
    assert answer(volumes)[1] == (
        "t: a and b against every cost (the next covers 50 % as much, not settled)."
    )


def test_equal_seeds_do_not_make_an_accuracy_certain(tmp_path):
    """Two seeds with 199 of 200 right: the test split leaves a percent open."""
    targets = {"test_targets": {"accuracy": 200.0}}
    study = written(tmp_path, {"gru": [0.995] * 2}, "digits", **targets)
    table = tabulate(study)
    exact = stats.binomtest(199, 200).proportion_ci(method="exact")
    half = float(table["test_sampling_half"].iloc[0])
    assert half == pytest.approx((exact.high - exact.low) / 2, rel=0.25)
    assert to_text(table).splitlines()[0] == (
        "digits (accuracy, higher is better; ± 0.016 by sampling 200 test targets)"
    )
    [text, *_] = headlines(findings(study, table)).tasks["digits"]
    assert "0.9950 ± 0 (n = 2), ± 0.016 by sampling 200 targets" in text
    assert "± 0.016</td>" in report(tmp_path).read_text()


def test_the_sampling_error_covers_the_share():
    """It holds the true share in at least 94 % of test splits, also of few and of easy targets."""
    for n in (20, 200, 2000):
        for p in (0.5, 0.9, 0.99):
            right = np.arange(n + 1)
            center = (right + 1.96**2 / 2) / (n + 1.96**2)
            halves = np.array([sampling_half(k / n, n) for k in right])
            covered = np.abs(center - p) <= halves
            assert stats.binom.pmf(right[covered], n, p).sum() > 0.92
    assert sampling_half(1.0, 100) > 0.02


@pytest.mark.parametrize(
    ("task", "targets"),
    [
        ("digits", {}),  # a record of old
        full("digits", {"test_targets": {"accuracy": 0.3}}),  # weights, not targets
        full("adding", {"test_targets": {"mse": 200.0}}),  # no share of right answers
    ],
)
def test_nothing_is_said_of_what_the_records_do_not_tell(tmp_path, task, targets):
    table = tabulate(written(tmp_path, {"gru": [0.5, 0.6]}, task, **targets))
    assert np.isnan(table["test_sampling_half"].to_numpy(float)).all()
    assert "sampling" not in to_text(table)
    assert "Sampling" not in report(tmp_path).read_text().partition("How to read this</h2>")[0]

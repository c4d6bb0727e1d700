"""Ranks over tasks: by hand, planted winners and ties, and who is left out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from seqexp.analysis.contenders import Contender
from seqexp.analysis.ranks import normalised, rank


def contender(name, losses, diverged=0, failed=0):
    losses = np.array(losses, dtype=float)
    seeds = np.arange(len(losses))
    return Contender(name, name, name, seeds, losses, np.zeros((len(losses), 6)), diverged, failed)


def test_a_sure_winner():
    tasks = {
        task: [contender("good", [0.1, 0.2, 0.3]), contender("bad", [7.0, 8.0, 9.0])]
        for task in ("one", "two", "three")
    }
    good, bad = rank(tasks, {}).to_dict("records")
    assert [good[k] for k in ("contender", "tasks", "n")] == ["good", 3, 9]
    assert [good[k] for k in ("rank", "rank_low", "rank_high", "best_probability")] == [1, 1, 1, 1]
    assert [bad[k] for k in ("rank", "rank_low", "rank_high", "best_probability")] == [2, 2, 2, 0]


def test_mean_ranks_by_hand():
    """Each wins one task; a tie on the third shares the places."""
    tasks = {
        "one": [contender("a", [1, 1.5]), contender("b", [2, 2.5]), contender("c", [3, 3.5])],
        "two": [contender("a", [3, 3.5]), contender("b", [1, 1.5]), contender("c", [2, 2.5])],
        "three": [contender("a", [1, 1]), contender("b", [1, 1]), contender("c", [5, 5])],
    }
    found = rank(tasks, {}).set_index("contender")
    assert found["rank"].to_dict() == pytest.approx({"a": 5.5 / 3, "b": 4.5 / 3, "c": 8 / 3})
    assert found["best_probability"].to_dict() == {"a": 0, "b": 1, "c": 0}  # none overlap


def test_an_exact_tie_is_shared():
    tasks = {"one": [contender("a", [0.1] * 3), contender("b", [0.1] * 3)]}
    found = rank(tasks, {})
    assert list(found["rank"]) == [1.5, 1.5] and list(found["best_probability"]) == [0.5, 0.5]
    assert list(found["rank_low"]) == list(found["rank_high"]) == [1.5, 1.5]


def test_the_probability_to_be_best_is_that_of_the_means():
    """Of two means that are normal about 0 and d / sqrt(n), against its closed form."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 40), rng.normal(0, 1, 40)
    a, b = (a - a.mean()) / a.std(ddof=1), (b - b.mean()) / b.std(ddof=1) + 0.2
    found = rank({"one": [contender("a", a), contender("b", b)]}, {}).set_index("contender")
    expected = stats.norm.cdf(0.2 / np.sqrt(2 / 40))
    assert found.loc["a", "best_probability"] == pytest.approx(expected, abs=0.03)


def test_one_seed_leaves_ranks_without_an_interval():
    tasks = {"one": [contender("a", [0.1]), contender("b", [0.2, 0.3])]}
    found = rank(tasks, {})
    assert list(found["rank"]) == [1, 2]
    assert np.isnan(found[["rank_low", "rank_high", "best_probability"]].to_numpy()).all()


def test_who_misses_a_task_is_named_and_not_ranked():
    tasks = {
        "one": [contender("a", [1.0, 2.0]), contender("b", [0.0, 0.0]), contender("c", [5.0, 6.0])],
        "two": [contender("a", [1.0, 2.0]), contender("b", [], diverged=3, failed=1)],
    }
    a, b, c = rank(tasks, {}).to_dict("records")
    assert (a["contender"], a["rank"]) == ("a", 1)
    assert [b[k] for k in ("contender", "tasks", "n", "diverged", "failed")] == ["b", 1, 2, 3, 1]
    assert np.isnan(b["rank"]) and np.isnan(c["rank"]) and c["tasks"] == 1


def test_scores_of_tasks_come_to_one_scale():
    tasks = {
        "with": [contender("a", [0.0, 2.0]), contender("b", [3.0, 5.0])],
        "without": [contender("a", [-0.8]), contender("b", [-0.4])],
        "beaten": [contender("a", [1.0]), contender("b", [2.0])],
        "same": [contender("a", [1.0]), contender("b", [1.0])],
    }
    found = normalised(tasks, {"with": 11.0, "beaten": 0.5})
    assert list(found) == ["with", "without", "beaten"]
    np.testing.assert_allclose(found["with"][0].losses, [-0.1, 0.1])  # the mean of 1 is 0
    np.testing.assert_allclose(found["with"][1].losses, [0.2, 0.4])  # (3 - 1) / (11 - 1)
    assert [one.losses[0] for one in found["without"]] == [0, 1]
    assert [one.losses[0] for one in found["beaten"]] == [0, 1]  # no baseline to speak of


def test_the_aggregate_is_over_the_seeds_of_all_tasks():
    rng = np.random.default_rng(0)
    tasks = {
        task: [contender("a", rng.normal(0, 0.1, 3)), contender("b", rng.normal(1, 0.1, 3))]
        for task in ("one", "two", "three", "four")
    }
    scaled = normalised(tasks, {})
    found = rank(tasks, {}).set_index("contender")
    for name in "ab":
        scores = [
            1 - one.losses for rivals in scaled.values() for one in rivals if one.name == name
        ]
        assert found.loc[name, "score"] == pytest.approx(np.mean(scores))
        assert found.loc[name, "iqm"] == pytest.approx(stats.trim_mean(np.ravel(scores), 0.25))
        assert found.loc[name, "iqm_low"] < found.loc[name, "iqm"] < found.loc[name, "iqm_high"]


def test_the_aggregate_covers():
    """Three seeds on each of four tasks; 0 and 1 are the ends of the scale."""
    rng, hits = np.random.default_rng(1), []
    for _ in range(100):
        tasks = {
            task: [contender("best", [0.0] * 3), contender("a", rng.normal(0.3, 0.1, 3))]
            for task in ("one", "two", "three", "four")
        }
        row = rank(tasks, dict.fromkeys(tasks, 1.0)).set_index("contender").loc["a"]
        hits.append(row["iqm_low"] <= 0.7 <= row["iqm_high"])
    assert 0.90 <= np.mean(hits) <= 0.99

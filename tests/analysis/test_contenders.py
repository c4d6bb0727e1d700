"""Who is compared: planted runs, names over tasks, and a choice that never sees the test split."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthetic_records import BASELINES, known_scores, score, write_json, write_run, write_study

from seqexp.analysis import load
from seqexp.analysis.contenders import baseline_losses, chosen_runs, field
from seqexp.analysis.table import tabulate


def chosen(folder):
    study = load(folder)
    return study, tabulate(study)


def write_rates(folder, scores, task="adding", model="gru", match=None, features=None):
    """Runs of a model; `scores` are (valid, test) of each seed, by learning rate."""
    for rate, pairs in scores.items():
        for seed, (valid, test) in enumerate(pairs):
            config = {"optimizer": {"learning_rate": rate}, "task": {"length": 10}}
            config |= {"model": {"features": features, "kind": model}}
            write_run(
                *(folder, model, task, seed),
                id=f"{model}-{task}-{rate}-{features}-{seed}",
                group=f"{model}-{task}-{rate}-{features}",
                config=config,
                match=match,
                score=score(task, valid, test),
            )


def test_losses_are_test_scores_by_seed_with_less_better(tmp_path):
    scores = known_scores()
    found = field(*chosen(write_study(tmp_path, scores)))
    assert list(found) == ["adding", "digits"]
    for task, rivals in found.items():
        assert [one.name for one in rivals] == ["gru", "lstm", "rnn"]
        for one in rivals:
            test = scores[one.model, task][:, 1]
            np.testing.assert_array_equal(one.losses, test if task == "adding" else -test)
            assert one.seeds.tolist() == [0, 1, 2] and one.costs.shape[0] == 3
    assert baseline_losses(load(tmp_path)) == {
        "adding": BASELINES["adding"]["predict 1"],
        "digits": -BASELINES["digits"]["chance"],
    }


def test_runs_that_were_lost_are_counted(tmp_path):
    write_run(tmp_path, "gru", "adding", 5, score=score("adding", 0.1, 0.2))
    write_run(tmp_path, "gru", "adding", 3, score=score("adding", 0.1, 0.3))
    write_run(tmp_path, "gru", "adding", 1, status="diverged", score=score("adding", 9, 9))
    write_run(tmp_path, "gru", "adding", 2, status="failed", score=None)
    write_run(tmp_path, "gru", "adding", 4, status="running", score=None)
    [gru] = field(*chosen(tmp_path))["adding"]
    assert gru.seeds.tolist() == [3, 5] and gru.losses.tolist() == [0.3, 0.2]
    assert (gru.diverged, gru.failed) == (1, 1)


def test_a_rate_that_wins_on_validation_and_loses_on_test_is_the_one_reported(tmp_path):
    write_rates(tmp_path, {0.1: [(0.2, 0.9), (0.2, 0.8)], 0.2: [(0.3, 0.1), (0.3, 0.1)]})
    [gru] = field(*chosen(tmp_path))["adding"]
    assert (gru.name, gru.label) == ("gru", "gru lr=0.1") and gru.losses.tolist() == [0.9, 0.8]


@pytest.mark.parametrize("seed", range(5))
def test_no_permutation_of_test_scores_changes_a_choice(tmp_path, seed):
    rng = np.random.default_rng(seed)
    valid = rng.integers(1, 4, (3, 4, 2)) / 10  # few values, so that some tie
    test = rng.permutation(np.arange(valid.size)).reshape(valid.shape) / 100
    choices = set()
    for number, scores in enumerate([test, rng.permuted(test.ravel()).reshape(test.shape)]):
        folder = tmp_path / str(number)
        for m, model in enumerate(("rnn", "gru", "lstm")):
            pairs = {
                rate: list(zip(valid[m, r], scores[m, r], strict=True))
                for r, rate in enumerate((0.1, 0.2, 0.3, 0.4))
            }
            write_rates(folder, pairs, model=model)
        study, table = chosen(folder)
        picked = frozenset(table.loc[table["chosen"], "label"])
        choices.add(picked)
        assert set(chosen_runs(study, table)["label"]) == picked
    assert len(choices) == 1


def test_a_name_is_the_same_on_every_task_whatever_the_rate(tmp_path):
    write_rates(tmp_path, {0.1: [(0.2, 0.2)], 0.2: [(0.3, 0.3)]})
    write_rates(tmp_path, {0.1: [(0.2, 0.2)], 0.2: [(0.3, 0.3)]}, task="digits")
    found = field(*chosen(tmp_path))
    assert [(one.name, one.label) for rivals in found.values() for one in rivals] == [
        ("gru", "gru lr=0.1"),
        ("gru", "gru lr=0.2"),
    ]


def test_sizes_are_told_and_matched_ones_by_their_budget(tmp_path):
    for width in (8, 16):
        write_rates(tmp_path / "sizes", {0.1: [(0.2, 0.2)]}, features=width)
        match = {"by": "params", "budget": 100 * width, "reached": 99 * width}
        write_rates(tmp_path / "matched", {0.1: [(0.2, 0.2)]}, features=width, match=match)
        write_rates(
            *(tmp_path / "matched", {0.1: [(0.2, 0.2)]}, "digits"), features=width + 1, match=match
        )
    [small, large] = field(*chosen(tmp_path / "sizes"))["adding"]
    assert {small.name, large.name} == {"gru features=8", "gru features=16"}
    found = field(*chosen(tmp_path / "matched"))
    for task in ("adding", "digits"):
        assert {one.name for one in found[task]} == {"gru params=800", "gru params=1600"}


def test_a_malformed_match_is_none(tmp_path):
    write_rates(tmp_path, {0.1: [(0.2, 0.2)]}, match=5)
    assert [one.name for one in field(*chosen(tmp_path))["adding"]] == ["gru"]


def test_a_run_without_costs_has_those_of_its_seeds(tmp_path):
    folder = write_run(tmp_path, "gru", "adding", 0)
    write_run(tmp_path, "gru", "adding", 1)
    write_json(folder / "cost.json", {})
    [gru] = field(*chosen(tmp_path))["adding"]
    assert gru.costs[:, 0].tolist() == [3000, 3000] and np.isnan(gru.costs[:, -1]).all()
    assert json.loads((folder / "cost.json").read_text()) == {}


def test_two_models_that_met_one_budget_on_a_task_keep_two_names(tmp_path):
    """As where studies are reported on together that solved widths in other steps."""
    for width, rate in ((112, 0.1), (114, 0.2)):
        run = write_run(
            *(tmp_path, "rnn", "adding", 0),
            id=f"rnn-{width}",
            group=f"rnn {width}",
            config={
                "model": {"features": width},
                "optimizer": {"learning_rate": rate},
                "task": {"length": 10},
            },
        )
        known = json.loads((run / "run.json").read_text())
        write_json(run / "run.json", known | {"match": {"by": "params", "budget": 13_300}})
        write_json(run / "cost.json", {"parameters": 100 * width})
    study = load(tmp_path)
    names = [one.name for one in field(study, tabulate(study))["adding"]]
    assert len(set(names)) == 2

"""A cost that is not known is null with its reason, a dash in tables, told once; no more."""

from __future__ import annotations

import json

import pytest

from seqexp.costs import counting, flops, measure
from tests.sweeps.tiny import TINY, runs, seqexp

RUN = [*TINY, "model=rnn", "study=a"]
NO_RULE = "cannot count the FLOPs of the operation 'tanh'"


@pytest.fixture
def no_rule_for_tanh(monkeypatch):
    """As for whatever operation a model of somebody's own has."""
    monkeypatch.setattr(flops, "_TRANSCENDENTAL", flops._TRANSCENDENTAL - {"tanh"})


@pytest.mark.full
def test_an_operation_without_a_rule_stops_nothing(tmp_path, no_rule_for_tanh, capsys):
    arguments = [*RUN, "trainer.batch_devices=auto", f"runs_dir={tmp_path}"]
    assert seqexp("sweep", *arguments) == 0
    said = capsys.readouterr()
    assert said.err.count(NO_RULE) == 1
    assert "batch_devices=auto is 1, for its FLOPs are not known" in " ".join(said.err.split())
    assert "\u2013" in said.out or "-" in said.out
    ((run_id, run),) = runs(tmp_path / "a").items()
    assert run["status"] == "finished"
    cost = json.loads((tmp_path / "a" / run_id / "cost.json").read_text())
    null = {name for name in cost["reasons"] if NO_RULE in cost["reasons"][name]}
    assert {"training_flops_per_step", "training_sequential_depth"} <= null
    assert {"model_training_flops_per_token", "decode_flops_per_token"} <= null
    assert all(cost[name] is None for name in null)
    assert cost["parameters"] and cost["step_seconds"] and cost["carry_bytes"]
    assert seqexp("report", str(tmp_path / "a")) == 0


def test_a_budget_of_flops_that_can_not_be_counted_is_an_error(tmp_path, no_rule_for_tanh, capsys):
    match = ["match=flops", "match.budget=1000"]
    assert seqexp("run", *RUN, *match, f"runs_dir={tmp_path}") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and NO_RULE in err


def test_whatever_fails_in_a_measurement_is_a_reason(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("not on this JAX\nand more")

    measured = ("count_parameters", "carry_bytes_by_layer", "model_flops", "count_jaxpr")
    measured += ("jaxpr_depth", "prefill_rounds", "decode_rounds", "training_cost")
    for name in measured:
        monkeypatch.setattr(measure if hasattr(measure, name) else counting, name, fail)
    assert seqexp("run", *RUN, f"runs_dir={tmp_path}") == 0
    ((run_id, run),) = runs(tmp_path / "a").items()
    assert run["status"] == "finished"
    cost = json.loads((tmp_path / "a" / run_id / "cost.json").read_text())
    assert set(cost["reasons"].values()) == {"RuntimeError: not on this JAX"}
    known = {"padding_share", "slice_width", "methods", "reasons"}
    unasked = {"peak_resident_bytes"}
    assert cost["reasons"].keys() == cost.keys() - known - unasked

"""`match`: widths solved before training, printed, refused, recorded, the same when resumed."""

from __future__ import annotations

import math
import re
from dataclasses import asdict

import jax.numpy as jnp
import pytest

from seqexp.data.streams import Examples
from seqexp.matching import budgets
from seqexp.matching.budgets import AXES, Budget
from seqexp.runs.store import read_json
from seqexp.sweeps.data import Data
from seqexp.sweeps.groups import plan
from seqexp.sweeps.widths import match_widths
from seqexp.types import SeqexpError
from tests.full import full
from tests.sweeps.matched import TINY_MATCH, D, T, configured, matched
from tests.sweeps.tiny import runs, seqexp

MODELS = ("rnn", "gru", "lstm")


def rnn(H):
    """Elman 1990: W [D, H], U [H, H], b [H]; readout of one value."""
    return D * H + H * H + H + (H + 1)


def gru(H):
    """Three gates, and for reset=after the candidate's recurrent bias (Cho et al. 2014)."""
    return 3 * (D * H + H * H + H) + H + (H + 1)


def lstm(H):
    """Four gates (Hochreiter & Schmidhuber 1997, with the forget gate)."""
    return 4 * (D * H + H * H + H) + (H + 1)


PARAMETERS = {"rnn": rnn, "gru": gru, "lstm": lstm}


def nearest(cost, budget, multiple):
    return min(range(multiple, 2000, multiple), key=lambda width: abs(cost(width) - budget))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("budget", "multiple"), [(70_000, 4), (5_000, 1), (1_000_000, 32)])
def test_parameters_are_those_of_the_closed_form(model, budget, multiple):
    asked = ["match=params", f"match.budget={budget}", f"match.multiple={multiple}"]
    solved = matched(*asked, "match.tolerance=0.2", model=model)
    width = nearest(PARAMETERS[model], budget, multiple)
    assert solved.config["model"]["features"] == width
    assert solved.match == {
        "by": "params",
        "budget": budget,
        "multiple": multiple,
        "tolerance": 0.2,
        "width": width,
        "reached": PARAMETERS[model](width),
    }


@pytest.mark.parametrize(("model", "states"), [("rnn", 1), ("gru", 1), ("lstm", 2)])
@pytest.mark.parametrize("depth", [1, 2])
def test_the_carry_is_a_float_for_each_unit_and_state(model, states, depth):
    solved = matched("match=carry", "match.budget=512", f"model.depth={depth}", model=model)
    assert solved.config["model"]["features"] == 512 / (4 * states * depth)
    assert solved.match and solved.match["reached"] == 512


def test_a_mean_over_the_steps_is_part_of_the_carry():
    """A running sum of H floats beside the state of H, and the number of steps."""
    solved = matched("match=carry", "match.budget=516", "model.pooling=mean", model="rnn")
    assert solved.config["model"]["features"] == 64


@pytest.mark.parametrize(("model", "gates"), [full("gru", 3), ("lstm", 4)])
def test_flops_are_three_times_the_products_of_the_forward_pass_and_little_more(model, gates):
    """2 gates H (H + D) a step forward, as much for either gradient, where H is large."""
    asked = ["match=flops", "match.budget=4_000_000", "match.multiple=64", "match.tolerance=0.2"]
    solved = matched(*asked, model=model)
    H = solved.config["model"]["features"]
    assert solved.match
    assert solved.match["reached"] == pytest.approx(4e6, rel=0.2)
    assert 1 < solved.match["reached"] / (3 * 2 * gates * H * (H + D)) < 1.15


def test_flops_of_padding_are_shared_by_the_true_steps():
    experiment = configured().build()
    splits = experiment.task.load()

    def per_token(lengths: int) -> float:
        (valid,) = splits.held_out["valid"]
        inputs = valid.inputs._replace(lengths=jnp.full(8, lengths))
        train = Examples(valid._replace(inputs=inputs))
        return AXES["flops"].cost(experiment, lambda: splits._replace(train=train), 1)

    assert per_token(T // 2) == 2 * per_token(T)


@pytest.mark.parametrize("axis", ["params", "flops", "carry"])
@pytest.mark.parametrize("model", [full("rnn"), "gru", full("lstm")])
def test_counted_costs_grow_with_every_unit_as_the_search_needs(axis, model):
    one = configured(model=model)
    costs = [
        AXES[axis].cost(experiment, experiment.task.load, 1)
        for experiment in (one.at_width(width).build() for width in (1, 2, 3, 31, 32))
    ]
    assert costs == sorted(set(costs))


def test_counting_computes_and_loads_nothing_but_what_it_needs(monkeypatch):
    monkeypatch.setattr(budgets, "Program", None)
    for axis in ("params", "carry"):
        experiment = configured().build()
        assert AXES[axis].cost(experiment, lambda: pytest.fail("loaded"), 1) > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"by": "parameters"}, "match.by must be one of params, flops, carry, step_time, not"),
        ({"budget": 0}, "match.budget must be a number above 0, not 0"),
        ({"budget": -5}, "match.budget must be a number above 0, not -5"),
        ({"budget": math.inf}, "match.budget must be a number above 0, not inf"),
        ({"budget": math.nan}, "match.budget must be a number above 0, not nan"),
        ({"budget": True}, "match.budget must be a number above 0, not True"),
        ({"budget": "70k"}, "match.budget must be a number above 0, not '70k'"),
        ({"budget": None}, "match.budget must be a number above 0, not None"),
        ({"multiple": 0}, "match.multiple must be a whole number of at least 1, not 0"),
        ({"multiple": 1.5}, "match.multiple must be a whole number of at least 1, not 1.5"),
        ({"tolerance": -0.1}, "match.tolerance must be a number from 0 up, not -0.1"),
        ({"wide": 3}, "match has budget, by, multiple, tolerance and nothing else"),
    ],
)
def test_a_mistake_in_match_says_what_to_do(change, said):
    whole = {"by": "params", "budget": 70_000, "multiple": 4, "tolerance": 0.05}
    assert asdict(Budget.of(whole)) == whole
    with pytest.raises(SeqexpError, match=f"^{re.escape(said)}"):
        Budget.of({**whole, **change})


@pytest.mark.parametrize("match", ["params", 3, {"by": "params"}])
def test_what_is_no_whole_match_is_refused(match):
    with pytest.raises(SeqexpError, match="start from match=params|flops|carry|step_time"):
        Budget.of(match)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("match.by=parameters", "match.by must be one of params"),
        ("~model.features", "no `features` to solve for: give it that argument"),
        ("model.depth=0", "model.depth must be a whole number of at least 1"),
        ("match.budget=1e15", "lower the budget"),
        ("match.budget=90", "90 parameters is 117 parameters at width 4, 30.0% off where 5.0%"),
    ],
)
def test_an_error_names_the_model_and_its_task(override, said):
    with pytest.raises(SeqexpError, match=f"^lstm on adding: .*{re.escape(said)}"):
        matched("match=params", override)


def test_a_batch_split_by_us_cannot_be_timed():
    with pytest.raises(SeqexpError, match="trainer.batch_devices=auto depends on the width"):
        matched("match=step_time", "trainer.batch_devices=auto")


def test_every_model_that_fails_is_named_and_no_other():
    """Multiples of 4 nearest to 100: rnn(8) = 97, but gru(4) = 93 and lstm(4) = 117."""
    assert (rnn(8), gru(4), lstm(4)) == (97, 93, 117)
    asked = ["match=params", "match.budget=100", "match.tolerance=0.04"]
    points = [configured(*asked, model=model) for model in MODELS]
    with pytest.raises(SeqexpError) as error:
        match_widths(points, Data())
    assert "gru on adding: the nearest to a budget of 100 parameters is 93" in str(error.value)
    assert "lstm on adding: the nearest to a budget of 100 parameters is 117" in str(error.value)
    assert "rnn" not in str(error.value)


def test_points_without_a_match_stay_as_they_are_and_print_nothing(capsys):
    one = configured()
    assert match_widths([one], Data()) == [one]
    assert capsys.readouterr() == ("", "")


def test_seeds_and_rates_share_a_width_and_what_shares_a_name_is_told_apart(capsys):
    asked = ["match=params", "match.budget=5_000", "match.tolerance=0.1", "match.multiple=1"]
    points = [
        configured(*asked, f"seed={seed}", f"model.depth={depth}")
        for seed in (0, 1)
        for depth in (1, 2)
    ]
    widths = [solved.config["model"]["features"] for solved in match_widths(points, Data())]
    assert widths[:2] == widths[2:] and widths[0] > widths[1]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0].strip() for line in lines[1:]] == [
        "lstm depth=1 on adding",
        "lstm depth=2 on adding",
    ]
    off = (lstm(widths[0]) - 5000) / 5000
    assert lines[1].split()[-1] == f"{off:+.1%}"


def test_a_sweep_prints_and_records_what_was_asked_and_reached(tmp_path, capsys):
    """Read off the run's own ledger: the axis is what that measures."""
    asked = ["match=flops", "match.budget=600", "match.multiple=1", "match.tolerance=0.2"]
    assert seqexp("run", *TINY_MATCH, "model=rnn", *asked, f"runs_dir={tmp_path}") == 0
    ((name, run),) = runs(tmp_path / "a").items()
    cost = read_json(tmp_path / "a" / name / "cost.json")
    assert cost is not None
    reached, width = cost["training_flops_per_token"], run["config"]["model"]["features"]
    assert run["match"] == {
        "by": "flops",
        "budget": 600,
        "multiple": 1,
        "tolerance": 0.2,
        "width": width,
        "reached": reached,
    }
    row = f"rnn on digits {width} {reached:,.0f} 600 FLOPs a token {reached / 600 - 1:+.1%}"
    assert row.split() in [line.split() for line in capsys.readouterr().err.splitlines()]


def test_the_width_is_part_of_the_identity_and_how_it_was_found_is_not():
    same = [matched("match=carry"), matched("match=carry", "match.budget=515")]
    same.append(configured("model.features=64"))
    assert [p.match and p.match["width"] for p in same] == [64, 64, None]
    groups, ids = plan([*same, configured("model.features=65")])
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert [len(group.members) for group in groups] == [1, 1]


def test_a_budget_that_cannot_be_met_trains_nothing(tmp_path, capsys):
    asked = ["model=rnn,lstm", "match=carry", "match.budget=48", "match.multiple=8"]
    assert seqexp("sweep", *TINY_MATCH, *asked, f"runs_dir={tmp_path}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    nearest = "the nearest to a budget of 48 bytes of carry is"
    assert f"rnn on digits: {nearest} 32 bytes of carry at width 8" in line
    assert f"lstm on digits: {nearest} 64 bytes of carry at width 8" in line
    assert "use a multiple below 8, another budget or a wider tolerance" in line
    assert not (tmp_path / "a").exists()


def test_the_points_of_a_plan_are_those_that_were_matched():
    solved = [matched("match=carry", "match.budget=512", f"seed={seed}") for seed in (0, 1)]
    (group,), ids = plan(solved)
    assert [member.info.id for member in group.members] == ids
    assert [member.info.match for member in group.members] == [solved[0].match] * 2

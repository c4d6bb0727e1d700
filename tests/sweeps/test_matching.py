"""`match`: widths solved before training, printed, refused, recorded, the same when resumed."""

from __future__ import annotations

import copy
import json
import math
import re
from dataclasses import asdict, replace
from functools import cache

import jax.numpy as jnp
import pytest

from seqexp.runs.store import read_json
from seqexp.sweeps import budgets, costing, execute, kept_widths
from seqexp.sweeps.budgets import AXES, Budget
from seqexp.sweeps.groups import Data, plan
from seqexp.sweeps.point import Point
from seqexp.sweeps.study_lock import locked
from seqexp.sweeps.widths import match_widths
from seqexp.types import SeqexpError
from tests.sweeps.tiny import TINY, runs, seqexp
from tests.test_configs import point

D, T, B = 2, 10, 4
ADDING = ["task=adding", f"task.length={T}", "task.valid_examples=8", f"trainer.batch_size={B}"]
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


@pytest.fixture
def hasty(monkeypatch):
    """Times that nobody looks at are taken once."""
    for name, value in {"REPEATS": 1, "SECONDS_A_REPEAT": 0.0, "DECODE_STEPS": 1}.items():
        monkeypatch.setattr(costing, name, value)


composed = cache(point)


def configured(*overrides: str, model: str = "lstm") -> Point:
    """As Hydra composes it, which takes long: once for what differs in numbers only."""
    numbers = [o for o in overrides if re.fullmatch(r"\w+\.\w+=[0-9.e-]+", o)]
    menu = [o for o in overrides if o not in numbers]
    one = composed(*ADDING, f"model={model}", *menu)
    config = copy.deepcopy(one.config)
    for key, value in (number.split("=") for number in numbers):
        group, name = key.split(".")
        assert name in config[group], key
        config[group][name] = json.loads(value)
    return replace(one, config=config)


def matched(*overrides: str, model: str = "lstm") -> Point:
    (solved,) = match_widths([configured(*overrides, model=model)], Data())
    return solved


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


@pytest.mark.parametrize(("model", "gates"), [("gru", 3), ("lstm", 4)])
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
    whole = experiment.task.load()
    half = whole.valid._replace(lengths=jnp.full(8, T // 2))
    per_token = AXES["flops"].cost
    padded = per_token(experiment, lambda: whole._replace(valid=half), 1)
    assert padded == 2 * per_token(experiment, lambda: whole, 1)


@pytest.mark.parametrize("axis", ["params", "flops", "carry"])
@pytest.mark.parametrize("model", MODELS)
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
        "lstm on adding (model.depth=1)",
        "lstm on adding (model.depth=2)",
    ]
    off = (lstm(widths[0]) - 5000) / 5000
    assert lines[1].split()[-1] == f"{off:+.1%}"


TINY_MATCH = [setting for setting in TINY if not setting.startswith("model.features")] + [
    "trainer.steps=1",
    "study=a",
]


def test_a_sweep_prints_and_records_what_was_asked_and_reached(hasty, tmp_path, capsys):
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


class Clock:
    """Stands for timing a training step: seconds by a formula, and which widths were asked."""

    def __init__(self, monkeypatch, scale: float = 1.0):
        self.scale, self.asked = scale, []
        monkeypatch.setitem(AXES, "step_time", AXES["step_time"]._replace(cost=self))

    def __call__(self, experiment, load, batch_devices):
        width = experiment.model.keywords["features"]
        self.asked.append(width)
        gates = {"Elman": 1, "LSTM": 4}[experiment.model.keywords["cell"].func.__name__]
        noise = 1 + 0.02 * (-1) ** len(self.asked)
        return self.scale * noise * 1e-6 * (100 + gates * width**2)


BY_TIME = ["match=step_time", "match.budget=200e-6", "match.multiple=1"]


def test_a_measured_width_is_kept_and_resuming_trains_the_same_points(
    hasty, tmp_path, monkeypatch, capsys
):
    asked = [*TINY_MATCH, "model=rnn", *BY_TIME, f"runs_dir={tmp_path}"]
    points = [point(*asked, f"seed={seed}") for seed in (0, 1)]
    clock = Clock(monkeypatch)
    assert [outcome.status for outcome in execute(points)] == ["finished"] * 2
    first = runs(tmp_path / "a")
    assert len(first) == 2
    for run in first.values():
        # 100 + H^2 is 200 at 10; a tenth either way is 180 to 220.
        assert 9 <= run["match"]["width"] == run["config"]["model"]["features"] <= 11
        assert run["match"]["reached"] == pytest.approx(200e-6, rel=0.1)
    said = capsys.readouterr().err
    assert "rnn on digits: timing training steps" in said
    assert f"{len(clock.asked)} timings" in said
    assert "measured again it is +" in said, "a real step takes longer than that clock says"
    kept = read_json(tmp_path / "a" / "widths.json")
    assert kept is not None
    (entry,) = kept.values()
    assert [width for width, _ in entry["timings"]] == clock.asked
    assert {name: entry[name] for name in ("by", "budget", "width", "reached")} == {
        name: run["match"][name] for name in ("by", "budget", "width", "reached")
    }

    # The machine is twice as fast today, and one of the runs was cut short.
    name, run = next(iter(first.items()))
    (tmp_path / "a" / name / "run.json").write_text(json.dumps({**run, "status": "running"}))
    clock = Clock(monkeypatch, scale=0.5)
    assert sorted(outcome.status for outcome in execute(points)) == ["finished", "skipped"]
    assert clock.asked == [] and "kept" in capsys.readouterr().err
    assert runs(tmp_path / "a") == first


def test_a_measured_width_is_another_where_the_question_is(tmp_path, monkeypatch, capsys):
    def measures(*overrides: str) -> bool:
        clock = Clock(monkeypatch)
        matched(*BY_TIME, f"runs_dir={tmp_path}", "study=a", *overrides, model="rnn")
        return bool(clock.asked)

    assert measures()
    assert not measures()
    assert not measures("seed=1", "optimizer.learning_rate=0.1", "trainer.steps=2")
    assert not measures("match.tolerance=0.2")
    path = tmp_path / "a" / "widths.json"
    (key,) = (kept := json.loads(path.read_text()))
    path.write_text(json.dumps({key: {**kept[key], "reached": 185e-6}}))
    assert not measures()
    assert measures("match.tolerance=0.05"), "what was kept is out of the tighter tolerance"
    assert measures("match.budget=205e-6"), "what was kept is near, but for another budget"
    assert measures("trainer.batch_size=8")
    assert measures("optimizer=sgd")
    assert measures("model.depth=2")
    assert measures("study=b"), "a study keeps its own"
    assert not measures(), "and all of what it measured"
    monkeypatch.setattr(kept_widths, "device_kind", lambda: "NVIDIA H100")
    assert measures()
    capsys.readouterr()
    monkeypatch.setattr(kept_widths, "source_hash", lambda: "0123456789abcdef")
    assert not measures()
    assert "kept, of other code" in capsys.readouterr().err
    for damaged, said in (('{"a"', "widths.json is not JSON"), ("{}", None)):
        (tmp_path / "a" / "widths.json").write_text(damaged)
        if said:
            with pytest.raises(SeqexpError, match=said):
                measures()
        else:
            assert measures()


def test_a_time_that_cannot_be_met_is_refused_and_not_kept(tmp_path, monkeypatch, capsys):
    Clock(monkeypatch)
    asked = ["model=rnn,lstm", *BY_TIME, "match.budget=50e-6", f"runs_dir={tmp_path}"]
    assert seqexp("sweep", *TINY_MATCH, *asked) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "rnn on digits: the nearest to a budget of 0.05 ms a step is 0." in error
    assert "lstm on digits: the nearest to a budget of 0.05 ms a step is 0." in error
    assert not runs(tmp_path / "a") and not (tmp_path / "a" / "widths.json").exists()


def test_two_sweeps_do_not_measure_at_once(tmp_path, monkeypatch):
    Clock(monkeypatch)
    with (
        locked(tmp_path / "a"),
        pytest.raises(SeqexpError, match="rnn on adding: another sweep is writing to"),
    ):
        matched(*BY_TIME, f"runs_dir={tmp_path}", "study=a", model="rnn")


def test_a_step_is_timed_for_real(hasty):
    """3 T products of [64, 512] and [512, 512] take longer than at a teraFLOP a second."""
    experiment = replace(configured("model.features=512", model="rnn").build(), batch_size=64)
    seconds = AXES["step_time"].cost(experiment, experiment.task.load, 1)
    assert 3 * T * 2 * 64 * 512 * 512 / 1e12 < seconds < 60


def test_the_points_of_a_plan_are_those_that_were_matched():
    solved = [matched("match=carry", "match.budget=512", f"seed={seed}") for seed in (0, 1)]
    (group,), ids = plan(solved)
    assert [member.info.id for member in group.members] == ids
    assert [member.info.match for member in group.members] == [solved[0].match] * 2

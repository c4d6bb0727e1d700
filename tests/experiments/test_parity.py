"""Parity with public implementations: what the comparison tells, and the layers themselves."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.full import full

FOLDER = Path(__file__).parents[2] / "experiments" / "parity"
NAMES = """mamba mamba2 gated_delta_net kimi_delta_attention mlstm rg_lru attention slstm rwkv7
retention min_gru min_lstm tcn linear_attention linear_attention_recurrence retention_recurrence
head_decay_recurrence key_decay_recurrence delta_rule_recurrence gated_delta_rule_recurrence
kimi_delta_rule_recurrence low_rank_recurrence""".split()
QUICK = "attention", "min_gru"


@pytest.fixture
def parity(monkeypatch) -> Callable[[str], ModuleType]:
    """Imports a module of the study; the modules are scripts beside each other and no package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.fixture
def comparing(parity) -> Any:
    return parity("comparing")


def answer(comparing: Any, **changed: Any) -> Any:
    """An answer with one number each, but for what is changed."""
    one = np.ones(1)
    parts = {"outputs": one, "states": {"h": one}, "inputs": {"x": one}, "parameters": {"W": one}}
    return comparing.Answer(**(parts | changed))


def test_equal_answers_do_not_differ(comparing):
    found = comparing.differences(answer(comparing), answer(comparing))
    assert found[:4] == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("part", "name", "where"),
    [
        ("states", "h", "final h"),
        ("inputs", "x", "gradient of x"),
        ("parameters", "W", "gradient of W"),
    ],
)
def test_a_wrong_array_is_told_by_name_and_by_how_much(comparing, part, name, where):
    wrong = answer(comparing, **{part: {name: np.full(1, 1.25)}})
    found = comparing.differences(wrong, answer(comparing))
    assert found.where == where and found.largest == getattr(found, part) == 0.25


def test_wrong_outputs_are_told_relative_to_the_largest_number(comparing):
    outputs = np.array([1.0, 4.0])
    found = comparing.differences(
        answer(comparing, outputs=outputs + 1), answer(comparing, outputs=outputs)
    )
    assert found.outputs == found.largest == 0.25 and found.where == "outputs"


def test_what_is_not_finite_differs_infinitely(comparing):
    assert comparing.relative(np.array([np.nan]), np.ones(1)) == np.inf


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"parameters": {}}, r"gradient of : one side alone has \['W'\]"),
        ({"inputs": {"x": np.ones(2)}}, r"gradient of x: ours has the shape \[1\], theirs \[2\]"),
        ({"states": {"h": np.zeros(1)}}, "final h: theirs is 0 everywhere"),
    ],
)
def test_what_cannot_be_compared_is_refused(comparing, changed, message):
    with pytest.raises(ValueError, match=message):
        comparing.differences(answer(comparing), answer(comparing, **changed))


def test_a_layer_is_a_function_of_its_parameters_by_name(parity):
    from flax import nnx

    from seqexp.layers.min_gru import MinGRU

    our_side = parity("our_side")
    function = our_side.of_layer(MinGRU(2, 3, rngs=nnx.Rngs(0)), lambda carry: {"h": carry.h})
    parameters = {"kernel": np.zeros((2, 6)), "bias": np.zeros(6)}
    inputs = {"x": np.ones((1, 2, 2))}
    cotangents = np.ones((1, 2, 3)), {"h": np.zeros((1, 3))}
    found = our_side.answer(function, parameters, inputs, cotangents)
    # Both gates and the candidate are 1/2: h_1 = 1/4 and h_2 = 3/8.
    np.testing.assert_allclose(found.outputs[0, :, 0], [0.25, 0.375])
    np.testing.assert_allclose(found.states["h"], 0.375)
    assert found.outputs.dtype == found.parameters["kernel"].dtype == np.float64
    with pytest.raises(ValueError, match="bias"):
        our_side.answer(function, {"kernel": np.zeros((2, 6))}, inputs, cotangents)
    with pytest.raises(ValueError, match="kernel.*theirs"):
        our_side.answer(function, parameters | {"kernel": np.zeros((3, 6))}, inputs, cotangents)


def require(comparison: Any) -> None:
    """Skip the test where the packages of a comparison are not installed."""
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip(comparison.needs, reason=f"{comparison.package} is not installed")


def test_every_comparison_is_tested(parity):
    assert list(parity("comparisons").COMPARISONS) == NAMES


def script(monkeypatch) -> Any:
    """`run.py`, under a name of its own: the speed study has one, too."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("parity_run", FOLDER / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_comparison_that_is_not_there_is_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        script(monkeypatch).main(["mambaa"])
    assert capsys.readouterr().err.startswith("no comparison mambaa: there are mamba, mamba2,")


@pytest.mark.parametrize(
    ("absent", "command"),
    [
        (["torch"], "pip install torch"),
        (["rwkv", "xlstm"], "pip install --no-deps rwkv xlstm"),
        (["torch", "rwkv"], "pip install torch && pip install --no-deps rwkv"),
    ],
)
def test_a_package_that_is_not_installed_is_told_with_the_command(
    monkeypatch, capsys, absent, command
):
    run = script(monkeypatch)
    monkeypatch.setattr(importlib.import_module("comparisons"), "missing", lambda names: absent)
    with pytest.raises(SystemExit, match="2"):
        run.main(["mamba"])
    assert capsys.readouterr().err == f"not installed: {command}\n"


@pytest.mark.filterwarnings("ignore")  # theirs, of accelerators that are not there
@pytest.mark.parametrize("name", [name if name in QUICK else full(name) for name in NAMES])
def test_a_layer_of_ours_is_the_public_one(parity, name):
    comparisons = parity("comparisons")
    comparison = comparisons.COMPARISONS[name]
    require(comparison)
    pairs = parity("pairs")
    rng = np.random.default_rng(1)
    found = pairs.compared(comparisons.maker(name), pairs.SMALL, rng)
    assert found.largest < comparison.tolerance, f"{found.where} differs by {found.largest:.1e}"


@pytest.fixture
def times(parity, monkeypatch) -> Any:
    """The script of the times, of small pairs."""
    require(parity("comparisons").COMPARISONS["min_gru"])
    pairs, times = parity("pairs"), parity("times")
    monkeypatch.setattr(pairs, "LARGE", pairs.SMALL)
    # JAX has started by now, with the devices of `conftest.py`.
    monkeypatch.setattr(times.jax.config, "update", lambda *setting: None)
    monkeypatch.setattr(times, "DEVICES", min(2, len(times.jax.local_devices())))
    return times


@pytest.mark.filterwarnings("ignore")  # theirs, as above
def test_the_times_of_a_pair_are_a_row_and_a_file(times, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(times, "RESULTS", tmp_path / "times.json")
    assert times.main(["min_gru", "--steps", "6", "--save"]) == 0
    heading, _, row = capsys.readouterr().out.splitlines()
    assert heading.startswith("| name | ours | theirs | ours, ms | theirs, ms |")
    assert row.startswith("| min_gru | MinGRU | minGRU (minGRU-pytorch) | ")
    saved = json.loads(times.RESULTS.read_text())
    assert saved["header"]["sizes"]["steps"] == 6 and "torch" in saved["header"]["versions"]
    (found,) = saved["rows"]
    assert found["ours_ms"] > 0 and found["theirs_ms"] > 0 and found["outputs"] < 1e-5
    assert row.endswith(f" | {found['threads']} | {found['theirs_ms'] / found['ours_ms']:.2f} |")


@pytest.mark.filterwarnings("ignore")  # theirs, as above
@pytest.mark.parametrize(("other", "where"), [(False, ""), (True, " of another way")])
def test_no_times_are_taken_of_what_differs(times, monkeypatch, capsys, other, where):
    make = times.maker("min_gru")

    def wrong(rng, sizes):
        pair = make(rng, sizes)

        def raised(inputs):
            ys, states = pair.theirs(inputs)
            return ys + 1, states

        changed = {"others": {"another way": raised}} if other else {"theirs": raised}
        return replace(pair, **changed)

    monkeypatch.setattr(times, "maker", lambda name: wrong)
    assert times.main(["min_gru", "--steps", "6"]) == 1
    *table, last = capsys.readouterr().out.splitlines()
    assert len(table) == 2 and last.startswith(
        f"min_gru: outputs{where}: ours and theirs differ by "
    )

"""`seqexp conform`, with an architecture that lives outside the project."""

from __future__ import annotations

import sys
import textwrap

import pytest

from seqexp.commands.main import main

LAYER = """
import jax.numpy as jnp
from flax import nnx


class Decay(nnx.Module):
    \"\"\"y_t = a y_{t-1} + x_t W\"\"\"

    causal = True

    def __init__(self, in_features, features, *, keep, rngs):
        self.in_features, self.out_features = in_features, features
        self.recurrent = nnx.Param(jnp.full(features, keep))
        self.enter = nnx.Linear(in_features, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self):
        return (self.recurrent,)

    def initial_carry(self, batch_size, max_length):
        return jnp.zeros((batch_size, self.out_features), self.recurrent.dtype)

    def unroll(self, xs, mask=None, carry=None, *, key=None):
        return self.stepwise().unroll(xs, mask, carry)

    def step(self, carry, x):
        carry = self.recurrent[...] * carry + self.enter(x)
        return carry, carry

    def stepwise(self):
        from seqexp.layers import StepwiseLayer

        return StepwiseLayer(self)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of someone's own, and a folder with configs."""
    (tmp_path / "decaying").mkdir()
    (tmp_path / "decaying" / "__init__.py").write_text(textwrap.dedent(LAYER))
    for group, text in {
        "layer": "_target_: decaying.Decay\n_partial_: true\nkeep: 0.9\n",
        "model": "defaults:\n  - /layer@layer: decay\n  - _stack\n  - _self_\n",
    }.items():
        (tmp_path / "configs" / group).mkdir(parents=True)
        (tmp_path / "configs" / group / "decay.yaml").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_an_architecture_of_a_package_outside_keeps_the_laws(package, capsys):
    assert main(["conform", "decay", "--config-dir", str(package / "configs")]) == 0
    said = capsys.readouterr().out
    assert "decay: tokens in, one answer a step" in said
    assert "Decay: 20 parameters, carry of 64 steps 16 bytes" in said
    assert "Decay, float64: unroll is step: ok" in said
    assert said.endswith("all laws hold\n")


@pytest.mark.full
def test_it_sweeps_with_the_rest_at_equal_parameters(package, tmp_path, capsys):
    sweep = ["sweep", "model=gru,decay", "task=parity", "match=params", "match.budget=5000"]
    small = ["trainer.steps=4", "trainer.eval_every=2", "logger.mode=disabled"]
    where = [f"runs_dir={tmp_path}", "--config-dir", str(package / "configs")]
    assert main([*sweep, *small, *where]) == 0
    assert "decay" in (tmp_path / "default" / "report" / "index.html").read_text()


def test_a_broken_one_is_told_and_the_exit_code_says_so(package, capsys):
    text = (package / "decaying" / "__init__.py").read_text()
    wrong = text.replace("return carry, carry", "return carry, 2 * carry")
    wrong = wrong.replace(
        "return self.stepwise().unroll(xs, mask, carry)",
        "ys, carry = self.stepwise().unroll(xs, mask, carry)\n        return ys / 2, carry",
    )
    (package / "decaying" / "__init__.py").write_text(wrong)
    sys.modules.pop("decaying", None)
    assert main(["conform", "decay", "--config-dir", str(package / "configs")]) == 1
    said = capsys.readouterr().out
    assert "Decay, float64: unroll is step: BROKEN: outputs" in said


@pytest.mark.parametrize(
    "arguments, message",
    [([], "name a model: seqexp conform gru"), (["nothing"], "no such model; there are")],
)
def test_a_mistaken_call_is_one_line(arguments, message, capsys):
    assert main(["conform", *arguments]) == 2
    assert message in capsys.readouterr().err

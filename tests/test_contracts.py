"""The laws over everything on the menu: a new model or task is found by its YAML file."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.laws import models
from seqexp.types import Features, Sequences, TaskSpec, Tokens
from tests.full import ARCHITECTURES, full
from tests.test_configs import fits, point

T = 5
SPECS = {
    "tokens to steps": TaskSpec(Tokens(7), "step", 7, T, causal=True),
    "features to one": TaskSpec(Features(2), "sequence", 3, T, causal=False),
    "features to free": TaskSpec(
        Features(2), "free", 5, T, causal=False, max_answer_length=4, start=0, end=1
    ),
}
CORE = ("bag_of_words", "encoder_decoder", "gru", "lstm", "stack", "transformer")
"""Models that differ in more than their layers, whose laws are tested by themselves
(tests/layers/test_menu_layers.py): tried with every kind of task and law."""
CASES = [(model, kind) for model in CORE for kind, spec in SPECS.items() if fits(model, spec)]
ONE_AND_TWO = ["steps are the whole", "padding never matters", "a sequence alone is the same"]


def make(model: str, spec: TaskSpec):
    """A model of the menu, small, built for a spec."""
    return point(f"model={model}", "model.features=4").build().model(spec, rngs=nnx.Rngs(params=0))


def broken(model: str, kind: str, law: str) -> str | None:
    spec = SPECS[kind]
    with jax.enable_x64(True):
        of = models.case(nnx.eval_shape(lambda: make(model, spec)), spec, np.float64)
        return models.LAWS[law](of)


@pytest.mark.parametrize("law", ONE_AND_TWO)
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        case if case[0] in ("gru", "encoder_decoder", "bag_of_words") else full(*case)
        for case in CASES
    ],
)
def test_laws_1_and_2_in_float64(model, kind, law):
    assert broken(model, kind, law) is None


@pytest.mark.full
@pytest.mark.parametrize("law", sorted(models.LAWS.keys() - set(ONE_AND_TWO)))
@pytest.mark.parametrize(("model", "kind"), CASES)
def test_every_law_of_models_in_float64(model, kind, law):
    assert broken(model, kind, law) is None


@pytest.mark.full
@pytest.mark.parametrize("model", [model for model in ARCHITECTURES if model not in CORE])
def test_decoding_by_any_other_make_is_the_whole(model):
    assert broken(model, "tokens to steps", "steps are the whole") is None


@pytest.mark.parametrize("model", ["gru", "transformer", *map(full, ("lstm", "stack"))])
def test_law_3_a_causal_model_does_not_look_ahead(model):
    """By the gradient of an output to the rows of the embedding that only later tokens use."""
    net = make(model, SPECS["tokens to steps"])
    tokens = Sequences(jnp.arange(T)[None] + 1, jnp.array([T]))

    @jax.jit
    def used(net, t):
        gradient = jax.grad(lambda net: net(tokens).outputs[0, t].sum())(net)
        return jnp.abs(gradient.embed.embedding[...]).sum(-1) > 0

    for t in range(T):
        rows = np.asarray(used(net, t))
        assert rows[1 : t + 2].any() and not rows[t + 2 :].any()

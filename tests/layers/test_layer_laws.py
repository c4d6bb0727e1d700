"""The laws of layers, over every kind of layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.laws import layers
from seqexp.layers import Bidirectional, Recurrent, Stack, Variational
from seqexp.types import Layer
from tests.full import full
from tests.variants import FIRST, IN_FEATURES, bare_cells, everything, wrapped_cells

D, H = IN_FEATURES, 4


def gru() -> GRU:
    return GRU(D, H, rngs=nnx.Rngs(0))


def deep() -> Stack:
    bottom = GRU(D, D, rngs=nnx.Rngs(0))
    below = Recurrent(Variational(bottom, input_rate=0.3, hidden_rate=0.4))
    top = Recurrent(LSTM(D, D, rngs=nnx.Rngs(0)), remat=2)
    return Stack([below, top], dropout=0.3, residual=True, norm="layer", rngs=nnx.Rngs(0))


def both(merge: Any = "concat", **options: Any) -> Bidirectional:
    return Bidirectional(gru(), gru(), merge=merge, **options)


def recurrent(make: Callable[[], Any], **options: Any) -> Callable[[], Layer]:
    return lambda: Recurrent(make(), **options)


KINDS: dict[str, Callable[[], Layer]] = {
    **{f"recurrent {name}": recurrent(make) for name, make in bare_cells().items()},
    **{f"recurrent {name}": recurrent(make) for name, make in wrapped_cells(full=False).items()},
    **{f"reverse {name}": recurrent(bare_cells()[name], reverse=True) for name in FIRST},
    "reverse everything": recurrent(lambda: everything(gru()), reverse=True, remat="auto"),
    "checkpointed": recurrent(gru, remat=2),
    "bidirectional": both,
    "bidirectional, summed": lambda: both("sum"),
    "bidirectional in one scan": lambda: both(together=True),
    "bidirectional, checkpointed": lambda: both(remat=2),
    "stack": deep,
    "stack of a stack": lambda: Stack(
        [deep(), Bidirectional(gru(), LSTM(D, H, rngs=nnx.Rngs(0)))],
        dropout=0.0,
        residual=False,
        norm="rms",
        rngs=nnx.Rngs(0),
    ),
}
QUICK = [
    "recurrent GRU",
    "recurrent everything(LSTM)",
    "bidirectional",
]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def problems(make: Callable[[], Layer], **options: Any) -> dict[str, str]:
    of = layers.case(jax.eval_shape(make), **options)
    found = {law: broken(of) for law, broken in layers.LAWS.items()}
    return {law: problem for law, problem in found.items() if problem}


OF_THE_MENU = {f"recurrent {name}" for name in bare_cells() if "(" not in name}
"""Cells with their defaults, which are tried as layers of the menu (test_menu_layers.py)."""
OPTIONS = {f"recurrent {name}" for name in bare_cells()} - OF_THE_MENU
"""Cells with an option of their steps, which can break that the steps are the whole."""


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else full(name) for name in KINDS if name not in OF_THE_MENU - {*QUICK}],
)
def test_every_kind_of_layer_keeps_the_laws(name):
    of = layers.case(jax.eval_shape(KINDS[name]))
    laws = ["unroll is step"] if name in OPTIONS else layers.LAWS
    assert {law: problem for law in laws if (problem := layers.LAWS[law](of))} == {}


@pytest.mark.parametrize("name", ["recurrent LSTM", full("bidirectional")])
def test_layers_keep_the_laws_in_float32(name):
    assert problems(KINDS[name], dtype=np.float32) == {}


@pytest.mark.parametrize("name", KINDS)
def test_recurrent_parameters_are_the_layers_own(name):
    layer = jax.eval_shape(KINDS[name])
    paths = dict(nnx.to_flat_state(nnx.state(layer, nnx.Param)))
    named = [path for path in paths if any(str(part).startswith("recurrent") for part in path)]
    found = [own.shape for own in layer.recurrent_parameters]
    assert found or "QRNN" in name
    assert sorted(found) == sorted(paths[path].shape for path in named)


class Wrong(nnx.Module):
    """A running sum with a way to be wrong; it counts its steps."""

    causal = True
    recurrent_parameters = ()

    def __init__(self, mistake: str | None = None):
        self.in_features = self.out_features = D
        self.scale = nnx.Param(jnp.ones(D))
        self.mistake = mistake

    def initial_carry(self, batch_size: int, max_length: int) -> Any:
        return jnp.zeros((batch_size, D), self.scale.dtype), jnp.zeros(batch_size, jnp.int32)

    def unroll(self, xs, mask=None, carry=None, *, key=None):
        total, count = self.initial_carry(xs.shape[1], len(xs)) if carry is None else carry
        mask = jnp.ones(xs.shape[:2], bool) if mask is None else mask
        steps = jnp.where(mask[..., None], xs, 0) * self.scale[...]
        if self.mistake == "padding":
            steps = xs * self.scale[...]
        if self.mistake == "gradient":
            steps = jax.lax.stop_gradient(steps)
        ys = total + jnp.cumsum(steps, 0)
        if self.mistake == "ahead":
            ys = ys + jnp.roll(steps, -1, axis=0)
        if self.mistake == "past" and carry is None:
            ys = ys + 1
        final = total + steps.sum(0)
        if self.mistake != "counter":
            count = count + mask.sum(0, dtype=count.dtype)
        return jnp.where(mask[..., None], ys, 0), (final, count)

    def step(self, carry, x):
        total = carry[0] + x * self.scale[...]
        return (total, carry[1] + 1), total

    def stepwise(self):
        return Wrong("ahead") if self.mistake == "stepwise" else self


@pytest.mark.parametrize(
    "mistake, laws",
    [
        (None, []),
        ("padding", ["unroll is step", "padding never matters"]),
        ("gradient", ["unroll is step"]),
        ("ahead", ["unroll is step", "causal is causal", "two halves are the whole"]),
        ("past", ["no carry is an empty past"]),
        ("counter", ["unroll is step"]),
        ("stepwise", ["stepwise is the layer"]),
    ],
)
def test_a_mistake_is_found(mistake, laws):
    found = problems(lambda: Wrong(mistake))
    assert set(laws) <= set(found)
    if mistake is None:
        assert not found

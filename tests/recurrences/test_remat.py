"""Gradient checkpointing against the whole sequence at once, and the memory that it saves."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.layers import Bidirectional, Recurrent
from seqexp.types import SeqexpError
from tests.full import full
from tests.variants import drawn, everything, quick_jit, unroll_layer

D, H, B, T = 3, 4, 3, 7
LENGTHS = np.array([3, 7, 0])
KEY = jax.random.key(5)


def gru():
    return drawn(lambda: GRU(D, H, rngs=nnx.Rngs(0)))


def dropped():
    return drawn(lambda: everything(LSTM(D, H, rngs=nnx.Rngs(0))))


LAYERS = {
    "forward": lambda remat: Recurrent(gru(), remat=remat),
    "reverse": lambda remat: Recurrent(gru(), reverse=True, remat=remat),
    "dropped": lambda remat: Recurrent(dropped(), remat=remat),
    "dropped in reverse": lambda remat: Recurrent(dropped(), reverse=True, remat=remat),
    "both directions": lambda remat: Bidirectional(gru(), gru(), remat=remat),
    "both in one scan": lambda remat: Bidirectional(
        dropped(), dropped(), remat=remat, together=True
    ),
}


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def gradients(layer, lengths):
    """Outputs, final carry, and the gradients of a score of both by cell, inputs and carry."""
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(B, T, D))
    carry = jax.tree.map(
        lambda part: rng.normal(size=part.shape), jax.eval_shape(lambda: layer.initial_carry(B, T))
    )

    @quick_jit
    def run(layer, xs, carry):
        def score(layer, xs, carry):
            results = unroll_layer(layer, xs, lengths, carry, KEY)
            return sum(jnp.sum(jnp.sin(part)) for part in jax.tree.leaves(results)), results

        return jax.grad(score, argnums=(0, 1, 2), has_aux=True)(layer, xs, carry)

    return jax.tree.leaves(run(layer, xs, carry))


@pytest.mark.parametrize("remat", [full(1), 3, full(7), full(100), full("auto")])
@pytest.mark.parametrize("name", [full("forward"), "dropped in reverse"])
def test_with_any_number_of_steps_between_checkpoints_everything_is_as_at_once(
    float64, name, remat
):
    assert_as_at_once(name, remat, LENGTHS)


@pytest.mark.parametrize("lengths", [full(None, id="full"), pytest.param(LENGTHS, id="ragged")])
@pytest.mark.parametrize("name", [n if n == "dropped" else full(n) for n in LAYERS])
def test_with_checkpoints_every_layer_is_as_at_once(float64, name, lengths):
    assert_as_at_once(name, 3, lengths)


def assert_as_at_once(name, remat, lengths):
    at_once, checkpointed = (gradients(LAYERS[name](of), lengths) for of in (None, remat))
    for want, got in zip(at_once, checkpointed, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


BATCH, FEATURES = 4, 8


def arrays_kept(steps, remat):
    """The memory of a training step besides its arguments, counted in arrays of all outputs."""
    layer = jax.eval_shape(
        lambda: Recurrent(LSTM(FEATURES, FEATURES, rngs=nnx.Rngs(0)), remat=remat)
    )
    xs = jax.ShapeDtypeStruct((BATCH, steps, FEATURES), jnp.float32)
    loss = jax.grad(lambda layer, xs: jnp.sum(unroll_layer(layer, xs)[0] ** 2))
    analysis = jax.jit(loss).lower(layer, xs).compile().memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes / (4 * BATCH * FEATURES * steps)


def test_memory_grows_with_the_root_of_the_length_beside_inputs_and_outputs():
    # Inputs turned time first, outputs, and their gradients: 3 arrays in any case.
    short, long = arrays_kept(256, "auto") - 3, arrays_kept(4096, "auto") - 3
    assert 0 < 4096 * long < 6 * 256 * short
    assert arrays_kept(4096, None) > 4 * (long + 3)


@pytest.mark.parametrize("remat", [0, -3, 2.5, True, "some"])
def test_an_impossible_number_of_steps_is_refused(remat):
    with pytest.raises(SeqexpError, match="remat must be a whole number of at least 1, auto or"):
        Recurrent(gru(), remat=remat)

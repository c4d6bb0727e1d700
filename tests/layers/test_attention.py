"""Attention against its equations, its blocks of queries, and its cache."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqexp.layers import Attention
from seqexp.recurrences import attention as recurrence
from seqexp.types import SeqexpError
from tests.full import full
from tests.references.attention import attention
from tests.variants import drawn, quick_jit

T, B, D, H = 7, 2, 3, 5


def layer(**options):
    return Attention(D, H, rngs=nnx.Rngs(0), **{"heads": 2, **options})


def inputs(steps=T, seed=0):
    return np.random.default_rng(seed).normal(size=(steps, B, D))


@quick_jit
def unroll(layer, xs, carry=None):
    return layer.unroll(xs, None, carry)


@pytest.mark.parametrize(
    "options", [{}, {"window": 3}, {"rotary": False}], ids=["rotary", "window", "no positions"]
)
def test_outputs_are_those_of_the_equations(options):
    with jax.enable_x64(True):
        made = drawn(lambda: layer(**options))
        ys = unroll(made, inputs())[0]
    K = made.head_features
    assert K == (3 if options.get("rotary") is False else 4)
    enter = np.asarray(made.enter.kernel[...]).reshape(D, 3, 2, K)
    query, key, value = (np.swapaxes(enter[:, part], 0, 1) for part in range(3))
    leave = np.asarray(made.leave.kernel[...]).reshape(2, K, H)
    theta = made.theta if made.rotary else None
    for row in range(B):
        xs = inputs()[:, row]
        right = attention(xs, query, key, value, leave, window=made.window, theta=theta)
        np.testing.assert_allclose(ys[:, row], right, atol=1e-10)


WAYS = {
    "blocks": (None, {"QUERIES_AT_ONCE": 3}),
    "blocks of a window": (5, {"QUERIES_AT_ONCE": 3, "NARROW": 0}),
    "bands": (5, {"LEAST_BAND": 1}),
    "bands of more than the window": (3, {"LEAST_BAND": 4}),
    "bands that fill up": (4, {"LEAST_BAND": 1}),
    "bands of one step": (1, {"LEAST_BAND": 1}),
}
"""By way of computing queries in parts: the window, and what makes 12 or 13 steps take it."""


@pytest.mark.parametrize("way", [full(way) if way == "blocks" else way for way in WAYS])
def test_queries_in_parts_are_queries_at_once(way, monkeypatch):
    window, constants = WAYS[way]
    made = drawn(lambda: layer(window=window), np.float32)
    steps = 12 if way == "bands that fill up" else 13

    def run(xs, carry):
        def outputs(xs):
            return jnp.sum(jnp.sin(made.unroll(xs, None, carry)[0]))

        return made.unroll(xs, None, carry), jax.grad(outputs)(xs)

    for carry in (None, unroll(made, inputs(4).astype(np.float32), made.initial_carry(B, 30))[1]):
        xs = inputs(steps, seed=1).astype(np.float32)
        whole, at_once = quick_jit(run)(xs, carry), jax.make_jaxpr(run)(xs, carry)
        for name, value in constants.items():
            monkeypatch.setattr(recurrence, name, value)
        again = partial(run)  # which nothing has been compiled of
        parts, in_parts = quick_jit(again)(xs, carry), jax.make_jaxpr(again)(xs, carry)
        monkeypatch.undo()
        assert str(in_parts) != str(at_once)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), parts, whole)


def test_a_narrow_window_takes_time_and_memory_of_the_length_alone():
    def products(steps):
        xs = jnp.zeros((1, steps, 2, 4))
        places = jnp.arange(steps)[None]
        jaxpr = jax.make_jaxpr(partial(recurrence.attend, window=32))(xs, xs, xs, places, places)
        shapes = [e.outvars[0].aval.shape for e in jaxpr.eqns if e.primitive.name == "dot_general"]
        return sum(np.prod(shape) for shape in shapes)

    # Scores of 64 keys and 4 sums for each query of 2 heads; the first band has 32 keys.
    assert products(32 * 5) == 2 * (32 * 36 + 32 * 4 * 68)
    assert products(32 * 50) == 2 * (32 * 36 + 32 * 49 * 68)


def test_a_window_needs_no_longer_cache():
    made = drawn(lambda: layer(window=3), np.float32)
    xs = inputs(12).astype(np.float32)
    whole = unroll(made, xs)[0]
    carry = made.initial_carry(B, 100)
    assert carry.keys.shape == (B, 3, 2, 4)
    step = quick_jit(lambda carry, x: made.step(carry, x))
    for t, x in enumerate(xs):
        carry, y = step(carry, x)
        np.testing.assert_allclose(y, whole[t], atol=1e-5)


def test_a_full_cache_forgets_the_oldest_step():
    made = drawn(layer, np.float32)
    xs = inputs(6).astype(np.float32)
    carry = unroll(made, xs[:5], made.initial_carry(B, 4))[1]
    _, y = made.step(carry, xs[5])
    windowed = drawn(lambda: layer(window=4), np.float32)
    np.testing.assert_allclose(y, unroll(windowed, xs)[0][5], atol=1e-5)


def test_rotary_products_depend_on_the_distance_alone():
    q, k = np.random.default_rng(0).normal(size=(2, 1, 1, 1, 8)).astype(np.float32)

    def product(*places):
        turned = (
            recurrence.rotated(x, jnp.array([[place]]), 10_000.0)
            for x, place in zip((q, k), places, strict=True)
        )
        return float(jnp.sum(next(turned) * next(turned)))

    np.testing.assert_allclose(product(9, 4), product(105, 100), rtol=1e-4)
    assert abs(product(9, 4) - product(9, 3)) > 1e-3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"heads": 0}, "heads must be a whole number of at least 1, not 0"),
        ({"window": 0}, "window must be a whole number of at least 1, not 0"),
        ({"rotary": "no"}, "rotary must be true or false, not 'no'"),
        ({"theta": 1}, "theta must be a number above 1, not 1"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(SeqexpError, match=message):
        layer(**options)


def test_parameters_are_four_matrices():
    sizes = [leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda: layer(heads=5)))]
    assert sum(sizes) == 3 * D * 10 + 10 * H  # heads of one number, rounded up to a pair

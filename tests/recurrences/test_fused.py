"""The fused recurrence against automatic differentiation of a scan, and fast by construction."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.recurrences import fused
from seqexp.recurrences.scan import scan
from tests.full import full
from tests.recurrences.test_fast_paths import products
from tests.variants import quick_jit

T, B, H = 5, 3, 4
MASK = np.arange(T)[:, None] < np.array([T, 2, 0])


class Two(NamedTuple):
    """Two states."""

    c: jax.Array
    h: jax.Array


def step(carry, p, small, multiply):
    """Of two products, the second of what comes of the first; one is of two blocks."""
    first, second = multiply
    gate = jax.nn.sigmoid(p[:, :H] + small["v"] * carry.c + first(carry.h))
    c = gate * carry.c + second(jnp.concatenate([gate * carry.h, carry.c], axis=-1))
    return Two(c, jnp.tanh(c + p[:, H:]) * small["a"])


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(2, H // 2, H // 2), (2 * H, H), (T, B, 2 * H), (H,), (H,), (B, H), (B, H)]
    first, second, p, v, a, c, h = (rng.normal(0, 0.7, shape) for shape in shapes)
    return (first, second), p, {"v": v, "a": a}, Two(c, h)


def fast(kernels, p, small, carry, mask, reverse):
    return fused.unroll(step, attrgetter("h"), kernels, p, small, carry, mask, reverse)


def plain(kernels, p, small, carry, mask, reverse):
    def advance(carry, p, _):
        new = step(carry, p, small, fused.products_of(kernels))
        return new, new.h

    return scan(advance, carry, p, mask, {}, reverse)


def pulled_back(run, args):
    """Results, and the gradients of a number that every one of them enters."""

    def score(*args):
        results = run(*args)
        return sum(jnp.sum(jnp.sin(part)) for part in jax.tree.leaves(results)), results

    return jax.grad(score, argnums=(0, 1, 2, 3), has_aux=True)(*args)


@pytest.mark.parametrize("mask", [full(None, id="full"), pytest.param(MASK, id="ragged")])
@pytest.mark.parametrize("reverse", [full(True, id="reverse"), pytest.param(False, id="forward")])
def test_results_and_gradients_are_those_of_a_scan(mask, reverse):
    with jax.enable_x64(True):
        got, want = (
            quick_jit(partial(pulled_back, partial(run, mask=mask, reverse=reverse)))(inputs())
            for run in (fast, plain)
        )
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_the_gradients_of_kernels_are_products_after_the_loop():
    run = partial(pulled_back, partial(fast, mask=MASK, reverse=False))
    inside, outside = products(jax.make_jaxpr(run)(inputs()).jaxpr, in_loop=False)
    assert sorted(outside) == [(2, H // 2, H // 2), (2 * H, H)]
    # Two forward, and two that carry the gradient back: each has a row for every sequence.
    assert len(inside) == 4 and all(B in shape for shape in inside)

"""The backward passes written by hand: against finite differences, and fast by construction.

That they agree with automatic differentiation of the steps is tested with the cells.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from seqexp.recurrences import elman, gru, lstm
from tests.full import full
from tests.variants import quick_jit

T, B, D, H = 4, 2, 5, 3
MASK = np.arange(T)[:, None] < np.array([T, 2])


def shapes_of(gates, *more):
    """xs, W, U and b of so many gates, and what else an unroll takes."""
    return [(T, B, D), (D, gates * H), (H, gates * H), (gates * H,), *more]


PATHS = {
    "elman tanh": (partial(elman.unroll, activation="tanh"), shapes_of(1, (B, H))),
    "elman relu": (partial(elman.unroll, activation="relu"), shapes_of(1, (B, H))),
    "lstm": (lstm.unroll, shapes_of(4, (B, H), (B, H))),
    "gru before": (gru.unroll_before, shapes_of(3, (B, H))),
    "gru after": (gru.unroll_after, shapes_of(3, (H,), (B, H))),
}


def arrays(shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.7, shape) for shape in shapes]


def score(results):
    """A number that every output and every part of the final carry enters."""
    return sum(jnp.sum(jnp.sin(part)) for part in jax.tree.leaves(results))


@pytest.mark.parametrize("name", PATHS)
def test_gradients_are_those_of_finite_differences(name):
    unroll, shapes = PATHS[name]
    inputs = arrays(shapes)
    with jax.enable_x64(True):
        run = quick_jit(
            jax.value_and_grad(lambda inputs: score(unroll(*inputs, mask=MASK, reverse=False)))
        )
        _, gradients = run(inputs)
        for index, direction in enumerate(arrays(shapes, seed=1)):
            ahead, behind = (
                run([x + step * direction if i == index else x for i, x in enumerate(inputs)])[0]
                for step in (1e-5, -1e-5)
            )
            slope = (ahead - behind) / 2e-5
            np.testing.assert_allclose(np.sum(gradients[index] * direction), slope, rtol=1e-7)


@pytest.mark.parametrize("name", PATHS)
def test_the_gradients_of_kernels_and_bias_are_one_product_after_the_loop(name):
    unroll, shapes = PATHS[name]

    def loss(*inputs):
        return jnp.sum(unroll(*inputs, mask=MASK, reverse=False)[0])

    jaxpr = jax.make_jaxpr(jax.grad(loss, argnums=(1, 2, 3)))(*arrays(shapes)).jaxpr
    inside, outside = products(jaxpr, in_loop=False)
    # Rows for h, x and the bias together; GRU's reset after the product keeps h and x apart.
    kernels = [shape for shape in outside if shape[0] in (H + D + 1, H + 1)]
    assert sum(columns for _, columns in kernels) == shapes[2][1]
    assert all(shape[0] == B for shape in inside)


def products(jaxpr, in_loop):
    """The shapes of all matrix products, inside loops and outside."""
    inside, outside = [], []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (inside if in_loop else outside).append(equation.outvars[0].aval.shape)
        looped = in_loop or equation.primitive.name == "scan"
        for inner in jaxprs_in_params(equation.params):
            more_inside, more_outside = products(inner, looped)
            inside += more_inside
            outside += more_outside
    return inside, outside


@pytest.mark.parametrize("name", [n if n == "lstm" else full(n) for n in PATHS])
def test_members_under_vmap_are_each_alone(name):
    unroll, shapes = PATHS[name]
    members = [arrays(shapes, seed) for seed in range(2)]

    def gradients(inputs):
        return jax.value_and_grad(lambda inputs: score(unroll(*inputs, mask=MASK, reverse=False)))(
            inputs
        )

    with jax.enable_x64(True):
        stacked = jax.tree.map(lambda *parts: np.stack(parts), *members)
        together = quick_jit(jax.vmap(gradients))(stacked)
        for index, member in enumerate(members):
            alone = quick_jit(gradients)(member)
            for want, got in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
                np.testing.assert_allclose(got[index], want, rtol=1e-10, atol=1e-12)

"""The linear map against Flax's, and the products it is made of."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest
from flax import nnx
from jax.extend import core

from seqexp.costs.jaxprs import called, operands
from seqexp.layers import Linear

T, B, D, P = 5, 3, 4, 6


def gradients(layer: nnx.Linear, xs: np.ndarray):
    graph, state = nnx.split(layer)

    def score(state, xs):
        ys = nnx.merge(graph, state)(xs)
        return jax.numpy.sum(jax.numpy.sin(ys)), ys

    return jax.value_and_grad(score, argnums=(0, 1), has_aux=True)(state, xs)


@pytest.mark.parametrize("shape", [(B, D), (T, B, D), (2, T, B, D)], ids=str)
@pytest.mark.parametrize("use_bias", [False, True])
def test_it_is_flax_s(shape, use_bias):
    xs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ours, theirs = (
        kind(D, P, use_bias=use_bias, rngs=nnx.Rngs(0)) for kind in (Linear, nnx.Linear)
    )
    found, right = (gradients(layer, xs) for layer in (ours, theirs))
    assert jax.tree.structure(found) == jax.tree.structure(right)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def products(jaxpr: core.Jaxpr | core.ClosedJaxpr) -> list[core.JaxprEqn]:
    found = []
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            found.append(eqn)
        elif (inner := called(eqn)) is not None:
            found += products(inner)
    return found


def test_every_product_is_of_two_matrices():
    """Over three axes XLA's CPU code would turn the gradient around before it multiplies."""
    layer = Linear(D, P, rngs=nnx.Rngs(0))
    found = products(jax.make_jaxpr(lambda xs: gradients(layer, xs))(np.ones((T, B, D))))
    assert len(found) == 3
    assert all(len(side.shape) == 2 for eqn in found for side in operands(eqn))


@pytest.mark.parametrize("option", ["dtype", "precision", "dot_general"])
def test_options_it_would_not_follow_are_refused(option):
    with pytest.raises(TypeError, match=option):
        partial(Linear, **{option: None})(D, P, rngs=nnx.Rngs(0))

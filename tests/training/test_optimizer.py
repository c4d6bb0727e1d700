"""The update rule against the published formulas, in plain numpy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from seqexp.parameters import Undecayed
from seqexp.training import Hyper, Optimizer
from seqexp.training.schedules import constant, warmup_cosine
from seqexp.types import SeqexpError


def one_step(optimizer, params, grads, rate, decay, clip, progress=0.0) -> np.ndarray:
    hyper = Hyper(0, rate, decay, clip).traced()
    transformation = optimizer.transformation(hyper, jnp.float32(progress))
    updates, _ = transformation.update(grads, transformation.init(params), params)
    return np.asarray(optax.apply_updates(params, updates))


@pytest.mark.parametrize("clip", [0.5, 5.0, float("inf")])
def test_adamw_with_clipping_by_hand(clip):
    """At the first step Adam's corrected moments are g and g^2."""
    theta, g = np.array([1.0, -2.0]), np.array([3.0, 4.0])
    g_clipped = g * min(1, clip / 5)
    direction = g_clipped / (np.abs(g_clipped) + 1e-8)
    expected = theta - 0.1 * (direction + 0.01 * theta)
    optimizer = Optimizer(optax.scale_by_adam(), constant())
    ours = one_step(optimizer, jnp.array(theta), jnp.array(g), 0.1, 0.01, clip)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_clipping_keeps_the_direction_and_caps_the_norm():
    optimizer = Optimizer(optax.identity(), constant())
    theta, g = jnp.zeros(2), jnp.array([3.0, 4.0])
    np.testing.assert_allclose(one_step(optimizer, theta, g, 1, 0, 1.0), [-0.6, -0.8], rtol=1e-6)
    np.testing.assert_allclose(one_step(optimizer, theta, g, 1, 0, 6.0), [-3, -4], rtol=1e-6)


def test_the_schedule_scales_the_rate_and_the_decay():
    optimizer = Optimizer(optax.identity(), warmup_cosine(warmup=0.5, final=0))
    ours = one_step(optimizer, jnp.array([2.0]), jnp.array([1.0]), 0.1, 0.5, float("inf"), 0.25)
    np.testing.assert_allclose(ours, 2 - 0.05 * (1 + 0.5 * 2), rtol=1e-6)


class Parts(nnx.Module):
    """A layer's parameters of each kind."""

    def __init__(self):
        self.linear = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
        self.norm = nnx.RMSNorm(3, rngs=nnx.Rngs(0))
        self.norm_of_heads = Undecayed(jnp.ones((2, 3)))


def test_weight_decay_reaches_matrices_alone():
    ones = jax.tree.map(jnp.ones_like, nnx.state(Parts()))
    after = one_step_of(Optimizer(optax.identity(), constant(), "matrices"), ones)
    np.testing.assert_allclose(after.linear.kernel[...], 0.95, rtol=1e-6)
    for kept in (after.linear.bias, after.norm.scale, after.norm_of_heads):
        np.testing.assert_array_equal(kept[...], 1)


def one_step_of(rule: Optimizer, params: Any) -> Any:
    """The parameters after a step with a gradient of 0."""
    transformation = rule.transformation(Hyper(0, 0.1, 0.5, 1.0).traced(), jnp.float32(0))
    nothing = jax.tree.map(jnp.zeros_like, params)
    updates, _ = transformation.update(nothing, transformation.init(params), params)
    return optax.apply_updates(params, updates)


def test_weight_decay_reaches_everything_that_is_asked_for():
    rule = Optimizer(optax.identity(), constant(), "all")
    params = {"bias": jnp.ones(3), "kernel": jnp.ones((3, 2))}
    for value in one_step_of(rule, params).values():
        np.testing.assert_allclose(value, 0.95, rtol=1e-6)


def test_what_decays_is_one_of_two():
    unknown: Any = "none"
    with pytest.raises(SeqexpError, match="decayed must be matrices or all, not 'none'"):
        Optimizer(optax.identity(), constant(), decayed=unknown)

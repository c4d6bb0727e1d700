"""The backward pass of depthwise convolutions, written by hand, against that of their sum."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqexp.recurrences import convolution
from tests.full import full
from tests.variants import quick_jit

T, B, D = 7, 2, 3


@pytest.mark.parametrize("width, dilation", [(3, 2), full(1, 1), full(4, 1), full(4, 3)])
@pytest.mark.parametrize("in_loop", [True, False], ids=["in a loop", "at once"])
def test_gradients_are_those_of_the_sum(width, dilation, in_loop, monkeypatch):
    if not in_loop:
        monkeypatch.setattr(convolution, "_summed_in_loop", convolution._summed)
    rng = np.random.default_rng(0)
    span = (width - 1) * dilation
    xs, kernel, past = (rng.normal(size=shape) for shape in ((T, B, D), (width, D), (B, span, D)))
    mask: Any = np.arange(T)[:, None] < np.array([T, 3])

    def fast(xs, kernel, past):
        ys, last = convolution.unroll(xs, kernel, past, mask, dilation)
        return jnp.sum(jnp.sin(ys)) + jnp.sum(jnp.cos(last)), ys

    def slow(xs, kernel, past):
        padded = jnp.concatenate([jnp.swapaxes(past, 0, 1), xs])
        ys = []
        for t in range(T):
            terms = [kernel[k] * padded[t + k * dilation] for k in range(width)]
            ys.append(sum(terms) * mask[t][:, None])
        ends = [padded[len_ : len_ + span, row] for row, len_ in enumerate((T, 3))]
        last = jnp.stack(ends)
        ys = jnp.stack(ys)
        return jnp.sum(jnp.sin(ys)) + jnp.sum(jnp.cos(last)), ys

    with jax.enable_x64(True):
        found, right = quick_jit(
            lambda *inputs: [
                jax.value_and_grad(run, argnums=(0, 1, 2), has_aux=True)(*inputs)
                for run in (fast, slow)
            ]
        )(xs, kernel, past)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)

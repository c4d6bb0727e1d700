"""Queries, keys and values of several heads."""

from __future__ import annotations

import math
from math import ceil
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.sizes import require_number, require_whole
from seqexp.layers.convolution import CausalConvolution
from seqexp.layers.linear import Linear
from seqexp.types import Array


def head_width(features: int, heads: int, **expansion: float) -> int:
    """How wide a head is: ceil(expansion features / heads), the expansion 1 unless one is named.

    Raises:
        SeqexpError: for heads that are no whole number from 1 up, or an expansion not above 0,
            which is called what it was given as.

    >>> head_width(10, heads=4), head_width(10, heads=4, key_expansion=2.0)
    (3, 5)
    """
    require_whole(heads=heads)
    for name, value in expansion.items():
        require_number(name, value, above=0)
    return ceil(math.prod(expansion.values()) * features / heads)


def split_heads(xs: Float[Array, "*S H"], heads: int) -> Float[Array, "*S {heads} _"]:
    """`[..., N W]` to `[..., N, W]`."""
    return xs.reshape(*xs.shape[:-1], heads, -1)


def join_heads(xs: Float[Array, "*S N W"]) -> Float[Array, "*S _"]:
    """`[..., N, W]` to `[..., N W]`."""
    return xs.reshape(*xs.shape[:-2], -1)


def unit(xs: Float[Array, "*S K"]) -> Float[Array, "*S K"]:
    """`xs` of length 1, x / sqrt(|x|^2 + 1e-6), as the authors of DeltaNet compute it."""
    return xs * jax.lax.rsqrt(jnp.sum(xs * xs, -1, keepdims=True) + 1e-6)


class ConvolvedHeads(nnx.Module):
    """Queries, keys and values as in DeltaNet and its relatives (Yang et al. 2024,
    https://arxiv.org/abs/2406.06484).

        q_t, k_t = L2norm(SiLU(conv(W_q x)_t)), L2norm(SiLU(conv(W_k x)_t))
        v_t = SiLU(conv(W_v x)_t)

    The convolutions are causal and depthwise, and have a bias, unlike the authors'. Without them
    SiLU follows the matrices.

    Args:
        in_features: D.
        heads: N.
        key_width: K.
        value_width: V.
        convolution: how many steps a convolution reads; None for no convolutions.
        rngs: draws the parameters (matrices LeCun normal).

    Raises:
        SeqexpError: for an impossible convolution.
    """

    def __init__(
        self,
        in_features: int,
        *,
        heads: int,
        key_width: int,
        value_width: int,
        convolution: int | None,
        rngs: nnx.Rngs,
    ):
        self.heads = heads
        self.ends = heads * key_width, 2 * heads * key_width
        width = heads * (2 * key_width + value_width)
        self.enter = Linear(in_features, width, use_bias=False, rngs=rngs)
        filters = None
        if convolution is not None:
            require_whole(convolution=convolution)
            filters = CausalConvolution(width, width, width=convolution, depthwise=True, rngs=rngs)
        self.convolution = filters

    def initial_carry(self, batch_size: int, max_length: int) -> Any:
        """The convolutions': `[B, S, N (2 K + V)]`; () without them."""
        if self.convolution is None:
            return ()
        return self.convolution.initial_carry(batch_size, max_length)

    def unroll(
        self, xs: Float[Array, "T B D"], mask: Bool[Array, "T B"] | None, carry: Any
    ) -> tuple[tuple[Array, Array, Array], Any]:
        """All steps: `[T, B, D]` to q, k `[T, B, N, K]` and v `[T, B, N, V]`, and the carry."""
        ys = self.enter(xs)
        if self.convolution is not None:
            ys, carry = self.convolution.unroll(ys, mask, carry)
        return self._heads(ys), carry

    def step(self, x: Float[Array, "B D"], carry: Any) -> tuple[tuple[Array, Array, Array], Any]:
        """One step: `[B, D]` to q, k `[B, N, K]` and v `[B, N, V]`, and the carry."""
        y = self.enter(x)
        if self.convolution is not None:
            carry, y = self.convolution.step(carry, y)
        return self._heads(y), carry

    def _heads(self, ys: Array) -> tuple[Array, Array, Array]:
        parts = jnp.split(jax.nn.silu(ys), self.ends, axis=-1)
        q, k, v = (split_heads(part, self.heads) for part in parts)
        return unit(q), unit(k), v

"""Causal attention of each step to the steps before it."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Int

from seqexp.cells.sizes import require_flag, require_whole
from seqexp.layers.linear import Linear
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import attention
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray, SeqexpError


class AttentionCarry(NamedTuple):
    """The key-value cache: `keys`, already rotated, and `values` `[B, S, N, K]`, the step p at
    place p mod S, and `position` `[B]` int32, how many steps were read."""

    keys: Float[Array, "B S N K"]
    values: Float[Array, "B S N K"]
    position: Int[Array, " B"]


class Attention(nnx.Module):
    """Multi-head causal attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

        q_t, k_t, v_t = W_q x_t, W_k x_t, W_v x_t                    each head its own
        y_t = W_o concat_heads sum_s softmax_s(q_t . k_s / sqrt(K)) v_s
              over t - window < s <= t

    With rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864) pairs of numbers of
    q_t and k_t are rotated by t theta^(-2i/K), so that their product depends on t - s alone.
    Without, it knows the order of the steps only by which of them it may see.

    Its carry grows with the sequence: it holds `max_length` steps, or `window` of them; beyond that
    the oldest are forgotten.

    Args:
        in_features: D.
        features: P; each of the N heads is K = ceil(P / N) wide, rounded up to an even number with
            rotary positions.
        heads: N.
        window: how many steps it sees, itself among them (sliding-window attention, Beltagy et al.
            2020, https://arxiv.org/abs/2004.05150); None for all.
        rotary: rotary positions.
        theta: their base.
        rngs: draws the matrices (LeCun normal), which have no biases.

    Raises:
        SeqexpError: for impossible options.
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        heads: int,
        window: int | None = None,
        rotary: bool = True,
        theta: float = 10_000.0,
        rngs: nnx.Rngs,
    ):
        require_whole(
            in_features=in_features,
            features=features,
            heads=heads,
            **({} if window is None else {"window": window}),
        )
        require_flag(rotary=rotary)
        if type(theta) not in (int, float) or not 1 < theta < float("inf"):
            raise SeqexpError(f"theta must be a number above 1, not {theta!r}")
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.head_features = ceil(features / heads)
        if rotary:
            self.head_features += self.head_features % 2
        self.window = window
        self.rotary = rotary
        self.theta = float(theta)
        inner = heads * self.head_features
        self.enter = Linear(in_features, 3 * inner, use_bias=False, rngs=rngs)
        self.leave = Linear(inner, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: it reads inputs only."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> AttentionCarry:
        """An empty cache of `max_length` steps, or of the window if that is less."""
        places = max_length if self.window is None else min(self.window, max_length)
        shape = (batch_size, max(places, 1), self.heads, self.head_features)
        empty = jnp.zeros(shape, self.enter.kernel.dtype)
        return AttentionCarry(empty, empty, jnp.zeros(batch_size, jnp.int32))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: AttentionCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], AttentionCarry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the cache."""
        steps, batch_size, _ = xs.shape
        past = carry
        if carry is None:
            carry = self.initial_carry(batch_size, steps)
        places = carry.position[:, None] + jnp.arange(steps, dtype=jnp.int32)
        queries, keys, values = self._heads(jnp.swapaxes(xs, 0, 1), places)
        seen_keys, seen_values, seen_places = keys, values, places
        if past is not None:
            seen_keys = jnp.concatenate([carry.keys, keys], axis=1)
            seen_values = jnp.concatenate([carry.values, values], axis=1)
            cached = attention.cached_places(carry.position, carry.keys.shape[1])
            seen_places = jnp.concatenate([cached, places], axis=1)
        ys = attention.attend(
            queries, seen_keys, seen_values, places, seen_places, window=self.window
        )
        ys = jnp.swapaxes(self._joined(ys), 0, 1)
        true = jnp.full(batch_size, steps, jnp.int32)
        if mask is not None:
            true = jnp.sum(mask, 0, dtype=jnp.int32)
        after = AttentionCarry(
            attention.cached(carry.keys, keys, carry.position, true),
            attention.cached(carry.values, values, carry.position, true),
            carry.position + true,
        )
        return where_mask(mask, ys, jnp.zeros_like(ys)), after

    def step(
        self, carry: AttentionCarry, x: Float[Array, "B D"]
    ) -> tuple[AttentionCarry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        queries, keys, values = self._heads(x[:, None], carry.position[:, None])
        size = carry.keys.shape[1]
        place = (carry.position % size)[:, None] == jnp.arange(size)
        carry = AttentionCarry(
            where_mask(place, keys, carry.keys),
            where_mask(place, values, carry.values),
            carry.position + 1,
        )
        ys = attention.attend(
            queries,
            carry.keys,
            carry.values,
            carry.position[:, None] - 1,
            attention.cached_places(carry.position, size),
            window=self.window,
        )
        return carry, self._joined(ys)[:, 0]

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step with a cache."""
        return StepwiseLayer(self)

    def _heads(
        self, xs: Float[Array, "B T D"], places: Int[Array, "B T"]
    ) -> tuple[Float[Array, "B T N K"], Float[Array, "B T N K"], Float[Array, "B T N K"]]:
        """Queries, keys and values of each head."""
        *leading, _ = xs.shape
        parts = self.enter(xs).reshape(*leading, 3, self.heads, self.head_features)
        queries, keys, values = parts[..., 0, :, :], parts[..., 1, :, :], parts[..., 2, :, :]
        if self.rotary:
            queries = attention.rotated(queries, places, self.theta)
            keys = attention.rotated(keys, places, self.theta)
        return queries, keys, values

    def _joined(self, ys: Float[Array, "B T N K"]) -> Float[Array, "B T P"]:
        return self.leave(ys.reshape(*ys.shape[:-2], -1))

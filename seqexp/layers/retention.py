"""Retention: linear attention that forgets at a fixed rate a head."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Int

from seqexp.cells.sizes import require_flag, require_sizes
from seqexp.layers.heads import head_width, join_heads, split_heads
from seqexp.layers.linear import Linear
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.attention import rotated
from seqexp.recurrences.masking import where_mask
from seqexp.recurrences.normalize import normalize
from seqexp.types import Array, KeyArray


class RetentionCarry(NamedTuple):
    """`state` `[B, N, K, V]` and `position` `[B]` int32, how many steps were read."""

    state: Float[Array, "B N K V"]
    position: Int[Array, " B"]


class Retention(nnx.Module):
    """Multi-scale retention of RetNet (Sun et al. 2023, https://arxiv.org/abs/2307.08621).

        q_t, k_t, v_t = W_q x_t, W_k x_t / sqrt(K), W_v x_t         each head its own
        S_t = gamma S_{t-1} + k_t v_t^T                             gamma = 1 - 2^(-5-i), head i
        y_t = W_o (swish(W_g x_t) * GroupNorm_heads(S_t^T q_t))

    Rotary positions turn pairs of numbers of q_t and k_t by t 10000^(-2i/K), the complex part of
    the paper's decay. GroupNorm has no parameters; the normalisation of scores (section 2.4) is
    left out.

    Args:
        in_features: D.
        features: P; the keys of each of the N heads are K = ceil(P / N) wide, rounded up to an even
            number with rotary positions.
        heads: N.
        value_expansion: the values of a head are V = ceil(value_expansion P / N) wide; 2 in the
            paper.
        rotary: rotary positions.
        chunk: steps that are computed at once; None for what is fast.
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
        value_expansion: float = 2.0,
        rotary: bool = True,
        chunk: int | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        chunked.require_chunk(chunk)
        require_flag(rotary=rotary)
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.key_width = head_width(features, heads)
        if rotary:
            self.key_width += self.key_width % 2
        self.value_width = head_width(features, heads, value_expansion=value_expansion)
        self.rotary = rotary
        self.chunk = chunk
        keys, values = heads * self.key_width, heads * self.value_width
        self.enter = Linear(in_features, 2 * (keys + values), use_bias=False, rngs=rngs)
        self.leave = Linear(values, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the decays are fixed."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> RetentionCarry:
        """Zeros, whatever the length."""
        shape = (batch_size, self.heads, self.key_width, self.value_width)
        state = jnp.zeros(shape, self.leave.kernel.dtype)
        return RetentionCarry(state, jnp.zeros(batch_size, jnp.int32))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: RetentionCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], RetentionCarry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        places = carry.position + jnp.arange(steps, dtype=jnp.int32)[:, None]
        qkv, gate = self._heads(xs, places)
        log_decay = jnp.broadcast_to(self._log_decay(), (steps, batch_size, self.heads, 1))
        ys, state = chunked.outer(*qkv, log_decay, carry.state, mask, self.chunk)
        ys = self._leaving(ys, gate)
        true = steps if mask is None else jnp.sum(mask, 0, dtype=jnp.int32)
        after = RetentionCarry(state, carry.position + true)
        return where_mask(mask, ys, jnp.zeros_like(ys)), after

    def step(
        self, carry: RetentionCarry, x: Float[Array, "B D"]
    ) -> tuple[RetentionCarry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        qkv, gate = self._heads(x, carry.position)
        state, y = matrix_state.outer(carry.state, *qkv, self._log_decay())
        return RetentionCarry(state, carry.position + 1), self._leaving(y, gate)

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step."""
        return StepwiseLayer(self)

    def _heads(self, xs: Array, places: Array) -> tuple[tuple[Array, Array, Array], Array]:
        """Queries, keys and values `[..., N, K or V]`, and the gate `[..., N V]`."""
        keys, values = self.heads * self.key_width, self.heads * self.value_width
        parts = jnp.split(self.enter(xs), [keys, 2 * keys, 2 * keys + values], axis=-1)
        q, k, v = (split_heads(part, self.heads) for part in parts[:3])
        if self.rotary:
            q, k = (_rotated(part, places) for part in (q, k))
        return (q, k * self.key_width**-0.5, v), parts[3]

    def _log_decay(self) -> Float[Array, "1 N 1"]:
        heads = jnp.arange(self.heads, dtype=self.leave.kernel.dtype)
        return jnp.log1p(-(2.0 ** (-5 - heads)))[None, :, None]

    def _leaving(self, ys: Array, gate: Array) -> Array:
        return self.leave(jax.nn.silu(gate) * join_heads(normalize(ys)))


def _rotated(xs: Array, places: Array) -> Array:
    """`rotated` of `[..., N, K]` at places `[...]`, which here are all one axis."""
    flat = rotated(xs.reshape(1, -1, *xs.shape[-2:]), places.reshape(1, -1), 10_000.0)
    return flat.reshape(xs.shape)

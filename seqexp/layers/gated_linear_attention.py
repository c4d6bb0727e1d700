"""Gated linear attention: each key forgets by a gate of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_sizes, require_whole
from seqexp.layers.heads import head_width, join_heads, split_heads
from seqexp.layers.linear import Linear
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray

TEMPERATURE = 16


class GLACarry(NamedTuple):
    """`state` `[B, N, K, V]`, keys by values."""

    state: Float[Array, "B N K V"]


class GatedLinearAttention(nnx.Module):
    """Gated linear attention, GLA (Yang et al. 2024, https://arxiv.org/abs/2312.06635).

        q_t, k_t, v_t = W_q x_t / sqrt(K), W_k x_t, W_v x_t         each head its own
        alpha_t = sigmoid(W_2 W_1 x_t + b)^(1/16)                   of each key
        S_t = diag(alpha_t) S_{t-1} + k_t v_t^T
        y_t = W_o (swish(W_r x_t + b_r) * LayerNorm_heads(S_t^T q_t))

    The queries are scaled as in the authors' code. One LayerNorm serves all heads.

    Args:
        in_features: D.
        features: P; the values of each of the N heads are V = ceil(P / N) wide.
        heads: N.
        key_expansion: the keys of a head are K = ceil(key_expansion P / N) wide; 1/2 in the paper.
        rank: the inner width of the gate, W_2 W_1; 16 in the paper.
        chunk: steps that are computed at once; None for what is fast.
        rngs: draws the matrices (LeCun normal).

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
        key_expansion: float = 0.5,
        rank: int = 16,
        chunk: int | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_whole(rank=rank)
        chunked.require_chunk(chunk)
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.key_width = head_width(features, heads, key_expansion=key_expansion)
        self.value_width = head_width(features, heads)
        self.chunk = chunk
        keys, values = heads * self.key_width, heads * self.value_width
        self.enter = Linear(in_features, 2 * keys + values, use_bias=False, rngs=rngs)
        self.decay_down = Linear(in_features, rank, use_bias=False, rngs=rngs)
        self.decay_up = Linear(rank, keys, rngs=rngs)
        self.gate = Linear(in_features, values, rngs=rngs)
        self.norm = nnx.LayerNorm(
            self.value_width, epsilon=1e-5, use_fast_variance=False, rngs=rngs
        )
        self.leave = Linear(values, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the decays are of the inputs."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> GLACarry:
        """Zeros, whatever the length."""
        shape = (batch_size, self.heads, self.key_width, self.value_width)
        return GLACarry(jnp.zeros(shape, self.leave.kernel.dtype))

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: GLACarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], GLACarry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        ys, state = chunked.outer(
            *self._heads(xs), self._log_decay(xs), carry.state, mask, self.chunk
        )
        ys = self._leaving(xs, ys)
        return where_mask(mask, ys, jnp.zeros_like(ys)), GLACarry(state)

    def step(self, carry: GLACarry, x: Float[Array, "B D"]) -> tuple[GLACarry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        state, y = matrix_state.outer(carry.state, *self._heads(x), self._log_decay(x))
        return GLACarry(state), self._leaving(x, y)

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """alpha, which keeps the state, as "forget"."""
        return {"forget": SIGMOID._replace(keeps=True)}

    def activations(self, carry: GLACarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """alpha, `[B, N K]`, as "forget"."""
        return {"forget": join_heads(jnp.exp(self._log_decay(x)))}

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step."""
        return StepwiseLayer(self)

    def _heads(self, xs: Array) -> tuple[Array, Array, Array]:
        """Queries, keys and values of each head."""
        keys = self.heads * self.key_width
        parts = jnp.split(self.enter(xs), [keys, 2 * keys], axis=-1)
        q, k, v = (split_heads(part, self.heads) for part in parts)
        return q * self.key_width**-0.5, k, v

    def _log_decay(self, xs: Array) -> Float[Array, "*S N K"]:
        gates = self.decay_up(self.decay_down(xs))
        return split_heads(jax.nn.log_sigmoid(gates), self.heads) / TEMPERATURE

    def _leaving(self, xs: Array, ys: Array) -> Array:
        return self.leave(jax.nn.silu(self.gate(xs)) * join_heads(self.norm(ys)))

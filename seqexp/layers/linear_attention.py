"""Linear attention: softmax replaced by positive features, so that a matrix holds the past."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.sizes import require_sizes
from seqexp.layers.heads import head_width, join_heads, split_heads
from seqexp.layers.linear import Linear
from seqexp.layers.stepwise import StepwiseLayer
from seqexp.recurrences import chunked, matrix_state
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, KeyArray


class LinearAttentionCarry(NamedTuple):
    """`state` `[B, N, K, K]`, keys by values, and `normalizer` `[B, N, K]`, the sum of the keys."""

    state: Float[Array, "B N K V"]
    normalizer: Float[Array, "B N K"]


class LinearAttention(nnx.Module):
    """Causal linear attention (Katharopoulos et al. 2020, https://arxiv.org/abs/2006.16236).

        q_t, k_t, v_t = phi(W_q x_t), phi(W_k x_t), W_v x_t         phi(x) = elu(x) + 1
        S_t = S_{t-1} + k_t v_t^T
        z_t = z_{t-1} + k_t
        y_t = W_o concat_heads S_t^T q_t / (z_t . q_t)

    The denominator is kept above the square root of the smallest number, which matters only where
    all features of a query or of every key so far are nearly 0.

    Args:
        in_features: D.
        features: P; each of the N heads is K = ceil(P / N) wide.
        heads: N.
        chunk: steps that are computed at once; None for what is fast.
        rngs: draws the matrices (LeCun normal), which have no biases.

    Raises:
        SeqexpError: for sizes, heads or chunks below 1.
    """

    causal = True

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        heads: int,
        chunk: int | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        chunked.require_chunk(chunk)
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.head_features = head_width(features, heads)
        self.chunk = chunk
        inner = heads * self.head_features
        self.enter = Linear(in_features, 3 * inner, use_bias=False, rngs=rngs)
        self.leave = Linear(inner, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """None: the state is kept as it is."""
        return ()

    def initial_carry(self, batch_size: int, max_length: int) -> LinearAttentionCarry:
        """Zeros, whatever the length."""
        width = self.head_features
        zeros = jnp.zeros((batch_size, self.heads, width, width + 1), self.leave.kernel.dtype)
        return LinearAttentionCarry(zeros[..., :-1], zeros[..., -1])

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: LinearAttentionCarry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], LinearAttentionCarry]:
        """All steps: `[T, B, D]` to `[T, B, P]`, 0 at padding, and the final carry."""
        steps, batch_size, _ = xs.shape
        carry = self.initial_carry(batch_size, steps) if carry is None else carry
        ys, state = chunked.outer(*self._heads(xs), None, _with_normalizer(carry), mask, self.chunk)
        ys = self._normalized(ys)
        return where_mask(mask, ys, jnp.zeros_like(ys)), _apart(state)

    def step(
        self, carry: LinearAttentionCarry, x: Float[Array, "B D"]
    ) -> tuple[LinearAttentionCarry, Float[Array, "B P"]]:
        """One step: `[B, D]` to `[B, P]`."""
        state, y = matrix_state.outer(_with_normalizer(carry), *self._heads(x), None)
        return _apart(state), self._normalized(y)

    def stepwise(self) -> StepwiseLayer:
        """The same matrices, step after step."""
        return StepwiseLayer(self)

    def _heads(self, xs: Array) -> tuple[Array, Array, Array]:
        """Queries, keys, and values with a 1 behind, whose sums are the normalizer."""
        q, k, v = (split_heads(part, self.heads) for part in jnp.split(self.enter(xs), 3, axis=-1))
        return _positive(q), _positive(k), jnp.concatenate([v, jnp.ones_like(v[..., :1])], -1)

    def _normalized(self, ys: Array) -> Array:
        smallest = float(jnp.finfo(ys.dtype).tiny) ** 0.5
        return self.leave(join_heads(ys[..., :-1] / jnp.maximum(ys[..., -1:], smallest)))


def _positive(xs: Array) -> Array:
    """elu(x) + 1, which elu itself would round to 0 for large negative x."""
    return jnp.where(xs > 0, xs + 1, jnp.exp(jnp.where(xs > 0, 0, xs)))


def _with_normalizer(carry: LinearAttentionCarry) -> Float[Array, "B N K _"]:
    return jnp.concatenate([carry.state, carry.normalizer[..., None]], -1)


def _apart(state: Float[Array, "B N K W"]) -> LinearAttentionCarry:
    return LinearAttentionCarry(state[..., :-1], state[..., -1])

"""Attention of a decoder over the steps of a source."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.layers.linear import Linear
from seqexp.types import Array

Attention = Literal["additive", "multiplicative"]


class Memory(NamedTuple):
    """What is attended to.

    Attributes:
        values: `[B, T, P]`, finite at padding.
        keys: `[B, T, A]`, made of the values once a source; None where there is nothing to make.
        mask: `[B, T]`, True where a step is real.
    """

    values: Float[Array, "B T P"]
    keys: Float[Array, "B T A"] | None
    mask: Bool[Array, "B T"]


class Attended(NamedTuple):
    """What attention gives.

    Attributes:
        context: `[B, U, P]`.
        weights: `[B, U, T]`, of each query at least 0, of sum 1 over the true steps and 0 at
            padding; all 0 where there is no true step.
    """

    context: Float[Array, "B U P"]
    weights: Float[Array, "B U T"]


class AdditiveAttention(nnx.Module):
    """Additive attention (Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473).

        score(s, h_t) = v . tanh(W s + U h_t)
        a = softmax over t of the scores,    context = sum_t a_t h_t

    Over all queries at once it keeps `[B, U, T, A]` numbers.

    Args:
        query_features: of s.
        value_features: of h_t.
        features: A, the units of the hidden layer.
        rngs: draws the parameters.
    """

    def __init__(self, query_features: int, value_features: int, features: int, *, rngs: nnx.Rngs):
        self.query = Linear(query_features, features, use_bias=False, rngs=rngs)
        self.key = Linear(value_features, features, use_bias=False, rngs=rngs)
        self.score = Linear(features, 1, use_bias=False, rngs=rngs)

    def memory(self, values: Float[Array, "B T P"], mask: Bool[Array, "B T"]) -> Memory:
        """Values `[B, T, P]` with U h_t."""
        return Memory(values, self.key(values), mask)

    def __call__(self, queries: Float[Array, "B U Q"], memory: Memory) -> Attended:
        """Attend with `[B, U, Q]` queries."""
        assert memory.keys is not None
        joint = jnp.tanh(self.query(queries)[:, :, None] + memory.keys[:, None])
        return _attended(self.score(joint)[..., 0], memory)


class MultiplicativeAttention(nnx.Module):
    """Multiplicative attention, the "general" one of Luong et al. 2015
    (https://arxiv.org/abs/1508.04025).

        score(s, h_t) = s . W h_t
        a = softmax over t of the scores,    context = sum_t a_t h_t

    Computed as (s W) . h_t, so that nothing is kept beside the values.

    Args:
        query_features: of s.
        value_features: of h_t.
        rngs: draws the parameters.
    """

    def __init__(self, query_features: int, value_features: int, *, rngs: nnx.Rngs):
        self.query = Linear(query_features, value_features, use_bias=False, rngs=rngs)

    def memory(self, values: Float[Array, "B T P"], mask: Bool[Array, "B T"]) -> Memory:
        """Values `[B, T, P]` as they are."""
        return Memory(values, None, mask)

    def __call__(self, queries: Float[Array, "B U Q"], memory: Memory) -> Attended:
        """Attend with `[B, U, Q]` queries."""
        return _attended(jnp.einsum("bup,btp->but", self.query(queries), memory.values), memory)


def make_attention(
    kind: Attention | None, queries: int, values: int, features: int, *, rngs: nnx.Rngs
) -> AdditiveAttention | MultiplicativeAttention | None:
    """Attention of a kind.

    Args:
        kind: None for none.
        queries: features of a query.
        values: features of what is attended to.
        features: A, of additive attention alone.
        rngs: draws the parameters.
    """
    if kind == "additive":
        return AdditiveAttention(queries, values, features, rngs=rngs)
    if kind == "multiplicative":
        return MultiplicativeAttention(queries, values, rngs=rngs)
    return None


def _attended(scores: Float[Array, "B U T"], memory: Memory) -> Attended:
    mask = memory.mask[:, None, :]
    # Not -inf: where no step is real, softmax would give NaN.
    weights = jax.nn.softmax(jnp.where(mask, scores, jnp.finfo(scores.dtype).min), axis=-1)
    weights = jnp.where(mask, weights, 0)
    return Attended(jnp.einsum("but,btp->bup", weights, memory.values), weights)

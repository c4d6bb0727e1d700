"""From one hidden state a step to one a sequence, whole or step by step."""

from __future__ import annotations

from typing import Any, Literal, get_args

import jax.numpy as jnp
from jaxtyping import Float, Int

from seqexp.types import Array

Pooling = Literal["last", "mean", "max"]
POOLINGS = get_args(Pooling)


def pool(
    hidden: Float[Array, "B T P"],
    lengths: Int[Array, " B"],
    how: Pooling,
    forward_features: int,
) -> Float[Array, "B P"]:
    """Pool `[B, T, P]` hidden states over the true steps to `[B, P]`.

    "last" takes each direction's own last step: units from `forward_features` on run backward in
    time, and have read the whole sequence at step 0.

    Args:
        hidden: `[B, T, P]`.
        lengths: `[B]`; a sequence of length 0 gives zeros or its step 0, and should weigh nothing.
        how: "last", "mean" or "max".
        forward_features: how many of the P units run forward.
    """
    if how == "last":
        index = jnp.maximum(lengths - 1, 0)[:, None, None]
        last = jnp.take_along_axis(hidden, index, axis=1)[:, 0]
        return jnp.concatenate([last[:, :forward_features], hidden[:, 0, forward_features:]], -1)
    state = pool_state(how, hidden, lengths)
    if how == "mean":
        return state[0] / jnp.maximum(lengths, 1)[:, None].astype(hidden.dtype)
    return jnp.where(lengths[:, None] > 0, state, 0)


def pool_state(how: Pooling, hidden: Float[Array, "B T P"], lengths: Int[Array, " B"]) -> Any:
    """What pooling keeps behind `[B, T, P]` hidden states of `[B]` true steps."""
    mask = (jnp.arange(hidden.shape[1]) < lengths[:, None])[:, :, None]
    if how == "mean":
        return jnp.where(mask, hidden, 0).sum(axis=1), lengths[:, None].astype(hidden.dtype)
    if how == "max":
        return jnp.where(mask, hidden, -jnp.inf).max(axis=1)
    return ()


def pool_step(
    how: Pooling, state: Any, hidden: Float[Array, "B P"]
) -> tuple[Any, Float[Array, "B P"]]:
    """Pool one more step: `hidden` `[B, P]` to what `pool` gives for the steps so far."""
    if how == "mean":
        total, count = state
        total, count = total + hidden, count + 1
        return (total, count), total / count
    if how == "max":
        state = jnp.maximum(state, hidden)
        return state, state
    return (), hidden

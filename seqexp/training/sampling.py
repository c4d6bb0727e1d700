"""Sampled text from a next-token model, through its own `step`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.types import Array, Text


def sample_tokens(
    graphdef: nnx.GraphDef,
    params: Any,
    key: Array,
    prompt: Array,
    length: int,
    temperature: float | Array = 1.0,
) -> Array:
    """Draw tokens from the model's softmax after a prompt.

    Args:
        prompt: `[T]` tokens, at least one.
        length: how many tokens to draw.
        temperature: divides the logits; 0 takes the largest.

    Returns:
        `[length]` int32 tokens.
    """
    model = nnx.merge(graphdef, params)

    def read(carry, token):
        return model.step(carry, token[None])

    carry, logits = jax.lax.scan(read, model.initial_carry(1), prompt)

    def draw(state, step_key):
        carry, logits = state
        some = jnp.where(temperature > 0, temperature, 1.0)
        drawn = jax.random.categorical(step_key, logits[0] / some)
        token = jnp.where(temperature > 0, drawn, jnp.argmax(logits[0]))
        return model.step(carry, token[None]), token

    keys = jax.random.split(key, length)
    return jax.lax.scan(draw, (carry, logits[-1]), keys)[1].astype(jnp.int32)


def encode(text: Text, symbols: str) -> np.ndarray:
    """Symbols as tokens."""
    return np.asarray([text.symbols.index(symbol) for symbol in symbols], np.int32)


def decode(text: Text, tokens: Iterable[Any]) -> str:
    """Tokens as symbols."""
    return "".join(text.symbols[int(token)] for token in tokens)

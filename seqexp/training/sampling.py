"""Sampled text from a next-token model, through its own `step`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqexp.types import Array, Text


def sample_tokens(
    graphdef: nnx.GraphDef, params: Any, key: Array, prompt: Array, length: int
) -> Array:
    """Draw tokens from the model's softmax after a prompt.

    Args:
        prompt: `[T]` tokens, at least one.
        length: how many tokens to draw.

    Returns:
        `[length]` int32 tokens.
    """
    model = nnx.merge(graphdef, params)

    def read(carry, token):
        return model.step(carry, token[None])

    carry, logits = jax.lax.scan(read, model.initial_carry(1), prompt)

    def draw(state, step_key):
        carry, logits = state
        token = jax.random.categorical(step_key, logits[0])
        return model.step(carry, token[None]), token

    keys = jax.random.split(key, length)
    return jax.lax.scan(draw, (carry, logits[-1]), keys)[1].astype(jnp.int32)


def encode(text: Text) -> np.ndarray:
    """The prompt as tokens."""
    return np.asarray([text.symbols.index(symbol) for symbol in text.prompt], np.int32)


def decode(text: Text, tokens: Array) -> str:
    """Prompt and drawn tokens as a string."""
    return text.prompt + "".join(text.symbols[int(token)] for token in tokens)

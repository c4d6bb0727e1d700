"""Rows of an embedding by tokens, at padding too."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Int

from seqexp.types import Array


def embed_tokens(embed: nnx.Embed, tokens: Int[Array, "*N"]) -> Float[Array, "*N D"]:
    """The rows of a table. Padding may hold any token; one that is no row would read NaN."""
    return embed(jnp.clip(tokens, 0, embed.num_embeddings - 1))

"""Embeddings of tokens: how wide, what they begin with, and their rows at padding too."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Int

from seqexp.types import Array, Features, SeqexpError, Tokens


def embedding_width(inputs: Tokens | Features, embed_features: int | None, features: int) -> int:
    """The width of a token embedding: that of the tokens' vectors, or as it is asked for.

    Args:
        inputs: of the task.
        embed_features: what is asked for; None for the vectors' D, or H where there are none.
        features: H.

    Raises:
        SeqexpError: the vectors have another width than is asked for.
    """
    if not isinstance(inputs, Tokens) or inputs.vectors is None:
        return embed_features or features
    D = inputs.vectors.values.shape[1]
    if embed_features not in (None, D):
        raise SeqexpError(
            f"model.embed_features is {embed_features}, but the task's vectors have {D} numbers "
            f"each: set model.embed_features={D}, or null"
        )
    return D


def token_embedding(tokens: Tokens, width: int, rngs: nnx.Rngs) -> nnx.Embed:
    """A table `[V, width]` with a row a token: its vector, where it has one.

    All others are normal with variance 1 / width, flax's default, the same as without vectors.
    """
    embed = nnx.Embed(tokens.size, width, rngs=rngs)
    if tokens.vectors is not None:
        known = tokens.vectors.known[:, None]
        embed.embedding[...] = jnp.where(known, tokens.vectors.values, embed.embedding[...])
    return embed


def embed_tokens(embed: nnx.Embed, tokens: Int[Array, "*N"]) -> Float[Array, "*N D"]:
    """The rows of a table. Padding may hold any token; one that is no row would read NaN."""
    return embed(jnp.clip(tokens, 0, embed.num_embeddings - 1))

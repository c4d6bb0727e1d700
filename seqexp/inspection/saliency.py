"""Which inputs an output depends on: integrated gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Int

from seqexp.models.embedding import embed_tokens
from seqexp.recurrences.masking import zero_padding
from seqexp.types import Array, Batch, Model, SeqexpError, Sequences


class Saliency(NamedTuple):
    """How much of an output each input accounts for.

    Attributes:
        values: `[B, T, D]`, 0 at padding; of tokens, D numbers of their embedding. Sum them over D
            for a number a step.
        residual: `[B]`, f(x) - f(0) less the sum of `values`: what they don't account for.
    """

    values: Float[Array, "B T D"]
    residual: Float[Array, " B"]


def integrated_gradients(
    model: Model,
    batch: Batch,
    outputs: Int[Array, " B"],
    steps: Int[Array, " B"] | None = None,
    points: int = 64,
) -> Saliency:
    """Integrated gradients (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365).

        values_td = x_td * integral over a from 0 to 1 of df(a x) / dx_td

    from the zero vector at every step, of the features or of the tokens' embeddings: the baseline
    is as long as the sequence. The values sum to f(x) - f(0) (completeness), but for the error of
    the midpoint rule, which `residual` tells: it is large where the layers' inputs are normalized,
    for then the output changes most next to the baseline.

    Args:
        model: any that reads features, or tokens by an `nnx.Embed`.
        batch: of B sequences, with the prefix that the model needs.
        outputs: `[B]`, which of the C outputs f is.
        steps: `[B]`, at which step of the answer; None for one answer a sequence.
        points: of the midpoint rule; each costs a forward and a backward pass.

    Raises:
        SeqexpError: for tokens that no `nnx.Embed` reads, steps that the answer doesn't ask for,
            or no point.
    """
    if points < 1:
        raise SeqexpError(f"integrated gradients need at least 1 point, not {points}")
    score, xs = _scored(model, batch, outputs, steps)

    def body(total: Array, a: Array) -> tuple[Array, None]:
        return total + _gradient(score, a * xs), None

    fractions = ((jnp.arange(points) + 0.5) / points).astype(xs.dtype)
    total, _ = jax.lax.scan(body, jnp.zeros_like(xs), fractions)
    values = xs * total / points
    return Saliency(values, score(xs) - score(jnp.zeros_like(xs)) - jnp.sum(values, (1, 2)))


def _gradient(score: Callable[[Array], Array], xs: Array) -> Array:
    # A model in float64 with an embedding in float32 may give a gradient in float64.
    return jax.grad(lambda xs: jnp.sum(score(xs)))(xs).astype(xs.dtype)


def _scored(
    model: Model, batch: Batch, outputs: Array, steps: Array | None
) -> tuple[Callable[[Float[Array, "B T D"]], Float[Array, " B"]], Float[Array, "B T D"]]:
    """The chosen output as a function of what the layers read, and what they read."""
    values, lengths = batch.inputs
    embed = _embedding(model) if jnp.issubdtype(values.dtype, jnp.integer) else None
    xs = jnp.asarray(values) if embed is None else embed_tokens(embed, values)

    def score(xs: Array) -> Array:
        if embed is None:
            prediction = model(Sequences(xs, lengths), batch.prefix)
        else:
            prediction = _reading(model, embed, xs)(batch.inputs, batch.prefix)
        found = prediction.outputs
        if (found.ndim == 3) != (steps is not None):
            asked = "steps=[B], for it has an answer a step" if steps is None else "steps=None"
            raise SeqexpError(f"this model's outputs are {list(found.shape)}: give {asked}")
        rows = jnp.arange(len(found))
        return found[rows, outputs] if steps is None else found[rows, steps, outputs]

    return score, zero_padding(xs, lengths)


def _embedding(model: Model) -> nnx.Embed:
    """The table that the input tokens are read from: the first of the model's part "embedding"."""
    tables = model.parameter_parts().get("embedding", ())
    for part in jax.tree.leaves(model, is_leaf=_is_embed):
        if _is_embed(part) and tables and part.embedding is tables[0]:
            return part
    raise SeqexpError(
        f"not defined for this model, because a {type(model).__name__} doesn't read tokens by an "
        'nnx.Embed that is the first of its part "embedding": use one'
    )


def _is_embed(part: Any) -> bool:
    return isinstance(part, nnx.Embed)


class _Given:
    """Vectors in the place of an embedding's rows, whatever the tokens."""

    def __init__(self, xs: Array, num_embeddings: int):
        self.xs, self.num_embeddings = xs, num_embeddings

    def __call__(self, tokens: Array) -> Array:
        return self.xs


def _reading(model: Model, embed: nnx.Embed, xs: Array) -> Model:
    """The model, but that its input tokens are embedded as `xs`."""

    def put(part: Any) -> Any:
        return _Given(xs, embed.num_embeddings) if part is embed else part

    return jax.tree.map(put, model, is_leaf=lambda part: part is embed)

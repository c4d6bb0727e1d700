"""What a change of one input does to the states after it."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from seqexp.inspection.hidden_states import HiddenStates, input_states
from seqexp.types import Array, Batch, KeyArray, Model, SeqexpError


class Response(NamedTuple):
    """How far a layer's states are from what they would have been.

    Attributes:
        norms: `[B, K + 1]`, the Euclidean norm of the difference, from the changed step on; 0 where
            the sequence has ended.
        mask: `[B, K + 1]`, True where it has not.
        clear: `[B, K + 1]`, True where the norm is above what rounding makes of it: 100 units of
            the last place of h. Its decay, with the half-life, is
            `fit_decay(norms[:, 1:], clear[:, 1:])`.
        mean: `[K + 1]`, over the sequences that go on so long; NaN for none.
    """

    norms: Float[Array, "B K+1"]
    mask: Bool[Array, "B K+1"]
    clear: Bool[Array, "B K+1"]
    mean: Float[Array, " K+1"]


def perturbed(
    batch: Batch,
    at: Int[Array, " B"],
    key: KeyArray,
    *,
    size: float = 1e-2,
    tokens: int | None = None,
) -> Batch:
    """A batch with one input of each sequence changed.

    A token becomes another one, drawn uniformly; features move by a random direction of Euclidean
    length `size`.

    Args:
        batch: of B sequences.
        at: `[B]`, the step that is changed.
        key: draws the change.
        size: of features, in their units.
        tokens: V, where the inputs are tokens.

    Raises:
        SeqexpError: for tokens without their number, or fewer than two.
    """
    values, lengths = batch.inputs
    rows = jnp.arange(len(lengths))
    if values.ndim == 2:
        if tokens is None or tokens < 2:
            raise SeqexpError(
                f"inputs are tokens: say how many there are, at least 2, not {tokens}"
            )
        others = jax.random.randint(key, at.shape, 1, tokens, values.dtype)
        values = jnp.asarray(values).at[rows, at].set((values[rows, at] + others) % tokens)
    else:
        direction = jax.random.normal(key, (len(rows), values.shape[-1]), values.dtype)
        direction = direction / jnp.linalg.norm(direction, axis=-1, keepdims=True)
        values = jnp.asarray(values).at[rows, at].add(size * direction)
    return batch._replace(inputs=batch.inputs._replace(values=values))


def perturbation(
    model: Model,
    batch: Batch,
    at: Int[Array, " B"],
    key: KeyArray,
    *,
    max_lag: int,
    size: float = 1e-2,
    tokens: int | None = None,
) -> dict[str, Response]:
    """How long each layer feels a change of one input, by its name.

        ||h'_{t+k} - h_{t+k}||_2,    h' the states where x_t is another

    of the layers that read the inputs. A bidirectional layer feels the change before it, too, which
    is not shown.

    Args:
        model: of layers.
        batch: of B sequences.
        at: `[B]`, the step that is changed, a real one.
        key: draws the change.
        max_lag: K, so many steps after it.
        size: of features, in their units.
        tokens: V, where the inputs are tokens.

    Raises:
        SeqexpError: for a model without layers, or as `perturbed`.
    """
    changed = perturbed(batch, at, key, size=size, tokens=tokens)
    before, after = input_states(model, batch), input_states(model, changed)
    return {name: _response(before[name], after[name], at, max_lag) for name in before}


def _response(
    before: HiddenStates, after: HiddenStates, at: Int[Array, " B"], max_lag: int
) -> Response:
    distance = jnp.linalg.norm(after.values - before.values, axis=-1)
    rounding = 100 * jnp.finfo(distance.dtype).eps * jnp.linalg.norm(before.values, axis=-1)
    steps = at[:, None] + jnp.arange(max_lag + 1)
    inside = steps < distance.shape[1]
    steps = jnp.where(inside, steps, 0)
    mask = inside & jnp.take_along_axis(before.mask, steps, 1)
    norms = jnp.where(mask, jnp.take_along_axis(distance, steps, 1), 0)
    clear = mask & (norms > jnp.take_along_axis(rounding, steps, 1))
    count = jnp.sum(mask, 0)
    mean = jnp.where(count > 0, jnp.sum(norms, 0) / jnp.maximum(count, 1), jnp.nan)
    return Response(norms, mask, clear, mean)

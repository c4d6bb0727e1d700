"""The outputs of each layer over time: the hidden states."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.inspection.layer_calls import LayerCall, layer_calls
from seqexp.types import Array, Batch, Model


class HiddenStates(NamedTuple):
    """What a layer gives.

    Attributes:
        values: `[B, T, P]`, 0 at padding.
        mask: `[B, T]`, True where a step is real.
    """

    values: Float[Array, "B T P"]
    mask: Bool[Array, "B T"]


def hidden_states(model: Model, batch: Batch) -> dict[str, HiddenStates]:
    """The hidden states of each layer at evaluation, by its name ("layer_1").

    Before dropout and residuals, as `Prediction.hidden`. A layer that reads the inputs and then the
    prefix of a free answer gives those of the prefix; for the others see `input_states`.

    Args:
        model: of layers, in one direction or both.
        batch: with the prefix that the model needs.

    Raises:
        SeqexpError: for a model without layers.
    """
    calls = layer_calls(model, lambda watched: watched(batch.inputs, batch.prefix))
    return {name: states_of(call) for name, call in calls.items()}


def input_states(model: Model, batch: Batch) -> dict[str, HiddenStates]:
    """The hidden states of the layers that read the inputs, while they read them: T as the inputs'.

    Args:
        model: as of `hidden_states`.
        batch: with a prefix, whatever it holds, where the model writes free answers.

    Raises:
        SeqexpError: for a model without layers.
    """
    if batch.prefix is None:
        return hidden_states(model, batch)
    calls = layer_calls(model, lambda watched: watched.prefill(batch.inputs))
    return {name: states_of(call) for name, call in calls.items()}


def states_of(call: LayerCall) -> HiddenStates:
    """What a layer gave in a call, batch first."""
    return HiddenStates(jnp.swapaxes(call.ys, 0, 1), jnp.swapaxes(call.mask, 0, 1))

"""The short-term memory of a layer or a model, driven by independent inputs."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from seqexp.inspection.hidden_states import input_states
from seqexp.inspection.memory_curves import MemoryCurve, TokenMemory, memory_curve, token_memory
from seqexp.types import Batch, KeyArray, Layer, Model, Sequences, TaskSpec, Tokens


def layer_memory(
    layer: Layer,
    key: KeyArray,
    *,
    batch_size: int = 16,
    length: int = 500,
    max_lag: int = 100,
    scale: float = 1.0,
) -> MemoryCurve:
    """The memory curve and capacity of a layer (Jaeger 2001, see `memory_curve`).

        u_t ~ U(-scale, scale)^D, independent;    MC_k and its sum over k and D

    Args:
        layer: any; the classic definition has D = 1, in which the capacity is at most P.
        key: draws the inputs.
        batch_size: B, at least 4; two of four sequences are fitted.
        length: T; the last T - max_lag steps of each are looked at. For P units let
            B (T - max_lag) be many times P.
        max_lag: K.
        scale: of the inputs: the larger, the more a layer saturates.
    """
    shape = batch_size, length, layer.in_features
    values = jax.random.uniform(key, shape, minval=-scale, maxval=scale)
    ys, _ = layer.unroll(jnp.swapaxes(values, 0, 1))
    inputs = Sequences(values, jnp.full(batch_size, length))
    return memory_curve(jnp.swapaxes(ys, 0, 1), inputs, max_lag)


def model_memory(
    model: Model,
    spec: TaskSpec,
    key: KeyArray,
    *,
    batch_size: int = 16,
    length: int = 500,
    max_lag: int = 100,
    scale: float = 1.0,
) -> dict[str, MemoryCurve | TokenMemory]:
    """The memory of each layer that reads a model's inputs, by its name, for inputs of its own.

    Tokens are independent and uniform, features as those of `layer_memory`, whatever the task's own
    are; for these see `memory_curve` and `token_memory` with the states of `input_states`.

    Args:
        model: of layers.
        spec: what the task asks of it.
        key: draws the inputs.
        batch_size: as of `layer_memory`, and what follows.
        length: T.
        max_lag: K.
        scale: of features.

    Raises:
        SeqexpError: for a model without layers.
    """
    lengths = jnp.full(batch_size, length)
    if isinstance(spec.inputs, Tokens):
        values = jax.random.randint(key, (batch_size, length), 0, spec.inputs.size)
    else:
        shape = batch_size, length, spec.inputs.size
        values = jax.random.uniform(key, shape, minval=-scale, maxval=scale)
    inputs = Sequences(values, lengths)
    found: dict[str, MemoryCurve | TokenMemory] = {}
    for name, states in input_states(model, batch_of(spec, inputs)).items():
        if isinstance(spec.inputs, Tokens):
            found[name] = token_memory(states.values, inputs, spec.inputs.size, max_lag)
        else:
            found[name] = memory_curve(states.values, inputs, max_lag)
    return found


def batch_of(spec: TaskSpec, inputs: Sequences) -> Batch:
    """A batch with nothing but inputs, and a prefix of one step where the answer is free."""
    if spec.start is None:
        return Batch(inputs, ())
    size = inputs.lengths.shape[0]
    prefix = Sequences(jnp.full((size, 1), spec.start), jnp.ones(size, jnp.int32))
    return Batch(inputs, (), prefix)

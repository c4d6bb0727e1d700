"""Carries and gates of each layer over time, from the slow scan of its `step`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.cells.protocol import Activation, activation_kinds, activations
from seqexp.inspection.layer_calls import LayerCall, layer_calls, named_layers
from seqexp.layers import Bidirectional, Recurrent
from seqexp.recurrences.masking import where_mask
from seqexp.types import Array, Batch, Carry, Layer, Model


class Trace(NamedTuple):
    """What a layer computes, step by step.

    Attributes:
        outputs: `[B, T, P]`, 0 at padding.
        carries: the carry behind each step, a pytree of `[B, T, ...]`; at padding the last one.
        activations: `[B, T, H]` by name, 0 at padding; none of a layer that doesn't tell them.
        mask: `[B, T]`, True where a step is real.
    """

    outputs: Float[Array, "B T P"]
    carries: Any
    activations: Mapping[str, Float[Array, "B T H"]]
    mask: Bool[Array, "B T"]


def traces(model: Model, batch: Batch) -> dict[str, Trace]:
    """The trace of each layer at evaluation, by its name; of both directions by two.

    The names are "layer_1", and "layer_1/forward" and "layer_1/backward" of a bidirectional one.
    Under `jit` XLA drops what nobody reads, carries that grow with T, say.

    Args:
        model: of layers.
        batch: with the prefix that the model needs.

    Raises:
        SeqexpError: for a model without layers, or with a layer that reads whole sequences only.
    """
    calls = layer_calls(model, lambda watched: watched(batch.inputs, batch.prefix))
    found = {}
    for name, call in calls.items():
        found |= layer_traces(name, call)
    return found


def layer_traces(name: str, call: LayerCall) -> dict[str, Trace]:
    """The trace of one layer, or of its two directions, by the names of `traces`.

    Args:
        name: of the layer.
        call: what it read.

    Raises:
        SeqexpError: for a layer that reads whole sequences only.
    """
    layer, xs, mask, carry, _ = call
    carry = layer.initial_carry(xs.shape[1], len(xs)) if carry is None else carry
    if not isinstance(layer, Bidirectional):
        return {name: trace(layer, xs, mask, carry)}
    return {
        way: trace(one, xs, mask, start)
        for (way, one), start in zip(directions(name, layer).items(), carry, strict=True)
    }


def kinds(model: Model) -> dict[str, Mapping[str, Activation]]:
    """What is known of each activation, by the names of `traces`."""
    return {
        chain: activation_kinds(one)
        for name, layer in named_layers(model).items()
        for chain, one in directions(name, layer).items()
    }


def directions(name: str, layer: Layer) -> dict[str, Layer]:
    """A layer by its name, or the two directions of a bidirectional one by theirs."""
    if not isinstance(layer, Bidirectional):
        return {name: layer}
    return {f"{name}/forward": layer.forward, f"{name}/backward": layer.backward}


def trace(layer: Layer, xs: Float[Array, "T B D"], mask: Bool[Array, "T B"], carry: Carry) -> Trace:
    """The trace of one layer, from what it reads, time first.

    Args:
        layer: in one direction.
        xs: `[T, B, D]`, finite at padding.
        mask: `[T, B]`, False at padding, which stands on the right.
        carry: before the first step that is read.

    Raises:
        SeqexpError: for a layer that reads whole sequences only.
    """
    reverse = isinstance(layer, Recurrent) and layer.reverse
    step = layer.cell.step if isinstance(layer, Recurrent) else layer.step

    def body(carry: Carry, inputs: tuple[Array, Array]) -> tuple[Carry, Any]:
        x, keep = inputs
        active = dict(activations(layer, carry, x))
        new, y = step(carry, x)
        new = where_mask(keep, new, carry)
        y, active = where_mask(keep, (y, active), jax.tree.map(jnp.zeros_like, (y, active)))
        return new, (y, new, active)

    _, seen = jax.lax.scan(body, carry, (xs, mask), reverse=reverse)
    return Trace(*jax.tree.map(lambda steps: jnp.swapaxes(steps, 0, 1), (*seen, mask)))

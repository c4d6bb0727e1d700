"""What each layer of a model reads and gives, while the model runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.inspection.chains import with_layers
from seqexp.types import Array, Carry, KeyArray, Layer, Model, SeqexpError


class LayerCall(NamedTuple):
    """A call of a layer's `unroll`, time first as the layer sees it.

    Attributes:
        layer: which.
        xs: `[T, B, D]`, what it read.
        mask: `[T, B]`, True where a step is real.
        carry: before the first step; None for an empty past.
        ys: `[T, B, P]`, what it gave.
    """

    layer: Layer
    xs: Float[Array, "T B D"]
    mask: Bool[Array, "T B"]
    carry: Carry | None
    ys: Float[Array, "T B P"]


def layer_calls(model: Model, run: Callable[[Any], Any]) -> dict[str, LayerCall]:
    """The last call of each layer that is called while `run` runs the model, by the layer's name.

    Traced with the model: under `jit` XLA drops what nobody reads.

    Args:
        model: a pytree with its layers in it, as every `nnx.Module` is.
        run: runs the model that it is given, the same but for layers that are watched.

    Raises:
        SeqexpError: for a model without layers, or whose layers are no parts of it.
    """
    names = list(named_layers(model))
    calls: dict[str, LayerCall] = {}

    def watched(place: int, layer: Layer) -> Any:
        return _Watched(layer, names[place], calls)

    run(with_layers(model, watched))
    return calls


def named_layers(model: Model) -> dict[str, Layer]:
    """The layers of a model by their names: "layer_1" is the first of `model.layers`.

    Raises:
        SeqexpError: for a model without layers.
    """
    if not model.layers:
        raise SeqexpError(
            f"not defined for this model, because a {type(model).__name__} has no layers that run "
            "over time: use a model with layers"
        )
    return {f"layer_{number}": layer for number, layer in enumerate(model.layers, start=1)}


class _Watched:
    """A layer in the place of another, which notes its calls; what runs whole sequences only."""

    def __init__(self, layer: Layer, name: str, calls: dict[str, LayerCall]):
        self.layer, self.name, self.calls = layer, name, calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self.layer, name)

    def unroll(
        self,
        xs: Array,
        mask: Array | None = None,
        carry: Any = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Array, Carry]:
        ys, final = self.layer.unroll(xs, mask, carry, key=key)
        real = jnp.ones(xs.shape[:2], bool) if mask is None else mask
        self.calls[self.name] = LayerCall(self.layer, xs, real, carry, ys)
        return ys, final

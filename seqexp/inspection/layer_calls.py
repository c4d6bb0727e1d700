"""What each layer of a model reads and gives, while the model runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.inspection.chains import StandIn, layers_by_name, with_layers
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


def every_call(model: Model, run: Callable[[Any], Any]) -> list[tuple[str, LayerCall]]:
    """The calls of layers while `run` runs the model, in their order, with the layers' names.

    Traced with the model: under `jit` XLA drops what nobody reads.

    Args:
        model: a pytree with its layers in it, as every `nnx.Module` is.
        run: runs the model that it is given, the same but for layers that are watched.

    Raises:
        SeqexpError: for a model without layers, or whose layers are no parts of it.
    """
    named_layers(model)
    calls: list[tuple[str, LayerCall]] = []
    run(with_layers(model, lambda name, layer: _Watched(layer, name, calls)))
    return calls


def layer_calls(model: Model, run: Callable[[Any], Any]) -> dict[str, LayerCall]:
    """The last call of each layer that is called, by the layer's name; else as `every_call`."""
    return dict(every_call(model, run))


def named_layers(model: Model) -> dict[str, Layer]:
    """The layers of a model by their names, as `layers_by_name`.

    Raises:
        SeqexpError: for a model without layers.
    """
    if not model.layers:
        raise SeqexpError(
            f"not defined for this model, because a {type(model).__name__} has no layers that run "
            "over time: use a model with layers"
        )
    return layers_by_name(model)


@dataclass(frozen=True)
class _Watched(StandIn):
    """A layer that notes its calls."""

    name: str
    calls: list[tuple[str, LayerCall]]

    def unroll(
        self,
        xs: Array,
        mask: Array | None = None,
        carry: Carry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Array, Carry]:
        """The layer's."""
        ys, final = self.layer.unroll(xs, mask, carry, key=key)
        real = jnp.ones(xs.shape[:2], bool) if mask is None else mask
        self.calls.append((self.name, LayerCall(self.layer, xs, real, carry, ys)))
        return ys, final

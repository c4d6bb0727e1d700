"""The chains of steps in a model along which gradients flow through time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from seqexp.layers import Bidirectional, Recurrent
from seqexp.types import Array, Carry, KeyArray, Layer, Model, SeqexpError


class Chain(NamedTuple):
    """A layer, or one direction of a bidirectional layer, as step after step.

        carry_t, y_t = step(carry_{t-1}, x_t)

    Attributes:
        name: "layer_1" for the bottom layer; "layer_1/forward" and "layer_1/backward" for the two
            directions of a bidirectional one.
        reverse: whether it reads a sequence from its last true step to its first.
        initial_carry: `(batch_size, max_length)` to the carry of an empty past.
        step: `(carry, x [B, D])` to the next carry and `[B, P]`.
    """

    name: str
    reverse: bool
    initial_carry: Callable[[int, int], Carry]
    step: Callable[[Carry, Float[Array, "B D"]], tuple[Carry, Float[Array, "B P"]]]


def chains(model: Model) -> tuple[Chain, ...]:
    """The chains of a model's layers, bottom first.

    Raises:
        SeqexpError: where there is none, with the reason.
    """
    by_layer = _by_layer(model).values()
    found = tuple(chain for one in by_layer if not isinstance(one, str) for chain in one)
    if not found:
        reasons = [f"{name} {why}" for name, why in without_chain(model).items()]
        raise SeqexpError(
            f"gradients through time are not defined for a {type(model).__name__} here: "
            + ("; ".join(reasons) or "it has no layers that run over time")
        )
    return found


def chain_named(model: Model, name: str) -> Chain:
    """The chain of that name.

    Raises:
        SeqexpError: where the model has none of that name, with its names or the reason.
    """
    named = {chain.name: chain for chain in chains(model)}
    if name in named:
        return named[name]
    why = without_chain(model).get(name)
    said = f"{name} {why}" if why else f"this model has no chain {name!r}"
    raise SeqexpError(f"{said}: choose from {', '.join(named)}")


def without_chain(model: Model) -> dict[str, str]:
    """Why a layer is no chain, by its name: it reads whole sequences, or it carries nothing."""
    return {name: why for name, why in _by_layer(model).items() if isinstance(why, str)}


def layers_by_name(model: Model) -> dict[str, Layer]:
    """The layers of a model by their names: "layer_1" is the first of `model.layers`."""
    return {f"layer_{number}": layer for number, layer in enumerate(model.layers, start=1)}


def with_layers(model: Model, replace: Callable[[str, Layer], Any]) -> Any:
    """A copy of a model with other layers in the places of its own.

    Args:
        model: a pytree whose `layers` are nodes of it, as those of every `nnx.Module` are.
        replace: the name of a layer, and the layer, to what stands in its place.

    Raises:
        SeqexpError: for a model whose layers are no parts of it.
    """
    names = {id(layer): name for name, layer in layers_by_name(model).items()}
    seen: set[int] = set()

    def swapped(node: Any) -> Any:
        if id(node) not in names:
            return node
        seen.add(id(node))
        return replace(names[id(node)], node)

    copy = jax.tree.map(swapped, model, is_leaf=lambda node: id(node) in names)
    if seen != set(names):
        raise SeqexpError(
            f"the layers of a {type(model).__name__} are no attributes of it, so none can be "
            "watched: keep them in an nnx.List, and give them out as `layers`"
        )
    return copy


@dataclass(frozen=True)
class StandIn(ABC):
    """What stands in the place of a layer while whole sequences run, and does it in its own way."""

    layer: Layer

    @property
    def in_features(self) -> int:
        """The layer's."""
        return self.layer.in_features

    @property
    def out_features(self) -> int:
        """The layer's."""
        return self.layer.out_features

    @property
    def causal(self) -> bool:
        """The layer's."""
        return self.layer.causal

    def initial_carry(self, batch_size: int, max_length: int) -> Carry:
        """The layer's."""
        return self.layer.initial_carry(batch_size, max_length)

    @abstractmethod
    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: Carry | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], Carry]:
        """As the layer's at evaluation."""


def parts_of(carry: Carry) -> list[Any]:
    """The arrays of a carry that have a gradient: a counter has none."""
    return [leaf for leaf in jax.tree.leaves(carry) if jnp.issubdtype(leaf.dtype, jnp.inexact)]


def chains_of(layer: Layer, name: str) -> tuple[Chain, ...]:
    """The chains of a layer; a third-party layer has one if it goes step by step.

    Raises:
        SeqexpError: for a layer without a chain, with the reason.
    """
    if isinstance(layer, Bidirectional):
        both = (layer.forward, "forward"), (layer.backward, "backward")
        return tuple(chain for one, way in both for chain in chains_of(one, f"{name}/{way}"))
    if isinstance(layer, Recurrent):
        return (Chain(name, layer.reverse, layer.initial_carry, layer.cell.step),)
    carry = jax.eval_shape(lambda: layer.initial_carry(1, 1))
    if not parts_of(carry):
        raise SeqexpError("it carries nothing from one step to the next")
    jax.eval_shape(layer.step, carry, jax.ShapeDtypeStruct((1, layer.in_features), jnp.float32))
    return (Chain(name, False, layer.initial_carry, layer.step),)


def _by_layer(model: Model) -> dict[str, tuple[Chain, ...] | str]:
    """The chains of each layer, or why it has none."""
    found: dict[str, tuple[Chain, ...] | str] = {}
    for name, layer in layers_by_name(model).items():
        try:
            found[name] = chains_of(layer, name)
        except SeqexpError as error:
            found[name] = f"({type(layer).__name__}) has no gradient through time: {error}"
    return found

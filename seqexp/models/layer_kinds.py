"""From makers of layers to the layers of a stack."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from typing import Any

import jax
from flax import nnx

from seqexp.types import Layer, SeqexpError

LayerFactory = Callable[..., Layer]
"""Makes a layer from `(in_features, features, rngs=...)`."""


def stacked_layers(
    kinds: Sequence[LayerFactory], in_features: int, features: int, depth: int, rngs: nnx.Rngs
) -> list[Layer]:
    """Layers that fit on top of each other, bottom first: all `kinds`, `depth` times over."""
    layers: list[Layer] = []
    for kind in islice(cycle(kinds), depth * len(kinds)):
        layers.append(kind(in_features, features, rngs=rngs))
        in_features = layers[-1].out_features
    return layers


def out_features(kind: LayerFactory, in_features: int, features: int) -> int:
    """P: a layer may give out another width than it has units, a projection, say."""
    found: list[int] = []
    jax.eval_shape(lambda: found.append(kind(in_features, features, rngs=nnx.Rngs(0)).out_features))
    return found[0]


def with_option(kinds: Sequence[LayerFactory], name: str, value: Any) -> list[LayerFactory]:
    """Makers of layers with one of their arguments set.

    Raises:
        SeqexpError: if one takes no such argument.
    """
    for number, kind in enumerate(kinds, start=1):
        if name not in inspect.signature(kind).parameters:
            raise SeqexpError(
                f"model.{name} is for recurrent layers, and layer {number} of model.layers takes "
                "none: leave it out"
            )
    return [partial(kind, **{name: value}) for kind in kinds]


def require_sizes(**sizes: Any) -> None:
    """Raise SeqexpError unless all are whole numbers from 1 up; `embed_features` may be None."""
    for name, size in sizes.items():
        if size is None and name == "embed_features":
            continue
        if not isinstance(size, int) or size < 1:
            raise SeqexpError(f"model.{name} must be a whole number of at least 1, not {size!r}")

"""Layers on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Int

from seqexp.cells.sizes import require_flag
from seqexp.layers.dropout import keep_mask, require_rate
from seqexp.layers.norms import Norm, make_norm
from seqexp.recurrences.masking import time_first, where_mask
from seqexp.types import Array, Carry, KeyArray, Layer, SeqexpError


class Stack(nnx.Module):
    """Layers on top of each other.

        u = norm_l(x^l)
        y = layer_l(u)
        x^{l+1} = dropout(y), or x^l + dropout(y) if residual

    Dropout falls between layers only, never on what runs along time nor on the last layer's output
    (Zaremba et al. 2014, https://arxiv.org/abs/1409.2329). The first layer has no residual if it
    changes the width.

    Args:
        layers: bottom first; each takes as many features as the one below gives.
        dropout: rate between layers.
        residual: add a layer's input to its output, where the widths agree.
        norm: "none", "layer" or "rms" of each layer's input.
        rngs: draws the norms' parameters.

    Raises:
        SeqexpError: for no layers, widths that don't fit, unknown norms, a rate outside [0, 1), or
            residual where a layer after the first changes the width.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        dropout: float,
        residual: bool,
        norm: Norm,
        rngs: nnx.Rngs,
    ):
        _check(layers, residual)
        require_rate("dropout", dropout)
        require_flag(residual=residual)
        self.in_features = layers[0].in_features
        self.out_features = layers[-1].out_features
        self.layers = nnx.List(layers)
        self.dropout = dropout
        self.residual = residual
        self.norms = nnx.List([make_norm(norm, layer.in_features, rngs) for layer in layers])

    @property
    def causal(self) -> bool:
        """Whether every layer is."""
        return all(layer.causal for layer in self.layers)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """Those of all layers."""
        return tuple(own for layer in self.layers for own in layer.recurrent_parameters)

    def initial_carry(self, batch_size: int, max_length: int) -> tuple[Carry, ...]:
        """The tuple of the layers' carries."""
        return tuple(layer.initial_carry(batch_size, max_length) for layer in self.layers)

    def __call__(
        self,
        xs: Float[Array, "B T D"],
        lengths: Int[Array, " B"] | None = None,
        carry: tuple[Carry, ...] | None = None,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "B T P"], tuple[Float[Array, "B T _"], ...], tuple[Carry, ...]]:
        """Run whole sequences, batch first.

        Args:
            xs: `[B, T, D]`; what stands at padding never matters.
            lengths: `[B]`; None if every step is real.
            carry: the layers' carries; None for those of an empty past.
            key: draws all dropout; None for evaluation.

        Returns:
            `[B, T, P]`, 0 at padding; each layer's own output `[B, T, P]`, before dropout and
            residual; and the layers' final carries.
        """
        xs, mask = time_first(xs, lengths)
        xs, hidden, finals = self._run(xs, mask, carry, key)
        # Time first between the layers: only the stack's input and output are transposed.
        xs, *hidden = (jnp.swapaxes(ys, 0, 1) for ys in (xs, *hidden))
        return xs, tuple(hidden), finals

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        mask: Bool[Array, "T B"] | None = None,
        carry: tuple[Carry, ...] | None = None,
        *,
        key: KeyArray | None = None,
    ) -> tuple[Float[Array, "T B P"], tuple[Carry, ...]]:
        """Run whole sequences, time first, as a layer.

        Args:
            xs: `[T, B, D]`, finite at padding.
            mask: `[T, B]`, False at padding; None if every step is real.
            carry: the layers' carries; None for those of an empty past.
            key: draws all dropout; None for evaluation.

        Returns:
            `[T, B, P]`, 0 at padding, and the layers' final carries.
        """
        xs, _, finals = self._run(xs, mask, carry, key)
        return where_mask(mask, xs, jnp.zeros_like(xs)), finals

    def _run(
        self,
        xs: Float[Array, "T B D"],
        mask: Array | None,
        carry: tuple[Carry, ...] | None,
        key: KeyArray | None,
    ) -> tuple[Array, list[Array], tuple[Carry, ...]]:
        depth = len(self.layers)
        carries = [None] * depth if carry is None else carry
        keys = [(None, None)] * depth if key is None else jax.random.split(key, (depth, 2))
        hidden, finals = [], []
        for index, (layer_key, dropout_key) in enumerate(keys):
            inputs = self._normed(index, xs)
            ys, final = self.layers[index].unroll(inputs, mask, carries[index], key=layer_key)
            hidden.append(ys)
            finals.append(final)
            if dropout_key is not None and self.dropout > 0 and index + 1 < depth:
                ys = ys * keep_mask(dropout_key, self.dropout, ys.shape)
            xs = self._joined(index, xs, ys)
        return xs, hidden, tuple(finals)

    def step(
        self, carry: tuple[Carry, ...], x: Float[Array, "B D"]
    ) -> tuple[tuple[Carry, ...], Float[Array, "B P"]]:
        """One step at evaluation: `x` `[B, D]` to `[B, P]`.

        Raises:
            SeqexpError: if a layer needs the whole sequence.
        """
        finals = []
        for index, layer in enumerate(self.layers):
            final, y = layer.step(carry[index], self._normed(index, x))
            finals.append(final)
            x = self._joined(index, x, y)
        return tuple(finals), x

    def stepwise(self) -> Stack:
        """The same stack of layers that go step by step."""
        copy = jax.tree.map(lambda leaf: leaf, self)
        copy.layers = nnx.List([layer.stepwise() for layer in copy.layers])
        return copy

    def _normed(self, index: int, xs: Array) -> Array:
        norm = self.norms[index]
        return xs if norm is None else norm(xs)

    def _joined(self, index: int, xs: Array, ys: Array) -> Array:
        layer = self.layers[index]
        return xs + ys if self.residual and layer.in_features == layer.out_features else ys


def _check(layers: Sequence[Layer], residual: bool) -> None:
    if not layers:
        raise SeqexpError("a stack needs at least one layer")
    for number, (below, layer) in enumerate(pairwise(layers), start=2):
        if below.out_features != layer.in_features:
            raise SeqexpError(
                f"layer {number} takes {layer.in_features} features, but the one below gives "
                f"{below.out_features}: make them equal"
            )
        if residual and layer.in_features != layer.out_features:
            raise SeqexpError(
                f"layer {number} turns {layer.in_features} features into {layer.out_features}, so "
                "it cannot have a residual: give all layers one width, or set residual=false"
            )

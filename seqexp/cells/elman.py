"""Elman's simple recurrent network, and the IRNN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, get_args

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.initializers import Initializer, gate_kernel
from seqexp.cells.protocol import TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_number, require_sizes
from seqexp.recurrences import elman
from seqexp.recurrences.products import affine
from seqexp.recurrences.scan import scan
from seqexp.types import Array, KeyArray, SeqexpError


class ElmanCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class Elman(nnx.Module):
    """Simple recurrent network (Elman 1990, https://doi.org/10.1207/s15516709cog1402_1).

        h_t = f(x_t W + h_{t-1} U + b)

    With `activation="relu"` and `recurrent_init="identity"` it is the IRNN (Le et al. 2015,
    https://arxiv.org/abs/1504.00941).

    Args:
        in_features: D.
        features: H.
        activation: f, "tanh" or "relu".
        input_init: how W starts, a name that `initializer` knows or a callable.
        recurrent_init: how U starts, likewise.
        recurrent_scale: U starts multiplied by this.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, unknown names and a scale that isn't finite; and, on use,
            for `dropout["update"]`.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        activation: elman.Activation = "tanh",
        input_init: str | Initializer = "glorot",
        recurrent_init: str | Initializer = "orthogonal",
        recurrent_scale: float = 1.0,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        if activation not in get_args(elman.Activation):
            raise SeqexpError(f"unknown activation {activation!r}: use tanh or relu")
        self.in_features = in_features
        self.features = features
        self.out_features = features
        require_number("recurrent_scale", recurrent_scale)
        self.activation: elman.Activation = activation
        self.input_kernel = nnx.Param(
            gate_kernel(input_init, rngs.params(), in_features, features, gates=1)
        )
        self.recurrent_kernel = nnx.Param(
            recurrent_scale
            * gate_kernel(recurrent_init, rngs.params(), features, features, gates=1)
        )
        self.bias = nnx.Param(jnp.zeros(features))

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """U."""
        return (self.recurrent_kernel,)

    def initial_carry(self, batch_size: int) -> ElmanCarry:
        """Zeros."""
        return ElmanCarry(jnp.zeros((batch_size, self.features), self.bias.dtype))

    def output(self, carry: ElmanCarry) -> Float[Array, "B H"]:
        """`h`."""
        return carry.h

    def dropout_masks(self, key: KeyArray, batch_size: int, steps: int) -> DropoutMasks:
        """None of its own."""
        return {}

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """h as "hidden", from -1 to 1 with tanh and from 0 up with ReLU."""
        return {"hidden": TANH if self.activation == "tanh" else Activation(0.0, math.inf)}

    def activations(self, carry: ElmanCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """h as "hidden", `[B, H]`."""
        return {"hidden": self.step(carry, x)[1]}

    def step(
        self, carry: ElmanCarry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[ElmanCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `h` `[B, H]`."""
        projected = x @ self.input_kernel[...] + self.bias[...]
        return self._advance(carry, projected, dropout or {})

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: ElmanCarry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B H"], ElmanCarry]:
        """All steps, time first: `xs` `[T, B, D]` to `hs` `[T, B, H]` and the final carry."""
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        dropout = dropout or {}
        if not dropout:
            kernels = self.input_kernel[...], self.recurrent_kernel[...], self.bias[...]
            hs, h = elman.unroll(xs, *kernels, carry.h, mask, self.activation, reverse)
            return hs, ElmanCarry(h)
        projected = affine(xs, self.input_kernel[...], self.bias[...])
        return scan(self._advance, carry, projected, mask, dropout, reverse)

    def _advance(
        self, carry: ElmanCarry, projected: Float[Array, "B H"], dropout: DropoutMasks
    ) -> tuple[ElmanCarry, Float[Array, "B H"]]:
        if "update" in dropout:
            raise SeqexpError(
                "Elman writes its whole state anew, so it has no update to drop: "
                "use Variational or Zoneout instead of RecurrentDropout"
            )
        seen = carry.h if "hidden" not in dropout else carry.h * dropout["hidden"]
        h = elman.activate(projected + seen @ self.recurrent_kernel[...], self.activation)
        return ElmanCarry(h), h

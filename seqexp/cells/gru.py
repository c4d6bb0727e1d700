"""The gated recurrent unit, in its two forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.initializers import Initializer, gate_kernel
from seqexp.cells.protocol import SIGMOID, TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_sizes
from seqexp.recurrences import gru
from seqexp.recurrences.products import affine
from seqexp.recurrences.scan import scan
from seqexp.types import Array, KeyArray, SeqexpError

Reset = Literal["before", "after"]


class GRUCarry(NamedTuple):
    """`h` `[B, H]`."""

    h: Float[Array, "B H"]


class GRU(nnx.Module):
    """Gated recurrent unit (Cho et al. 2014, https://arxiv.org/abs/1406.1078).

        r_t = sigmoid(x_t W_r + h_{t-1} U_r + b_r)
        z_t = sigmoid(x_t W_z + h_{t-1} U_z + b_z)
        n_t = tanh(x_t W_n + (r_t * h_{t-1}) U_n + b_n)           reset "before" the product
        n_t = tanh(x_t W_n + r_t * (h_{t-1} U_n + a) + b_n)       reset "after" it
        h_t = z_t * h_{t-1} + (1 - z_t) * n_t

    The kernels and the bias hold r, z and n in this order. "after" is the form of cuDNN, with its
    own bias a inside the reset; it needs one product a step where "before" needs two.

    Args:
        in_features: D.
        features: H.
        reset: "before" or "after".
        input_init: how W starts, a name that `initializer` knows or a callable.
        recurrent_init: how U starts, likewise.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and unknown names.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        reset: Reset = "before",
        input_init: str | Initializer = "glorot",
        recurrent_init: str | Initializer = "orthogonal",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        if reset not in get_args(Reset):
            raise SeqexpError(f"unknown reset {reset!r}: use before or after")
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.input_kernel = nnx.Param(
            gate_kernel(input_init, rngs.params(), in_features, features, gates=3)
        )
        self.recurrent_kernel = nnx.Param(
            gate_kernel(recurrent_init, rngs.params(), features, features, gates=3)
        )
        self.bias = nnx.Param(jnp.zeros(3 * features))
        self.reset_bias = nnx.Param(jnp.zeros(features)) if reset == "after" else None

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """U."""
        return (self.recurrent_kernel,)

    def initial_carry(self, batch_size: int) -> GRUCarry:
        """Zeros."""
        return GRUCarry(jnp.zeros((batch_size, self.features), self.bias.dtype))

    def output(self, carry: GRUCarry) -> Float[Array, "B H"]:
        """`h`."""
        return carry.h

    def dropout_masks(self, key: KeyArray, batch_size: int, steps: int) -> DropoutMasks:
        """None of its own."""
        return {}

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """r as "reset", z, which keeps the previous state, as "update", and n as "candidate"."""
        return {"reset": SIGMOID, "update": SIGMOID._replace(keeps=True), "candidate": TANH}

    def activations(self, carry: GRUCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """r, z and n, `[B, H]`, as "reset", "update" and "candidate"."""
        projected = x @ self.input_kernel[...] + self.bias[...]
        r, z, n = self._gates(carry.h, projected)
        return {"reset": r, "update": z, "candidate": n}

    def step(
        self, carry: GRUCarry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[GRUCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `h` `[B, H]`."""
        projected = x @ self.input_kernel[...] + self.bias[...]
        return self._advance(carry, projected, dropout or {})

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: GRUCarry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B H"], GRUCarry]:
        """All steps, time first: `xs` `[T, B, D]` to `hs` `[T, B, H]` and the final carry."""
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        dropout = dropout or {}
        if dropout:
            projected = affine(xs, self.input_kernel[...], self.bias[...])
            return scan(self._advance, carry, projected, mask, dropout, reverse)
        kernels = self.input_kernel[...], self.recurrent_kernel[...], self.bias[...]
        if self.reset_bias is None:
            hs, h = gru.unroll_before(xs, *kernels, carry.h, mask, reverse)
        else:
            bias = self.reset_bias[...]
            hs, h = gru.unroll_after(xs, *kernels, bias, carry.h, mask, reverse)
        return hs, GRUCarry(h)

    def _advance(
        self, carry: GRUCarry, projected: Float[Array, "B G"], dropout: DropoutMasks
    ) -> tuple[GRUCarry, Float[Array, "B H"]]:
        h = carry.h
        seen = h if "hidden" not in dropout else h * dropout["hidden"]
        _, z, n = self._gates(seen, projected)
        if "update" in dropout:
            n = n * dropout["update"]
        h = z * h + (1 - z) * n
        return GRUCarry(h), h

    def _gates(
        self, seen: Float[Array, "B H"], projected: Float[Array, "B G"]
    ) -> tuple[Float[Array, "B H"], Float[Array, "B H"], Float[Array, "B H"]]:
        """r, z and n."""
        x_gates, x_candidate = gru.split_candidate(projected)
        if self.reset_bias is None:
            gate_kernel, candidate_kernel = gru.split_candidate(self.recurrent_kernel[...])
            r, z = jnp.split(jax.nn.sigmoid(x_gates + seen @ gate_kernel), 2, axis=-1)
            n = jnp.tanh(x_candidate + (r * seen) @ candidate_kernel)
        else:
            gates, candidate = gru.split_candidate(seen @ self.recurrent_kernel[...])
            r, z = jnp.split(jax.nn.sigmoid(x_gates + gates), 2, axis=-1)
            n = jnp.tanh(x_candidate + r * (candidate + self.reset_bias[...]))
        return r, z, n

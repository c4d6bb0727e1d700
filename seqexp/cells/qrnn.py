"""The quasi-recurrent network: gates of the input alone, over a linear recurrence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.fused import masked, refuse_hidden
from seqexp.cells.initializers import Initializer, gate_kernel
from seqexp.cells.protocol import SIGMOID, TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_sizes
from seqexp.recurrences import linear
from seqexp.recurrences.masking import last, where_mask
from seqexp.recurrences.products import affine, previous
from seqexp.types import Array, KeyArray, SeqexpError

Window = Literal[1, 2]


class QRNNCarry(NamedTuple):
    """The memory `c` and the output `h`, both `[B, H]`, and the input before, `x` `[B, D]`, or
    `[B, 0]` where the filter reads none."""

    c: Float[Array, "B H"]
    h: Float[Array, "B H"]
    x: Float[Array, "B E"]


class QRNN(nnx.Module):
    """Quasi-recurrent network with fo-pooling (Bradbury et al. 2017, equations 1-4,
    https://arxiv.org/abs/1611.01576).

        z_t = tanh(x_t W_z + x_{t-1} W'_z + b_z)             without x_{t-1} for a window of 1
        f_t = sigmoid(x_t W_f + x_{t-1} W'_f + b_f)
        o_t = sigmoid(x_t W_o + x_{t-1} W'_o + b_o)
        c_t = f_t * c_{t-1} + (1 - f_t) * z_t
        h_t = o_t * c_t

    The kernel holds W above W', and z, f and o in this order. No parameter multiplies anything of
    the steps before but an input. The paper's dropout, of f, is none of the wrappers'.

    Args:
        in_features: D.
        features: H.
        window: how many inputs the filter reads, 1 or 2.
        input_init: how W and W' start, a name that `initializer` knows or a callable.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, another window and unknown names; and, on use, for
            `dropout["hidden"]`.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        window: Window = 2,
        input_init: str | Initializer = "glorot",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        if type(window) is not int or window not in get_args(Window):
            raise SeqexpError(f"window must be 1 or 2, not {window!r}")
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.window: Window = window
        self.input_kernel = nnx.Param(
            gate_kernel(input_init, rngs.params(), window * in_features, features, gates=3)
        )
        self.bias = nnx.Param(jnp.zeros(3 * features))

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """None."""
        return ()

    def initial_carry(self, batch_size: int) -> QRNNCarry:
        """Zeros."""
        zeros = jnp.zeros((batch_size, self.features), self.bias.dtype)
        earlier = (self.window - 1) * self.in_features
        return QRNNCarry(zeros, zeros, jnp.zeros((batch_size, earlier), self.bias.dtype))

    def output(self, carry: QRNNCarry) -> Float[Array, "B H"]:
        """`h`."""
        return carry.h

    def dropout_masks(self, key: KeyArray, batch_size: int, steps: int) -> DropoutMasks:
        """None of its own."""
        return {}

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """f as "forget", o as "output" and z as "candidate"."""
        forget = SIGMOID._replace(keeps=True)
        return {"forget": forget, "output": SIGMOID, "candidate": TANH}

    def activations(self, carry: QRNNCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """f, o and z, `[B, H]`, as "forget", "output" and "candidate"."""
        z, f, o = self._gates(self._read(x, carry.x), {})
        return {"forget": f, "output": o, "candidate": z}

    def step(
        self, carry: QRNNCarry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[QRNNCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `h` `[B, H]`."""
        z, f, o = self._gates(self._read(x, carry.x), dropout or {})
        c = f * carry.c + (1 - f) * z
        h = o * c
        return QRNNCarry(c, h, carry.x if self.window == 1 else x), h

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: QRNNCarry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B H"], QRNNCarry]:
        """All steps, time first: `xs` `[T, B, D]` to `hs` `[T, B, H]` and the final carry."""
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        x = carry.x
        if self.window == 1:
            projected = affine(xs, self.input_kernel[...], self.bias[...])
        else:
            read = jnp.concatenate([xs, previous(xs, x, mask, reverse)], axis=-1)
            projected = affine(read, self.input_kernel[...], self.bias[...])
            x = last(xs, x, mask, reverse)
        z, f, o = self._gates(projected, dropout or {})
        cs, c = linear.unroll(f, (1 - f) * z, carry.c, mask, reverse)
        hs = where_mask(mask, o * cs, jnp.zeros_like(cs))
        return hs, QRNNCarry(c, last(hs, carry.h, mask, reverse), x)

    def _read(self, x: Float[Array, "B D"], earlier: Float[Array, "B E"]) -> Float[Array, "B K"]:
        read = x if self.window == 1 else jnp.concatenate([x, earlier], axis=-1)
        return read @ self.input_kernel[...] + self.bias[...]

    def _gates(
        self, projected: Float[Array, "*N K"], dropout: DropoutMasks
    ) -> tuple[Float[Array, "*N H"], Float[Array, "*N H"], Float[Array, "*N H"]]:
        """z, f and o."""
        refuse_hidden("QRNN", dropout)
        z, gates = projected[..., : self.features], projected[..., self.features :]
        f, o = jnp.split(jax.nn.sigmoid(gates), 2, axis=-1)
        return masked(jnp.tanh(z), dropout, "update"), f, o

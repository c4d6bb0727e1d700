"""The Legendre memory unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.protocol import TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_number, require_sizes, require_whole
from seqexp.recurrences.hippo import held
from seqexp.recurrences.products import exact_product, project
from seqexp.recurrences.scan import scan
from seqexp.types import Array, KeyArray, SeqexpError


class LMUCarry(NamedTuple):
    """The output `h` `[B, H]` and the memory `m` `[B, N]`."""

    h: Float[Array, "B H"]
    m: Float[Array, "B N"]


class LMU(nnx.Module):
    """Legendre memory unit (Voelker et al. 2019, https://papers.nips.cc/paper/9689).

        u_t = x_t e_x + h_{t-1} e_h + m_{t-1} e_m             one number
        m_t = A m_{t-1} + B u_t
        h_t = tanh(x_t W_x + h_{t-1} W_h + m_t W_m)

    A and B are those of HiPPO-LegT under zero-order hold, and fixed: m_t has the coefficients of
    the last theta of u in Legendre polynomials (`seqexp/recurrences/hippo.py`). e_x and e_h start
    LeCun uniform, e_m at 0, the kernels Glorot normal.

    Args:
        in_features: D.
        features: H.
        order: N, how many polynomials.
        theta: how many steps the memory spans.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 or a theta below 1; and, on use, for `dropout["update"]`.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        order: int = 32,
        theta: float = 100.0,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_whole(order=order)
        require_number("theta", theta, at_least=1)
        self.in_features = in_features
        self.features = features
        self.out_features = features
        self.order = order
        self.theta = float(theta)
        lecun, glorot = jax.nn.initializers.lecun_uniform(), jax.nn.initializers.glorot_normal()
        self.input_encoder = nnx.Param(lecun(rngs.params(), (in_features, 1)))
        self.recurrent_encoder = nnx.Param(lecun(rngs.params(), (features, 1)))
        self.recurrent_memory_encoder = nnx.Param(jnp.zeros((order, 1)))
        self.input_kernel = nnx.Param(glorot(rngs.params(), (in_features, features)))
        self.recurrent_kernel = nnx.Param(glorot(rngs.params(), (features, features)))
        self.recurrent_memory_kernel = nnx.Param(glorot(rngs.params(), (order, features)))

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """e_h, e_m, W_h and W_m."""
        return (
            self.recurrent_encoder,
            self.recurrent_memory_encoder,
            self.recurrent_kernel,
            self.recurrent_memory_kernel,
        )

    def initial_carry(self, batch_size: int) -> LMUCarry:
        """Zeros."""
        h = jnp.zeros((batch_size, self.features), self.input_kernel.dtype)
        return LMUCarry(h, jnp.zeros((batch_size, self.order), h.dtype))

    def output(self, carry: LMUCarry) -> Float[Array, "B H"]:
        """`h`."""
        return carry.h

    def dropout_masks(self, key: KeyArray, batch_size: int, steps: int) -> DropoutMasks:
        """None of its own."""
        return {}

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """h as "hidden" and m as "memory"."""
        return {"hidden": TANH, "memory": Activation(-math.inf, math.inf)}

    def activations(self, carry: LMUCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """The new h `[B, H]` as "hidden", and the new m `[B, N]` as "memory"."""
        new, _ = self.step(carry, x)
        return {"hidden": new.h, "memory": new.m}

    def step(
        self, carry: LMUCarry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[LMUCarry, Float[Array, "B H"]]:
        """One step: `x` `[B, D]` to `h` `[B, H]`."""
        return self._advance(carry, project(x, self._entering()), dropout or {})

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: LMUCarry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B H"], LMUCarry]:
        """All steps, time first: `xs` `[T, B, D]` to `hs` `[T, B, H]` and the final carry."""
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        projected = project(xs, self._entering())
        return scan(self._advance, carry, projected, mask, dropout or {}, reverse)

    def _entering(self) -> Float[Array, "D G"]:
        """W_x and e_x beside each other: one product for both."""
        return jnp.concatenate([self.input_kernel[...], self.input_encoder[...]], axis=1)

    def _advance(
        self, carry: LMUCarry, projected: Float[Array, "B G"], dropout: DropoutMasks
    ) -> tuple[LMUCarry, Float[Array, "B H"]]:
        if "update" in dropout:
            raise SeqexpError(
                "LMU writes one number into its memory, so it has no update to drop by unit: "
                "use Variational or Zoneout instead of RecurrentDropout"
            )
        seen = carry.h if "hidden" not in dropout else carry.h * dropout["hidden"]
        u = projected[:, -1:] + seen @ self.recurrent_encoder[...]
        u = u + carry.m @ self.recurrent_memory_encoder[...]
        system = held(self.order, self.theta)
        A, B = (jnp.asarray(part, carry.m.dtype) for part in system)
        m = exact_product(carry.m, A.T) + u * B
        pre = projected[:, :-1] + seen @ self.recurrent_kernel[...]
        h = jnp.tanh(pre + m @ self.recurrent_memory_kernel[...])
        return LMUCarry(h, m), h

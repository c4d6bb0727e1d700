"""Long short-term memory, with its common variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float

from seqexp.cells.initializers import Initializer, gate_kernel
from seqexp.cells.protocol import SIGMOID, TANH, Activation, DropoutMasks
from seqexp.cells.sizes import require_flag, require_number, require_sizes
from seqexp.parameters import Undecayed
from seqexp.recurrences import cudnn, lstm
from seqexp.recurrences.normalize import normalize
from seqexp.recurrences.products import project
from seqexp.recurrences.scan import scan
from seqexp.types import Array, KeyArray, SeqexpError

Implementation = Literal["scan", "cudnn"]


class LSTMCarry(NamedTuple):
    """The memory `c` `[B, H]` and the output `h` `[B, P]`."""

    c: Float[Array, "B H"]
    h: Float[Array, "B P"]


class LSTM(nnx.Module):
    """Long short-term memory (Hochreiter and Schmidhuber 1997,
    https://doi.org/10.1162/neco.1997.9.8.1735) with a forget gate (Gers et al. 2000,
    https://doi.org/10.1162/089976600300015015).

        i, f, g, o = x_t W + h_{t-1} U + b          (blocks of W, U and b, in this order)
        c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
        h_t = sigmoid(o) * tanh(c_t)

    The variants go together in any combination:

    - peepholes: i and f also see p * c_{t-1}, and o sees p * c_t (Gers and Schmidhuber 2000,
      https://doi.org/10.1109/IJCNN.2000.861302). They start at 0.
    - coupled: no f of its own, but 1 - sigmoid(i) in its place; the blocks are i, g, o (Greff et
      al. 2017, https://arxiv.org/abs/1503.04069). The bias of i starts at -forget_bias, so that as
      much is forgotten at first as by an f of its own.
    - layer_norm: i, f, g, o = LN(x_t W) + LN(h_{t-1} U) + b, each LN over all gates and with a
      scale, and h_t = sigmoid(o) * tanh(LN(c_t)) with a scale and a shift (Ba et al. 2016,
      equations 20-22, https://arxiv.org/abs/1607.06450). The shifts of the first two are left out:
      they would only add to b.
    - projection: h_t = (sigmoid(o) * tanh(c_t)) R, to P units (Sak et al. 2014,
      https://arxiv.org/abs/1402.1128).

    Args:
        in_features: D.
        features: H.
        forget_bias: where the bias of f starts; the rest of b starts at 0. 1 as in Jozefowicz et
            al. 2015, https://proceedings.mlr.press/v37/jozefowicz15.html.
        peepholes: as above.
        coupled: as above.
        layer_norm: as above.
        projection: P; None for none.
        implementation: what runs the plain LSTM over time: our own "scan", or "cudnn" on an NVIDIA
            GPU.
        input_init: how W and R start, a name that `initializer` knows or a callable.
        recurrent_init: how U starts, likewise.
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1, unknown names, a bias that isn't finite, and implementation
            "cudnn" with a variant or without an NVIDIA GPU.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        forget_bias: float = 1.0,
        peepholes: bool = False,
        coupled: bool = False,
        layer_norm: bool = False,
        projection: int | None = None,
        implementation: Implementation = "scan",
        input_init: str | Initializer = "glorot",
        recurrent_init: str | Initializer = "orthogonal",
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        require_number("forget_bias", forget_bias)
        require_flag(peepholes=peepholes, coupled=coupled, layer_norm=layer_norm)
        if projection is not None and (type(projection) is not int or projection < 1):
            raise SeqexpError(
                f"projection must be None or a whole number of at least 1, not {projection!r}"
            )
        self.in_features = in_features
        self.features = features
        self.out_features = features if projection is None else projection
        self.coupled = coupled
        gates = 3 if coupled else 4
        self.input_kernel = nnx.Param(
            gate_kernel(input_init, rngs.params(), in_features, features, gates)
        )
        self.recurrent_kernel = nnx.Param(
            gate_kernel(recurrent_init, rngs.params(), self.out_features, features, gates)
        )
        bias = jnp.zeros((gates, features))
        bias = bias.at[0].set(-forget_bias) if coupled else bias.at[1].set(forget_bias)
        self.bias = nnx.Param(bias.reshape(-1))
        self.peephole = Undecayed(jnp.zeros((gates - 1, features))) if peepholes else None
        self.layer_norm = layer_norm
        if layer_norm:
            self.scale_input = nnx.Param(jnp.ones(gates * features))
            self.scale_recurrent = nnx.Param(jnp.ones(gates * features))
            self.scale_memory = nnx.Param(jnp.ones(features))
            self.shift_memory = nnx.Param(jnp.zeros(features))
        self.projection = (
            None
            if projection is None
            else nnx.Param(gate_kernel(input_init, rngs.params(), features, projection, gates=1))
        )
        self.implementation: Implementation = implementation
        _require_implementation(implementation, self._plain)

    @property
    def recurrent_parameters(self) -> tuple[nnx.Param, ...]:
        """U."""
        return (self.recurrent_kernel,)

    def initial_carry(self, batch_size: int) -> LSTMCarry:
        """Zeros."""
        dtype = self.bias.dtype
        return LSTMCarry(
            jnp.zeros((batch_size, self.features), dtype),
            jnp.zeros((batch_size, self.out_features), dtype),
        )

    def output(self, carry: LSTMCarry) -> Float[Array, "B P"]:
        """`h`."""
        return carry.h

    def dropout_masks(self, key: KeyArray, batch_size: int, steps: int) -> DropoutMasks:
        """None of its own."""
        return {}

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """The gates "input", "forget" and "output", "candidate": tanh(g), and "memory": what the
        output gate multiplies, tanh(c_t)."""
        forget = SIGMOID._replace(keeps=True)
        gates = {"input": SIGMOID, "forget": forget, "output": SIGMOID}
        return {**gates, "candidate": TANH, "memory": TANH}

    def activations(self, carry: LSTMCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """Those of `activation_kinds`, `[B, H]`."""
        return self._activated(carry, self._project(x), {})[1]

    def step(
        self, carry: LSTMCarry, x: Float[Array, "B D"], dropout: DropoutMasks | None = None
    ) -> tuple[LSTMCarry, Float[Array, "B P"]]:
        """One step: `x` `[B, D]` to `h` `[B, P]`."""
        return self._advance(carry, self._project(x), dropout or {})

    def unroll(
        self,
        xs: Float[Array, "T B D"],
        *,
        carry: LSTMCarry | None = None,
        mask: Bool[Array, "T B"] | None = None,
        dropout: DropoutMasks | None = None,
        reverse: bool = False,
    ) -> tuple[Float[Array, "T B P"], LSTMCarry]:
        """All steps, time first: `xs` `[T, B, D]` to `hs` `[T, B, P]` and the final carry."""
        carry = self.initial_carry(xs.shape[1]) if carry is None else carry
        dropout = dropout or {}
        if self._plain and not dropout:
            kernels = self.input_kernel[...], self.recurrent_kernel[...], self.bias[...]
            unroll = cudnn.unroll if self.implementation == "cudnn" else lstm.unroll
            hs, (c, h) = unroll(xs, *kernels, carry.c, carry.h, mask, reverse)
            return hs, LSTMCarry(c, h)
        return scan(self._advance, carry, self._project(xs), mask, dropout, reverse)

    @property
    def _plain(self) -> bool:
        return not (
            self.coupled
            or self.layer_norm
            or self.peephole is not None
            or self.projection is not None
        )

    def _project(self, xs: Float[Array, "*N D"]) -> Float[Array, "*N G"]:
        projected = project(xs, self.input_kernel[...])
        if self.layer_norm:
            projected = normalize(projected) * self.scale_input[...]
        return projected + self.bias[...]

    def _advance(
        self, carry: LSTMCarry, projected: Float[Array, "B G"], dropout: DropoutMasks
    ) -> tuple[LSTMCarry, Float[Array, "B P"]]:
        c, active = self._activated(carry, projected, dropout)
        h = active["output"] * active["memory"]
        if self.projection is not None:
            h = h @ self.projection[...]
        return LSTMCarry(c, h), h

    def _activated(
        self, carry: LSTMCarry, projected: Float[Array, "B G"], dropout: DropoutMasks
    ) -> tuple[Float[Array, "B H"], dict[str, Float[Array, "B H"]]]:
        """The new c, and the activations that make it and h."""
        c, h = carry
        seen = h if "hidden" not in dropout else h * dropout["hidden"]
        recurrent = seen @ self.recurrent_kernel[...]
        if self.layer_norm:
            recurrent = normalize(recurrent) * self.scale_recurrent[...]
        # Coupled, there is no f among the blocks, nor among the peepholes.
        i, *f, g, o = jnp.split(projected + recurrent, 3 if self.coupled else 4, axis=-1)
        if self.peephole is not None:
            i, *f = (gate + p * c for gate, p in zip([i, *f], self.peephole[...], strict=False))
        i = jax.nn.sigmoid(i)
        keep = 1 - i if self.coupled else jax.nn.sigmoid(f[0])
        g = jnp.tanh(g)
        if "update" in dropout:
            g = g * dropout["update"]
        c = keep * c + i * g
        if self.peephole is not None:
            o = o + self.peephole[-1] * c
        memory = c
        if self.layer_norm:
            memory = normalize(c) * self.scale_memory[...] + self.shift_memory[...]
        o, memory = jax.nn.sigmoid(o), jnp.tanh(memory)
        return c, {"input": i, "forget": keep, "output": o, "candidate": g, "memory": memory}


def _require_implementation(implementation: Implementation, plain: bool) -> None:
    if implementation not in get_args(Implementation):
        raise SeqexpError(f"unknown implementation {implementation!r}: use scan or cudnn")
    if implementation == "cudnn" and not plain:
        raise SeqexpError(
            "implementation=cudnn knows the plain LSTM only: leave out peepholes, coupled, "
            "layer_norm and projection, or use implementation=scan"
        )
    if implementation == "cudnn" and not cudnn.available():
        raise SeqexpError(
            "implementation=cudnn needs an NVIDIA GPU, and JAX runs on "
            f"{jax.devices()[0].device_kind}: use implementation=scan here"
        )

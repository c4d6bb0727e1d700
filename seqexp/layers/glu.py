"""What mixes the features behind a state space of each step by itself."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.recurrences.products import project
from seqexp.types import Array, SeqexpError

Glu = Literal["none", "half", "full"]


class GLU(nnx.Module):
    """A gated linear unit behind a GELU (Dauphin et al. 2017, https://arxiv.org/abs/1612.08083).

        v = gelu(y)                                  in its tanh form
        v * sigmoid(v W + b)                         "half", of S5
        (v W_1 + b_1) * sigmoid(v W_2 + b_2)         "full", of S4D

    Args:
        features: H, of what goes in and comes out.
        kind: "half" or "full"; "none" for y itself.
        rngs: draws W (LeCun normal).

    Raises:
        SeqexpError: for an unknown kind.
    """

    def __init__(self, features: int, *, kind: Glu, rngs: nnx.Rngs):
        if kind not in get_args(Glu):
            raise SeqexpError(f"unknown glu {kind!r}: use none, half or full")
        self.kind: Glu = kind
        gates = {"none": 0, "half": 1, "full": 2}[kind]
        draw = jax.nn.initializers.lecun_normal()
        if gates:
            self.kernel = nnx.Param(draw(rngs.params(), (features, gates * features)))
            self.bias = nnx.Param(jnp.zeros(gates * features))

    def __call__(self, ys: Float[Array, "*N H"]) -> Float[Array, "*N H"]:
        """`[..., H]` to `[..., H]`."""
        if self.kind == "none":
            return ys
        v = jax.nn.gelu(ys)
        # A product for each part: of one for both, XLA's CPU code would copy the parts.
        parts = 1 if self.kind == "half" else 2
        kernels = jnp.split(self.kernel[...], parts, axis=-1)
        biases = jnp.split(self.bias[...], parts)
        *values, gate = (
            project(v, kernel) + bias for kernel, bias in zip(kernels, biases, strict=True)
        )
        return (values[0] if values else v) * jax.nn.sigmoid(gate)

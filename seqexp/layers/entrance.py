"""A matrix that brings inputs to the width of a layer which keeps it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.recurrences.products import project
from seqexp.types import Array


class Entrance(nnx.Module):
    """The encoder of the papers, where the widths differ: u W + b, and u itself where they agree.

    Args:
        in_features: D.
        features: H.
        rngs: draws W (LeCun normal).
    """

    def __init__(self, in_features: int, features: int, *, rngs: nnx.Rngs):
        self.same = in_features == features
        if not self.same:
            draw = jax.nn.initializers.lecun_normal()
            self.kernel = nnx.Param(draw(rngs.params(), (in_features, features)))
            self.bias = nnx.Param(jnp.zeros(features))

    def __call__(self, us: Float[Array, "*N D"]) -> Float[Array, "*N H"]:
        """`[..., D]` to `[..., H]`."""
        return us if self.same else project(us, self.kernel[...]) + self.bias[...]

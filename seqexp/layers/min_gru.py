"""The minimal gated recurrent unit: a GRU whose gates see the input alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.layers.candidates import Candidate, make_candidate
from seqexp.layers.minimal_unit import MinimalUnit
from seqexp.types import Array


class MinGRU(MinimalUnit):
    """Minimal gated recurrent unit (Feng et al. 2024, https://arxiv.org/abs/2410.01201).

        z_t = sigmoid(x_t W_z + b_z)
        n_t = g(x_t W_n + b_n)
        h_t = (1 - z_t) * h_{t-1} + z_t * n_t

    The kernel and the bias hold z and n in this order.

    Args:
        in_features: D.
        features: H.
        candidate: g: "positive", g(x) = x + 1/2 from 0 up and sigmoid(x) below (appendix B), or
            "linear", g(x) = x (section 3).
        rngs: draws the parameters.

    Raises:
        SeqexpError: for sizes below 1 and an unknown candidate.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        candidate: Candidate = "positive",
        rngs: nnx.Rngs,
    ):
        super().__init__(in_features, features, candidate=candidate, columns=2, rngs=rngs)

    def coefficients(self, pre: Float[Array, "*N G"]) -> tuple[Array, Array, Array]:
        """1 - z, z and n."""
        z, n = jnp.split(pre, 2, axis=-1)
        # sigmoid(-z) and not 1 - sigmoid(z): a gate near 1 keeps its distance from it.
        return jax.nn.sigmoid(-z), jax.nn.sigmoid(z), make_candidate(self.candidate, n)

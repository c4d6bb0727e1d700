"""The minimal LSTM: gates that see the input alone, and share what is kept and what is written."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.sizes import require_number
from seqexp.layers.candidates import Candidate, make_candidate
from seqexp.layers.minimal_unit import MinimalUnit
from seqexp.types import Array


class MinLSTM(MinimalUnit):
    """Minimal long short-term memory (Feng et al. 2024, https://arxiv.org/abs/2410.01201).

        f_t = sigmoid(x_t W_f + b_f)
        i_t = sigmoid(x_t W_i + b_i)
        n_t = g(x_t W_n + b_n)
        h_t = f_t / (f_t + i_t) * h_{t-1} + i_t / (f_t + i_t) * n_t

    The two shares are computed as sigmoid(-d) and sigmoid(d) with d = log i_t - log f_t, which
    stay defined where both gates are 0 (appendix B). The kernel and the bias hold f, i and n in
    this order.

    Args:
        in_features: D.
        features: H.
        candidate: g: "positive", g(x) = x + 1/2 from 0 up and sigmoid(x) below (appendix B), or
            "linear", g(x) = x (section 3).
        forget_bias: what b_f starts at; the paper tries larger ones for longer memories.
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
        forget_bias: float = 0.0,
        rngs: nnx.Rngs,
    ):
        require_number("forget_bias", forget_bias)
        super().__init__(in_features, features, candidate=candidate, columns=3, rngs=rngs)
        self.bias[...] = self.bias[...].at[:features].set(forget_bias)

    def coefficients(self, pre: Float[Array, "*N G"]) -> tuple[Array, Array, Array]:
        """f / (f + i), i / (f + i) and n; the first two are shown as "forget" and "input"."""
        f, i, n = jnp.split(pre, 3, axis=-1)
        d = jax.nn.softplus(-f) - jax.nn.softplus(-i)
        return jax.nn.sigmoid(-d), jax.nn.sigmoid(d), make_candidate(self.candidate, n)

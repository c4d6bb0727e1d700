"""Kimi delta attention: the delta rule with a decay of each key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_sizes, require_whole
from seqexp.layers.delta_rule import DeltaCarry, DeltaGates, DeltaRule, largest_beta
from seqexp.layers.heads import ConvolvedHeads, head_width, join_heads, split_heads
from seqexp.layers.linear import Linear
from seqexp.layers.selective_decay import SelectiveDecay
from seqexp.recurrences import chunked
from seqexp.types import Array


class KimiDeltaAttention(DeltaRule):
    """Kimi delta attention, KDA (Kimi Team 2025, https://arxiv.org/abs/2510.26692).

        alpha_t = exp(-exp(a) softplus(W_2 W_1 x_t + b))            of each key
        beta_t = sigmoid(W_beta x_t)                                a number of each head
        S_t = (I - beta_t k_t k_t^T) diag(alpha_t) S_{t-1} + beta_t k_t v_t^T
        y_t = W_o (sigmoid(W_4 W_3 x_t) * RMSNorm_heads(S_t^T q_t))

    q, k and v as `ConvolvedHeads` says, a, of each head, and b as `SelectiveDecay` does.

    Args:
        in_features: D.
        features: P; each of the N heads is K = V = ceil(P / N) wide.
        heads: N.
        rank: the inner width of both low-rank gates; None for the width of a head, as published.
        negative_eigenvalues: beta between 0 and 2 in the place of 0 and 1.
        convolution: how many steps the convolutions read, 4 as published; None for none.
        chunk: steps that are computed at once; None for what is fast.
        rngs: draws the matrices (LeCun normal), which have no biases, and the rest.

    Raises:
        SeqexpError: for impossible options.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        heads: int,
        rank: int | None = None,
        negative_eigenvalues: bool = False,
        convolution: int | None = 4,
        chunk: int | None = None,
        rngs: nnx.Rngs,
    ):
        require_sizes(in_features, features)
        chunked.require_chunk(chunk)
        self.in_features = in_features
        self.out_features = features
        self.heads = heads
        self.key_width = self.value_width = width = head_width(features, heads)
        rank = width if rank is None else rank
        require_whole(rank=rank)
        self.largest_beta = largest_beta(negative_eigenvalues)
        self.chunk = chunk
        self.enter = ConvolvedHeads(
            in_features,
            heads=heads,
            key_width=width,
            value_width=width,
            convolution=convolution,
            rngs=rngs,
        )
        inner = heads * width
        self.beta = Linear(in_features, heads, use_bias=False, rngs=rngs)
        self.decay_down = Linear(in_features, rank, use_bias=False, rngs=rngs)
        self.decay_up = Linear(rank, inner, use_bias=False, rngs=rngs)
        self.decay = SelectiveDecay(heads, width, rngs=rngs)
        self.gate_down = Linear(in_features, rank, use_bias=False, rngs=rngs)
        self.gate_up = Linear(rank, inner, use_bias=False, rngs=rngs)
        self.norm = nnx.RMSNorm(width, epsilon=1e-5, rngs=rngs)
        self.leave = Linear(inner, features, use_bias=False, rngs=rngs)

    @property
    def recurrent_parameters(self) -> tuple[Any, ...]:
        """a, which makes the decays."""
        return self.decay.recurrent_parameters

    @property
    def activation_kinds(self) -> Mapping[str, Activation]:
        """alpha, which keeps the state, as "forget", and beta as "update"."""
        return {
            "forget": SIGMOID._replace(keeps=True),
            "update": Activation(0.0, self.largest_beta),
        }

    def activations(self, carry: DeltaCarry, x: Float[Array, "B D"]) -> Mapping[str, Array]:
        """alpha `[B, N K]` as "forget", and beta `[B, N]` as "update"."""
        beta, log_decay, _ = self.gates_of(x)
        assert log_decay is not None
        return {"forget": join_heads(jnp.exp(log_decay)), "update": join_heads(beta)}

    def gates_of(self, xs: Float[Array, "*S D"]) -> DeltaGates:
        """A decay of each key, and a gate of each value."""
        z = split_heads(self.decay_up(self.decay_down(xs)), self.heads)
        return DeltaGates(
            self.largest_beta * jax.nn.sigmoid(self.beta(xs))[..., None],
            self.decay.log_decay(self.decay.step_sizes(z)),
            jax.nn.sigmoid(self.gate_up(self.gate_down(xs))),
        )

    def leaving(self, ys: Float[Array, "*S N V"], gate: Array) -> Float[Array, "*S P"]:
        """W_o of the norm, gated."""
        return self.leave(gate * join_heads(self.norm(ys)))

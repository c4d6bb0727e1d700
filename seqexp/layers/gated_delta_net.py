"""Gated DeltaNet: the delta rule with the decay of Mamba-2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from seqexp.cells.protocol import SIGMOID, Activation
from seqexp.cells.sizes import require_sizes
from seqexp.layers.delta_rule import DeltaCarry, DeltaGates, DeltaRule, largest_beta
from seqexp.layers.heads import ConvolvedHeads, head_width, join_heads
from seqexp.layers.linear import Linear
from seqexp.layers.selective_decay import SelectiveDecay
from seqexp.recurrences import chunked
from seqexp.types import Array


class GatedDeltaNet(DeltaRule):
    """Gated DeltaNet (Yang et al. 2025, https://arxiv.org/abs/2412.06464).

        alpha_t = exp(-exp(a) softplus(W_alpha x_t + b))            numbers of each head
        beta_t = sigmoid(W_beta x_t)
        S_t = alpha_t (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T
        y_t = W_o (SiLU(W_g x_t) * RMSNorm_heads(S_t^T q_t))

    q, k and v as `ConvolvedHeads` says, a and b as `SelectiveDecay` does (the authors' code starts
    exp(a) uniform in [0, 16]). With negative eigenvalues
    beta_t = 2 sigmoid(W_beta x_t) (Grazzi et al. 2025, https://arxiv.org/abs/2411.12537).

    Args:
        in_features: D.
        features: P.
        heads: N.
        key_expansion: the keys of a head are K = ceil(key_expansion P / N) wide; 0.75 in the
            authors' code, https://github.com/fla-org/flash-linear-attention.
        value_expansion: its values V = ceil(value_expansion P / N), twice the keys there.
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
        key_expansion: float = 0.75,
        value_expansion: float = 1.5,
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
        self.key_width = head_width(features, heads, key_expansion=key_expansion)
        self.value_width = head_width(features, heads, value_expansion=value_expansion)
        self.largest_beta = largest_beta(negative_eigenvalues)
        self.chunk = chunk
        self.enter = ConvolvedHeads(
            in_features,
            heads=heads,
            key_width=self.key_width,
            value_width=self.value_width,
            convolution=convolution,
            rngs=rngs,
        )
        values = heads * self.value_width
        self.gates = Linear(in_features, 2 * heads + values, use_bias=False, rngs=rngs)
        self.decay = SelectiveDecay(heads, rngs=rngs)
        self.norm = nnx.RMSNorm(self.value_width, epsilon=1e-5, rngs=rngs)
        self.leave = Linear(values, features, use_bias=False, rngs=rngs)

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
        """alpha and beta, `[B, N]`, as "forget" and "update"."""
        beta, log_decay, _ = self.gates_of(x)
        assert log_decay is not None
        return {"forget": join_heads(jnp.exp(log_decay)), "update": join_heads(beta)}

    def gates_of(self, xs: Float[Array, "*S D"]) -> DeltaGates:
        """A decay of each head, and a gate of each value."""
        parts = jnp.split(self.gates(xs), [self.heads, 2 * self.heads], axis=-1)
        log_decay = self.decay.log_decay(self.decay.step_sizes(parts[0][..., None]))
        beta = self.largest_beta * jax.nn.sigmoid(parts[1])[..., None]
        return DeltaGates(beta, log_decay, jax.nn.silu(parts[2]))

    def leaving(self, ys: Float[Array, "*S N V"], gate: Array) -> Float[Array, "*S P"]:
        """W_o of the norm, gated."""
        return self.leave(gate * join_heads(self.norm(ys)))
